"""List -> SubmissionSet or Folder, the inverse of `document_list`. MHD 3:4.2.2 and mapping table."""

from collections.abc import Iterator

from fhir_facade.archived import status_of
from fhir_facade.read_document_reference import read_subject
from fhir_facade.read_people import read_author, read_organization, read_recipient
from fhir_facade.reader import Reader, Resource, extensions
from xds import texts
from xds.datatypes import CX, Code
from xds.identifiers import OID_PREFIX
from xds.metadata import Author, Folder, SubmissionSet
from xds.vocabulary import AvailabilityStatus

SUBMISSION_SET, FOLDER = "submissionset", "folder"
PDSM_RECIPIENT = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-intended-recipient"
_STATUSES = {
    "current": AvailabilityStatus.APPROVED,
    "superseded": AvailabilityStatus.DEPRECATED,
    "retired": AvailabilityStatus.DEPRECATED,
    "entered-in-error": AvailabilityStatus.DELETED,
}


def list_code(resource: Resource) -> str:
    """`submissionset`, `folder` or the code of another List, empty without one."""
    codings = resource.get("code", {}).get("coding", ())
    codes = [str(one.get("code", "")) for one in codings]
    return next((code for code in codes if code in (SUBMISSION_SET, FOLDER)), next(iter(codes), ""))


def read_submission_set(reader: Reader, *, entry_uuid: str, patient: CX | None = None) -> SubmissionSet:
    """The SubmissionSet a List describes; what cannot be read is left out and a finding of the reader."""
    resource = reader.resource
    designations = _designations(reader, "contentTypeCode")
    return SubmissionSet(
        entry_uuid=entry_uuid,
        logical_id=reader.logical_id,
        version=reader.version,
        availability_status=status_of(resource, _STATUSES),
        home_community_id=reader.home_community_id(),
        author=tuple(_authors(reader, resource.get("source", {}))),
        comments=_comments(resource),
        content_type_code=next(iter(designations), None),
        intended_recipient=tuple(_recipients(reader)),
        patient_id=patient or read_subject(resource.get("subject", {})),
        source_id=_source_id(reader),
        submission_time=reader.time(resource.get("date"), "date"),
        title=resource.get("title"),
        unique_id=next(reader.identifiers("uniqueId"), None),
    )


def read_folder(reader: Reader, *, entry_uuid: str, patient: CX | None = None) -> Folder:
    """The Folder a List describes."""
    resource = reader.resource
    return Folder(
        entry_uuid=entry_uuid,
        logical_id=reader.logical_id,
        version=reader.version,
        availability_status=status_of(resource, _STATUSES),
        home_community_id=reader.home_community_id(),
        code_list=_designations(reader, "codeList"),
        comments=_comments(resource),
        last_update_time=reader.time(resource.get("date"), "date"),
        patient_id=patient or read_subject(resource.get("subject", {})),
        title=resource.get("title"),
        unique_id=next(reader.identifiers("uniqueId"), None),
    )


def _designations(reader: Reader, attribute: str) -> tuple[Code, ...]:
    found = (
        reader.code(one.get("valueCodeableConcept"), attribute, f"extension[{number}].value")
        for number, one in reader.extensions("ihe-designationType")
    )
    return tuple(one for one in found if one is not None)


def _source_id(reader: Reader) -> str | None:
    """`urn:oid:` and OID, or the OID alone, with or without a system."""
    for number, extension in reader.extensions("ihe-sourceId"):
        value = str(extension.get("valueIdentifier", {}).get("value", "")).removeprefix(OID_PREFIX)
        if value:
            found: str | None = reader.parsed(texts.parse_oid, value, f"extension[{number}].valueIdentifier.value")
            return found
    return None


def _comments(resource: Resource) -> str | None:
    text = next((one.get("text") for one in resource.get("note", ())), None)
    return None if text is None else str(text)


def _authors(reader: Reader, source: Resource) -> Iterator[Author]:
    """FHIR has room for one: a person or system, with its organisation in an extension.

    That of the source, as its profile has it, else that of the List, where the search parameter of PDSm looks (T14).
    """
    author = read_author(source, reader.find) if source else None
    organisations = [
        organisation
        for _, one in (*extensions(source, "ihe-authorOrg"), *reader.extensions("ihe-authorOrg"))
        if (found := reader.find(one.get("valueReference", {}))) is not None
        and (organisation := read_organization(found)) is not None
    ]
    if author is None and not organisations:
        return
    author = author or Author()
    institutions = author.author_institution or tuple(organisations)
    yield Author(
        author_person=author.author_person,
        author_institution=institutions,
        author_role=author.author_role,
        author_specialty=author.author_specialty,
        author_telecommunication=author.author_telecommunication,
    )


def _recipients(reader: Reader) -> Iterator[str]:
    """Those of MHD, and those of PDSm, which may be a PractitionerRole. PDSm 2.2"""
    of_pdsm = (one for one in reader.resource.get("extension", ()) if one.get("url") == PDSM_RECIPIENT)
    for extension in (*(one for _, one in reader.extensions("ihe-intendedRecipient")), *of_pdsm):
        found = reader.find(extension.get("valueReference", {}))
        recipient = "" if found is None else read_recipient(found, reader.find)
        if recipient:
            yield recipient
