"""The Provide Document Bundle of ITI-65 that says what a submission of ITI-41 says. MHD 2:3.65.4.1.2."""

import json
from typing import Any

from fhir_facade import document_list, document_reference
from xds.metadata import Submission

# Stands in the Bundle where the octets of the document come, in base64.
DATA = b"@data@"
_PROFILE = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle"
_ANY_TIME = "20250101000000"
_OF_THE_SERVER = ("id", "meta")


def provide_bundle(submission: Submission, *, binary: str) -> bytes:
    """JSON with one document, which stands under the URN `binary` and is left open at `DATA`."""
    (entry,) = submission.document_entries
    reference = _sent(document_reference.elements_of(entry, (), _ANY_TIME))
    reference["content"][0]["attachment"]["url"] = binary
    collection = _sent(document_list.elements_of(submission.submission_set, (), _ANY_TIME))
    collection["entry"] = [{"item": {"reference": entry.entry_uuid}}]
    document = {"resourceType": "Binary", "contentType": entry.mime_type, "data": DATA.decode()}
    bundle = {
        "resourceType": "Bundle",
        "meta": {"profile": [_PROFILE]},
        "type": "transaction",
        "entry": [
            _posted(collection, submission.submission_set.entry_uuid),
            _posted(reference, entry.entry_uuid),
            _posted(document, binary),
        ],
    }
    return json.dumps(bundle, ensure_ascii=False).encode()


def _sent(resource: dict[str, Any]) -> dict[str, Any]:
    """Without what only a server says."""
    return {name: value for name, value in resource.items() if name not in _OF_THE_SERVER}


def _posted(resource: dict[str, Any], full_url: str) -> dict[str, Any]:
    return {"fullUrl": full_url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}
