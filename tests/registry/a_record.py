"""A registry with known objects: for every query parameter something that fits one value, something that fits another."""

from typing import Any

from tests.registry.worlds import PATIENTS, World
from xds.datatypes import CX, DTM, XCN, Code, CXi
from xds.metadata import Association, Author, DocumentEntry, Folder, SubmissionSet
from xds.stored_queries import DOCUMENT, FOLDER, SUBMISSION_SET
from xds.vocabulary import AssociationType, AvailabilityStatus, DocumentAvailability, ObjectType

APPROVED, DEPRECATED = AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED
STABLE, ON_DEMAND = ObjectType.STABLE, ObjectType.ON_DEMAND
OWNER, OTHER = PATIENTS[:2]
ELISE, OMAR = "1^VILLARD^ELISE", "2^HADDAD^OMAR"
ORDER, VISIT = (f"{name}^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order" for name in ("o1", "v_2"))


def _id(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012}"


# entryUUIDs of the objects below
FIRST_VERSION, A, B, BOTH, ASSEMBLED, AWAY, STRANGER = (_id(number) for number in range(1, 8))
SET_A, SET_B, FOLDER_BEFORE, FOLDER_A, FOLDER_B, FOLDER_BOTH, FOLDER_OF_OTHER = (
    _id(number) for number in range(11, 18)
)


def _codes(*names: str) -> tuple[Code, ...]:
    return tuple(Code.parse(f"{name}^^s") for name in names)


def _people(*names: str) -> tuple[Author, ...]:
    return tuple(Author(author_person=XCN(name)) for name in names)


def _document(uuid: str, letters: str, unique_id: str, **changes: Any) -> DocumentEntry:
    """An entry whose codes, people, references and times are those of its letters: a, b or both."""
    first = letters[0]
    people, references = {"a": ELISE, "b": OMAR}, {"a": ORDER, "b": VISIT}
    (code,) = _codes(first)
    time = DTM({"a": "20240101", "b": "20250101"}[first])
    given: dict[str, Any] = {
        "logical_id": uuid,
        "version": 1,
        "availability_status": APPROVED,
        "object_type": STABLE,
        "patient_id": OWNER,
        "class_code": code,
        "type_code": code,
        "format_code": code,
        "practice_setting_code": code,
        "healthcare_facility_type_code": code,
        "event_code_list": _codes(*letters),
        "confidentiality_code": _codes(*letters),
        "author": _people(*(people[letter] for letter in letters)),
        "reference_id_list": tuple(CXi(references[letter]) for letter in letters),
        "creation_time": time,
        "service_start_time": time,
        "service_stop_time": time,
    }
    return DocumentEntry(entry_uuid=uuid, unique_id=unique_id, **{**given, **changes})


def _folder(uuid: str, letters: str, unique_id: str, **changes: Any) -> Folder:
    given: dict[str, Any] = {
        "logical_id": uuid,
        "version": 1,
        "availability_status": APPROVED,
        "patient_id": OWNER,
        "code_list": _codes(*letters),
        "last_update_time": DTM({"a": "20240101", "b": "20250101"}[letters[0]]),
    }
    return Folder(entry_uuid=uuid, unique_id=unique_id, **{**given, **changes})


def _set(uuid: str, letter: str, unique_id: str) -> SubmissionSet:
    return SubmissionSet(
        entry_uuid=uuid,
        logical_id=uuid,
        version=1,
        availability_status=APPROVED,
        patient_id=OWNER,
        unique_id=unique_id,
        source_id={"a": "2.25.91", "b": "2.25.92"}[letter],
        submission_time=DTM({"a": "20240101", "b": "20250101"}[letter]),
        content_type_code=_codes(letter)[0],
        author=_people({"a": ELISE, "b": OMAR}[letter]),
    )


def _link(source: str, target: str, kind: AssociationType, number: int, status: AvailabilityStatus) -> Association:
    uuid = _id(100 + number)
    return Association(
        entry_uuid=uuid,
        logical_id=uuid,
        version=1,
        association_type=kind,
        source=source,
        target=target,
        availability_status=status,
    )


_HELD = AssociationType.HAS_MEMBER
_LINKS = (
    *((SET_A, target, _HELD) for target in (A, B, BOTH, ASSEMBLED, AWAY, FOLDER_A)),
    *((SET_B, target, _HELD) for target in (B, FOLDER_B)),
    *((FOLDER_A, target, _HELD) for target in (A, B, BOTH, ASSEMBLED)),
    *((FOLDER_B, target, _HELD) for target in (B, BOTH)),
    (A, BOTH, AssociationType.APND),
    (A, B, AssociationType.RPLC),
    (B, BOTH, AssociationType.APND),
    (A, ASSEMBLED, AssociationType.IS_SNAPSHOT_OF),
)
_DEPRECATED_LINKS = (
    (FOLDER_B, A, _HELD),
    (FOLDER_A, AWAY, _HELD),
    (SET_B, A, _HELD),
    (BOTH, A, AssociationType.XFRM),
    (B, A, AssociationType.APND),
)


