"""Error codes of the registry and the repository, and the exception that carries them. ITI TF-3: 4.2.4."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from xds.vocabulary import Severity


class ErrorCode(StrEnum):
    """errorCode of a RegistryError. ITI TF-3: Table 4.2.4.1-2"""

    INVALID_DOCUMENT_CONTENT = "InvalidDocumentContent"
    UNRESOLVED_REFERENCE = "UnresolvedReferenceException"
    DOCUMENT_QUEUED = "DocumentQueued"
    PARTIAL_APPEND_CONTENT_NOT_PROCESSED = "PartialAppendContentNotProcessed"
    PARTIAL_FOLDER_CONTENT_NOT_PROCESSED = "PartialFolderContentNotProcessed"
    PARTIAL_RELATIONSHIP_CONTENT_NOT_PROCESSED = "PartialRelationshipContentNotProcessed"
    PARTIAL_REPLACE_CONTENT_NOT_PROCESSED = "PartialReplaceContentNotProcessed"
    PARTIAL_TRANSFORM_NOT_PROCESSED = "PartialTransformNotProcessed"
    PARTIAL_TRANSFORM_REPLACE_NOT_PROCESSED = "PartialTransformReplaceNotProcessed"
    DOCUMENT_UNIQUE_ID = "XDSDocumentUniqueIdError"
    DUPLICATE_UNIQUE_ID_IN_REGISTRY = "XDSDuplicateUniqueIdInRegistry"
    EXTRA_METADATA_NOT_SAVED = "XDSExtraMetadataNotSaved"
    INVALID_REQUEST = "XDSInvalidRequestException"
    LOCAL_POLICY_RESTRICTION = "LocalPolicyRestrictionError"
    METADATA_ANNOTATION = "XDSMetadataAnnotationError"
    METADATA_IDENTIFIER = "XDSMetadataIdentifierError"
    METADATA_UPDATE = "XDSMetadataUpdateError"
    METADATA_UPDATE_OPERATION = "XDSMetadataUpdateOperationError"
    METADATA_VERSION = "XDSMetadataVersionError"
    MISSING_DOCUMENT = "XDSMissingDocument"
    MISSING_DOCUMENT_METADATA = "XDSMissingDocumentMetadata"
    NON_IDENTICAL_HASH = "XDSNonIdenticalHash"
    NON_IDENTICAL_SIZE = "XDSNonIdenticalSize"
    OBJECT_TYPE = "XDSObjectTypeError"
    PATIENT_ID_RECONCILIATION = "XDSPatientIDReconciliationError"
    REFERENCES_EXIST = "ReferencesExistException"
    UNKNOWN_COMMUNITY = "XDSUnknownCommunity"
    UNMODIFIABLE_METADATA = "UnmodifiableMetadataError"
    UNREFERENCED_OBJECT = "XDSUnreferencedObjectException"
    PATIENT_ID_DOES_NOT_MATCH = "XDSPatientIdDoesNotMatch"
    REGISTRY_BUSY = "XDSRegistryBusy"
    REPOSITORY_BUSY = "XDSRepositoryBusy"
    REGISTRY_DEPRECATED_DOCUMENT = "XDSRegistryDeprecatedDocumentError"
    REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE = "XDSRegistryDuplicateUniqueIdInMessage"
    REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE = "XDSRepositoryDuplicateUniqueIdInMessage"
    REGISTRY = "XDSRegistryError"
    REPOSITORY = "XDSRepositoryError"
    REGISTRY_METADATA = "XDSRegistryMetadataError"
    REPOSITORY_METADATA = "XDSRepositoryMetadataError"
    REGISTRY_NOT_AVAILABLE = "XDSRegistryNotAvailable"
    REGISTRY_OUT_OF_RESOURCES = "XDSRegistryOutOfResources"
    REPOSITORY_OUT_OF_RESOURCES = "XDSRepositoryOutOfResources"
    REMOVE_DOCUMENTS = "XDSRemoveDocumentsError"
    RESULT_NOT_SINGLE_PATIENT = "XDSResultNotSinglePatient"
    STORED_QUERY_MISSING_PARAM = "XDSStoredQueryMissingParam"
    STORED_QUERY_PARAM_NUMBER = "XDSStoredQueryParamNumber"
    TOO_MANY_RESULTS = "XDSTooManyResults"
    UNKNOWN_PATIENT_ID = "XDSUnknownPatientId"
    UNKNOWN_REPOSITORY_ID = "XDSUnknownRepositoryId"
    UNKNOWN_STORED_QUERY = "XDSUnknownStoredQuery"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryError:
    """One finding of an answer.

    `context` says in words what was found, what was expected and where; `location` is empty
    but where a transaction gives it a meaning: the DocumentUniqueId in Retrieve Document Set
    [ITI-43], the entryUUID of the object in Update Document Set [ITI-57] and its kin.
    """

    code: ErrorCode
    context: str
    location: str = ""
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


class Rejected(Exception):
    """A request refused with all its errors; nothing of it was stored. ITI TF-3: 4.2.4.1"""

    def __init__(self, errors: Iterable[RegistryError]) -> None:
        self.errors = tuple(errors)
        super().__init__(", ".join(error.code for error in self.errors))


def metadata_error(context: str) -> RegistryError:
    """Metadata broken in a way no more precise code names. ITI TF-3: Table 4.2.4.1-2"""
    return RegistryError(code=ErrorCode.REGISTRY_METADATA, context=context)
