"""What a decision needs to know of a document: what the registry keeps in columns beside it. DMP 8.6, 8.7."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from xds.datatypes import Code
from xds.metadata import Author, DocumentEntry
from xds.vocabulary import AvailabilityStatus

RESTRICTIONS = "1.2.250.1.213.1.1.4.13"
MASKED, HIDDEN, HIDDEN_FROM_REPRESENTATIVES = "MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"
_SIGNATURE = ("E1762", "ASTM")
_DICOM = "application/dicom"
_DELETED = AvailabilityStatus.DELETED


class Trait(IntFlag):
    """What decides about a document beside its type, status and authors; kept as one number.

    The first four are those of its newest version, whichever version is asked for.
    """

    MASKED = 1
    HIDDEN = 2
    HIDDEN_FROM_REPRESENTATIVES = 4
    DELETED = 8
    BY_PATIENT = 16
    SIGNATURE = 32
    IMAGING = 64


NO_TRAIT = Trait(0)
_OF_CODES = {
    MASKED: Trait.MASKED,
    HIDDEN: Trait.HIDDEN,
    HIDDEN_FROM_REPRESENTATIVES: Trait.HIDDEN_FROM_REPRESENTATIVES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """One document, or one version of it.

    `type` is `code^^codingScheme`; `visible_from` the DTM, 14 digits, at which HIDDEN ends by itself, empty for never;
    `authors` and `structures` are `id^OID` of author persons and institutions.
    """

    type: str
    status: AvailabilityStatus
    traits: Trait = NO_TRAIT
    visible_from: str = ""
    authors: frozenset[str] = frozenset()
    structures: frozenset[str] = frozenset()

    def has(self, trait: Trait) -> bool:
        return bool(self.traits & trait)

    def is_hidden_at(self, now: str) -> bool:
        """Whether holder and representatives may not see it yet. CSP R.1111-53"""
        return self.has(Trait.HIDDEN) and not ("" < self.visible_from <= now)


def document_facts(entry: DocumentEntry, *, visible_from: str = "") -> DocumentFacts:
    """The facts of an entry that is its newest version."""
    return DocumentFacts(
        type="" if entry.type_code is None else str(entry.type_code),
        status=entry.availability_status or AvailabilityStatus.APPROVED,
        traits=traits_of(entry),
        visible_from=visible_from,
        authors=frozenset(author_ids(entry.author)),
        structures=frozenset(structure_ids(entry.author)),
    )


def traits_of(entry: DocumentEntry) -> Trait:
    """As they follow from the entry itself."""
    traits = restrictions(entry.confidentiality_code)
    if entry.availability_status is _DELETED:
        traits |= Trait.DELETED
    if entry.type_code is not None and (entry.type_code.code, entry.type_code.coding_scheme) == _SIGNATURE:
        traits |= Trait.SIGNATURE
    if (entry.mime_type or "").lower() == _DICOM:
        traits |= Trait.IMAGING
    if _is_by_holder(entry):
        traits |= Trait.BY_PATIENT
    return traits


def restrictions(codes: tuple[Code, ...]) -> Trait:
    """Traits of confidentiality codes."""
    traits = NO_TRAIT
    for one in codes:
        if one.coding_scheme == RESTRICTIONS:
            traits |= _OF_CODES.get(one.code, NO_TRAIT)
    return traits


def _is_by_holder(entry: DocumentEntry) -> bool:
    """Deposited by the holder, or who acts for the holder: an author with an identifier of patients. DMP 8.5"""
    authority = "" if entry.patient_id is None else entry.patient_id.authority
    people = (one.author_person for one in entry.author)
    return authority != "" and any(one is not None and one.authority == authority for one in people)


def author_ids(authors: tuple[Author, ...]) -> Iterator[str]:
    """`id^OID` of the persons and systems that wrote."""
    for one in authors:
        if one.author_person is not None and one.author_person.id:
            yield f"{one.author_person.id}^{one.author_person.authority}"


def structure_ids(authors: tuple[Author, ...]) -> Iterator[str]:
    """`id^OID` of the institutions they wrote for."""
    for author in authors:
        yield from (f"{one.id}^{one.authority}" for one in author.author_institution if one.id)
