"""SOAP faults and plain HTTP refusals: the closed list of answers that are not a registry response.

SOAP 1.2 Part 1: 5.4, Part 2: 7.5.2.2; WS-Addressing SOAP Binding: 6.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from xml.sax.saxutils import escape

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://www.w3.org/2005/08/addressing"
FAULT_ACTION = f"{ADDRESSING}/fault"
SOAP_FAULT_ACTION = f"{ADDRESSING}/soap/fault"
_LONGEST_SHOWN = 200


class FaultCode(StrEnum):
    """env:Code of a fault."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    MUST_UNDERSTAND = "MustUnderstand"
    VERSION_MISMATCH = "VersionMismatch"
    DATA_ENCODING_UNKNOWN = "DataEncodingUnknown"


# SOAP 1.2 Part 2: Table 20
HTTP_STATUS: Mapping[FaultCode, int] = {
    FaultCode.SENDER: 400,
    FaultCode.RECEIVER: 500,
    FaultCode.MUST_UNDERSTAND: 500,
    FaultCode.VERSION_MISMATCH: 500,
    FaultCode.DATA_ENCODING_UNKNOWN: 500,
}


@dataclass(eq=False)
class SoapFault(Exception):
    """A fault: code, subcodes from general to precise, one sentence, extra header blocks as XML.

    A subcode is a name of WS-Addressing, or `{namespace}name`.
    """

    code: FaultCode
    reason: str
    subcodes: tuple[str, ...] = ()
    header: str = ""

    @property
    def action(self) -> str:
        is_of_addressing = bool(self.subcodes) and not self.subcodes[0].startswith("{")
        return FAULT_ACTION if is_of_addressing else SOAP_FAULT_ACTION

    def body(self) -> bytes:
        """`env:Fault` with the prefixes of our envelope. SOAP 1.2 Part 1: 5.4"""
        subcode = ""
        for name in reversed(self.subcodes):
            subcode = f"<env:Subcode>{_value(name)}{subcode}</env:Subcode>"
        return (
            f"<env:Fault><env:Code><env:Value>env:{self.code}</env:Value>{subcode}</env:Code>"
            f'<env:Reason><env:Text xml:lang="en">{escape(self.reason)}</env:Text></env:Reason></env:Fault>'
        ).encode()


def _value(name: str) -> str:
    """env:Value of a subcode: a QName, without prefix when it has no namespace."""
    namespace, _, local = name.removeprefix("{").rpartition("}")
    if not name.startswith("{"):
        return f"<env:Value>wsa:{local}</env:Value>"
    if not namespace:
        return f"<env:Value>{local}</env:Value>"
    return f'<env:Value xmlns:s="{namespace}">s:{local}</env:Value>'


@dataclass(eq=False)
class HttpRefusal(Exception):
    """A plain HTTP answer of the closed list: 411, 413, 415, 503."""

    status: int
    reason: str


def sender(reason: str, *subcodes: str) -> SoapFault:
    return SoapFault(FaultCode.SENDER, reason, subcodes)


def invalid_header(reason: str, precise: str) -> SoapFault:
    """A WS-Addressing header that breaks a rule. WS-Addressing SOAP Binding: 6.4.1"""
    return sender(reason, "InvalidAddressingHeader", precise)


def header_required(name: str) -> SoapFault:
    return sender(f"the header wsa:{name} is required and was not found", "MessageAddressingHeaderRequired")


def action_not_supported(found: str, expected: Iterable[str]) -> SoapFault:
    """An action that is not one of the endpoint. WS-Addressing SOAP Binding: 6.4.2"""
    return sender(f"wsa:Action: found {shown(found)}, expected {one_of(expected)}", "ActionNotSupported")


def shown(found: str) -> str:
    """What a sender wrote, as a fault repeats it: short, and printable on one line."""
    text = "".join(character if character.isprintable() else "?" for character in found[: _LONGEST_SHOWN + 1])
    return f"'{text[:_LONGEST_SHOWN]}…'" if len(found) > _LONGEST_SHOWN else f"'{text}'"


def one_of(names: Iterable[str]) -> str:
    listed = sorted(names)
    return f"one of {', '.join(listed)}" if len(listed) > 1 else listed[0]


def not_understood(name: str, namespace: str) -> SoapFault:
    """SOAP 1.2 Part 1: 5.4.8"""
    block = f'<env:NotUnderstood qname="x:{escape(name)}" xmlns:x="{escape(namespace, {chr(34): "&quot;"})}"/>'
    return SoapFault(
        FaultCode.MUST_UNDERSTAND, "a header block that must be understood is not known here", header=block
    )


def version_mismatch() -> SoapFault:
    """SOAP 1.2 Part 1: 5.4.7"""
    block = f'<env:Upgrade><env:SupportedEnvelope qname="e:Envelope" xmlns:e="{ENVELOPE}"/></env:Upgrade>'
    return SoapFault(FaultCode.VERSION_MISMATCH, "expected a SOAP 1.2 envelope", header=block)


def security_refused(subcode: str) -> SoapFault:
    """WS-Security failed: one text for every cause, so that nobody learns which check it was. WSS: 12"""
    return sender("the security header of the message is not accepted", subcode)


def unexpected(correlation_id: str) -> SoapFault:
    return SoapFault(FaultCode.RECEIVER, f"unexpected failure, reported as {correlation_id}")
