"""THE attribute table: one row per metadata attribute, read by reader, writer, rules and documentation.

ITI TF-3: Tables 4.2.3.1-1, 4.2.3.2-1, 4.2.3.3-1, 4.2.3.4-1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from xds import datatypes as dt
from xds import texts
from xds.identifiers import is_uuid_urn
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus, ClassificationNode, DocumentAvailability, ObjectType


class Carrier(Enum):
    """How ebRIM carries an attribute. ITI TF-3: 4.2.3.1"""

    XML_ATTRIBUTE = "XML attribute"
    VERSION = "VersionInfo"
    SLOT = "Slot"
    NAME = "Name"
    DESCRIPTION = "Description"
    CODE = "Classification"
    AUTHOR = "author Classification"
    IDENTIFIER = "ExternalIdentifier"
    NODE = "Classification node"


class Usage(StrEnum):
    """Demand of a transaction on an attribute. ITI TF-3: 4.2.3.1"""

    REQUIRED = "R"
    IF_KNOWN = "R2"
    OPTIONAL = "O"
    FORBIDDEN = "X"
    IGNORED = "-"


R, R2, X, IGNORED = Usage.REQUIRED, Usage.IF_KNOWN, Usage.FORBIDDEN, Usage.IGNORED
O = Usage.OPTIONAL  # noqa: E741 - the letter of the standard's tables


class SubmissionKind(StrEnum):
    """The transactions that submit objects; each is a column of demands."""

    PROVIDE = "ITI-41"
    REGISTER = "ITI-42"
    ON_DEMAND = "ITI-61"
    UPDATE = "ITI-57"
    RESTRICTED_UPDATE = "ITI-92"
    RECEIVE = "ITI-41 to a Document Recipient"
    BUNDLE = "ITI-65"
    PUBLICATION = "ITI-105"
    GENERATION = "ITI-106"

    @property
    def transaction(self) -> str:
        """The name of the transaction alone."""
        return self.value.partition(" ")[0]

    @property
    def derives_set(self) -> bool:
        """The SubmissionSet is made by the server: only the document was sent. MHD 2:3.105.4.1.3, 3.106.4.1.3"""
        return self in (SubmissionKind.PUBLICATION, SubmissionKind.GENERATION)

    @property
    def is_update(self) -> bool:
        """Submits new versions of stored objects. XDS Metadata Update 3.57, Restricted Metadata Update 3.92"""
        return self in (SubmissionKind.UPDATE, SubmissionKind.RESTRICTED_UPDATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datatype:
    """`parse` checks a wire text and raises ValueError; `restore` takes a text checked before."""

    name: str
    parse: Callable[[str], Any]
    restore: Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One metadata attribute and its place on the wire."""

    name: str
    field: str
    carrier: Carrier
    wire: str = ""
    datatype: Datatype
    many: bool = False
    provide: Usage = O
    register: Usage = O
    on_demand: Usage = O
    limited: Usage = O
    label: str = ""

    def usage(self, kind: SubmissionKind, *, on_demand: bool = False, limited: bool = False) -> Usage:
        """An update demands what the registration of the same kind of document demanded.

        `limited`: the object is flagged as limited, which a Document Recipient and the submissions of FHIR look at.
        ITI TF-3: Table 4.3.1-3; MHD 1:33.2.1
        """
        by_fhir = (SubmissionKind.BUNDLE, SubmissionKind.PUBLICATION, SubmissionKind.GENERATION)
        if limited and kind in (SubmissionKind.RECEIVE, *by_fhir):
            return self.limited
        if kind in (SubmissionKind.PROVIDE, SubmissionKind.RECEIVE, *by_fhir):
            return self.provide
        return self.on_demand if on_demand or kind is SubmissionKind.ON_DEMAND else self.register


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectTable:
    """The attributes of one kind of object, indexed by carrier."""

    name: str
    node: ClassificationNode | None
    attributes: tuple[Attribute, ...]

    def by_wire(self, carrier: Carrier) -> dict[str, Attribute]:
        return {row.wire: row for row in self.attributes if row.carrier is carrier}

    def of(self, *carriers: Carrier) -> tuple[Attribute, ...]:
        return tuple(row for row in self.attributes if row.carrier in carriers)


def _parse_uuid_urn(text: str) -> str:
    if not is_uuid_urn(text):
        raise ValueError("expected urn:uuid: and a UUID in lower case")
    return text


