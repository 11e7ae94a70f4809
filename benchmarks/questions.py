"""Requests that change nothing, each with the check of its answer: stored queries, FHIR searches, retrieval."""

import json
from collections.abc import Callable
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from benchmarks.plan import MANY_ENTRIES, QUERIED_ENTRIES
from benchmarks.requests import Request, Workload, registry_request, repository_request
from xds.identifiers import UUID_PREFIX
from xds.query_grammar import ReturnType
from xds.stored_queries import (
    FIND_DOCUMENTS,
    FIND_DOCUMENTS_BY_REFERENCE_ID,
    FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS,
    GET_DOCUMENTS,
)
from xds.vocabulary import QUERY, RIM, XDS_B, AvailabilityStatus, ResponseStatus

_QUERY_ACTION = "urn:ihe:iti:2007:RegistryStoredQuery"
_QUERY_OF_MANY_ACTION = "urn:ihe:iti:2009:MultiPatientStoredQuery"
_RETRIEVE_ACTION = "urn:ihe:iti:2007:RetrieveDocumentSet"
# Patients that one query asks for together.
_SEVERAL = 5
Check = Callable[[Workload, int, bytes], str]


def find_documents(return_type: ReturnType) -> Callable[[Workload, int], Request]:
    def request(workload: Workload, number: int) -> Request:
        return _stored_query(FIND_DOCUMENTS.id, _approved_of(workload, number), return_type)

    return request


def find_documents_by_reference_id(workload: Workload, number: int) -> Request:
    """The one document of the patient that answers its order."""
    order = workload.documents.order(workload.queried(number))
    slots = {**_approved_of(workload, number), "$XDSDocumentEntryReferenceIdList": f"('{order}')"}
    return _stored_query(FIND_DOCUMENTS_BY_REFERENCE_ID.id, slots, ReturnType.LEAF_CLASS)


def find_documents_of_several(workload: Workload, number: int) -> Request:
    """The documents of patients that follow each other [ITI-51]."""
    patients = [f"'{workload.documents.patient(patient).ins.key}'" for patient in _several(workload, number)]
    slots = {
        "$XDSDocumentEntryPatientId": f"({','.join(patients)})",
        "$XDSDocumentEntryStatus": f"('{AvailabilityStatus.APPROVED}')",
    }
    query = FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS.id
    return _stored_query(query, slots, ReturnType.LEAF_CLASS, action=_QUERY_OF_MANY_ACTION)


def holds_those_of_several(workload: Workload, number: int, answer: bytes) -> str:
    """What is wrong with an answer that must have all documents of those patients."""
    expected = QUERIED_ENTRIES * len(_several(workload, number))
    return holds("<rim:ExtrinsicObject ", expected)(workload, number, answer)


def _several(workload: Workload, number: int) -> list[int]:
    return sorted({workload.queried(number + further) for further in range(_SEVERAL)})


def get_documents(workload: Workload, number: int) -> Request:
    """The first document of a patient, by its entryUUID."""
    entry_uuid = workload.documents.entry_uuid(workload.queried(number), 0)
    slots = {"$XDSDocumentEntryEntryUUID": f"('{entry_uuid}')"}
    return _stored_query(GET_DOCUMENTS.id, slots, ReturnType.LEAF_CLASS)


def find_document_lists(workload: Workload, number: int) -> Request:
    """The SubmissionSets of a patient, one for each document."""
    asked = {"code": "submissionset", "status": "current"}
    return _search(workload, workload.queried(number), asked, resource="List")


def find_document_references(workload: Workload, number: int) -> Request:
    return _search(workload, workload.queried(number), {"status": "current"})


def find_many_document_references(workload: Workload, number: int) -> Request:
    """The first page of a patient with many documents, replaced ones among them."""
    asked = {"status": "current,superseded", "_count": str(MANY_ENTRIES)}
    return _search(workload, workload.many(number), asked)


def find_patient(workload: Workload, number: int) -> Request:
    """A patient by their INS [ITI-78]."""
    return _of_patients(f"?{urlencode({'identifier': _token(workload, workload.queried(number))})}")


def is_patient(workload: Workload, number: int, answer: bytes) -> str:
    """A searchset with the one Patient."""
    found = json.loads(answer) if answer.startswith(b"{") else {}
    ins = workload.documents.patient(workload.queried(number)).ins.id
    is_theirs = found.get("total") == 1 and f'"value":"{ins}"'.encode() in answer
    return "" if is_theirs else f"expected the Patient {ins}, found {answer[:600].decode(errors='replace')}"


