"""A small XDS.b client over HTTP, for the command line and the demonstration. ITI TF-2: 3.18, 3.41, 3.43.

It writes messages with the same codecs as the server; `examples/` shows the same with zeep.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import SplitResult
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from carnet.exchange import AnswerLost, base_url, check_content, exchange
from carnet.proof import NO_PROOF, Proof
from carnet.reports import CONTENT_TYPE, Report, submission_of
from carnet.signing import SIGNATURE_ID
from carnet.xds_answers import Answer, SoapAnswer, read_soap
from soap.envelope import write_envelope
from soap.mtom import MtomPart, content_type_of, multipart_length, new_boundary, write_multipart
from soap.xop import XOP
from xds.datatypes import CX, Code
from xds.ebrim.write import write_submit_objects_request
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.identifiers import new_oid
from xds.metadata import DocumentEntry, Submission
from xds.query_grammar import ReturnType
from xds.stored_queries import FIND_DOCUMENTS, GET_DOCUMENTS
from xds.vocabulary import QUERY, RIM, XDS_B, AvailabilityStatus, ResponseStatus

# Adds the signature entry to a submission and gives its octets.
Sign = Callable[[Submission, Mapping[str, bytes]], tuple[Submission, bytes]]
_ATTEMPTS, _PAUSE_SECONDS = 3, 0.5
_PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
_REGISTER = "urn:ihe:iti:2007:RegisterDocumentSet-b"
_UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
_QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
_RETRIEVE = "urn:ihe:iti:2007:RetrieveDocumentSet"
_STATUSES = (AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED)


class XdsClient:
    """Talks to a repository and its registry, under one base URL or two."""

    def __init__(self, url: str, *, registry: str = "", proof: Proof = NO_PROOF) -> None:
        """`registry`: base URL of the registry where it is another server."""
        urls = {"repository": url, "registry": registry or url}
        self._urls = {service: base_url(one, proof.context) for service, one in urls.items()}
        self._proof = proof

    def push(
        self,
        reports: Sequence[Report],
        *,
        content_type: Code = CONTENT_TYPE,
        submission_unique_id: str = "",
        sign: Sign | None = None,
    ) -> Answer:
        """Provide and Register [ITI-41]; a report that replaces another one is linked to it.

        An attempt whose answer is lost is repeated under the same uniqueId of the SubmissionSet; the registry then
        either takes it or names it a duplicate, which is success when it holds these documents. Raises AnswerLost
        when no attempt is answered: give the uniqueId it names to the next call. `sign` adds the signature entry.
        """
        submission_unique_id, why = submission_unique_id or new_oid(), ""
        for _ in range(_ATTEMPTS):
            try:
                answer = self._provide(reports, content_type, submission_unique_id, sign)
            except AnswerLost as problem:
                why = str(problem)
                time.sleep(_PAUSE_SECONDS)
                continue
            return self._recognised(reports, answer, submission_unique_id)
        raise AnswerLost(
            f"{why}; whether the submission was stored is unknown. Push it again as submission {submission_unique_id}"
        )

    def _recognised(self, reports: Sequence[Report], answer: Answer, submission_unique_id: str) -> Answer:
        """Success in place of the duplicate error that names this very submission, when its documents are there."""
        duplicates = [one for one in answer.errors if one.code is ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY]
        if not any(submission_unique_id in one.context for one in duplicates):
            return answer
        for report in reports:
            found = self.get_documents(report.entry.unique_id or "").documents
            sha1 = hashlib.sha1(report.content, usedforsecurity=False).hexdigest()
            if not any((one.hash, one.size) == (sha1, len(report.content)) for one in found):
                return answer
        return Answer(status=ResponseStatus.SUCCESS, was_stored_before=True)

    def _provide(
        self, reports: Sequence[Report], content_type: Code, submission_unique_id: str, sign: Sign | None
    ) -> Answer:
        replaced = {one.entry.entry_uuid: self._entry_uuid(one.replaces) for one in reports if one.replaces}
        submission = submission_of(
            reports, content_type=content_type, replaced=replaced, unique_id=submission_unique_id
        )
        contents = {report.entry.entry_uuid: report.content for report in reports}
        if sign is not None:
            submission, signature = sign(submission, contents)
            contents[SIGNATURE_ID] = signature
        parts = {one.entry_uuid: _part(one, contents[one.entry_uuid]) for one in submission.document_entries}
        return self.provide(submission, parts)

    def provide(self, submission: Submission, parts: Mapping[str, MtomPart]) -> Answer:
        """Provide and Register [ITI-41]; `parts` are the documents by their entry id, streamed once."""
        return self._send("repository", _PROVIDE, provide_request(submission, parts), list(parts.values()))

    def register(self, submission: Submission) -> Answer:
        """Register Document Set-b [ITI-42]. Raises NotTaken, and ClientError when it may have been carried out."""
        request = write_submit_objects_request(submission.objects, flagged=True)
        return self._send("registry", _REGISTER, request, None)

    def update(self, submission: Submission) -> Answer:
        """Update Document Set [ITI-57]."""
        return self._send("registry", _UPDATE, write_submit_objects_request(submission.objects), None)

    def find_documents(self, patient_id: CX, *, type_code: Code | None = None, deprecated_too: bool = False) -> Answer:
        """FindDocuments, LeafClass [ITI-18]."""
        statuses = ",".join(f"'{status}'" for status in (_STATUSES if deprecated_too else _STATUSES[:1]))
        slots = {"$XDSDocumentEntryPatientId": _quoted(patient_id.key), "$XDSDocumentEntryStatus": f"({statuses})"}
        if type_code is not None:
            slots["$XDSDocumentEntryTypeCode"] = f"({_quoted(str(type_code))})"
        return self._query(FIND_DOCUMENTS.id, slots)

    def get_documents(self, *unique_ids: str, return_type: ReturnType = ReturnType.LEAF_CLASS) -> Answer:
        """GetDocuments by uniqueId [ITI-18]."""
        wanted = ",".join(_quoted(unique_id) for unique_id in unique_ids)
        return self._query(GET_DOCUMENTS.id, {"$XDSDocumentEntryUniqueId": f"({wanted})"}, return_type)

    def retrieve(self, unique_ids: Sequence[str], *, repository: str) -> Answer:
        """Retrieve Document Set [ITI-43]."""
        requests = "".join(
            f"<xds:DocumentRequest><xds:RepositoryUniqueId>{escape(repository)}</xds:RepositoryUniqueId>"
            f"<xds:DocumentUniqueId>{escape(unique_id)}</xds:DocumentUniqueId></xds:DocumentRequest>"
            for unique_id in unique_ids
        )
        body = f'<xds:RetrieveDocumentSetRequest xmlns:xds="{XDS_B}">{requests}</xds:RetrieveDocumentSetRequest>'
        return self._send("repository", _RETRIEVE, body.encode(), [])

    def document(self, entry: DocumentEntry, *, repository: str = "") -> bytes:
        """Retrieve one document [ITI-43] and compare it with its metadata. ITI TF-2: 3.43.5

        `repository`: repositoryUniqueId where it is another than the entry names. Raises Rejected, and ClientError when
        size or hash differ from those of the entry; the entry of an on-demand document states neither.
        """
        answer = self.retrieve([entry.unique_id or ""], repository=repository or entry.repository_unique_id or "")
        if not answer.contents:
            raise Rejected(answer.errors)
        content = answer.contents[0]
        check_content(content, size=entry.size, sha1=entry.hash or "")
        return content

    def document_entry(self, unique_id: str) -> DocumentEntry:
        """The metadata of a document. Raises Rejected when the registry knows none."""
        answer = self.get_documents(unique_id)
        if not answer.documents:
            raise Rejected(answer.errors) if answer.errors else _unknown(unique_id)
        return answer.documents[0]

    def _entry_uuid(self, unique_id: str) -> str:
        references = self.get_documents(unique_id, return_type=ReturnType.OBJECT_REF).references
        if not references:
            raise _unknown(unique_id)
        return references[0]

    def _query(self, query: str, slots: dict[str, str], return_type: ReturnType = ReturnType.LEAF_CLASS) -> Answer:
        parameters = "".join(
            f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escape(value)}</rim:Value></rim:ValueList></rim:Slot>'
            for name, value in slots.items()
        )
        body = (
            f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
            f'<query:ResponseOption returnType="{return_type.value}" returnComposedObjects="true"/>'
            f'<rim:AdhocQuery id="{query}">{parameters}</rim:AdhocQuery></query:AdhocQueryRequest>'
        )
        return self._send("registry", _QUERY, body.encode(), None)

    def ask(self, service: str, action: str, body: bytes) -> etree._Element:
        """One exchange of another service of the registry's server: what is in the Body. Raises ClientError."""
        return self._exchange(self._urls["registry"], service, action, body, None).payload

    def _send(self, service: str, action: str, body: bytes, parts: Sequence[MtomPart] | None) -> Answer:
        """One exchange with registry or repository."""
        return self._exchange(self._urls[service], service, action, body, parts).registry_answer

    def _exchange(
        self, url: SplitResult, service: str, action: str, body: bytes, parts: Sequence[MtomPart] | None
    ) -> SoapAnswer:
        """A request and the answer to it, and to no other; `parts` None sends simple SOAP, anything else MTOM."""
        message_id = f"urn:uuid:{uuid.uuid4()}"
        envelope = _request_envelope(body, action, f"{url.geturl()}/xds/{service}", message_id, self._proof)
        content_type = f'application/soap+xml; charset=UTF-8; action="{action}"'
        message: Iterable[bytes] = (envelope,)
        length: int | None = len(envelope)
        if parts is not None:
            boundary, root_id = new_boundary(), "root@carnet"
            message = write_multipart(envelope, parts, boundary=boundary, root_id=root_id)
            length = multipart_length(envelope, parts, boundary=boundary, root_id=root_id)
            content_type = content_type_of(boundary, root_id)
        return read_soap(*self._post(url, service, content_type, message, length=length), message_id=message_id)

    def _post(
        self, url: SplitResult, service: str, content_type: str, message: Iterable[bytes], *, length: int | None
    ) -> tuple[int, str, bytes]:
        headers = {"Content-Type": content_type, **self._proof.headers}
        headers |= {} if length is None else {"Content-Length": str(length)}
        shown = self._proof
        return exchange(url, f"/xds/{service}", message, headers, timeout=shown.timeout, context=shown.context)