def _parse_one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected {' or '.join(words)}")
        return text

    return parse


def _parse_home(text: str) -> str:
    texts.parse_oid(text.removeprefix("urn:oid:"))
    return text


def _text(name: str, parse: Callable[[str], Any]) -> Datatype:
    return Datatype(name=name, parse=parse, restore=texts.parse_string)


def _restore_code(parts: list[str]) -> dt.Code:
    return dt.Code(code=parts[0], coding_scheme=parts[1], display_name=_restore_text(parts[2]))


def _restore_text(stored: str | list[str]) -> str:
    """A text, or its wordings as text, language and charset in turn."""
    if isinstance(stored, str):
        return stored
    first, *others = [
        dt.LocalizedString(text, language=language, charset=charset)
        for text, language, charset in zip(stored[::3], stored[1::3], stored[2::3], strict=True)
    ]
    return dt.LocalizedString(first, language=first.language, charset=first.charset, others=tuple(others))


STRING = _text("String", texts.parse_string)
TEXT = Datatype(name="String", parse=texts.parse_string, restore=_restore_text)
CX = Datatype(name="CX", parse=dt.CX.parse, restore=dt.CX)
CXI = Datatype(name="CXi", parse=dt.CXi.parse, restore=dt.CXi)
XCN = Datatype(name="XCN", parse=dt.XCN.parse, restore=dt.XCN)
XON = Datatype(name="XON", parse=dt.XON.parse, restore=dt.XON)
XTN = Datatype(name="XTN", parse=dt.XTN.parse, restore=dt.XTN)
DTM = Datatype(name="DTM", parse=dt.DTM.parse, restore=dt.DTM)
CODE = Datatype(name="Code", parse=dt.Code.parse, restore=_restore_code)
FLAG = Datatype(name="-", parse=bool, restore=bool)
AUTHOR = Datatype(name="author", parse=texts.parse_string, restore=dict)
SHA1 = _text("SHA1", texts.parse_sha1)
SIZE = Datatype(name="Integer", parse=texts.parse_size, restore=int)
OID = _text("OID", texts.parse_oid)
OID_URN = _text("OID URN", _parse_home)
UUID = _text("UUID", _parse_uuid_urn)
LANGUAGE = _text("RFC 5646 tag", texts.parse_language)
MIME_TYPE = _text("MIME type", texts.parse_mime_type)
IDENTIFIER = _text("Identifier", texts.parse_unique_id)
PATIENT_FIELD = _text("Field", texts.parse_patient_field)
RECIPIENT = _text("XON|XCN|XTN", texts.parse_recipient)
STATUS = Datatype(name="status URN", parse=AvailabilityStatus, restore=AvailabilityStatus)
OBJECT_TYPE = Datatype(name="objectType UUID", parse=ObjectType, restore=ObjectType)
ASSOCIATION_TYPE = Datatype(name="association type URN", parse=AssociationType, restore=AssociationType)
AVAILABILITY = Datatype(name="availability URN", parse=DocumentAvailability, restore=DocumentAvailability)
SET_STATUS = _text("Original or Reference", _parse_one_of("Original", "Reference"))
YES_NO = _text("yes or no", _parse_one_of("yes", "no"))


def _xml(name: str, field: str, wire: str, datatype: Datatype, *usage: Usage) -> Attribute:
    return _row(name, field, Carrier.XML_ATTRIBUTE, wire, datatype, usage)


def _slot(name: str, field: str, datatype: Datatype, *usage: Usage, wire: str = "", many: bool = False) -> Attribute:
    return _row(name, field, Carrier.SLOT, wire or name, datatype, usage, many=many)


def _code(name: str, field: str, scheme: str, *usage: Usage, many: bool = False) -> Attribute:
    return _row(name, field, Carrier.CODE, f"urn:uuid:{scheme}", CODE, usage, many=many)


def _identifier(name: str, field: str, scheme: str, datatype: Datatype, label: str) -> Attribute:
    return _row(name, field, Carrier.IDENTIFIER, f"urn:uuid:{scheme}", datatype, (R, R, R), label=label)


def _row(
    name: str,
    field: str,
    carrier: Carrier,
    wire: str,
    datatype: Datatype,
    usage: tuple[Usage, ...],
    *,
    many: bool = False,
    label: str = "",
) -> Attribute:
    provide, register, on_demand = usage or (O, O, O)
    return Attribute(
        name=name,
        field=field,
        carrier=carrier,
        wire=wire,
        datatype=datatype,
        many=many,
        provide=provide,
        register=register,
        on_demand=on_demand,
        limited=_limited(name, provide),
        label=label,
    )


