"""The stored queries and their parameters: one row per query, one line per parameter. ITI TF-2: 3.18.4.1.2.3.7.

`xds.query_grammar` reads requests by this table, the registry turns what was read into criteria by
it, and docs/generated/stored-queries.md is printed from it.
"""

from dataclasses import dataclass, replace
from enum import Enum


class ParameterType(Enum):
    """What a value must be."""

    STRING = "string"
    PATTERN = "string with % and _"
    LEVEL = "1 or 2"
    FROM = "DTM, included"
    TO = "DTM, excluded"
    CODE = "code^^codingScheme"
    PATIENT = "CX"
    STATUS = "status URN"
    OBJECT_TYPE = "objectType UUID"
    AVAILABILITY = "documentAvailability URN"
    ASSOCIATION_TYPE = "association type URN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter.

    `and_or`: a repeated Slot means AND. `alternative`: exactly one of the parameters of the query so
    marked is given. `attribute`: the field of `xds.metadata` that the value is compared with.
    `negates`: the parameter whose matches this one takes out; the two are not given together.
    """

    name: str
    type: ParameterType = ParameterType.STRING
    required: bool = False
    many: bool = False
    and_or: bool = False
    alternative: bool = False
    attribute: str = ""
    negates: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredQuery:
    """One stored query.

    `at_least_one`: names of which one or more is given. `single_patient`: a LeafClass answer never
    holds objects of several patients. ITI TF-2: 3.18.4.1.3
    """

    name: str
    id: str
    parameters: tuple[Parameter, ...]
    at_least_one: tuple[str, ...] = ()
    single_patient: bool = False


_P = Parameter
_T = ParameterType
DOCUMENT, SUBMISSION_SET, FOLDER = "$XDSDocumentEntry", "$XDSSubmissionSet", "$XDSFolder"

METADATA_LEVEL = _P(name="$MetadataLevel", type=_T.LEVEL)
ASSOCIATION_STATUS = _P(name="$XDSAssociationStatus", type=_T.STATUS, many=True)
OBJECT_IDS = _P(name="$uuid", required=True, many=True)
ASSOCIATION_TYPES = _P(name="$AssociationTypes", type=_T.ASSOCIATION_TYPE, required=True, many=True)

_DOCUMENT_PATIENT = _P(name=f"{DOCUMENT}PatientId", type=_T.PATIENT, required=True, attribute="patient_id")
_DOCUMENT_STATUS = _P(name=f"{DOCUMENT}Status", type=_T.STATUS, required=True, many=True)
_SET_STATUS = _P(name=f"{SUBMISSION_SET}Status", type=_T.STATUS, required=True, many=True)
_FOLDER_STATUS = _P(name=f"{FOLDER}Status", type=_T.STATUS, required=True, many=True)
_FOLDER_PATIENT = _P(name=f"{FOLDER}PatientId", type=_T.PATIENT, required=True, attribute="patient_id")

_CLASS = _P(name=f"{DOCUMENT}ClassCode", type=_T.CODE, many=True, attribute="class_code")
_TYPE = _P(name=f"{DOCUMENT}TypeCode", type=_T.CODE, many=True, attribute="type_code")
_SETTING = _P(name=f"{DOCUMENT}PracticeSettingCode", type=_T.CODE, many=True, attribute="practice_setting_code")
_FACILITY = _P(
    name=f"{DOCUMENT}HealthcareFacilityTypeCode", type=_T.CODE, many=True, attribute="healthcare_facility_type_code"
)
_EVENT = _P(name=f"{DOCUMENT}EventCodeList", type=_T.CODE, many=True, and_or=True, attribute="event_code_list")
_CONFIDENTIALITY = _P(
    name=f"{DOCUMENT}ConfidentialityCode", type=_T.CODE, many=True, and_or=True, attribute="confidentiality_code"
)
_FORMAT = _P(name=f"{DOCUMENT}FormatCode", type=_T.CODE, many=True, attribute="format_code")
_AUTHOR = _P(name=f"{DOCUMENT}AuthorPerson", type=_T.PATTERN, many=True, attribute="author_person")
_OBJECT_TYPE = _P(name=f"{DOCUMENT}Type", type=_T.OBJECT_TYPE, many=True)
_REFERENCE_IDS = _P(
    name=f"{DOCUMENT}ReferenceIdList", type=_T.PATTERN, many=True, and_or=True, attribute="reference_id_list"
)
_FOLDER_CODES = _P(name=f"{FOLDER}CodeList", type=_T.CODE, many=True, and_or=True, attribute="code_list")

_DOCUMENT_FILTERS = (
    _CLASS,
    _TYPE,
    _SETTING,
    _P(name=f"{DOCUMENT}CreationTimeFrom", type=_T.FROM, attribute="creation_time"),
    _P(name=f"{DOCUMENT}CreationTimeTo", type=_T.TO, attribute="creation_time"),
    _P(name=f"{DOCUMENT}ServiceStartTimeFrom", type=_T.FROM, attribute="service_start_time"),
    _P(name=f"{DOCUMENT}ServiceStartTimeTo", type=_T.TO, attribute="service_start_time"),
    _P(name=f"{DOCUMENT}ServiceStopTimeFrom", type=_T.FROM, attribute="service_stop_time"),
    _P(name=f"{DOCUMENT}ServiceStopTimeTo", type=_T.TO, attribute="service_stop_time"),
    _FACILITY,
    _EVENT,
    _CONFIDENTIALITY,
    _AUTHOR,
    _FORMAT,
    _OBJECT_TYPE,
    _P(name=f"{DOCUMENT}DocumentAvailability", type=_T.AVAILABILITY, many=True),
)
_FOLDER_FILTERS = (
    _P(name=f"{FOLDER}LastUpdateTimeFrom", type=_T.FROM, attribute="last_update_time"),
    _P(name=f"{FOLDER}LastUpdateTimeTo", type=_T.TO, attribute="last_update_time"),
    _FOLDER_CODES,
)
_CONTENT_FILTERS = (_FORMAT, _CONFIDENTIALITY, _OBJECT_TYPE)


def _ids(prefix: str, *names: str, many: bool) -> tuple[Parameter, ...]:
    fields = {"EntryUUID": "entry_uuid", "UniqueId": "unique_id", "LogicalID": "logical_id"}
    return tuple(_P(name=f"{prefix}{name}", many=many, alternative=True, attribute=fields[name]) for name in names)


def _exclusion(parameter: Parameter) -> Parameter:
    """The twin that takes out what the parameter would find."""
    return replace(parameter, name=f"{parameter.name}Exclude", negates=parameter.name, required=False)


FIND_DOCUMENTS = StoredQuery(
    name="FindDocuments",
    id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
    parameters=(_DOCUMENT_PATIENT, _DOCUMENT_STATUS, *_DOCUMENT_FILTERS, METADATA_LEVEL),
)
FIND_DOCUMENTS_BY_REFERENCE_ID = StoredQuery(
    name="FindDocumentsByReferenceId",
    id="urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492",
    parameters=(
        _DOCUMENT_PATIENT,
        _DOCUMENT_STATUS,
        replace(_REFERENCE_IDS, required=True),
        *_DOCUMENT_FILTERS,
        METADATA_LEVEL,
    ),
)
FIND_DOCUMENTS_EXCLUDE = StoredQuery(
    name="FindDocumentsExclude",
    id="urn:uuid:4308b1df-36de-4bef-8e2e-ba91f593c435",
    parameters=(
        _DOCUMENT_PATIENT,
        _DOCUMENT_STATUS,
        *_DOCUMENT_FILTERS,
        _REFERENCE_IDS,
        _exclusion(_CLASS),
        _exclusion(_TYPE),
        _exclusion(_SETTING),
        _exclusion(_FACILITY),
        _exclusion(_EVENT),
        _exclusion(_CONFIDENTIALITY),
        _exclusion(_AUTHOR),
        _exclusion(_FORMAT),
        _exclusion(_OBJECT_TYPE),
        _exclusion(_REFERENCE_IDS),
        METADATA_LEVEL,
    ),
)
FIND_SUBMISSION_SETS = StoredQuery(
    name="FindSubmissionSets",
    id="urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9",
    parameters=(
        _P(name=f"{SUBMISSION_SET}PatientId", type=_T.PATIENT, required=True, attribute="patient_id"),
        _SET_STATUS,
        _P(name=f"{SUBMISSION_SET}SourceId", many=True, attribute="source_id"),
        _P(name=f"{SUBMISSION_SET}SubmissionTimeFrom", type=_T.FROM, attribute="submission_time"),
        _P(name=f"{SUBMISSION_SET}SubmissionTimeTo", type=_T.TO, attribute="submission_time"),
        _P(name=f"{SUBMISSION_SET}AuthorPerson", type=_T.PATTERN, attribute="author_person"),
        _P(name=f"{SUBMISSION_SET}ContentType", type=_T.CODE, many=True, attribute="content_type_code"),
    ),
)
FIND_FOLDERS = StoredQuery(
    name="FindFolders",
    id="urn:uuid:958f3006-baad-4929-a4de-ff1114824431",
    parameters=(_FOLDER_PATIENT, _FOLDER_STATUS, *_FOLDER_FILTERS, METADATA_LEVEL),
)
GET_ALL = StoredQuery(
    name="GetAll",
    id="urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3",
    parameters=(
        _P(name="$patientId", type=_T.PATIENT, required=True, attribute="patient_id"),
        _DOCUMENT_STATUS,
        _SET_STATUS,
        _FOLDER_STATUS,
        *_CONTENT_FILTERS,
        ASSOCIATION_STATUS,
        METADATA_LEVEL,
    ),
)
GET_DOCUMENTS = StoredQuery(
    name="GetDocuments",
    id="urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4",
    parameters=(*_ids(DOCUMENT, "EntryUUID", "UniqueId", "LogicalID", many=True), METADATA_LEVEL),
    single_patient=True,
)
GET_FOLDERS = StoredQuery(
    name="GetFolders",
    id="urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4",
    parameters=(*_ids(FOLDER, "EntryUUID", "UniqueId", "LogicalID", many=True), METADATA_LEVEL),
    single_patient=True,
)
GET_ASSOCIATIONS = StoredQuery(
    name="GetAssociations",
    id="urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155",
    parameters=(OBJECT_IDS, ASSOCIATION_STATUS, METADATA_LEVEL),
)
GET_DOCUMENTS_AND_ASSOCIATIONS = StoredQuery(
    name="GetDocumentsAndAssociations",
    id="urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a",
    parameters=(*_ids(DOCUMENT, "EntryUUID", "UniqueId", many=True), ASSOCIATION_STATUS, METADATA_LEVEL),
    single_patient=True,
)
GET_SUBMISSION_SETS = StoredQuery(
    name="GetSubmissionSets",
    id="urn:uuid:51224314-5390-4169-9b91-b1980040715a",
    parameters=(OBJECT_IDS, METADATA_LEVEL),
    single_patient=True,
)
GET_SUBMISSION_SET_AND_CONTENTS = StoredQuery(
    name="GetSubmissionSetAndContents",
    id="urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83",
    parameters=(*_ids(SUBMISSION_SET, "EntryUUID", "UniqueId", many=False), *_CONTENT_FILTERS, METADATA_LEVEL),
    single_patient=True,
)
GET_FOLDER_AND_CONTENTS = StoredQuery(
    name="GetFolderAndContents",
    id="urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7",
    parameters=(
        *_ids(FOLDER, "EntryUUID", "UniqueId", many=False),
        *_CONTENT_FILTERS,
        ASSOCIATION_STATUS,
        METADATA_LEVEL,
    ),
    single_patient=True,
)
GET_FOLDERS_FOR_DOCUMENT = StoredQuery(
    name="GetFoldersForDocument",
    id="urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578",
    parameters=(*_ids(DOCUMENT, "EntryUUID", "UniqueId", many=False), ASSOCIATION_STATUS, METADATA_LEVEL),
)
GET_RELATED_DOCUMENTS = StoredQuery(
    name="GetRelatedDocuments",
    id="urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6",
    parameters=(
        *_ids(DOCUMENT, "EntryUUID", "UniqueId", many=False),
        ASSOCIATION_TYPES,
        _OBJECT_TYPE,
        ASSOCIATION_STATUS,
        METADATA_LEVEL,
    ),
)

# Multi-Patient Stored Query [ITI-51]. ITI TF-2: 3.51.4.1.2.3
FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS = StoredQuery(
    name="FindDocumentsForMultiplePatients",
    id="urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f",
    parameters=(replace(_DOCUMENT_PATIENT, required=False, many=True), _DOCUMENT_STATUS, *_DOCUMENT_FILTERS),
    at_least_one=(_DOCUMENT_PATIENT.name, _CLASS.name, _EVENT.name, _FACILITY.name),
)
FIND_FOLDERS_FOR_MULTIPLE_PATIENTS = StoredQuery(
    name="FindFoldersForMultiplePatients",
    id="urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df",
    parameters=(replace(_FOLDER_PATIENT, required=False, many=True), _FOLDER_STATUS, *_FOLDER_FILTERS),
    at_least_one=(_FOLDER_PATIENT.name, _FOLDER_CODES.name),
)
FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS = StoredQuery(
    name="FindDocumentsByReferenceIdForMultiplePatients",
    id="urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5",
    parameters=(
        replace(_DOCUMENT_PATIENT, required=False, many=True),
        _DOCUMENT_STATUS,
        replace(_REFERENCE_IDS, required=True),
        *_DOCUMENT_FILTERS,
    ),
)

REGISTRY_STORED_QUERIES = {
    query.id: query
    for query in (
        FIND_DOCUMENTS,
        FIND_DOCUMENTS_BY_REFERENCE_ID,
        FIND_DOCUMENTS_EXCLUDE,
        FIND_SUBMISSION_SETS,
        FIND_FOLDERS,
        GET_ALL,
        GET_DOCUMENTS,
        GET_FOLDERS,
        GET_ASSOCIATIONS,
        GET_DOCUMENTS_AND_ASSOCIATIONS,
        GET_SUBMISSION_SETS,
        GET_SUBMISSION_SET_AND_CONTENTS,
        GET_FOLDER_AND_CONTENTS,
        GET_FOLDERS_FOR_DOCUMENT,
        GET_RELATED_DOCUMENTS,
    )
}
MULTI_PATIENT_STORED_QUERIES = {
    query.id: query
    for query in (
        FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS,
        FIND_FOLDERS_FOR_MULTIPLE_PATIENTS,
        FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS,
    )
}
