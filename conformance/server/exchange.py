"""Requests of probes: sent octet by octet as given, kept in the run, answers read as far as they can be."""

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

from lxml import etree

from conformance.failures import ExchangeFailed
from conformance.judgement import Message
from conformance.nist.mtom import media_type, read_multipart, resolve_includes
from conformance.nist.soap_client import connect
from conformance.nist.xml import BadXml, parse

# Of an answer; what comes after is not read.
_MOST_OCTETS = 64 * 2**20
SOAP = "http://www.w3.org/2003/05/soap-envelope"
# Nobody listens, or there is no such host: nothing was refused.
UNREACHED = (ConnectionRefusedError, socket.gaierror)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back: `problem` says why nothing did."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    problem: str = ""

    @cached_property
    def envelope(self) -> etree._Element | None:
        """The SOAP envelope with its parts in place, or None."""
        kind, parameters = media_type(self.headers.get("content-type", ""))
        try:
            octets, parts = read_multipart(parameters, self.body) if kind == "multipart/related" else (self.body, [])
            envelope = parse(octets)
            resolve_includes(envelope, parts)
        except (ExchangeFailed, BadXml):
            return None
        return envelope if envelope.tag == f"{{{SOAP}}}Envelope" else None

    @property
    def fault(self) -> str:
        """Code and subcodes of a SOAP fault by local name, `Sender FailedAuthentication`; empty without one."""
        if self.envelope is None:
            return ""
        values = self.envelope.iterfind(f".//{{{SOAP}}}Fault//{{{SOAP}}}Value")
        return " ".join(str(one.text or "").strip().rpartition(":")[2] for one in values)

    @property
    def reason(self) -> str:
        """The text of a fault."""
        found = None if self.envelope is None else self.envelope.findtext(f".//{{{SOAP}}}Fault//{{{SOAP}}}Text")
        return found or ""

    @property
    def registry_status(self) -> str:
        """Success, Failure, PartialSuccess, or empty."""
        return (
            ""
            if self.envelope is None
            else next(
                (str(one.get("status")).rpartition(":")[2] for one in self.envelope.iter() if "status" in one.attrib),
                "",
            )
        )

    @property
    def error_codes(self) -> tuple[str, ...]:
        found = () if self.envelope is None else self.envelope.iter("{*}RegistryError")
        return tuple(str(one.get("errorCode")) for one in found)

    @property
    def is_refused(self) -> bool:
        """A fault, an HTTP error, a Failure, or no answer at all: nothing was done."""
        return bool(self.problem) or self.status >= 400 or bool(self.fault) or self.registry_status == "Failure"

    def __str__(self) -> str:
        """In a few words, for a report."""
        if self.problem:
            return self.problem
        what = self.fault or " ".join((self.registry_status, *self.error_codes)).strip()
        return f"HTTP {self.status} {what}".strip()


Keep = Callable[[Message], None]


class Wire:
    """Sends, and hands every exchange to `keep`. `step` is the probe that runs, `sent` how many were sent before.

    `is_unreached`: nobody was there to take the last message.
    """

    def __init__(self, tls: ssl.SSLContext | None, timeout_seconds: float, keep: Keep, *, sent: int = 0) -> None:
        self.tls, self.timeout_seconds, self.keep = tls, timeout_seconds, keep
        self.step, self._sent = "", sent
        self.is_unreached = False

    def send(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        transaction: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> Reply:
        """One request on a connection of its own. What goes wrong is in the reply, never raised."""
        connection = connect(url, timeout_seconds=self.timeout_seconds, tls=tls or self.tls)
        target = urlsplit(url)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        given, began, self.is_unreached = dict(headers or {}), datetime.now(UTC), False
        try:
            connection.request(method, path, body or None, given)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            reply = Reply(status=answer.status, headers=found, body=answer.read(_MOST_OCTETS))
        except (OSError, http.client.HTTPException) as problem:
            self.is_unreached = isinstance(problem, UNREACHED)
            reply = Reply(problem=f"– ({problem or type(problem).__name__})")
        finally:
            connection.close()
        self._sent += 1
        self.keep(
            Message(
                id=f"probe-{self._sent:04}",
                time=began,
                transaction=transaction,
                peer=target.netloc,
                request=_octets(f"{method} {path} HTTP/1.1", given, body),
                answer=b"" if reply.problem else _octets(f"HTTP/1.1 {reply.status}", reply.headers, reply.body),
                step=self.step,
                problem=reply.problem,
            )
        )
        return reply

    @property
    def last(self) -> str:
        """Id of the last message, empty when none was sent."""
        return f"probe-{self._sent:04}" if self._sent else ""


def _octets(start: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = (start, *(f"{name}: {value}" for name, value in headers.items()), "", "")
    return "\r\n".join(lines).encode("utf-8") + body
