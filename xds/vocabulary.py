"""Every URN and UUID of the standard, once. ITI TF-3: 4.2.5.2, 4.2.3.

Names are the standard's words; values are the strings on the wire.
"""

from enum import StrEnum

# Namespaces of the messages. ITI TF-3: 4.2.1.1
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
XDS_B = "urn:ihe:iti:xds-b:2007"
RMD = "urn:ihe:iti:rmd:2017"

_STATUS = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
_RESPONSE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
_OBJECT = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
_ASSOCIATION = "urn:ihe:iti:2007:AssociationType:"


class AvailabilityStatus(StrEnum):
    """Status of a registry object. ITI TF-3: 4.2.3.2.2; the last two are the DMP's own."""

    APPROVED = f"{_STATUS}Approved"
    DEPRECATED = f"{_STATUS}Deprecated"
    ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
    DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"


class ResponseStatus(StrEnum):
    """Status of an answer. PartialSuccess has another prefix. ITI TF-3: 4.2.4.2"""

    SUCCESS = f"{_RESPONSE}Success"
    PARTIAL_SUCCESS = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
    FAILURE = f"{_RESPONSE}Failure"


class Severity(StrEnum):
    """Severity of a RegistryError. ITI TF-3: 4.2.4.1"""

    ERROR = f"{_SEVERITY}Error"
    WARNING = f"{_SEVERITY}Warning"


class DocumentAvailability(StrEnum):
    """ITI TF-3: 4.2.3.2.30"""

    ONLINE = "urn:ihe:iti:2010:DocumentAvailability:Online"
    OFFLINE = "urn:ihe:iti:2010:DocumentAvailability:Offline"


class AssociationType(StrEnum):
    """ITI TF-3: 4.2.2; the last two belong to Update Document Set [ITI-57]."""

    HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    RPLC = f"{_ASSOCIATION}RPLC"
    XFRM = f"{_ASSOCIATION}XFRM"
    APND = f"{_ASSOCIATION}APND"
    XFRM_RPLC = f"{_ASSOCIATION}XFRM_RPLC"
    SIGNS = f"{_ASSOCIATION}signs"
    IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"
    UPDATE_AVAILABILITY_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
    SUBMIT_ASSOCIATION = "urn:ihe:iti:2010:AssociationType:SubmitAssociation"


RELATIONSHIPS = frozenset(
    {
        AssociationType.RPLC,
        AssociationType.XFRM,
        AssociationType.APND,
        AssociationType.XFRM_RPLC,
        AssociationType.SIGNS,
        AssociationType.IS_SNAPSHOT_OF,
    }
)
REPLACEMENTS = frozenset({AssociationType.RPLC, AssociationType.XFRM_RPLC})
ADDENDA = frozenset({AssociationType.APND, AssociationType.XFRM})
METADATA_UPDATE_TRIGGERS = frozenset({AssociationType.UPDATE_AVAILABILITY_STATUS, AssociationType.SUBMIT_ASSOCIATION})


class ObjectType(StrEnum):
    """objectType of a DocumentEntry. ITI TF-3: 4.2.5.2"""

    STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"


class RegistryObjectType(StrEnum):
    """ebRIM objectType of everything but a DocumentEntry. ITI TF-3: 4.2.1.2"""

    REGISTRY_PACKAGE = f"{_OBJECT}RegistryPackage"
    ASSOCIATION = f"{_OBJECT}Association"
    CLASSIFICATION = f"{_OBJECT}Classification"
    EXTERNAL_IDENTIFIER = f"{_OBJECT}ExternalIdentifier"


class ClassificationNode(StrEnum):
    """Nodes that say what a RegistryPackage is, or that metadata is limited. ITI TF-3: 4.2.5.2"""

    SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    FOLDER = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
    LIMITED_DOCUMENT_ENTRY = "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"
    LIMITED_SUBMISSION_SET = "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707"
    LIMITED_FOLDER = "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03"


LIMITED_METADATA_NODES = frozenset(
    {
        ClassificationNode.LIMITED_DOCUMENT_ENTRY,
        ClassificationNode.LIMITED_SUBMISSION_SET,
        ClassificationNode.LIMITED_FOLDER,
    }
)

# SHA-1 of nothing: a delayed document assembly entry carries it with size 0. ITI TF-3: 4.2.3.2.10
EMPTY_SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