def provide_request(submission: Submission, parts: Mapping[str, MtomPart]) -> bytes:
    """`xds:ProvideAndRegisterDocumentSetRequest`, one XOP Include per document. ITI TF-2: 3.41.4.1.2"""
    documents = "".join(
        f"<xds:Document id={quoteattr(identifier)}>"
        f'<xop:Include xmlns:xop="{XOP}" href="cid:{part.content_id}"/></xds:Document>'
        for identifier, part in parts.items()
    )
    head = f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{XDS_B}">'.encode()
    request = write_submit_objects_request(submission.objects)
    return head + request + documents.encode() + b"</xds:ProvideAndRegisterDocumentSetRequest>"


def _part(entry: DocumentEntry, content: bytes) -> MtomPart:
    return MtomPart(
        content_id=f"{uuid.uuid4()}@carnet",
        content_type=entry.mime_type or "application/octet-stream",
        chunks=(content,),
        length=len(content),
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _unknown(unique_id: str) -> Rejected:
    context = f"the registry knows no document with the uniqueId {unique_id}"
    return Rejected([RegistryError(code=ErrorCode.DOCUMENT_UNIQUE_ID, context=context, location=unique_id)])


def _request_envelope(body: bytes, action: str, to: str, message_id: str, proof: Proof) -> bytes:
    header = (
        f"<wsa:To>{escape(to)}</wsa:To><wsa:MessageID>{message_id}</wsa:MessageID>"
        "<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>"
    )
    return write_envelope(body, action=action, header=header + proof.security_header.decode())
