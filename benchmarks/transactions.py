"""What is measured: one row per transaction, with its requests, the check of its answers, and what stands beside it.

To measure another transaction, write its requests (`number` -> request) and its check, and add a row to
`TRANSACTIONS`. A question gives the same request for the same number; a submission a new one for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks import questions, records
from benchmarks.floors import Floor
from benchmarks.plan import Plan
from benchmarks.requests import BOUNDARY, ROOT_ID, Request, Workload, is_success, registry_request
from soap.mtom import content_type_of
from xds.query_grammar import ReturnType

_REGISTER_ACTION = "urn:ihe:iti:2007:RegisterDocumentSet-b"
_UPDATE_ACTION = "urn:ihe:iti:2010:UpdateDocumentSet"
_FHIR_JSON = "application/fhir+json"
_LARGEST_POOL = 500
_LARGEST_NUMBER = 10**9
# Documents that ITI-57 gives one version after the other: in submissions of so many entries.
_UPDATED_SUBMISSIONS, _UPDATED_ENTRIES = 20, 10
_ENTRY, _REFERENCE = "<rim:ExtrinsicObject ", "<rim:ObjectRef "


def _nothing(_workload: Workload) -> Sequence[Request]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One row of the table.

    `request` gives the request of a number; `problem` says what is wrong with its answer, empty when
    nothing is; `subjects` are the patients it is asked for in turn. `target` is the least ratio to the
    `floor`. `writes`: every request must be a new one; numbers count from 0. `before`: requests sent once
    before the one with number 0. `document`: number of the one that a request gives its next version.
    `stored`: entryUUID of a document that a submission registered. `of_record`: records must be open for it.
    """

    key: str
    title: str
    request: Callable[[Workload, int], Request]
    problem: Callable[[Workload, int, bytes], str] = is_success
    subjects: Callable[[Plan], Sequence[int]] = lambda plan: plan.queried
    floor: Floor = Floor.CANNED
    target: float | None = None
    writes: bool = False
    document: Callable[[int], int | None] = lambda _: None
    before: Callable[[Workload], Sequence[Request]] = _nothing
    stored: Callable[[Workload, int], str] | None = None
    of_record: bool = False

    def patient(self, workload: Workload, number: int) -> int:
        """Number of the patient that the request with a number is about."""
        if self.writes:
            return workload.submissions.patient(number)
        subjects = self.subjects(workload.plan)
        return subjects[number % len(subjects)]

    def different(self, workload: Workload) -> int:
        """How many requests differ; from this number on they repeat."""
        return min(_LARGEST_POOL, len(self.subjects(workload.plan)))


def _provide_and_register(workload: Workload, number: int) -> Request:
    return Request(
        path="/xds/repository",
        content_type=content_type_of(BOUNDARY, ROOT_ID),
        body=workload.submissions.provide_and_register(number, boundary=BOUNDARY, root_id=ROOT_ID),
    )


def _provide_bundle(workload: Workload, number: int) -> Request:
    body = workload.submissions.bundle(number)
    return Request(path="/fhir", content_type=_FHIR_JSON, accept=_FHIR_JSON, body=body)


def _is_created(_workload: Workload, _number: int, answer: bytes) -> str:
    """SubmissionSet, document and octets."""
    found = answer.count(b'"status":"201 Created"')
    return "" if found == 3 else f"found {found} resources created, expected 3: {answer[:600].decode(errors='replace')}"


def _register(workload: Workload, number: int, *, entries: int) -> Request:
    return registry_request(workload.submissions.register(number, entries), _REGISTER_ACTION)


def _registered(workload: Workload, number: int, *, entries: int) -> str:
    return workload.submissions.registered_uuid(number, entries)


def _before_updates(workload: Workload) -> Sequence[Request]:
    """Fresh documents. Their numbers are far from those that ITI-42 itself is measured with."""
    return [
        _register(workload, number, entries=_UPDATED_ENTRIES)
        for number in range(_LARGEST_NUMBER, _LARGEST_NUMBER + _UPDATED_SUBMISSIONS)
    ]


def _updated_document(number: int) -> int:
    """The document whose turn it is: the same one comes back after 200 requests."""
    return number % (_UPDATED_SUBMISSIONS * _UPDATED_ENTRIES)


def _update(workload: Workload, number: int) -> Request:
    """The next version of a document."""
    version, document = number // (_UPDATED_SUBMISSIONS * _UPDATED_ENTRIES), _updated_document(number)
    body = workload.submissions.update(
        number,
        stored=_LARGEST_NUMBER + document // _UPDATED_ENTRIES,
        entries=_UPDATED_ENTRIES,
        place=document % _UPDATED_ENTRIES,
        version=version + 1,
    )
    return registry_request(body, _UPDATE_ACTION)


