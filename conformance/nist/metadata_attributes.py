"""The metadata attributes of an answer: how each is carried, how often it may occur, and its format.

ITI TF-3: 4.2.3.2, 4.2.3.3, 4.2.3.4. One row per attribute.
"""

from dataclasses import dataclass

from conformance.nist import datatypes
from conformance.nist.datatypes import Predicate
from conformance.nist.registry_objects import DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET
from conformance.nist.vocabulary import (
    DOCUMENT_ENTRY_UNIQUE_ID,
    FOLDER_UNIQUE_ID,
    OFFLINE,
    ONLINE,
    SOURCE_ID_SCHEME,
    SUBMISSION_SET_UNIQUE_ID,
)

MANY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRow:
    """A Slot; `least` and `most` count its values. `is_stable_only`: required of stable entries, else forbidden."""

    name: str
    format: Predicate
    least: int = 0
    most: int = 1
    is_stable_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """A Classification with a code; `table` is the name of the code type in the code table."""

    name: str
    scheme: str
    least: int = 0
    most: int = 1
    table: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierRow:
    """An ExternalIdentifier, exactly one."""

    name: str
    scheme: str
    format: Predicate


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRows:
    """All attributes of one kind of object; `title_limit` is the number of characters a title may have."""

    slots: tuple[SlotRow, ...]
    codes: tuple[CodeRow, ...]
    identifiers: tuple[IdentifierRow, ...]
    author_scheme: str = ""
    is_title_required: bool = False
    title_limit: int = 256


def _is_availability(text: str) -> bool:
    return text in (ONLINE, OFFLINE)


def _uuid(text: str) -> str:
    return f"urn:uuid:{text}"


_DOCUMENT_ENTRY_ROWS = ObjectRows(
    title_limit=128,
    author_scheme=_uuid("93606bcf-9494-43ec-9b4e-a7748d1a838d"),
    slots=(
        SlotRow(name="creationTime", format=datatypes.is_dtm, least=1, is_stable_only=True),
        SlotRow(name="hash", format=datatypes.is_sha1, least=1, is_stable_only=True),
        SlotRow(name="size", format=datatypes.is_integer, least=1, is_stable_only=True),
        SlotRow(name="languageCode", format=datatypes.is_language, least=1),
        SlotRow(name="repositoryUniqueId", format=datatypes.is_oid, least=1),
        SlotRow(name="sourcePatientId", format=datatypes.is_cx, least=1),
        SlotRow(name="sourcePatientInfo", format=datatypes.is_patient_field, most=MANY),
        SlotRow(name="serviceStartTime", format=datatypes.is_dtm),
        SlotRow(name="serviceStopTime", format=datatypes.is_dtm),
        SlotRow(name="legalAuthenticator", format=datatypes.is_xcn),
        SlotRow(name="documentAvailability", format=_is_availability),
        SlotRow(name="urn:ihe:iti:xds:2013:referenceIdList", format=datatypes.is_cxi, most=MANY),
        SlotRow(name="URI", format=datatypes.is_anything),
    ),
    codes=(
        CodeRow(name="classCode", scheme=_uuid("41a5887f-8865-4c09-adf7-e362475b143a"), least=1, table="classCode"),
        CodeRow(
            name="confidentialityCode",
            scheme=_uuid("f4f85eac-e6cb-4883-b524-f2705394840f"),
            least=1,
            most=MANY,
            table="confidentialityCode",
        ),
        CodeRow(
            name="eventCodeList",
            scheme=_uuid("2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"),
            most=MANY,
            table="eventCodeList",
        ),
        CodeRow(name="formatCode", scheme=_uuid("a09d5840-386c-46f2-b5ad-9c3699a4309d"), least=1, table="formatCode"),
        CodeRow(
            name="healthcareFacilityTypeCode",
            scheme=_uuid("f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"),
            least=1,
            table="healthcareFacilityTypeCode",
        ),
        CodeRow(
            name="practiceSettingCode",
            scheme=_uuid("cccf5598-8b07-4b77-a05e-ae952c785ead"),
            least=1,
            table="practiceSettingCode",
        ),
        CodeRow(name="typeCode", scheme=_uuid("f0306f51-975f-434e-a61c-c59651d33983"), least=1, table="typeCode"),
    ),
    identifiers=(
        IdentifierRow(name="patientId", scheme=_uuid("58a6f841-87b3-4a3e-92fd-a8ffeff98427"), format=datatypes.is_cx),
        IdentifierRow(name="uniqueId", scheme=DOCUMENT_ENTRY_UNIQUE_ID, format=datatypes.is_unique_id),
    ),
)

_SUBMISSION_SET_ROWS = ObjectRows(
    author_scheme=_uuid("a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"),
    slots=(
        SlotRow(name="submissionTime", format=datatypes.is_dtm, least=1),
        SlotRow(name="intendedRecipient", format=datatypes.is_recipient, most=MANY),
    ),
    codes=(
        CodeRow(
            name="contentTypeCode",
            scheme=_uuid("aa543740-bdda-424e-8c96-df4873be8500"),
            least=1,
            table="contentTypeCode",
        ),
    ),
    identifiers=(
        IdentifierRow(name="patientId", scheme=_uuid("6b5aea1a-874d-4603-a4bc-96a0a7b38446"), format=datatypes.is_cx),
        IdentifierRow(name="sourceId", scheme=SOURCE_ID_SCHEME, format=datatypes.is_oid),
        IdentifierRow(name="uniqueId", scheme=SUBMISSION_SET_UNIQUE_ID, format=datatypes.is_oid),
    ),
)

_FOLDER_ROWS = ObjectRows(
    is_title_required=True,
    slots=(SlotRow(name="lastUpdateTime", format=datatypes.is_dtm_to_the_second),),
    codes=(
        CodeRow(
            name="codeList",
            scheme=_uuid("1ba97051-7806-41a8-a48b-8fce7af683c5"),
            least=1,
            most=MANY,
            table="folderCodeList",
        ),
    ),
    identifiers=(
        IdentifierRow(name="patientId", scheme=_uuid("f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a"), format=datatypes.is_cx),
        IdentifierRow(name="uniqueId", scheme=FOLDER_UNIQUE_ID, format=datatypes.is_oid),
    ),
)

ROWS = {DOCUMENT_ENTRY: _DOCUMENT_ENTRY_ROWS, SUBMISSION_SET: _SUBMISSION_SET_ROWS, FOLDER: _FOLDER_ROWS}

# Slots of an Association. ITI TF-3: 4.2.2, XDS Metadata Update 3.57
ASSOCIATION_SLOTS = frozenset(
    ("SubmissionSetStatus", "PreviousVersion", "AssociationPropagation", "NewStatus", "OriginalStatus")
)
