"""What is measured: one row per transaction, with its requests and the check of its answers.

To measure another transaction, write its requests (`number` -> request, the same number always the same
but for writes) and its check, and add a row to `TRANSACTIONS`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from benchmarks.documents import Documents
from benchmarks.plan import QUERIED_ENTRIES, Plan, Sizes
from benchmarks.submissions import SubmissionMaker
from carnet.domains import repository_unique_id
from carnet.settings import Settings
from soap.envelope import write_envelope
from soap.mtom import content_type_of, write_multipart
from xds.identifiers import UUID_PREFIX
from xds.query_grammar import ReturnType
from xds.stored_queries import FIND_DOCUMENTS
from xds.vocabulary import QUERY, RIM, XDS_B, AvailabilityStatus, ResponseStatus

_QUERY_ACTION = "urn:ihe:iti:2007:RegistryStoredQuery"
_RETRIEVE_ACTION = "urn:ihe:iti:2007:RetrieveDocumentSet"
_BOUNDARY, _ROOT_ID = "MIMEBoundary_benchmark", "root@benchmark"
_MESSAGE_ID = (
    "<wsa:MessageID>urn:uuid:5b6e2f52-8f0e-4f7b-9d0e-4c7a1f3b2d10</wsa:MessageID>"
    "<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>"
)
_LARGEST_POOL = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request, and what its answer must be made of."""

    path: str
    method: str = "POST"
    content_type: str = ""
    accept: str = ""
    body: bytes = b""

    def octets(self, *, path: str = "") -> bytes:
        """The request as it goes over the wire; `path` replaces its own."""
        head = f"{self.method} {path or self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += f"Accept: {self.accept}\r\n" if self.accept else ""
        if self.method == "POST":
            head += f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}\r\n".encode() + self.body


