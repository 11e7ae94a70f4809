"""Patient records added, revised and merged. HL7 v3 PRPA_IN201301UV02, 201302UV02, 201304UV02; ITI TF-2: 3.44.4."""

from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, found, identifiers

_EVENT = "controlActProcess/subject/registrationEvent"
_PATIENT = f"{_EVENT}/subject1/patient"
_PRIOR = f"{_EVENT}/replacementOf/priorRegistration/subject1/priorRegisteredRole"


class Interaction(StrEnum):
    """The interactions of the feed; the name of the body element."""

    ADDED = "PRPA_IN201301UV02"
    REVISED = "PRPA_IN201302UV02"
    MERGED = "PRPA_IN201304UV02"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFeed:
    """The identifiers of the one patient of a message and, in a merge, those of the record it replaces."""

    interaction: Interaction
    patient: tuple[InstanceIdentifier, ...] = ()
    prior: tuple[InstanceIdentifier, ...] = ()
    details: tuple[Detail, ...] = ()


def read_identity_feed(message: etree._Element) -> IdentityFeed:
    """What the message tells about identifiers; everything else in it is of no interest to a registry."""
    interaction = Interaction(etree.QName(message).localname)
    details = [_exactly_one(message, _PATIENT)]
    prior: tuple[InstanceIdentifier, ...] = ()
    if interaction is Interaction.MERGED:
        details.append(_exactly_one(message, _PRIOR))
        prior = identifiers(message, f"{_PRIOR}/id")
    return IdentityFeed(
        interaction=interaction,
        patient=identifiers(message, f"{_PATIENT}/id"),
        prior=prior,
        details=tuple(detail for detail in details if detail is not None),
    )


def _exactly_one(message: etree._Element, path: str) -> Detail | None:
    number = len(found(message, path))
    if number == 1:
        return None
    text = f"found {number} of {path.rpartition('/')[2]}, expected exactly one"
    return Detail(code=DetailCode.SYNTAX, text=text, location=path)
