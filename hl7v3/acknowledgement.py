"""Accept acknowledgement: the answer to a message, as bytes. HL7 v3 MCCI_IN000002UV01; ITI TF-2x: O.1.3."""

from collections.abc import Sequence
from enum import StrEnum
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from hl7v3.transmission import INTERACTIONS, V3, Detail, InstanceIdentifier, Transmission

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
        f'<MCCI_IN000002UV01 xmlns="{V3}" ITSVersion="XML_1.0">'
        f'<id root="{uuid4()}"/><creationTime value="{now}+0000"/>'
        f'<interactionId root="{INTERACTIONS}" extension="{INTERACTION}"/>'
        '<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="NE"/>'
        f"{_device('receiver', 'RCV', transmission.senders)}{_device('sender', 'SND', transmission.receivers)}"
        f'<acknowledgement><typeCode code="{type_code}"/>'
        f"{''.join(_detail(detail) for detail in details)}"
        f"<targetMessage>{_identifier(transmission.message_id)}</targetMessage></acknowledgement></MCCI_IN000002UV01>"
    )
    return body.encode()


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
    location = f"<location>{escape(detail.location)}</location>" if detail.location else ""
    return (
        f'<acknowledgementDetail typeCode="E"><code code="{detail.code}" codeSystem="{_DETAIL_CODES}"/>'
        f"<text>{escape(detail.text)}</text>{location}</acknowledgementDetail>"
    )