# What limited metadata must have all the same. ITI TF-3: Table 4.3.1-3, column XDR MS
_REQUIRED_WHEN_LIMITED = frozenset(
    {
        *("entryUUID", "limitedMetadata", "mimeType", "objectType", "uniqueId", "sourceId", "submissionTime"),
        *("associationType", "sourceObject", "targetObject"),
    }
)


def _limited(name: str, provide: Usage) -> Usage:
    """What is required of full metadata is required if known of limited."""
    if name in _REQUIRED_WHEN_LIMITED:
        return R
    return R2 if provide is R else provide


def _limited_metadata(node: ClassificationNode) -> Attribute:
    """The flag, which only XDR allows and no answer shows. ITI TF-3: 4.2.3.2.29"""
    return _row("limitedMetadata", "limited_metadata", Carrier.NODE, str(node), FLAG, (X, X, X))


def _owned_by_registry() -> tuple[Attribute, ...]:
    """Attributes that every object has and the registry sets. ITI TF-3: 4.2.3.2.2; XDS Metadata Update"""
    return (
        _xml("entryUUID", "entry_uuid", "id", STRING, R, R, R),
        _xml("logicalID", "logical_id", "lid", UUID),
        _xml("availabilityStatus", "availability_status", "status", STATUS, IGNORED, IGNORED, IGNORED),
        _xml("homeCommunityId", "home_community_id", "home", OID_URN),
        _row("version", "version", Carrier.VERSION, "versionName", SIZE, (IGNORED, IGNORED, IGNORED)),
    )


def _author(scheme: str) -> Attribute:
    return _row("author", "author", Carrier.AUTHOR, f"urn:uuid:{scheme}", AUTHOR, (R2, R2, R2), many=True)


def _name(*usage: Usage) -> Attribute:
    return _row("title", "title", Carrier.NAME, "Name", TEXT, usage)


def _description() -> Attribute:
    return _row("comments", "comments", Carrier.DESCRIPTION, "Description", TEXT, ())


DOCUMENT_ENTRY = ObjectTable(
    name="DocumentEntry",
    node=None,
    attributes=(
        *_owned_by_registry(),
        _xml("objectType", "object_type", "objectType", OBJECT_TYPE, R, R, R),
        _xml("mimeType", "mime_type", "mimeType", MIME_TYPE, R, R, R),
        _slot("creationTime", "creation_time", DTM, R, R, X),
        _slot("documentAvailability", "document_availability", AVAILABILITY, O, O, X),
        _slot("hash", "hash", SHA1, O, R, X),
        _slot("languageCode", "language_code", LANGUAGE, R, R, R),
        _slot("legalAuthenticator", "legal_authenticator", XCN),
        _slot("referenceIdList", "reference_id_list", CXI, wire="urn:ihe:iti:xds:2013:referenceIdList", many=True),
        _slot("repositoryUniqueId", "repository_unique_id", OID, O, R, R),
        _slot("serviceStartTime", "service_start_time", DTM, R2, R2, O),
        _slot("serviceStopTime", "service_stop_time", DTM, R2, R2, O),
        _slot("size", "size", SIZE, O, R, X),
        _slot("sourcePatientId", "source_patient_id", CX, R, R, R),
        _slot("sourcePatientInfo", "source_patient_info", PATIENT_FIELD, many=True),
        _slot("URI", "uri", STRING),
        _name(),
        _description(),
        _author("93606bcf-9494-43ec-9b4e-a7748d1a838d"),
        _code("classCode", "class_code", "41a5887f-8865-4c09-adf7-e362475b143a", R, R, R),
        _code(
            "confidentialityCode", "confidentiality_code", "f4f85eac-e6cb-4883-b524-f2705394840f", R, R, R, many=True
        ),
        _code("eventCodeList", "event_code_list", "2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4", many=True),
        _code("formatCode", "format_code", "a09d5840-386c-46f2-b5ad-9c3699a4309d", R, R, R),
        _code(
            "healthcareFacilityTypeCode",
            "healthcare_facility_type_code",
            "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
            R,
            R,
            R,
        ),
        _code("practiceSettingCode", "practice_setting_code", "cccf5598-8b07-4b77-a05e-ae952c785ead", R, R, R),
        _code("typeCode", "type_code", "f0306f51-975f-434e-a61c-c59651d33983", R, R, R),
        _identifier(
            "patientId", "patient_id", "58a6f841-87b3-4a3e-92fd-a8ffeff98427", CX, "XDSDocumentEntry.patientId"
        ),
        _identifier(
            "uniqueId", "unique_id", "2e82c1f6-a085-4c72-9da3-8640a32e42ab", IDENTIFIER, "XDSDocumentEntry.uniqueId"
        ),
        _limited_metadata(ClassificationNode.LIMITED_DOCUMENT_ENTRY),
    ),
)

