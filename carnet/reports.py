"""A submission made from CDA reports: what `carnet push` and the demonstration send. ITI TF-2: 3.41.4.1.2."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lxml import etree

from cda.document import CDA, read_document, read_whole
from cda.document_entry import document_entry, replaced_unique_id
from cda.header import read_header
from xds.datatypes import DTM, Code
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.identifiers import new_oid
from xds.metadata import Association, DocumentEntry, Submission, SubmissionSet
from xds.vocabulary import AssociationType

CONTENT_TYPE = Code(code="07", coding_scheme="1.2.250.1.213.2.2", display_name="Consultations, soins externes")
SOURCE_ID = "2.25.97385312983450928345092834509283450"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One CDA document with the metadata its header gives."""

    content: bytes
    entry: DocumentEntry
    replaces: str | None = None


def read_report(content: bytes, *, entry_uuid: str) -> Report:
    """Metadata from the header. Raises Rejected naming each attribute the header does not give."""
    header = read_header(read_document(content))
    derived = document_entry(header, entry_uuid=entry_uuid)
    if derived.missing:
        raise Rejected(RegistryError(code=ErrorCode.REPOSITORY_METADATA, context=one) for one in derived.missing)
    return Report(content=content, entry=derived.entry, replaces=replaced_unique_id(header))


def submission_of(
    reports: Sequence[Report],
    *,
    content_type: Code = CONTENT_TYPE,
    replaced: dict[str, str] | None = None,
    unique_id: str = "",
) -> Submission:
    """One SubmissionSet with all reports. `replaced`: entry id of a report -> entryUUID it replaces."""
    first = reports[0].entry
    owner = SubmissionSet(
        entry_uuid="SubmissionSet01",
        author=first.author[:1],
        content_type_code=content_type,
        patient_id=first.patient_id,
        source_id=SOURCE_ID,
        submission_time=DTM(datetime.now(UTC).strftime("%Y%m%d%H%M%S")),
        title="Envoi Carnet",
        unique_id=unique_id or new_oid(),
    )
    members = [_member(owner, report.entry, number) for number, report in enumerate(reports, start=1)]
    replacements = [
        Association(
            entry_uuid=f"Replacement{number:02}", association_type=AssociationType.RPLC, source=entry, target=target
        )
        for number, (entry, target) in enumerate((replaced or {}).items(), start=1)
    ]
    return Submission(
        submission_set=owner,
        document_entries=tuple(report.entry for report in reports),
        associations=(*members, *replacements),
    )


def with_new_identity(report: Report) -> Report:
    """The same report as the first document of another set, in itself and its metadata: an example to push again."""
    root = read_whole(report.content)
    document = next(root.iter(f"{{{CDA}}}ClinicalDocument"))
    identity = {"id": new_oid(), "setId": new_oid()}
    for name, oid in identity.items():
        for element in document.iterchildren(f"{{{CDA}}}{name}"):
            element.attrib.clear()
            element.set("root", oid)
    content = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
    entry = replace(report.entry, unique_id=identity["id"], hash=None, size=None)
    return replace(report, content=content, entry=entry)


def _member(owner: SubmissionSet, entry: DocumentEntry, number: int) -> Association:
    return Association(
        entry_uuid=f"Member{number:02}",
        association_type=AssociationType.HAS_MEMBER,
        source=owner.entry_uuid,
        target=entry.entry_uuid,
        submission_set_status="Original",
    )
