"""The affinity domain: what a community has agreed on, as one value handed to the actors. ITI TF-1: 10.

The code of a transaction never asks which country it is in; it asks this value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.datatypes import CX


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityDomain:
    """`code_tables` maps the name of an attribute to the (code, codingScheme) pairs it may take;
    an attribute without a table is open. `assigning_authorities` empty means any authority.
    `signature_signs_submission_set`: a signature entry `signs` the SubmissionSet itself, as in a DMP lot.
    """

    name: str
    assigning_authorities: frozenset[str] = frozenset()
    identifier_types_allowed: bool = False
    unique_id_is_oid: bool = False
    signature_signs_submission_set: bool = False
    code_tables: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)

    def patient_id_problem(self, patient_id: CX) -> str:
        """Why this is no patient identifier of the domain; empty when it is one."""
        if not self.identifier_types_allowed and not patient_id.is_plain:
            return "expected id^^^&OID&ISO and no other component"
        if self.assigning_authorities and patient_id.authority not in self.assigning_authorities:
            return f"expected an assigning authority of the domain: {', '.join(sorted(self.assigning_authorities))}"
        return ""
