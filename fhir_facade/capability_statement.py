"""/metadata: what is served, made from the tables that serve it. FHIR R4 5.2, MHD 1:33.1."""

from typing import Any

import orjson

from fhir_facade.search_parameters import SEARCH_PARAMETERS

_RESPONDER = "https://profiles.ihe.net/ITI/MHD/CapabilityStatement/IHE.MHD.DocumentResponder"
_GUIDE = "https://profiles.ihe.net/ITI/MHD/ImplementationGuide/ihe.iti.mhd"


def capability_statement(*, base_url: str, version: str, date: str) -> bytes:
    """The resource as JSON; `date` is a FHIR date."""
    resource: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Carnet", "version": version},
        "implementation": {"description": "MHD on an XDS.b registry and repository", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "instantiates": [_RESPONDER],
        "implementationGuide": [_GUIDE],
        "rest": [{"mode": "server", "resource": [_document_reference(), _binary()]}],
    }
    return orjson.dumps(resource)


def _document_reference() -> dict[str, Any]:
    return {
        "type": "DocumentReference",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "readHistory": False,
        "searchParam": [
            {
                "name": parameter.name,
                "definition": parameter.definition,
                "type": parameter.type,
                "documentation": parameter.documentation,
            }
            for parameter in SEARCH_PARAMETERS
            if not parameter.hidden
        ],
    }


def _binary() -> dict[str, Any]:
    return {
        "type": "Binary",
        "interaction": [{"code": "read"}],
        "documentation": "the document itself, unless Accept asks for application/fhir+json",
    }
