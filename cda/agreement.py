"""Agreement of submitted metadata with the header of the document they describe. CI-SIS Structuration minimale 3.5.

What the header does not give is not compared. Values are named, patients are not: an answer to a sender must
not carry what identifies a patient.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xds.metadata import DocumentEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One attribute that is not that of the document; `found` and `expected` are empty where they are private."""

    attribute: str
    found: str = ""
    expected: str = ""

    def __str__(self) -> str:
        if not self.found and not self.expected:
            return f"{self.attribute}: not that of the document"
        return f"{self.attribute}: found {self.found or 'none'}, expected {self.expected}, that of the document"


Key = Callable[[DocumentEntry], str]

# The attributes of issue and standard alike, in the order of the header; what names a person is private.
_COMPARED: tuple[tuple[str, Key, bool], ...] = (
    ("uniqueId", lambda entry: entry.unique_id or "", False),
    ("patientId", lambda entry: _patient(entry), True),
    ("typeCode", lambda entry: _code(entry.type_code), False),
    ("classCode", lambda entry: _code(entry.class_code), False),  # the class of the type. DMP W23
    ("formatCode", lambda entry: _code(entry.format_code), False),
    ("creationTime", lambda entry: str(entry.creation_time or ""), False),
    ("serviceStartTime", lambda entry: str(entry.service_start_time or ""), False),
    ("serviceStopTime", lambda entry: str(entry.service_stop_time or ""), False),
    ("languageCode", lambda entry: entry.language_code or "", False),
    ("title", lambda entry: str(entry.title or ""), True),
    ("author", lambda entry: _authors(entry), True),
)


def disagreements(submitted: DocumentEntry, derived: DocumentEntry) -> Iterator[Disagreement]:
    """Attributes of a submitted entry that differ from those its document gives."""
    for attribute, value, is_private in _COMPARED:
        found, expected = value(submitted), value(derived)
        if expected and found != expected:
            private = Disagreement(attribute=attribute)
            yield private if is_private else Disagreement(attribute=attribute, found=found, expected=expected)
    yield from _confidentiality(submitted, derived)


def _confidentiality(submitted: DocumentEntry, derived: DocumentEntry) -> Iterator[Disagreement]:
    """The sender may add visibility codes; the code of the document is among them."""
    found = {_code(each) for each in submitted.confidentiality_code}
    for each in derived.confidentiality_code:
        if _code(each) not in found:
            yield Disagreement(attribute="confidentialityCode", found=" ".join(sorted(found)), expected=_code(each))


def _code(code: object) -> str:
    known, scheme = getattr(code, "code", ""), getattr(code, "coding_scheme", "")
    return f"{known}^^{scheme}" if known else ""


def _patient(entry: DocumentEntry) -> str:
    return str(entry.patient_id or "")


def _authors(entry: DocumentEntry) -> str:
    """The identifiers of the authors: names may be written in more than one way."""
    people = (author.author_person for author in entry.author)
    return " ".join(sorted(str(person).partition("^")[0] for person in people if person))
