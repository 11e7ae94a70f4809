"""What a client reads of an answer over SOAP: is it ours, what is in it, its parts. ITI TF-2: 3.18, 3.41, 3.43, V.3."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lxml import etree

from carnet.exchange import AnswerLost, ClientError, NotTaken
from soap.content_type import parse_content_type
from soap.faults import HttpRefusal, SoapFault
from soap.mtom import MimeLimits, MultipartReader, PartStart
from soap.xop import content_id_matches, include_href
from xds.ebrim.read import read_document_entries
from xds.errors import ErrorCode, RegistryError
from xds.metadata import DocumentEntry
from xds.vocabulary import QUERY, RIM, RS, XDS_B, ResponseStatus, Severity
from xds.xml import BadXml, parse

_RELATES_TO = "{*}Header/{http://www.w3.org/2005/08/addressing}RelatesTo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A registry response: status, errors, and what it brought.

    `was_stored_before`: an earlier attempt, whose answer was lost, had stored the submission.
    """

    status: str
    errors: tuple[RegistryError, ...] = ()
    documents: tuple[DocumentEntry, ...] = ()
    references: tuple[str, ...] = ()
    contents: tuple[bytes, ...] = ()
    was_stored_before: bool = False

    @property
    def is_success(self) -> bool:
        return self.status == ResponseStatus.SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapAnswer:
    """An envelope and its other parts (Content-ID, octets); `status` of HTTP."""

    status: int
    envelope: etree._Element
    parts: Sequence[tuple[str, bytes]]

    @property
    def payload(self) -> etree._Element:
        """What is in the Body. Raises ClientError for a fault."""
        body = self.envelope.find("{*}Body")
        found = None if body is None else next(body.iterchildren(etree.Element), None)
        if found is None or etree.QName(found).localname == "Fault":
            reason = None if found is None else found.findtext(".//{*}Text")
            raise _failure(self.status)(f"the server answered a fault: {reason or ''}")
        return found

    @property
    def registry_answer(self) -> Answer:
        """The registry response in it, with what it brought. Raises ClientError."""
        payload = self.payload
        response = next(payload.iter(f"{{{RS}}}RegistryResponse", f"{{{QUERY}}}AdhocQueryResponse"), None)
        if response is None:
            name = etree.QName(payload).localname
            raise _failure(self.status)(f"the server answered {name}, expected a registry response")
        return replace(
            read_answer(response),
            references=tuple(one.get("id", "") for one in response.iter(f"{{{RIM}}}ObjectRef")),
            contents=tuple(_content(one, self.parts) for one in payload.iter(f"{{{XDS_B}}}Document")),
        )


def read_soap(status: int, content_type: str, message: bytes, *, message_id: str) -> SoapAnswer:
    """The answer to the request with this wsa:MessageID. WS-Addressing 1.0 Core 3.1

    Raises ClientError for what is no SOAP, and AnswerLost for the answer to another request: what became of ours is
    unknown. An answer without RelatesTo is taken: some servers leave it out, and HTTP says what it answers.
    """
    root, parts = _unpacked(content_type, message)
    try:
        envelope = parse(root)
    except BadXml as problem:
        raise _no_soap(status, content_type, message) from problem
    if etree.QName(envelope).localname != "Envelope":
        raise _no_soap(status, content_type, message)
    related = (envelope.findtext(_RELATES_TO) or "").strip()
    if related and related != message_id:
        raise AnswerLost(f"the answer is to another request: found RelatesTo {related[:100]}, expected {message_id}")
    return SoapAnswer(status=status, envelope=envelope, parts=parts)


def _no_soap(status: int, content_type: str, message: bytes) -> ClientError:
    return _failure(status)(f"the server answered {status} {content_type or 'nothing'}, no SOAP: {message[:200]!r}")


def _failure(status: int) -> type[ClientError]:
    return NotTaken if 400 <= status < 500 else ClientError


def read_answer(response: etree._Element) -> Answer:
    """A registry response that came without documents."""
    errors = tuple(_error(one) for one in response.iter(f"{{{RS}}}RegistryError"))
    return Answer(status=response.get("status", ""), errors=errors, documents=read_document_entries(response))


def _error(element: etree._Element) -> RegistryError:
    code = element.get("errorCode", "")
    known = code in {str(one) for one in ErrorCode}
    return RegistryError(
        code=ErrorCode(code) if known else ErrorCode.REGISTRY,
        context=element.get("codeContext", "") if known else f"{code}: {element.get('codeContext', '')}",
        location=element.get("location", ""),
        severity=Severity.WARNING if element.get("severity") == Severity.WARNING else Severity.ERROR,
    )


def _content(element: etree._Element, parts: Sequence[tuple[str, bytes]]) -> bytes:
    href = include_href(element) or ""
    found = next((content for content_id, content in parts if content_id_matches(href, content_id)), None)
    if found is None:
        raise ClientError("the answer lacks the part of a document")
    return found


def _unpacked(content_type: str, message: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The root of an answer and its other parts (Content-ID, octets)."""
    parsed = parse_content_type(content_type)
    if parsed.media_type != "multipart/related":
        return message, []
    reader = MultipartReader(parsed.parameter("boundary"), limits=MimeLimits())
    parts: list[tuple[str, bytes]] = []
    try:
        for event in (*reader.feed(message), *reader.finish()):
            if isinstance(event, PartStart):
                parts.append((event.content_id, b""))
            elif isinstance(event, bytes):
                parts[-1] = (parts[-1][0], parts[-1][1] + event)
    except (SoapFault, HttpRefusal) as problem:
        raise ClientError(f"the answer cannot be read: {problem.reason}") from problem
    return parts[0][1], parts[1:]
