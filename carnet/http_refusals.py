"""Answers that are given before anybody reads the request, and whether its connection can stay. RFC 9112: 6.3, 9.3"""

import re
from http import HTTPStatus

import orjson

END_OF_HEAD = b"\r\n\r\n"
BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_FHIR = re.compile(rb"[A-Z]{3,20} /fhir[/? ]")
_RETRY_SECONDS = 1
_CAUSES = {
    HTTPStatus.BAD_REQUEST: "this is not HTTP/1.1",
    HTTPStatus.REQUEST_TIMEOUT: "the request did not come in time",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "the request line or the headers are too long",
    HTTPStatus.SERVICE_UNAVAILABLE: "more requests wait than are served",
}
_NAME, _DIGITS = re.compile(rb"[a-z0-9_-]+"), re.compile(rb"[0-9]{1,9}")
# With one of these a head does not say by itself where its body ends, or whether it comes.
_NOT_PLAIN = (b"transfer-encoding", b"expect", b"upgrade")


def refusal(status: HTTPStatus, head: bytes, *, closes: bool) -> bytes:
    """A whole answer; an OperationOutcome where FHIR was asked for and the head was read."""
    cause = _CAUSES[status]
    body, kind = f"{cause}\n".encode(), "text/plain"
    ends, retry = "Connection: close\r\n" if closes else "", ""
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        retry = f"Retry-After: {_RETRY_SECONDS}\r\n"
        if _FHIR.match(head):
            issue = {"severity": "error", "code": "transient", "diagnostics": cause}
            body = orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
            kind = "application/fhir+json; charset=utf-8"
    fields = f"{ends}{retry}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{fields}".encode() + body


def plain_body_length(head: bytes) -> int:
    """Octets of the body of a request that leaves its connection open; -1 unless its head says that plainly.

    Stricter than RFC 9112: 6.3, for nobody parses what is refused.
    """
    first, *lines = head.removesuffix(END_OF_HEAD).split(b"\r\n")
    if not first.endswith(b" HTTP/1.1") or BARE_LINE_FEED.search(head):
        return -1
    lengths = []
    for line in lines:
        name, colon, value = line.lower().partition(b":")
        if not colon or not _NAME.fullmatch(name) or name in _NOT_PLAIN:
            return -1
        if name == b"connection" and value.strip() != b"keep-alive":
            return -1
        if name == b"content-length":
            lengths.append(value.strip())
    if not lengths:
        return 0
    return int(lengths[0]) if len(lengths) == 1 and _DIGITS.fullmatch(lengths[0]) else -1
