"""DocumentEntry, SubmissionSet, Folder and Association. ITI TF-3: 4.2.1, 4.2.3.

Every attribute may be absent: which transaction demands which is a column of
`xds.ebrim.attributes`, not a property of the type. Names are the standard's. `submitted_fhir` is none of them:
it is the FHIR resource, as JSON, that an object was submitted as, kept for what XDS has no attribute for.
"""

from dataclasses import dataclass
from typing import NamedTuple

from xds.datatypes import CX, DTM, XCN, XON, XTN, Code, CXi
from xds.vocabulary import AssociationType, AvailabilityStatus, DocumentAvailability, ObjectType


class Slot(NamedTuple):
    """Extra metadata: a Slot whose name is a URN of the sender. ITI TF-3: 4.2.3.1.6"""

    name: str
    values: tuple[str, ...]


class ExtraCode(NamedTuple):
    """Extra metadata: a Classification by a scheme of the sender's own, a `urn:uuid:`."""

    scheme: str
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote: a person or a system, for an organisation. ITI TF-3: 4.2.3.1.4.1"""

    author_person: XCN | None = None
    author_institution: tuple[XON, ...] = ()
    author_role: tuple[str, ...] = ()
    author_specialty: tuple[str, ...] = ()
    author_telecommunication: tuple[XTN, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry:
    """Metadata of one document. ITI TF-3: 4.2.3.2"""

    entry_uuid: str
    logical_id: str | None = None
    version: int | None = None
    availability_status: AvailabilityStatus | None = None
    home_community_id: str | None = None
    object_type: ObjectType = ObjectType.STABLE
    mime_type: str | None = None
    author: tuple[Author, ...] = ()
    class_code: Code | None = None
    comments: str | None = None
    confidentiality_code: tuple[Code, ...] = ()
    creation_time: DTM | None = None
    document_availability: DocumentAvailability | None = None
    event_code_list: tuple[Code, ...] = ()
    format_code: Code | None = None
    hash: str | None = None
    healthcare_facility_type_code: Code | None = None
    language_code: str | None = None
    legal_authenticator: XCN | None = None
    patient_id: CX | None = None
    practice_setting_code: Code | None = None
    reference_id_list: tuple[CXi, ...] = ()
    repository_unique_id: str | None = None
    service_start_time: DTM | None = None
    service_stop_time: DTM | None = None
    size: int | None = None
    source_patient_id: CX | None = None
    source_patient_info: tuple[str, ...] = ()
    title: str | None = None
    type_code: Code | None = None
    unique_id: str | None = None
    uri: str | None = None
    limited_metadata: bool | None = None
    extra_slots: tuple[Slot, ...] = ()
    extra_codes: tuple[ExtraCode, ...] = ()
    submitted_fhir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSet:
    """What one submission brought, who sent it, when. ITI TF-3: 4.2.3.3"""

    entry_uuid: str
    logical_id: str | None = None
    version: int | None = None
    availability_status: AvailabilityStatus | None = None
    home_community_id: str | None = None
    author: tuple[Author, ...] = ()
    comments: str | None = None
    content_type_code: Code | None = None
    intended_recipient: tuple[str, ...] = ()
    patient_id: CX | None = None
    source_id: str | None = None
    submission_time: DTM | None = None
    title: str | None = None
    unique_id: str | None = None
    limited_metadata: bool | None = None
    extra_slots: tuple[Slot, ...] = ()
    extra_codes: tuple[ExtraCode, ...] = ()
    submitted_fhir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A lasting collection of documents of one patient. ITI TF-3: 4.2.3.4"""

    entry_uuid: str
    logical_id: str | None = None
    version: int | None = None
    availability_status: AvailabilityStatus | None = None
    home_community_id: str | None = None
    code_list: tuple[Code, ...] = ()
    comments: str | None = None
    last_update_time: DTM | None = None
    patient_id: CX | None = None
    title: str | None = None
    unique_id: str | None = None
    limited_metadata: bool | None = None
    extra_slots: tuple[Slot, ...] = ()
    extra_codes: tuple[ExtraCode, ...] = ()
    submitted_fhir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A directed link between two objects. ITI TF-3: 4.2.2"""

    entry_uuid: str
    association_type: AssociationType
    source: str
    target: str
    logical_id: str | None = None
    version: int | None = None
    availability_status: AvailabilityStatus | None = None
    home_community_id: str | None = None
    submission_set_status: str | None = None
    previous_version: int | None = None
    association_propagation: str | None = None
    original_status: str | None = None
    new_status: str | None = None
    documentation: Code | None = None
    extra_slots: tuple[Slot, ...] = ()
    extra_codes: tuple[ExtraCode, ...] = ()


RegistryObject = DocumentEntry | SubmissionSet | Folder | Association


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The objects of one request. `submission_set` is None when there was not exactly one."""

    submission_set: SubmissionSet | None
    document_entries: tuple[DocumentEntry, ...] = ()
    folders: tuple[Folder, ...] = ()
    associations: tuple[Association, ...] = ()

    @property
    def objects(self) -> tuple[RegistryObject, ...]:
        head = (self.submission_set,) if self.submission_set else ()
        return (*head, *self.document_entries, *self.folders, *self.associations)
