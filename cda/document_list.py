"""The list of a record's documents as a CDA document, made when it is asked for. CDA R2, level 3.

What a reader sees of an on-demand document: which documents there are, of which kind, by whom, since when.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from xds.datatypes import CX, DTM
from xds.metadata import DocumentEntry
from xds.vocabulary import AvailabilityStatus

MIME_TYPE = "text/xml"
_TITLE = "Liste des documents du dossier"
_LOINC = "2.16.840.1.113883.6.1"
_CODE = f'<code code="11503-0" displayName="Dossiers médicaux" codeSystem="{_LOINC}" codeSystemName="LOINC"/>'
_HEADINGS = ("Date", "Type", "Titre", "Auteur", "Format", "État")
_STATUS_WORDS = {AvailabilityStatus.APPROVED: "En vigueur", AvailabilityStatus.DEPRECATED: "Remplacé"}
_GENDERS = {"F": "Féminin", "M": "Masculin", "UN": "Inconnu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentList:
    """What the list is made of. `unique_id` and `custodian` are OIDs, `made` is a DTM to the second, UTC."""

    unique_id: str
    custodian: str
    custodian_name: str
    patient_id: CX
    made: DTM
    entries: Sequence[DocumentEntry]


def write_document_list(documents: DocumentList) -> bytes:
    """The CDA document, UTF-8."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<ClinicalDocument xmlns="urn:hl7-org:v3">',
        '<realmCode code="FR"/>',
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>',
        f"<id root={quoteattr(documents.unique_id)}/>",
        _CODE,
        f"<title>{_TITLE}</title>",
        f'<effectiveTime value="{documents.made.earliest}+0000"/>',
        '<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/>',
        '<languageCode code="fr-FR"/>',
        *_record_target(documents),
        *_author(documents),
        *_custodian(documents),
        "<component><structuredBody><component><section>",
        _CODE,
        f"<title>{_TITLE}</title>",
        *_table(documents),
        "</section></component></structuredBody></component>",
        "</ClinicalDocument>",
    ]
    return "\n".join(lines).encode() + b"\n"


def _record_target(documents: DocumentList) -> Iterator[str]:
    """The patient, by the identifier of the domain and what the newest document says of the person."""
    fields = _person(documents.entries)
    patient = documents.patient_id
    family, _, rest = fields.get("5", "").partition("^")
    given = rest.partition("^")[0]
    gender = fields.get("8", "").replace("U", "UN").replace("O", "UN") or "UN"
    birth = fields.get("7", "")
    yield "<recordTarget><patientRole>"
    yield f"<id root={quoteattr(patient.authority)} extension={quoteattr(patient.id)}/>"
    yield '<addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>'
    yield "<patient>"
    yield f"<name><family>{escape(family)}</family><given>{escape(given)}</given></name>"
    yield (
        f'<administrativeGenderCode code="{gender}" displayName="{_GENDERS.get(gender, "Inconnu")}"'
        ' codeSystem="2.16.840.1.113883.5.1"/>'
        if gender in _GENDERS
        else '<administrativeGenderCode nullFlavor="UNK"/>'
    )
    yield f"<birthTime value={quoteattr(birth)}/>" if birth.isdigit() else '<birthTime nullFlavor="UNK"/>'
    yield "</patient></patientRole></recordTarget>"


def _person(entries: Sequence[DocumentEntry]) -> dict[str, str]:
    """PID fields by number, from the newest document that has any. ITI TF-3: 4.2.3.2.23"""
    for entry in reversed(entries):
        if entry.source_patient_info:
            pairs = (line.partition("|") for line in entry.source_patient_info)
            return {name.removeprefix("PID-"): value for name, _, value in pairs}
    return {}


def _author(documents: DocumentList) -> Iterator[str]:
    """A machine: the repository that made the list."""
    yield f'<author><time value="{documents.made.earliest}+0000"/><assignedAuthor>'
    yield f'<id root={quoteattr(documents.custodian)}/><addr nullFlavor="NA"/><telecom nullFlavor="NA"/>'
    yield "<assignedAuthoringDevice><softwareName>Carnet</softwareName></assignedAuthoringDevice>"
    yield "</assignedAuthor></author>"


def _custodian(documents: DocumentList) -> Iterator[str]:
    yield "<custodian><assignedCustodian><representedCustodianOrganization>"
    yield f"<id root={quoteattr(documents.custodian)}/><name>{escape(documents.custodian_name)}</name>"
    yield "</representedCustodianOrganization></assignedCustodian></custodian>"


def _table(documents: DocumentList) -> Iterator[str]:
    if not documents.entries:
        yield "<text><paragraph>Aucun document.</paragraph></text>"
        return
    yield "<text><table><thead><tr>"
    yield "".join(f"<th>{heading}</th>" for heading in _HEADINGS)
    yield "</tr></thead><tbody>"
    for entry in documents.entries:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _row(entry)) + "</tr>"
    yield "</tbody></table></text>"


def _row(entry: DocumentEntry) -> tuple[str, ...]:
    return (
        _date(entry.creation_time),
        entry.type_code.display_name if entry.type_code else "",
        entry.title or "",
        ", ".join(_author_names(entry)),
        entry.mime_type or "",
        _STATUS_WORDS.get(entry.availability_status or AvailabilityStatus.APPROVED, ""),
    )


def _date(time: DTM | None) -> str:
    """JJ/MM/AAAA, as far as it is known."""
    if time is None:
        return ""
    text = time.text[:8]
    return "/".join(part for part in (text[6:8], text[4:6], text[:4]) if part)


def _author_names(entry: DocumentEntry) -> Iterator[str]:
    for author in entry.author:
        if author.author_person is not None:
            parts = str(author.author_person).split("^")
            yield " ".join(part for part in (*parts[2:3], *parts[1:2]) if part)