SUBMISSION_SET = ObjectTable(
    name="SubmissionSet",
    node=ClassificationNode.SUBMISSION_SET,
    attributes=(
        *_owned_by_registry(),
        _slot("intendedRecipient", "intended_recipient", RECIPIENT, many=True),
        _slot("submissionTime", "submission_time", DTM, R, R, R),
        _name(),
        _description(),
        _author("a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"),
        _code("contentTypeCode", "content_type_code", "aa543740-bdda-424e-8c96-df4873be8500", R, R, R),
        _identifier(
            "patientId", "patient_id", "6b5aea1a-874d-4603-a4bc-96a0a7b38446", CX, "XDSSubmissionSet.patientId"
        ),
        _identifier("sourceId", "source_id", "554ac39e-e3fe-47fe-b233-965d2a147832", OID, "XDSSubmissionSet.sourceId"),
        _identifier("uniqueId", "unique_id", "96fdda7c-d067-4183-912e-bf5ee74998a8", OID, "XDSSubmissionSet.uniqueId"),
        _limited_metadata(ClassificationNode.LIMITED_SUBMISSION_SET),
    ),
)

FOLDER = ObjectTable(
    name="Folder",
    node=ClassificationNode.FOLDER,
    attributes=(
        *_owned_by_registry(),
        _slot("lastUpdateTime", "last_update_time", DTM),
        _name(R, R, R),
        _description(),
        _code("codeList", "code_list", "1ba97051-7806-41a8-a48b-8fce7af683c5", R, R, R, many=True),
        _identifier("patientId", "patient_id", "f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a", CX, "XDSFolder.patientId"),
        _identifier("uniqueId", "unique_id", "75df8f67-9973-4fbe-a900-df66cefecc5a", OID, "XDSFolder.uniqueId"),
        _limited_metadata(ClassificationNode.LIMITED_FOLDER),
    ),
)

ASSOCIATION = ObjectTable(
    name="Association",
    node=None,
    attributes=(
        *_owned_by_registry(),
        _xml("associationType", "association_type", "associationType", ASSOCIATION_TYPE, R, R, R),
        _xml("sourceObject", "source", "sourceObject", STRING, R, R, R),
        _xml("targetObject", "target", "targetObject", STRING, R, R, R),
        _slot("SubmissionSetStatus", "submission_set_status", SET_STATUS),
        _slot("PreviousVersion", "previous_version", SIZE),
        _slot("AssociationPropagation", "association_propagation", YES_NO),
        _slot("OriginalStatus", "original_status", STRING),
        _slot("NewStatus", "new_status", STRING),
        _code("documentation", "documentation", "abd807a3-4432-4053-87b4-fd82c643d1f3"),
    ),
)

# Slots of the author Classification. ITI TF-3: Table 4.2.3.1.4.1-1
AUTHOR_SLOTS: tuple[tuple[str, str, Datatype, bool], ...] = (
    ("authorPerson", "author_person", XCN, False),
    ("authorInstitution", "author_institution", XON, True),
    ("authorRole", "author_role", STRING, True),
    ("authorSpecialty", "author_specialty", STRING, True),
    ("authorTelecommunication", "author_telecommunication", XTN, True),
)

# Schemes that XDS gives a meaning, each on one kind of object; any other is the sender's own.
XDS_SCHEMES = frozenset(
    row.wire
    for table in (DOCUMENT_ENTRY, SUBMISSION_SET, FOLDER, ASSOCIATION)
    for row in table.of(Carrier.CODE, Carrier.AUTHOR)
)

TABLES: dict[type[RegistryObject], ObjectTable] = {
    DocumentEntry: DOCUMENT_ENTRY,
    SubmissionSet: SUBMISSION_SET,
    Folder: FOLDER,
    Association: ASSOCIATION,
}
