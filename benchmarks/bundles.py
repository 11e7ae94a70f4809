"""What ITI-65, ITI-105 and ITI-106 send of a document that ITI-41 could bring too. MHD 2:3.65, 2:3.105, 2:3.106."""

import json
from typing import Any

from fhir_facade import document_list, document_reference
from xds.metadata import DocumentEntry, Submission

# Stands in a resource where the octets of the document come, in base64.
DATA = b"@data@"
_PROFILE = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle"
_ANY_TIME = "20250101000000"
_OF_THE_SERVER = ("id", "meta")


def provide_bundle(submission: Submission, *, binary: str) -> bytes:
    """The Bundle of ITI-65 with one document, which stands under the URN `binary` and is left open at `DATA`."""
    (entry,) = submission.document_entries
    reference = _sent(document_reference.elements_of(entry, (), _ANY_TIME))
    reference["content"][0]["attachment"]["url"] = binary
    collection = _sent(document_list.elements_of(submission.submission_set, (), _ANY_TIME))
    collection["entry"] = [{"item": {"reference": entry.entry_uuid}}]
    document = _open_binary(entry.mime_type)
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


def publication(entry: DocumentEntry) -> bytes:
    """The DocumentReference of ITI-105, left open at `DATA`."""
    reference = _sent(document_reference.elements_of(entry, (), _ANY_TIME))
    attachment = reference["content"][0]["attachment"]
    del attachment["url"]
    attachment["data"] = DATA.decode()
    return json.dumps(reference, ensure_ascii=False).encode()


def generation() -> bytes:
    """The Parameters of ITI-106 with a CDA document, left open at `DATA`."""
    document = {"name": "document", "resource": _open_binary("text/xml")}
    return json.dumps({"resourceType": "Parameters", "parameter": [document]}).encode()


def _open_binary(mime_type: str) -> dict[str, Any]:
    return {"resourceType": "Binary", "contentType": mime_type, "data": DATA.decode()}


def _sent(resource: dict[str, Any]) -> dict[str, Any]:
    """Without what only a server says."""
    return {name: value for name, value in resource.items() if name not in _OF_THE_SERVER}


def _posted(resource: dict[str, Any], full_url: str) -> dict[str, Any]:
    return {"fullUrl": full_url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}
