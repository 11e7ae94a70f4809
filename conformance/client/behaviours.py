"""What the server does in a step on purpose: refuse, be silent, be busy… DMP 4; ITI TF-3: 4.2.4.

A behaviour is asked for each request. It answers by itself, changes what the server behind answers, or gives b"", which
ends the connection without an answer.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import partial

from conformance.client.fhir_messages import first
from conformance.client.http_reading import Ask, plain_answer
from conformance.client.received import SOAP_12, WSA, Received
from conformance.nist.mtom import write_multipart
from conformance.nist.vocabulary import QUERY, RS

Forward = Callable[[Ask], bytes]
# The request as octets and read, and the server behind.
Behaviour = Callable[[Ask, Received, Forward], bytes]

_FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
_FEEDINGS = ("ITI-41", "ITI-65")
_ERROR_CODES = "urn:ihe:iti:error-codes"
_OTHER_MESSAGE = "urn:uuid:00000000-0000-4000-8000-000000000000"


def forwarded(ask: Ask, received: Received, forward: Forward) -> bytes:
    """As the server behind answers."""
    return forward(ask)


def refused(ask: Ask, received: Received, forward: Forward) -> bytes:
    """A refusal that sending again does not change: XDSPatientIdDoesNotMatch."""
    return _failure(received, "XDSPatientIdDoesNotMatch", "the patient of the message is not the one of the assertion")


def duplicate(ask: Ask, received: Received, forward: Forward) -> bytes:
    """It is there already, says the answer to a submission; everything else is answered as always."""
    if received.transaction not in _FEEDINGS:
        return forward(ask)
    return _failure(received, "XDSDuplicateUniqueIdInRegistry", "the submission is registered already")


def silent(ask: Ask, received: Received, forward: Forward) -> bytes:
    """The submission is carried out and its answer lost: the connection ends without an octet."""
    answer = forward(ask)
    return b"" if received.transaction in _FEEDINGS and _is_success(answer) else answer


def held(ask: Ask, received: Received, forward: Forward, seconds: float = 0) -> bytes:
    """The submission is carried out and its answer held: whoever is still there after so many seconds is given it."""
    answer = forward(ask)
    if received.transaction not in _FEEDINGS or not _is_success(answer):
        return answer
    return b"" if ask.hangs_up_within(seconds) else answer


def busy(ask: Ask, received: Received, forward: Forward) -> bytes:
    """Not now."""
    return plain_answer(503, "Service Unavailable", "busy, come again later", "Retry-After: 5")


def unreadable(ask: Ask, received: Received, forward: Forward) -> bytes:
    """200 and no SOAP."""
    body = b"<html><body>Maintenance en cours</body></html>"
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def assertion_refused(ask: Ask, received: Received, forward: Forward) -> bytes:
    """The fault of an assertion that is not believed. WS-Security 1.1.1: 12"""
    if received.is_fhir:
        return plain_answer(401, "Unauthorized", "the token is not accepted", "WWW-Authenticate: Bearer")
    fault = (
        f'<e:Fault xmlns:w="{_WSSE}"><e:Code><e:Value>e:Sender</e:Value><e:Subcode>'
        "<e:Value>w:FailedAuthentication</e:Value></e:Subcode></e:Code><e:Reason>"
        '<e:Text xml:lang="fr">assertion refusée</e:Text></e:Reason></e:Fault>'
    )
    return _soap(received, fault, status="400 Bad Request")


def unrelated(ask: Ask, received: Received, forward: Forward) -> bytes:
    """The right answer to another message: RelatesTo names one that this client never sent. WS-Addressing Core: 3.1"""
    answer = forward(ask)
    return _relength(re.sub(rb"(RelatesTo[^>]*>)[^<]+", rb"\1" + _OTHER_MESSAGE.encode(), answer))


def damaged(ask: Ask, received: Received, forward: Forward) -> bytes:
    """A retrieved document comes with one octet that is another."""
    answer = forward(ask)
    if received.transaction == "ITI-68":
        head, blank, body = answer.partition(b"\r\n\r\n")
        at = len(body) // 2
        return head + blank + body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if body else answer
    if received.transaction != "ITI-43":
        return answer
    for part in Received.of(answer).parts:
        at = len(part.content) // 2
        other = part.content[:at] + bytes([part.content[at] ^ 1]) + part.content[at + 1 :]
        answer = answer.replace(part.content, other)
    return answer


HOLD = "hold-answer"
_ALWAYS, _ONCE, BUSY_SECONDS = math.inf, 0.0, 5.0
# Name in a scenario -> what is done, and for how many seconds from the first message that it concerns.
BEHAVIOURS: Mapping[str, tuple[Behaviour, float]] = {
    "forward": (forwarded, _ALWAYS),
    "refuse": (refused, _ALWAYS),
    "duplicate": (duplicate, _ALWAYS),
    "lose-answer": (silent, _ONCE),
    HOLD: (held, _ONCE),
    "busy": (busy, BUSY_SECONDS),
    "unreadable": (unreadable, _ONCE),
    "refuse-assertion": (assertion_refused, _ONCE),
    "unrelated": (unrelated, _ONCE),
    "damage": (damaged, _ALWAYS),
}


def behaviour_of(name: str, seconds: float) -> tuple[Behaviour, float]:
    """With how long it lasts; `seconds`: how long an answer is held, where it is."""
    behaviour, lasting = BEHAVIOURS[name]
    return (partial(held, seconds=seconds) if name == HOLD else behaviour), lasting


def _is_success(answer: bytes) -> bool:
    received = Received.of(answer)
    envelope = received.envelope
    if first(received.resource, "resourceType") == "Bundle":
        return received.status == 200
    return envelope is not None and any(
        one.get("status", "").endswith(":Success") for one in envelope.iter(f"{{{RS}}}RegistryResponse")
    )


def _failure(received: Received, code: str, context: str) -> bytes:
    """A refusal of registry or repository. ITI TF-3: 4.2.4; over FHIR MHD 2:3.65.4.2"""
    if received.is_fhir:
        issue: dict[str, object] = {"severity": "error", "code": "processing", "diagnostics": context}
        issue["details"] = {"coding": [{"system": _ERROR_CODES, "code": code}]}
        return _fhir({"resourceType": "OperationOutcome", "issue": [issue]})
    error = f'<rs:RegistryError errorCode="{code}" codeContext="{context}" severity="{_SEVERITY}"/>'
    errors = f"<rs:RegistryErrorList>{error}</rs:RegistryErrorList>"
    name, namespace = ("AdhocQueryResponse", QUERY) if received.transaction == "ITI-18" else ("RegistryResponse", RS)
    return _soap(received, f'<a:{name} xmlns:a="{namespace}" xmlns:rs="{RS}" status="{_FAILURE}">{errors}</a:{name}>')


def _fhir(outcome: Mapping[str, object]) -> bytes:
    body = json.dumps(outcome).encode()
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _soap(received: Received, body: str, *, status: str = "200 OK") -> bytes:
    action = (
        "http://www.w3.org/2005/08/addressing/soap/fault"
        if "Fault" in body
        else f"{received.addressed('Action')}Response"
    )
    related = received.addressed("MessageID")
    envelope = (
        f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{SOAP_12}" xmlns:a="{WSA}"><e:Header>'
        f'<a:Action e:mustUnderstand="1">{action}</a:Action><a:RelatesTo>{related}</a:RelatesTo></e:Header>'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    ).encode()
    content_type = "application/soap+xml; charset=UTF-8"
    if received.transaction in ("ITI-41", "ITI-43"):
        content_type, envelope = write_multipart(envelope, (), action=action)
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(envelope)}\r\n\r\n"
    return head.encode() + envelope


def _relength(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    head = re.sub(rb"(?i)(content-length: *)\d+", rb"\g<1>%d" % len(body), head)
    return head + b"\r\n\r\n" + body
