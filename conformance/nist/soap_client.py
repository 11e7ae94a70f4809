"""SOAP 1.2 with WS-Addressing over HTTP, plain or MTOM: one request, one answer, all octets kept. ITI TF-2x: V.3."""

import http.client
import ssl
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urlsplit

from lxml import etree

from conformance.failures import ExchangeFailed, KitError, UnreachableServer
from conformance.nist.mtom import Part, attach_documents, media_type, read_multipart, resolve_includes, write_multipart
from conformance.nist.transactions import Transaction
from conformance.nist.vocabulary import ANONYMOUS, SOAP12, WSA
from conformance.nist.xml import BadXml, as_root, elements, octets_of, parse, text_of
from conformance.sentence import NOTHING, NOTHING_SAID, Sentence, expected, reason, sentence_of

_ENVELOPE, _HEADER, _BODY = (f"{{{SOAP12}}}{name}" for name in ("Envelope", "Header", "Body"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMessage:
    """Headers and body as they were on the wire; `start_line` is the request line or the status line."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for found, value in self.headers if found.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A SOAP answer: `payload` is the child of the Body with all XOP parts put in place."""

    action: str
    relates_to: str
    is_mtom: bool
    header: etree._Element | None
    payload: etree._Element
    is_fault: bool

    @property
    def fault_reason(self) -> str:
        text = self.payload.find(f"{{{SOAP12}}}Reason/{{{SOAP12}}}Text")
        return text_of(text) if text is not None else text_of(self.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came back; `answer` None when that was no SOAP, `problem` says what it was."""

    url: str
    message_id: str
    request: HttpMessage
    request_header: etree._Element
    response: HttpMessage | None = None
    answer: Answer | None = None
    problem: Sentence = NOTHING_SAID
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapClient:
    """`headers` are SOAP header blocks added to every request; `tls` is used for https addresses."""

    timeout_seconds: float = 60.0
    tls: ssl.SSLContext | None = None
    headers: tuple[bytes, ...] = field(default_factory=tuple)

    def send(
        self,
        url: str,
        transaction: Transaction,
        payload: etree._Element,
        *,
        documents: Mapping[str, bytes],
        is_mtom: bool,
        headers: Sequence[bytes] = (),
    ) -> Exchange:
        """Send a payload and read what comes back. Trouble on the way is in the exchange, never raised."""
        body = as_root(payload)
        parts = attach_documents(body, documents, is_mtom=is_mtom)
        message_id = f"urn:uuid:{uuid.uuid4()}"
        envelope = _envelope(transaction.action, url, message_id, body, (*self.headers, *headers))
        content_type, octets = _packaged(envelope, parts, transaction.action, is_mtom=is_mtom)
        request = HttpMessage(
            start_line=f"POST {urlsplit(url).path or '/'}", headers=(("Content-Type", content_type),), body=octets
        )
        header = envelope.find(_HEADER)
        sent = Exchange(
            url=url, message_id=message_id, request=request, request_header=envelope if header is None else header
        )
        return _complete(sent, self._post)

    def _post(self, url: str, request: HttpMessage) -> HttpMessage:
        connection = connect(url, timeout_seconds=self.timeout_seconds, tls=self.tls)
        target = urlsplit(url)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        try:
            connection.request("POST", path, body=request.body, headers=dict(request.headers))
            response = connection.getresponse()
            return HttpMessage(
                start_line=f"HTTP {response.status} {response.reason}",
                headers=tuple(response.getheaders()),
                body=response.read(),
            )
        finally:
            connection.close()


def connect(url: str, *, timeout_seconds: float, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """A connection for an address, not opened yet. Raises KitError for an address that is none."""
    target = check_url(url)
    host, port = target.hostname or "", target.port
    if target.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=tls)
    return http.client.HTTPConnection(host, port, timeout=timeout_seconds)


def check_url(url: str) -> SplitResult:
    """The parts of an http or https address. Raises KitError."""
    target = urlsplit(url)
    if target.scheme not in ("http", "https") or not target.hostname:
        forms = "http://HOST:PORT/PATH", "https://HOST:PORT/PATH"
        wanted = Sentence(" ou ".join(forms), " or ".join(forms))
        raise KitError(expected(url, wanted, about=Sentence("l'adresse", "the address")))
    return target


def check_reachable(url: str, *, timeout_seconds: float, tls: ssl.SSLContext | None) -> None:
    """Open and close a connection. Raises UnreachableServer."""
    connection = connect(url, timeout_seconds=timeout_seconds, tls=tls)
    try:
        connection.connect()
    except (OSError, http.client.HTTPException) as problem:
        raise UnreachableServer(
            Sentence(f"{url} injoignable : {reason(problem).fr}", f"{url} cannot be reached: {reason(problem)}")
        ) from None
    finally:
        connection.close()


def _complete(sent: Exchange, post: Callable[[str, HttpMessage], HttpMessage]) -> Exchange:
    began = time.monotonic()
    try:
        response = post(sent.url, sent.request)
    except (OSError, http.client.HTTPException) as problem:
        shown, seconds = problem or type(problem).__name__, time.monotonic() - began
        told = Sentence(f"aucune réponse de {sent.url} : {shown}", f"no answer from {sent.url}: {shown}")
        return replace(sent, problem=told, seconds=seconds)
    answered = replace(sent, response=response, seconds=time.monotonic() - began)
    try:
        return replace(answered, answer=read_answer(response))
    except ExchangeFailed as problem:
        return replace(answered, problem=sentence_of(problem).about(response.start_line))


def _envelope(action: str, to: str, message_id: str, body: etree._Element, headers: Sequence[bytes]) -> etree._Element:
    envelope = etree.Element(_ENVELOPE, nsmap={"soap": SOAP12, "wsa": WSA})
    header = etree.SubElement(envelope, _HEADER)
    must_understand = {f"{{{SOAP12}}}mustUnderstand": "true"}
    etree.SubElement(header, f"{{{WSA}}}Action", must_understand).text = action
    etree.SubElement(header, f"{{{WSA}}}MessageID", must_understand).text = message_id
    etree.SubElement(header, f"{{{WSA}}}To", must_understand).text = to
    reply_to = etree.SubElement(header, f"{{{WSA}}}ReplyTo", must_understand)
    etree.SubElement(reply_to, f"{{{WSA}}}Address").text = ANONYMOUS
    for block in headers:
        header.append(parse(block))
    etree.SubElement(envelope, _BODY).append(body)
    return envelope


def _packaged(envelope: etree._Element, parts: Sequence[Part], action: str, *, is_mtom: bool) -> tuple[str, bytes]:
    octets = b'<?xml version="1.0" encoding="UTF-8"?>\n' + octets_of(envelope)
    if is_mtom:
        return write_multipart(octets, parts, action=action)
    return f'application/soap+xml; charset=UTF-8; action="{action}"', octets


def read_answer(response: HttpMessage) -> Answer:
    """The SOAP answer in an HTTP response. Raises ExchangeFailed when there is none."""
    kind, parameters = media_type(response.header("Content-Type"))
    is_mtom = kind == "multipart/related"
    octets, parts = read_multipart(parameters, response.body) if is_mtom else (response.body, [])
    try:
        envelope = parse(octets)
    except BadXml as problem:
        shown = kind or NOTHING
        raise ExchangeFailed(
            Sentence(f"la réponse ({shown}) n'est pas du XML : {problem}", f"the answer ({shown}) is no XML: {problem}")
        ) from None
    if envelope.tag != _ENVELOPE:
        raise ExchangeFailed(
            Sentence(
                f"la réponse est {envelope.tag}, et non une enveloppe SOAP 1.2",
                f"the answer is {envelope.tag}, not a SOAP 1.2 envelope",
            )
        )
    resolve_includes(envelope, parts)
    header, body = envelope.find(_HEADER), envelope.find(_BODY)
    payload = None if body is None else next(elements(body), None)
    if payload is None:
        raise ExchangeFailed(Sentence("le corps de la réponse SOAP est vide", "the SOAP answer has an empty body"))
    return Answer(
        action=_header_text(header, "Action"),
        relates_to=_header_text(header, "RelatesTo"),
        is_mtom=is_mtom,
        header=header,
        payload=as_root(payload),
        is_fault=payload.tag == f"{{{SOAP12}}}Fault",
    )


def _header_text(header: etree._Element | None, name: str) -> str:
    found = None if header is None else header.find(f"{{{WSA}}}{name}")
    return "" if found is None else text_of(found)