def the_record() -> World:
    """Documents, folders and sets of one patient, and a document and a folder of another."""
    world = World()
    add = world.add
    add(
        _document(FIRST_VERSION, "a", "2.25.1", logical_id=FIRST_VERSION, availability_status=DEPRECATED),
        OWNER,
        is_newest=False,
    )
    add(_document(A, "a", "2.25.1", logical_id=FIRST_VERSION, version=2), OWNER)
    add(_document(B, "b", "2.25.2", availability_status=DEPRECATED), OWNER)
    add(_document(BOTH, "ab", "2.25.3", service_start_time=None), OWNER)
    add(_document(ASSEMBLED, "b", "2.25.4", object_type=ON_DEMAND, creation_time=None), OWNER)
    add(_document(AWAY, "a", "2.25.5", document_availability=DocumentAvailability.OFFLINE), OWNER)
    add(_document(STRANGER, "a", "2.25.6", patient_id=OTHER), OTHER)
    add(_set(SET_A, "a", "2.25.501"), OWNER)
    add(_set(SET_B, "b", "2.25.502"), OWNER)
    before = _folder(FOLDER_BEFORE, "a", "2.25.701", availability_status=DEPRECATED)
    add(before, OWNER, is_newest=False)
    add(_folder(FOLDER_A, "a", "2.25.701", logical_id=FOLDER_BEFORE, version=2), OWNER)
    add(_folder(FOLDER_B, "b", "2.25.702", availability_status=APPROVED), OWNER)
    add(_folder(FOLDER_BOTH, "ab", "2.25.703", availability_status=DEPRECATED), OWNER)
    add(_folder(FOLDER_OF_OTHER, "a", "2.25.704", patient_id=OTHER), OTHER)
    for number, (source, target, kind) in enumerate(_LINKS):
        add(_link(source, target, kind, number, APPROVED), OWNER)
    for number, (source, target, kind) in enumerate(_DEPRECATED_LINKS, start=len(_LINKS)):
        add(_link(source, target, kind, number, DEPRECATED), OWNER)
    return world


def _pair(first: object, second: object) -> tuple[str, str]:
    return str(first), str(second)


_CODES = _pair("a^^s", "b^^s")
_TIMES = _pair("20240601", "20230601")
_STATUSES = _pair(APPROVED, DEPRECATED)
_PATIENTS = _pair(OWNER, CX("nobody^^^&1.2.250.1.213.1.4.10&ISO"))

# Two values of each parameter that find different objects, by its name without `Exclude`.
VALUES: dict[str, tuple[str, str]] = {
    "$MetadataLevel": ("1", "2"),
    "$XDSAssociationStatus": _STATUSES,
    "$uuid": (A, B),
    "$AssociationTypes": _pair(AssociationType.RPLC, AssociationType.APND),
    "$patientId": _PATIENTS,
    f"{DOCUMENT}PatientId": _PATIENTS,
    f"{SUBMISSION_SET}PatientId": _PATIENTS,
    f"{FOLDER}PatientId": _PATIENTS,
    f"{DOCUMENT}Status": _STATUSES,
    f"{SUBMISSION_SET}Status": _STATUSES,
    f"{FOLDER}Status": _STATUSES,
    f"{DOCUMENT}EntryUUID": (A, FIRST_VERSION),
    f"{DOCUMENT}UniqueId": ("2.25.1", "2.25.2"),
    f"{DOCUMENT}LogicalID": (FIRST_VERSION, B),
    f"{SUBMISSION_SET}EntryUUID": (SET_A, SET_B),
    f"{SUBMISSION_SET}UniqueId": ("2.25.501", "2.25.502"),
    f"{FOLDER}EntryUUID": (FOLDER_A, FOLDER_BEFORE),
    f"{FOLDER}UniqueId": ("2.25.701", "2.25.702"),
    f"{FOLDER}LogicalID": (FOLDER_BEFORE, FOLDER_B),
    f"{DOCUMENT}ClassCode": _CODES,
    f"{DOCUMENT}TypeCode": _CODES,
    f"{DOCUMENT}PracticeSettingCode": _CODES,
    f"{DOCUMENT}HealthcareFacilityTypeCode": _CODES,
    f"{DOCUMENT}EventCodeList": _CODES,
    f"{DOCUMENT}ConfidentialityCode": _CODES,
    f"{DOCUMENT}FormatCode": _CODES,
    f"{DOCUMENT}AuthorPerson": (ELISE, OMAR),
    f"{DOCUMENT}ReferenceIdList": (ORDER, VISIT),
    f"{DOCUMENT}Type": _pair(STABLE, ON_DEMAND),
    f"{DOCUMENT}DocumentAvailability": _pair(DocumentAvailability.ONLINE, DocumentAvailability.OFFLINE),
    f"{DOCUMENT}CreationTimeFrom": _TIMES,
    f"{DOCUMENT}CreationTimeTo": _TIMES,
    f"{DOCUMENT}ServiceStartTimeFrom": _TIMES,
    f"{DOCUMENT}ServiceStartTimeTo": _TIMES,
    f"{DOCUMENT}ServiceStopTimeFrom": _TIMES,
    f"{DOCUMENT}ServiceStopTimeTo": _TIMES,
    f"{SUBMISSION_SET}SourceId": ("2.25.91", "2.25.92"),
    f"{SUBMISSION_SET}SubmissionTimeFrom": _TIMES,
    f"{SUBMISSION_SET}SubmissionTimeTo": _TIMES,
    f"{SUBMISSION_SET}AuthorPerson": (ELISE, OMAR),
    f"{SUBMISSION_SET}ContentType": _CODES,
    f"{FOLDER}LastUpdateTimeFrom": _TIMES,
    f"{FOLDER}LastUpdateTimeTo": _TIMES,
    f"{FOLDER}CodeList": _CODES,
}