def cross_reference(workload: Workload, number: int) -> Request:
    """What a patient with this INS is known by [ITI-83]."""
    source = urlencode({"sourceIdentifier": _token(workload, workload.queried(number))})
    return _of_patients(f"/$ihe-pix?{source}")


def names_patient(_workload: Workload, _number: int, answer: bytes) -> str:
    """Parameters with the Patient."""
    is_named = b'"name":"targetId","valueReference":{"reference":"Patient/' in answer
    return "" if is_named else f"expected a targetId, found {answer[:600].decode(errors='replace')}"


def _of_patients(rest: str) -> Request:
    return Request(method="GET", path=f"/fhir/Patient{rest}", accept="application/fhir+json")


def _token(workload: Workload, patient: int) -> str:
    ins = workload.documents.patient(patient).ins
    return f"urn:oid:{ins.authority}|{ins.id}"


def _search(workload: Workload, patient: int, asked: dict[str, str], *, resource: str = "DocumentReference") -> Request:
    query = urlencode({"patient.identifier": _token(workload, patient), **asked})
    return Request(method="GET", path=f"/fhir/{resource}?{query}", accept="application/fhir+json")


def retrieve_document_set(workload: Workload, number: int) -> Request:
    return retrieve_request(workload.repository, workload.documents.unique_id(workload.held(number), 0))


def retrieve_request(repository: str, unique_id: str) -> Request:
    """ITI-43 for one document."""
    body = (
        f'<xds:RetrieveDocumentSetRequest xmlns:xds="{XDS_B}"><xds:DocumentRequest>'
        f"<xds:RepositoryUniqueId>{repository}</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{unique_id}</xds:DocumentUniqueId>"
        "</xds:DocumentRequest></xds:RetrieveDocumentSetRequest>"
    )
    return repository_request(body.encode(), _RETRIEVE_ACTION)


def retrieve_document(workload: Workload, number: int) -> Request:
    entry_uuid = workload.documents.entry_uuid(workload.held(number), 0)
    return Request(method="GET", path=f"/fhir/Binary/{entry_uuid.removeprefix(UUID_PREFIX)}", accept="text/xml")


def holds(mark: str, times: int = QUERIED_ENTRIES) -> Check:
    """An AdhocQueryResponse with Success and so many objects."""

    def problem(_workload: Workload, _number: int, answer: bytes) -> str:
        found = answer.count(mark.encode())
        if ResponseStatus.SUCCESS.encode() not in answer or found != times:
            return f"found {found} times {mark}, expected Success with {times}"
        return ""

    return problem


def is_search_set(workload: Workload, number: int, answer: bytes) -> str:
    return _wrong_page(workload, workload.queried(number), answer, total=QUERIED_ENTRIES)


def is_long_page(workload: Workload, number: int, answer: bytes) -> str:
    patient = workload.many(number)
    return _wrong_page(workload, patient, answer, total=workload.plan.counts[patient])


def _wrong_page(workload: Workload, patient: int, answer: bytes, *, total: int) -> str:
    bundle = json.loads(answer)
    found, expected = (bundle.get("total"), len(bundle.get("entry", ()))), (total, min(total, MANY_ENTRIES))
    ins = workload.documents.patient(patient).ins.id
    of_patient = all(one["resource"]["subject"]["identifier"]["value"] == ins for one in bundle.get("entry", ()))
    if found != expected or not of_patient:
        return f"found total and entries {found}, expected {expected} of the patient"
    return ""


def holds_document(workload: Workload, number: int, answer: bytes) -> str:
    return "" if workload.documents.content(workload.held(number)) in answer else "the octets are not those stored"


def is_document(workload: Workload, number: int, answer: bytes) -> str:
    return "" if workload.documents.content(workload.held(number)) == answer else "the octets are not those stored"


def _approved_of(workload: Workload, number: int) -> dict[str, str]:
    patient = workload.documents.patient(workload.queried(number)).ins
    return {
        "$XDSDocumentEntryPatientId": f"'{patient.key}'",
        "$XDSDocumentEntryStatus": f"('{AvailabilityStatus.APPROVED}')",
    }


def _stored_query(
    query: str, slots: dict[str, str], return_type: ReturnType, *, action: str = _QUERY_ACTION
) -> Request:
    parameters = "".join(
        f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escape(value)}</rim:Value></rim:ValueList></rim:Slot>'
        for name, value in slots.items()
    )
    body = (
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
        f'<query:ResponseOption returnType="{return_type.value}" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{query}">{parameters}</rim:AdhocQuery></query:AdhocQueryRequest>'
    )
    return registry_request(body.encode(), action)