class Workload:
    """The patients and documents that the requests are about."""

    def __init__(self, sizes: Sizes) -> None:
        self.plan = Plan(sizes)
        self.documents = Documents(self.plan)
        self.repository = repository_unique_id(Settings())
        self.submissions = SubmissionMaker(self.plan, self.documents)

    def queried(self, number: int) -> int:
        """A queried patient, another one for each number."""
        return self.plan.queried[number % len(self.plan.queried)]

    def held(self, number: int) -> int:
        return self.plan.held[number % len(self.plan.held)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One row of the table.

    `request` gives the request of a number; `problem` says what is wrong with its answer, empty when
    nothing is; `subjects` are the patients it is asked for in turn. `target` is the least ratio to canned
    bytes. `writes`: every request must be a new one.
    """

    key: str
    title: str
    request: Callable[[Workload, int], Request]
    problem: Callable[[Workload, int, bytes], str]
    subjects: Callable[[Plan], Sequence[int]] = lambda plan: plan.queried
    target: float | None = None
    writes: bool = False

    def different(self, workload: Workload) -> int:
        """How many requests differ; from this number on they repeat."""
        return min(_LARGEST_POOL, len(self.subjects(workload.plan)))


def _find_documents(return_type: ReturnType) -> Callable[[Workload, int], Request]:
    def request(workload: Workload, number: int) -> Request:
        patient = workload.documents.patient(workload.queried(number)).ins
        slots = {
            "$XDSDocumentEntryPatientId": f"'{patient.key}'",
            "$XDSDocumentEntryStatus": f"('{AvailabilityStatus.APPROVED}')",
        }
        return _stored_query(FIND_DOCUMENTS.id, slots, return_type)

    return request


def _stored_query(query: str, slots: dict[str, str], return_type: ReturnType) -> Request:
    parameters = "".join(
        f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escape(value)}</rim:Value></rim:ValueList></rim:Slot>'
        for name, value in slots.items()
    )
    body = (
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
        f'<query:ResponseOption returnType="{return_type.value}" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{query}">{parameters}</rim:AdhocQuery></query:AdhocQueryRequest>'
    )
    return Request(
        path="/xds/registry",
        content_type=f'application/soap+xml; charset=UTF-8; action="{_QUERY_ACTION}"',
        body=write_envelope(body.encode(), action=_QUERY_ACTION, header=_MESSAGE_ID),
    )


def _find_document_references(workload: Workload, number: int) -> Request:
    patient = workload.documents.patient(workload.queried(number)).ins
    asked = {"patient.identifier": f"urn:oid:{patient.authority}|{patient.id}", "status": "current"}
    return Request(method="GET", path=f"/fhir/DocumentReference?{urlencode(asked)}", accept="application/fhir+json")


def _retrieve_document_set(workload: Workload, number: int) -> Request:
    unique_id = workload.documents.unique_id(workload.held(number), 0)
    body = (
        f'<xds:RetrieveDocumentSetRequest xmlns:xds="{XDS_B}"><xds:DocumentRequest>'
        f"<xds:RepositoryUniqueId>{workload.repository}</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{unique_id}</xds:DocumentUniqueId>"
        "</xds:DocumentRequest></xds:RetrieveDocumentSetRequest>"
    )
    envelope = write_envelope(body.encode(), action=_RETRIEVE_ACTION, header=_MESSAGE_ID)
    return Request(
        path="/xds/repository",
        content_type=content_type_of(_BOUNDARY, _ROOT_ID),
        body=b"".join(write_multipart(envelope, (), boundary=_BOUNDARY, root_id=_ROOT_ID)),
    )


def _retrieve_document(workload: Workload, number: int) -> Request:
    entry_uuid = workload.documents.entry_uuid(workload.held(number), 0)
    return Request(method="GET", path=f"/fhir/Binary/{entry_uuid.removeprefix(UUID_PREFIX)}", accept="text/xml")


def _provide_and_register(workload: Workload, number: int) -> Request:
    return Request(
        path="/xds/repository",
        content_type=content_type_of(_BOUNDARY, _ROOT_ID),
        body=workload.submissions.provide_and_register(number, boundary=_BOUNDARY, root_id=_ROOT_ID),
    )


def _holds(mark: str) -> Callable[[Workload, int, bytes], str]:
    """An AdhocQueryResponse with Success and 20 objects."""

    def problem(workload: Workload, number: int, answer: bytes) -> str:
        found = answer.count(mark.encode())
        if ResponseStatus.SUCCESS.encode() not in answer or found != QUERIED_ENTRIES:
            return f"found {found} times {mark}, expected Success with {QUERIED_ENTRIES}"
        return ""

    return problem


def _is_search_set(workload: Workload, number: int, answer: bytes) -> str:
    bundle = json.loads(answer)
    found = (bundle.get("total"), len(bundle.get("entry", ())))
    ins = workload.documents.patient(workload.queried(number)).ins.id
    of_patient = all(one["resource"]["subject"]["identifier"]["value"] == ins for one in bundle.get("entry", ()))
    if found != (QUERIED_ENTRIES, QUERIED_ENTRIES) or not of_patient:
        return f"found total and entries {found}, expected {QUERIED_ENTRIES} of the patient"
    return ""


def _holds_document(workload: Workload, number: int, answer: bytes) -> str:
    return "" if workload.documents.content(workload.held(number)) in answer else "the octets are not those stored"


def _is_document(workload: Workload, number: int, answer: bytes) -> str:
    return "" if workload.documents.content(workload.held(number)) == answer else "the octets are not those stored"


def _is_success(workload: Workload, number: int, answer: bytes) -> str:
    return "" if f'status="{ResponseStatus.SUCCESS}"'.encode() in answer else "expected Success"


TRANSACTIONS = (
    Transaction(
        key="iti18-leaf-class",
        title="ITI-18 FindDocuments, 20 entries, LeafClass",
        request=_find_documents(ReturnType.LEAF_CLASS),
        problem=_holds("<rim:ExtrinsicObject "),
        target=0.4,
    ),
    Transaction(
        key="iti18-object-ref",
        title="ITI-18 FindDocuments, 20 entries, ObjectRef",
        request=_find_documents(ReturnType.OBJECT_REF),
        problem=_holds("<rim:ObjectRef "),
    ),
    Transaction(
        key="iti67",
        title="ITI-67 Find Document References, 20 entries",
        request=_find_document_references,
        problem=_is_search_set,
        target=0.4,
    ),
    Transaction(
        key="iti43",
        title="ITI-43 Retrieve Document Set, 140 kB",
        request=_retrieve_document_set,
        problem=_holds_document,
        subjects=lambda plan: plan.held,
    ),
    Transaction(
        key="iti68",
        title="ITI-68 Retrieve Document, 140 kB",
        request=_retrieve_document,
        problem=_is_document,
        subjects=lambda plan: plan.held,
    ),
    Transaction(
        key="iti41",
        title="ITI-41 Provide and Register, 140 kB",
        request=_provide_and_register,
        problem=_is_success,
        writes=True,
    ),
)
BY_KEY = {transaction.key: transaction for transaction in TRANSACTIONS}
