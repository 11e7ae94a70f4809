"""Retrieve Document [ITI-68]. MHD 2:3.68."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import orjson

from access_policy.caller import Caller
from access_policy.visibility import Purpose
from fhir_facade.fhir_xml import write_xml
from fhir_facade.operation_outcome import kept_elsewhere, not_found, unavailable
from registry import repository_questions
from registry.criteria import Criteria, Form, Page
from registry.store import Registry
from repository import on_demand
from repository.blob_store import DamagedBlob, Octets
from repository.index import StoredDocument
from repository.on_demand import NotAssembled
from repository.store import Repository
from xds.errors import ErrorCode
from xds.identifiers import UUID_PREFIX, is_uuid_urn


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedDocument:
    """One document: uniqueId, its repository, type, length in octets, an entity tag, and its octets, checked before
    they are given. `patient`: CX key of the patient as whose it may be read, empty where that may be anybody's."""

    unique_id: str
    repository_unique_id: str
    mime_type: str
    size: int
    etag: str
    octets: Octets
    patient: str = ""


# repositoryUniqueId, uniqueId, who asks -> the document; None where that repository is not known.
Elsewhere = Callable[[str, str, Caller], RetrievedDocument | None]


def nowhere_else(_keeper: str, _unique_id: str, _caller: Caller) -> RetrievedDocument | None:
    """Where no other repository is known."""
    return None


def handle(
    registry: Registry,
    repository: Repository | None,
    fhir_id: str,
    caller: Caller,
    elsewhere: Elsewhere = nowhere_else,
) -> RetrievedDocument:
    """The document of the entry with this logical id, from this repository or the one that keeps it.

    Raises FhirProblem 404 when it is unknown, not visible or kept elsewhere, 503 when its octets are damaged or the
    store does not answer.
    """
    entry_uuid = f"{UUID_PREFIX}{fhir_id}"
    if not is_uuid_urn(entry_uuid):
        raise not_found()
    criteria = Criteria(logical_ids=(entry_uuid,), on_demand=True)
    with registry.seen_by(caller, Purpose.READ) as snapshot:
        found = snapshot.find(criteria, Page(size=1), Form.REFERENCE)
        keeper = repository_questions.repository_of(snapshot, found[0]) if found else ""
        patient = snapshot.visibility.patient
    unique_id = found[0].unique_id if found else None
    if not unique_id:
        raise not_found()
    if repository is not None and keeper == repository.unique_id:
        document = _read(repository, unique_id, caller, repository.held_among({unique_id}))
        return replace(document, patient=patient)
    retrieved = elsewhere(keeper, unique_id, caller)
    if retrieved is None:
        raise kept_elsewhere(keeper)
    return replace(retrieved, patient=patient)


def kept(repository: Repository, unique_id: str, caller: Caller) -> RetrievedDocument:
    """A document of this repository, or one that it makes on demand.

    Raises FhirProblem 404 and 503, RegistryNotAvailable.
    """
    return _read(repository, unique_id, caller, repository.held(caller, {unique_id}))


def _read(
    repository: Repository, unique_id: str, caller: Caller, held: Mapping[str, StoredDocument]
) -> RetrievedDocument:
    document = held.get(unique_id)
    if document is None:
        return _made_on_demand(repository, unique_id, caller)
    try:
        octets = repository.octets(document)
    except (DamagedBlob, OSError):
        raise unavailable() from None
    return RetrievedDocument(
        unique_id=document.unique_id,
        repository_unique_id=repository.unique_id,
        mime_type=document.mime_type,
        size=document.size,
        etag=f'"{document.sha256}"',
        octets=octets,
    )


def _made_on_demand(repository: Repository, unique_id: str, caller: Caller) -> RetrievedDocument:
    """The content of an on-demand entry, as ITI-43 gives it. Raises FhirProblem 404 and 503."""
    made = on_demand.assembled(repository, {unique_id}, caller).get(unique_id)
    if made is None or (isinstance(made, NotAssembled) and made.code is ErrorCode.DOCUMENT_UNIQUE_ID):
        raise not_found()
    if isinstance(made, NotAssembled):
        raise unavailable()
    sha256 = hashlib.sha256(made.content).hexdigest()
    size = len(made.content)
    return RetrievedDocument(
        unique_id=unique_id,
        repository_unique_id=repository.unique_id,
        mime_type=made.mime_type,
        size=size,
        etag=f'"{sha256}"',
        octets=made.octets(),
    )


def binary_resource(fhir_id: str, document: RetrievedDocument, *, as_xml: bool = False) -> Iterator[bytes]:
    """The document as a FHIR Binary, streamed. FHIR R4 2.1.30"""
    start, end = (_xml_around if as_xml else _json_around)(fhir_id, document.mime_type)
    yield start
    rest = b""
    for chunk in document.octets:
        octets = rest + chunk
        whole = len(octets) - len(octets) % 3
        rest = octets[whole:]
        yield base64.b64encode(octets[:whole])
    yield base64.b64encode(rest) + end


def _json_around(fhir_id: str, mime_type: str) -> tuple[bytes, bytes]:
    head = orjson.dumps({"resourceType": "Binary", "id": fhir_id, "contentType": mime_type})
    return head.removesuffix(b"}") + b',"data":"', b'"}'


def _xml_around(fhir_id: str, mime_type: str) -> tuple[bytes, bytes]:
    whole = write_xml({"resourceType": "Binary", "id": fhir_id, "contentType": mime_type, "data": ""})
    start, value, end = whole.partition(b'<data value="')
    return start + value, end
