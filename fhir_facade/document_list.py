"""SubmissionSet and Folder <-> List; rendered once, when they are written or get members. MHD 3:4.2.2."""

from collections.abc import Sequence
from typing import Any

from fhir_facade.archived import archived_only
from fhir_facade.exact_values import exact_values, with_exact_values
from fhir_facade.fhir_json import text_alone, without_empty, write_json
from fhir_facade.people import Contained, to_author, to_organization, to_practitioner, to_telecom
from fhir_facade.read_list import FOLDER, SUBMISSION_SET, read_folder, read_submission_set
from fhir_facade.reader import Reader
from fhir_facade.shared_elements import (
    MHD_EXTENSION,
    fhir_id,
    home_community,
    identifiers,
    to_concept,
    to_subject,
)
from fhir_facade.submitted import as_submitted
from fhir_facade.times import to_date_time, to_instant
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX, DTM, XCN, XON, XTN, Code
from xds.metadata import Association, Author, Folder, SubmissionSet
from xds.vocabulary import AvailabilityStatus

LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
_ANY_TIME = "20000101000000"
# List has no `superseded`: what is Deprecated is `retired`. FHIR R4 List.status
_STATUS = {
    AvailabilityStatus.APPROVED: "current",
    AvailabilityStatus.DEPRECATED: "retired",
    AvailabilityStatus.ARCHIVED: "current",
    AvailabilityStatus.DELETED: "entered-in-error",
}
Resource = dict[str, Any]
Thing = SubmissionSet | Folder


def to_list(thing: Thing, members: Sequence[Association], updated: str) -> bytes:
    """The resource as JSON. `members` are its HasMember to documents and folders; `updated` a DTM of 14 digits, UTC."""
    resource = elements_of(thing, members, updated)
    exact = exact_values(thing, _read(resource, thing))
    resource |= {"extension": [*resource.get("extension", ()), *exact]} if exact else {}
    return write_json(as_submitted(thing, resource))


def from_submission_set_list(reader: Reader, *, entry_uuid: str, patient: CX | None = None) -> SubmissionSet:
    """The SubmissionSet of a List, exact where it was rendered here and its elements are unchanged."""
    thing = read_submission_set(reader, entry_uuid=entry_uuid, patient=patient)
    return with_exact_values(thing, reader.resource, _render_and_read_set)


def from_folder_list(reader: Reader, *, entry_uuid: str, patient: CX | None = None) -> Folder:
    """The Folder of a List."""
    thing = read_folder(reader, entry_uuid=entry_uuid, patient=patient)
    return with_exact_values(thing, reader.resource, _render_and_read_folder)


def _render_and_read_set(other: SubmissionSet) -> SubmissionSet:
    return read_submission_set(_reader(elements_of(other, (), _ANY_TIME)), entry_uuid=other.entry_uuid)


def _render_and_read_folder(other: Folder) -> Folder:
    return read_folder(_reader(elements_of(other, (), _ANY_TIME)), entry_uuid=other.entry_uuid)


def _read(resource: Resource, thing: Any) -> Any:
    read = read_folder if isinstance(thing, Folder) else read_submission_set
    return read(_reader(resource), entry_uuid=thing.entry_uuid)


def _reader(resource: Resource) -> Reader:
    return Reader(resource=resource, at="List", domain=AffinityDomain(name=""))


def elements_of(thing: Thing, members: Sequence[Association], updated: str) -> Resource:
    """The elements that say what the attributes say, as well as FHIR can."""
    contained = Contained()
    is_folder = isinstance(thing, Folder)
    moment = thing.last_update_time if isinstance(thing, Folder) else thing.submission_time
    own = _of_folder(thing) if isinstance(thing, Folder) else _of_submission_set(thing, contained)
    source = None if isinstance(thing, Folder) else _source(thing, contained)
    return without_empty(
        {
            "resourceType": "List",
            "id": fhir_id(thing.logical_id or thing.entry_uuid),
            "meta": {"versionId": str(thing.version or 1), "lastUpdated": to_instant(DTM(updated))},
            "contained": contained.resources,
            "extension": [*archived_only(thing.availability_status), *own, *home_community(thing.home_community_id)],
            "identifier": identifiers(thing.entry_uuid, thing.unique_id),
            "status": _STATUS[thing.availability_status or AvailabilityStatus.APPROVED],
            "mode": "working",
            "title": text_alone(thing.title),
            "code": {"coding": [{"system": LIST_TYPES, "code": FOLDER if is_folder else SUBMISSION_SET}]},
            "subject": to_subject(thing.patient_id),
            "date": to_date_time(moment) if moment else None,
            "source": source,
            "note": [{"text": str(thing.comments)}] if thing.comments else None,
            "entry": [{"item": {"reference": _member(one, of_folder=is_folder)}} for one in members],
        }
    )


def _member(association: Association, *, of_folder: bool) -> str:
    """Documents are members as Original or Reference; only a Folder is a member of a SubmissionSet without that."""
    kind = "DocumentReference" if of_folder or association.submission_set_status else "List"
    return f"{kind}/{fhir_id(association.target)}"


def _of_folder(folder: Folder) -> list[Resource]:
    return [_designation(code) for code in folder.code_list]


def _of_submission_set(submission: SubmissionSet, contained: Contained) -> list[Resource]:
    own = [_designation(submission.content_type_code)] if submission.content_type_code else []
    if submission.source_id:
        own.append(_extension("ihe-sourceId", "valueIdentifier", {"value": f"urn:oid:{submission.source_id}"}))
    for text in submission.intended_recipient:
        reference = contained.add(_recipient(text))
        own.append(_extension("ihe-intendedRecipient", "valueReference", reference))
    return own


def _designation(code: Code) -> Resource:
    return _extension("ihe-designationType", "valueCodeableConcept", to_concept(code))


def _extension(name: str, kind: str, value: Any) -> Resource:
    return {"url": f"{MHD_EXTENSION}{name}", kind: value}


def _source(submission: SubmissionSet, contained: Contained) -> Resource | None:
    """FHIR has room for one author; an organisation alone stands in an extension. MHD 3:4.2.2"""
    author = next(iter(submission.author), None)
    if author is None:
        return None
    if author.author_institution and author == Author(author_institution=author.author_institution):
        organisation = contained.add(to_organization(author.author_institution[0]))
        return {"extension": [_extension("ihe-authorOrg", "valueReference", organisation)]}
    return dict(to_author(author, contained))


def _recipient(text: str) -> Resource:
    """Organization, Practitioner or both of `XON|XCN|XTN`, with the address. ITI TF-3: 4.2.3.3.7"""
    organisation, person, telecom = (*text.split("|"), "", "")[:3]
    resource = (
        to_practitioner(XCN(person))
        if person
        else to_organization(XON(organisation))
        if organisation
        else {"resourceType": "Practitioner"}
    )
    return resource | ({"telecom": [to_telecom(XTN(telecom))]} if telecom else {})
