"""Accept acknowledgement: the answer to a message, as bytes. HL7 v3 MCCI_IN000002UV01; ITI TF-2x: O.1.3."""

from collections.abc import Sequence
from enum import StrEnum
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from hl7v3.transmission import INTERACTIONS, V3, Detail, DetailCode, InstanceIdentifier, Transmission

INTERACTION = "MCCI_IN000002UV01"
_DETAIL_CODES = "2.16.840.1.113883.5.1100"


class TypeCode(StrEnum):
    """What became of the message. HL7 v3 AcknowledgementType"""

    ACCEPTED = "CA"
    ERROR = "CE"
    REJECTED = "CR"


def write_acknowledgement(
    transmission: Transmission, type_code: TypeCode, details: Sequence[Detail] = (), *, now: str
) -> bytes:
    """`hl7:MCCI_IN000002UV01`, back to the sender; `now` is 14 digits, UTC."""
    body = (
        f'<acknowledgement><typeCode code="{type_code}"/>{write_details(details)}'
        f"{write_target(transmission)}</acknowledgement>"
    )
    return write_answer(INTERACTION, transmission, body, now=now).encode()


def write_answer(interaction: str, transmission: Transmission, body: str, *, now: str) -> str:
    """The wrapper of an answer back to the sender, around `body`, which is XML in the namespace of HL7 v3."""
    return (
        f'<{interaction} xmlns="{V3}" ITSVersion="XML_1.0">'
        f'<id root="{uuid4()}"/><creationTime value="{now}+0000"/>'
        f'<interactionId root="{INTERACTIONS}" extension="{interaction}"/>'
        '<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="NE"/>'
        f"{_device('receiver', 'RCV', transmission.senders)}{_device('sender', 'SND', transmission.receivers)}"
        f"{body}</{interaction}>"
    )


def write_application_acknowledgement(transmission: Transmission, details: Sequence[Detail]) -> str:
    """`AA`, or `AE` with what was wrong: the form of the application answers of HL7 v3 2009. MCCI_MT000300UV01"""
    said = f"{write_target(transmission)}{write_details(details)}"
    return f'<acknowledgement typeCode="{"AE" if details else "AA"}">{said}</acknowledgement>'


def write_details(details: Sequence[Detail]) -> str:
    return "".join(_detail(detail) for detail in details)


def write_target(transmission: Transmission) -> str:
    return f"<targetMessage>{_identifier(transmission.message_id)}</targetMessage>"


def _device(role: str, type_code: str, ids: Sequence[InstanceIdentifier]) -> str:
    inside = "".join(_identifier(one) for one in ids) or _identifier(None)
    return (
        f'<{role} typeCode="{type_code}"><device classCode="DEV" determinerCode="INSTANCE">{inside}</device></{role}>'
    )


def _identifier(identifier: InstanceIdentifier | None) -> str:
    if identifier is None:
        return '<id nullFlavor="NI"/>'
    extension = f" extension={quoteattr(identifier.extension)}" if identifier.extension else ""
    return f"<id root={quoteattr(identifier.root)}{extension}/>"


def _detail(detail: Detail) -> str:
    system = f' codeSystem="{_DETAIL_CODES}"' if isinstance(detail.code, DetailCode) else ""
    location = f"<location>{escape(detail.location)}</location>" if detail.location else ""
    return (
        f'<acknowledgementDetail typeCode="E"><code code={quoteattr(detail.code)}{system}/>'
        f"<text>{escape(detail.text)}</text>{location}</acknowledgementDetail>"
    )
