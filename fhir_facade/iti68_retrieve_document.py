"""Retrieve Document [ITI-68]. MHD 2:3.68."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from access_policy.caller import Caller
from access_policy.visibility import visibility
from fhir_facade.operation_outcome import kept_elsewhere, not_found, unavailable
from registry import repository_questions
from registry.criteria import Criteria, Form, Page
from registry.store import Registry
from repository.blob_store import DamagedBlob, Octets
from repository.store import Repository
from xds.identifiers import UUID_PREFIX, is_uuid_urn


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedDocument:
    """One document: type, length in octets, an entity tag, and its octets, checked before they are given."""

    mime_type: str
    size: int
    etag: str
    octets: Octets


def handle(registry: Registry, repository: Repository | None, fhir_id: str, caller: Caller) -> RetrievedDocument:
    """The document of the entry with this logical id.

    Raises FhirProblem 404 when it is unknown, not visible or kept elsewhere, 503 when its octets are damaged or the
    store does not answer.
    """
    entry_uuid = f"{UUID_PREFIX}{fhir_id}"
    if not is_uuid_urn(entry_uuid):
        raise not_found()
    criteria = Criteria(logical_ids=(entry_uuid,), on_demand=True)
    found = registry.find(criteria, visibility(caller), Page(size=1), Form.REFERENCE)
    unique_id = found[0].unique_id if found else None
    if not unique_id:
        raise not_found()
    keeper = repository_questions.repository_of(registry, found[0])
    if repository is None or keeper != repository.unique_id:
        raise kept_elsewhere(keeper)
    document = repository.held(caller, {unique_id}).get(unique_id)
    if document is None:
        raise not_found()
    try:
        octets = repository.octets(document)
    except (DamagedBlob, OSError):
        raise unavailable() from None
    return RetrievedDocument(
        mime_type=document.mime_type, size=document.size, etag=f'"{document.sha256}"', octets=octets
    )


def binary_resource(fhir_id: str, document: RetrievedDocument) -> Iterator[bytes]:
    """The document as a FHIR Binary in JSON, streamed. FHIR R4 2.1.30"""
    head = orjson.dumps({"resourceType": "Binary", "id": fhir_id, "contentType": document.mime_type})
    yield head.removesuffix(b"}") + b',"data":"'
    rest = b""
    for chunk in document.octets:
        octets = rest + chunk
        whole = len(octets) - len(octets) % 3
        rest = octets[whole:]
        yield base64.b64encode(octets[:whole])
    yield base64.b64encode(rest) + b'"}'
