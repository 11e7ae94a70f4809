"""The affinity domain: what a community has agreed on, as one value handed to the actors. ITI TF-1: 10.

The code of a transaction never asks which country it is in; it asks this value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from xds.datatypes import CX, Code
from xds.errors import ErrorCode
from xds.vocabulary import AvailabilityStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityDomain:
    """`code_tables` maps the name of an attribute to the (code, codingScheme) pairs it may take;
    an attribute without a table is open, and so is mimeType when `mime_types`, in lower case, are none.
    `assigning_authorities` empty means any authority.
    `authority_names` are the OIDs of names that a feed may send instead (HD.1), `default_authority` stands
    in where it sends neither.
    `propagated_memberships_are_members`: a Folder membership carried over to a new version is itself a member of the
    SubmissionSet of the update; one test kit expects otherwise. `home_community_id` is a `urn:oid:`, empty when none.
    `identifier_problem`: what is expected of an identifier where these authorities cannot have given this one.
    `restricted_update_is_strict`: hash, size and mimeType are no more modifiable by ITI-92 than identifiers are.
    `limited_metadata_allowed`: ITI-65 may bring less than ITI-41 requires, flagged as limited.
    `patients_by_fhir`: Patient resources that are fed make patients known [ITI-104].
    `updates_keep_octets`: an update [ITI-57] may leave out hash, size and repositoryUniqueId, which stay as they were.
    `other_patient_error`: the code for a request about another patient than its assertion.
    `statuses` are those that an update may give to an object.
    `derived_content_type`: contentTypeCode of SubmissionSets that are derived [ITI-105, 106]; else the classCode.
    `signature_signs_submission_set`: a signature entry `signs` the SubmissionSet itself, as in a DMP lot.
    """

    name: str
    assigning_authorities: frozenset[str] = frozenset()
    authority_names: Mapping[str, str] = field(default_factory=dict)
    default_authority: str = ""
    identifier_problem: Callable[[str], str] = lambda _: ""
    identifier_types_allowed: bool = False
    unique_id_is_oid: bool = False
    signature_signs_submission_set: bool = False
    limited_metadata_allowed: bool = False
    patients_by_fhir: bool = False
    derived_content_type: Code | None = None
    propagated_memberships_are_members: bool = True
    home_community_id: str = ""
    restricted_update_is_strict: bool = False
    updates_keep_octets: bool = False
    other_patient_error: ErrorCode = ErrorCode.REGISTRY
    statuses: frozenset[str] = frozenset({AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED})
    code_tables: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    mime_types: frozenset[str] = frozenset()

    def is_assigned_by(self, authority: str) -> bool:
        """Whether identifiers of this assigning authority (an OID) are patient identifiers of the domain."""
        return not self.assigning_authorities or authority in self.assigning_authorities

    def patient_id_problem(self, patient_id: CX) -> str:
        """Why this is no patient identifier of the domain; empty when it is one."""
        if not self.identifier_types_allowed and not patient_id.is_plain:
            return "expected id^^^&OID&ISO and no other component"
        if not self.is_assigned_by(patient_id.authority):
            return f"expected an assigning authority of the domain: {', '.join(sorted(self.assigning_authorities))}"
        return ""

    def new_patient_problem(self, patient_id: CX) -> str:
        """Why no patient can become known by this identifier; empty when one can."""
        return self.patient_id_problem(patient_id) or self.identifier_problem(patient_id.id)
