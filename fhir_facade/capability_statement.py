"""/metadata: what is served, made from the tables that serve it. FHIR R4 5.2, MHD 1:33.1."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_facade.fhir_json import write_json
from fhir_facade.iti78_mobile_patient_demographics_query import NARROWING, SCOPES, PatientParameter
from fhir_facade.iti78_mobile_patient_demographics_query import PARAMETERS as PATIENT_PARAMETERS
from fhir_facade.iti81_retrieve_atna_audit_event import PARAMETERS as AUDIT_PARAMETERS
from fhir_facade.iti81_retrieve_atna_audit_event import AuditParameter
from fhir_facade.iti111_resource_subscription import PROFILE as SUBSCRIPTION_PROFILE
from fhir_facade.list_search_parameters import LIST_SEARCH_PARAMETERS
from fhir_facade.search_parameters import SEARCH_PARAMETERS
from fhir_facade.search_shape import INCLUDES, REVERSE_INCLUDES
from fhir_facade.search_values import SearchParameter
from fhir_facade.security_statement import NOTHING_ASKED, FhirSecurity, rest_security

_MHD = "https://profiles.ihe.net/ITI/MHD"
_PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"
_ACTOR = f"{_MHD}/CapabilityStatement/IHE.MHD."


PIX_QUERY = "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix"
COMBINATION = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-search-parameter-combination"
VALIDATE = {"name": "validate", "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate"}
PATCHED = "status, securityLabel and isArchived, by id or identifier [ITI-57]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What of the FHIR door this process serves: documents with a repository, patients where FHIR may feed them.

    `has_log`: there is an audit trail to ask.
    """

    takes_documents: bool
    takes_patients: bool
    has_log: bool = False
    takes_subscriptions: bool = False
    security: FhirSecurity = NOTHING_ASKED


def capability_statement(*, base_url: str, version: str, date: str, served: Served) -> bytes:
    """The resource as JSON; `date` is a FHIR date."""
    recipient = [f"{_ACTOR}DocumentRecipient", f"{_ACTOR}DocumentRecipient.Comprehensive"]
    recipient += [f"{_ACTOR}DocumentRecipient.Fdoc", f"{_ACTOR}DocumentRecipient.Simplified"]
    recipient += [f"{_ACTOR}DocumentRecipient.Generate"]
    rest: dict[str, Any] = {
        "mode": "server",
        "resource": [
            _document_reference(served),
            _list(),
            _binary(),
            _patient(served),
            *_audit_event(served),
            *_subscription(served),
        ],
        "interaction": [
            {"code": "batch", "documentation": "of whatever else is served, but for documents read"},
            {"code": "search-system", "documentation": "of DocumentReference or List, as _type says"},
        ],
    }
    rest["operation"] = [VALIDATE]
    security = rest_security(served.security)
    if security is not None:
        rest["security"] = security
    taken = ["Provide Document Bundle [ITI-65]"] if served.takes_documents else []
    taken += ["Patients alone [ITI-104]"] if served.takes_patients else []
    taken.append("reads and searches alone")
    rest["interaction"].append({"code": "transaction", "documentation": ", or ".join(taken)})
    resource: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Carnet", "version": version},
        "implementation": {"description": "MHD on an XDS.b registry and repository", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml"],
        "instantiates": [f"{_ACTOR}DocumentResponder", *(recipient if served.takes_documents else ())],
        "implementationGuide": [f"{_MHD}/ImplementationGuide/ihe.iti.mhd"],
        "rest": [rest],
    }
    return write_json(resource)


