"""The transmission wrapper of an interaction: who sends what to whom. HL7 v3 MCCI_MT000100UV01, ITI TF-2x: O.1."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

V3 = "urn:hl7-org:v3"
INTERACTIONS = "2.16.840.1.113883.1.6"


class DetailCode(StrEnum):
    """Codes of an acknowledgementDetail. HL7 v3 AcknowledgementDetailCode, 2.16.840.1.113883.5.1100"""

    INTERNAL = "INTERR"
    SYNTAX = "SYN"
    PROCESSING_MODE = "NS250"
    INTERACTION = "NS200"
    UNKNOWN_KEY = "KEY204"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One reason why a message is refused: a DetailCode, or a code of the receiver's own (`DMPFound`).

    `location` is a path of element names.
    """

    code: str
    text: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class InstanceIdentifier:
    """`root` is an OID, or a UUID without extension. HL7 v3 data type II"""

    root: str
    extension: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmission:
    """The wrapper as far as it could be read, and what was wrong with it."""

    interaction: str
    message_id: InstanceIdentifier | None = None
    senders: tuple[InstanceIdentifier, ...] = ()
    receivers: tuple[InstanceIdentifier, ...] = ()
    details: tuple[Detail, ...] = ()


def name_of(tag: str) -> str:
    """The name of an element in the namespace of HL7 v3."""
    return f"{{{V3}}}{tag}"


def found(element: etree._Element, path: str) -> list[etree._Element]:
    """The elements on a path of names, `a/b/c`."""
    return element.findall("/".join(name_of(step) for step in path.split("/")))


def identifiers(element: etree._Element, path: str) -> tuple[InstanceIdentifier, ...]:
    """The identifiers on a path; one with a null flavour or without root says nothing."""
    return tuple(
        InstanceIdentifier(root, (one.get("extension") or "").strip())
        for one in found(element, path)
        if not one.get("nullFlavor") and (root := (one.get("root") or "").strip())
    )


def read_transmission(message: etree._Element) -> Transmission:
    """Read and check the wrapper of a message whose answer is to be an acknowledgement. ITI TF-2: 3.44.4.1.2"""
    ids = identifiers(message, "id")
    return Transmission(
        interaction=etree.QName(message).localname,
        message_id=ids[0] if len(ids) == 1 else None,
        senders=identifiers(message, "sender/device/id"),
        receivers=identifiers(message, "receiver/device/id"),
        details=tuple(_rules(message, ids)),
    )


def _rules(message: etree._Element, ids: tuple[InstanceIdentifier, ...]) -> Iterator[Detail]:
    if len(ids) != 1:
        yield Detail(
            code=DetailCode.SYNTAX, text=f"found {len(ids)} ids of the message, expected exactly one", location="id"
        )
    expected = etree.QName(message).localname
    for one in identifiers(message, "interactionId"):
        if one.extension != expected:
            text = f"found the interaction {one.extension!r}, expected {expected}"
            yield Detail(code=DetailCode.INTERACTION, text=text, location="interactionId")
    for tag, code, wanted in (
        ("processingModeCode", DetailCode.PROCESSING_MODE, "T"),
        ("acceptAckCode", DetailCode.SYNTAX, "AL"),
    ):
        values = [one.get("code") or "" for one in found(message, tag)]
        if values != [wanted]:
            text = f"found {', '.join(map(repr, values)) or 'none'}, expected {wanted}"
            yield Detail(code=code, text=f"{tag}: {text}", location=tag)
    for tag in ("receiver", "sender"):
        number = len(found(message, tag))
        if number != 1:
            yield Detail(code=DetailCode.SYNTAX, text=f"found {number} {tag}s, expected exactly one", location=tag)