_DOCUMENTS = (
    Transaction(
        key="iti18-leaf-class",
        title="ITI-18 FindDocuments, 20 entries, LeafClass",
        request=questions.find_documents(ReturnType.LEAF_CLASS),
        problem=questions.holds(_ENTRY),
        target=0.4,
    ),
    Transaction(
        key="iti18-object-ref",
        title="ITI-18 FindDocuments, 20 entries, ObjectRef",
        request=questions.find_documents(ReturnType.OBJECT_REF),
        problem=questions.holds(_REFERENCE),
        target=0.4,
    ),
    Transaction(
        key="iti18-get-documents",
        title="ITI-18 GetDocuments, 1 entry, LeafClass",
        request=questions.get_documents,
        problem=questions.holds(_ENTRY, 1),
    ),
    Transaction(
        key="iti18-reference-id",
        title="ITI-18 FindDocumentsByReferenceId, 1 entry of 20, LeafClass",
        request=questions.find_documents_by_reference_id,
        problem=questions.holds(_ENTRY, 1),
    ),
    Transaction(
        key="iti67",
        title="ITI-67 Find Document References, 20 entries",
        request=questions.find_document_references,
        problem=questions.is_search_set,
        target=0.5,
    ),
    Transaction(
        key="iti67-200",
        title="ITI-67 Find Document References, 200 entries",
        request=questions.find_many_document_references,
        problem=questions.is_long_page,
        subjects=lambda plan: plan.many,
        target=0.4,
    ),
    Transaction(
        key="iti43",
        title="ITI-43 Retrieve Document Set, 140 kB",
        request=questions.retrieve_document_set,
        problem=questions.holds_document,
        subjects=lambda plan: plan.held,
    ),
    Transaction(
        key="iti68",
        title="ITI-68 Retrieve Document, 140 kB",
        request=questions.retrieve_document,
        problem=questions.is_document,
        subjects=lambda plan: plan.held,
        target=0.7,
    ),
    Transaction(
        key="iti41",
        title="ITI-41 Provide and Register, 140 kB",
        request=_provide_and_register,
        writes=True,
    ),
    Transaction(
        key="iti65",
        title="ITI-65 Provide Document Bundle, 140 kB",
        request=_provide_bundle,
        problem=_is_created,
        target=0.3,
        writes=True,
    ),
    Transaction(
        key="iti42-1",
        title="ITI-42 Register Document Set-b, 1 entry",
        request=partial(_register, entries=1),
        stored=partial(_registered, entries=1),
        floor=Floor.TRANSACTION,
        target=0.3,
        writes=True,
    ),
    Transaction(
        key="iti42-10",
        title="ITI-42 Register Document Set-b, 10 entries",
        request=partial(_register, entries=10),
        stored=partial(_registered, entries=10),
        floor=Floor.TRANSACTION,
        target=0.3,
        writes=True,
    ),
    Transaction(
        key="iti57",
        title="ITI-57 Update Document Set, 1 new version",
        request=_update,
        writes=True,
        document=_updated_document,
        before=_before_updates,
    ),
)
_OF_RECORD = (
    Transaction(
        key="td0.2",
        title="TD0.2 Existence of a record",
        request=records.existence,
        problem=records.IS_AUTHORISED,
        subjects=records.asked_for,
        of_record=True,
    ),
    Transaction(
        key="td0.3",
        title="TD0.3 Authorisation on a record",
        request=records.authorise,
        problem=records.IS_DONE,
        subjects=records.asked_for,
        of_record=True,
    ),
    Transaction(
        key="td0.4",
        title="TD0.4 Records that one is authorised on, 20 of them",
        request=records.list_records,
        problem=records.lists_records,
        before=records.authorised_before,
        subjects=lambda plan: plan.queried[:1],
        of_record=True,
    ),
    Transaction(
        key="td1.1",
        title="TD1.1 Creation of a record",
        request=records.create,
        problem=records.IS_ACCEPTED,
        writes=True,
        before=records.signed_ahead,
        of_record=True,
    ),
    Transaction(
        key="td1.2-1.4",
        title="TD1.4 and TD1.2 in turn, a record closed and reactivated",
        request=records.close_or_reactivate,
        problem=records.IS_ACCEPTED,
        writes=True,
        document=records.in_turn,
        before=records.records_in_turn,
        of_record=True,
    ),
    Transaction(
        key="td1.3a",
        title="TD1.3a Administrative data",
        request=records.administrative_data,
        problem=records.IS_AUTHORISED,
        subjects=records.asked_for,
        of_record=True,
    ),
    Transaction(
        key="td1.3b",
        title="TD1.3b Change of administrative data",
        request=records.change,
        problem=records.IS_ACCEPTED,
        subjects=records.asked_for,
        of_record=True,
    ),
    Transaction(
        key="td1.6",
        title="TD1.6 Authorisations of a record",
        request=records.authorisations,
        problem=records.IS_DONE,
        subjects=records.asked_for,
        of_record=True,
    ),
    Transaction(
        key="td3.3c",
        title="TD3.3c A document archived and shown again in turn",
        request=records.archive_or_show,
        writes=True,
        document=records.in_turn,
        before=records.documents_in_turn,
    ),
)
TRANSACTIONS = (*_DOCUMENTS, *_OF_RECORD)
BY_KEY = {transaction.key: transaction for transaction in TRANSACTIONS}