def _document_reference(served: Served) -> dict[str, Any]:
    profiles = [
        f"{_MHD}/StructureDefinition/IHE.MHD.{level}.DocumentReference" for level in ("Minimal", "Comprehensive")
    ]
    profiles.append(f"{_PDSM}/pdsm-comprehensive-document-reference")
    resource = _searched("DocumentReference", SEARCH_PARAMETERS, profiles)
    resource["interaction"].append({"code": "patch", "documentation": PATCHED})
    resource["conditionalUpdate"] = True  # of PATCH, for which R4 has no flag of its own. PDSm 10
    if served.takes_documents:
        resource["interaction"].append({"code": "create", "documentation": "Simplified Publish [ITI-105]"})
        generate = {"name": "generate-metadata", "definition": f"{_MHD}/OperationDefinition/generate-metadata"}
        resource["operation"].append(generate)
        resource["conditionalCreate"] = True
    return resource


def _list() -> dict[str, Any]:
    profiles = [f"{_MHD}/StructureDefinition/IHE.MHD.Minimal.{kind}" for kind in ("SubmissionSet", "Folder")]
    profiles += [f"{_PDSM}/pdsm-{name}-comprehensive" for name in ("submissionset", "folder")]
    return _searched("List", LIST_SEARCH_PARAMETERS, profiles)


def _searched(name: str, parameters: Iterable[SearchParameter], profiles: Sequence[str]) -> dict[str, Any]:
    return {
        "type": name,
        "supportedProfile": list(profiles),
        "interaction": [*({"code": code} for code in ("read", "search-type", "vread", "history-instance"))],
        "versioning": "versioned",
        "readHistory": True,
        "searchInclude": list(INCLUDES[name]),
        "searchRevInclude": list(REVERSE_INCLUDES[name]),
        "searchParam": [_parameter(one) for one in parameters if not one.hidden],
        "operation": [VALIDATE],
    }


def _parameter(one: SearchParameter | AuditParameter | PatientParameter) -> dict[str, str]:
    definition = {"definition": one.definition} if one.definition else {}
    return {"name": one.name, **definition, "type": one.type, "documentation": one.documentation}


def _audit_event(served: Served) -> Iterator[dict[str, Any]]:
    """Where the audit is on."""
    if served.has_log:
        yield {
            "type": "AuditEvent",
            "interaction": [{"code": "read"}, {"code": "search-type", "documentation": "[ITI-81]"}],
            "versioning": "no-version",
            "readHistory": False,
            "searchParam": [_parameter(one) for one in AUDIT_PARAMETERS],
        }


def _subscription(served: Served) -> Iterator[dict[str, Any]]:
    """Where there are targets that may be told."""
    if served.takes_subscriptions:
        yield {
            "type": "Subscription",
            "supportedProfile": [SUBSCRIPTION_PROFILE],
            "interaction": [{"code": "read"}, {"code": "create", "documentation": "[ITI-111]"}, {"code": "delete"}],
            "versioning": "no-version",
            "readHistory": False,
        }


def _binary() -> dict[str, Any]:
    return {
        "type": "Binary",
        "interaction": [{"code": "read"}],
        "documentation": "the document itself, unless Accept asks for application/fhir+json",
    }


def _combination(required: str, optional: Iterable[str]) -> dict[str, Any]:
    """A search that has the one parameter, and the others beside it: by themselves these are not served. FHIR R4 5.2"""
    parts = [("required", required), *(("optional", one) for one in optional)]
    return {"url": COMBINATION, "extension": [{"url": url, "valueString": name} for url, name in parts]}


def _patient(served: Served) -> dict[str, Any]:
    fed = [{"code": "create"}, {"code": "update", "documentation": "Patient Identity Feed FHIR [ITI-104]"}]
    patient: dict[str, Any] = {
        "type": "Patient",
        "interaction": [{"code": "read"}, {"code": "search-type"}, *(fed if served.takes_patients else ())],
        "versioning": "no-version",
        "readHistory": False,
        "searchParam": [_parameter(one) for one in PATIENT_PARAMETERS if one.name in SCOPES],
        "extension": [_combination(one, NARROWING) for one in SCOPES],
    }
    patient["operation"] = [{"name": "ihe-pix", "definition": PIX_QUERY}]
    if served.takes_patients:
        patient |= {"updateCreate": False, "conditionalCreate": True, "conditionalUpdate": True}
    return patient
