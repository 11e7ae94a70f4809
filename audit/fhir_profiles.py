"""The profile that an AuditEvent keeps to and names: MHD's for its transactions, else the pattern of BALP.

All of them are of successes; what was refused, or had no patient, names a wider pattern or none.
MHD 2:3.65.5 to 3.106.5; BALP 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from audit.record import Outcome, Record

_MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD."
_BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
_SYSTEM_OBJECT = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    """Profile with the patient, and without; empty for none."""

    of_patient: str
    of_nobody: str = ""


_PATTERNS: Mapping[str, _Pattern] = {
    "ITI-65": _Pattern(of_patient=f"{_MHD}ProvideBundle.Audit.Recipient"),
    "ITI-66": _Pattern(of_patient=f"{_MHD}FindDocumentLists.Audit.Responder", of_nobody=f"{_BALP}Query"),
    "ITI-67": _Pattern(of_patient=f"{_MHD}FindDocumentReferences.Audit.Responder", of_nobody=f"{_BALP}Query"),
    "ITI-68": _Pattern(of_patient=f"{_MHD}RetrieveDocument.Audit.Responder", of_nobody=f"{_BALP}Read"),
    "ITI-105": _Pattern(of_patient=f"{_MHD}SimplifiedPublish.Audit.Recipient"),
    "ITI-106": _Pattern(of_patient=f"{_MHD}GenerateMetadata.Audit.Recipient"),
    "read": _Pattern(of_patient=f"{_BALP}PatientRead", of_nobody=f"{_BALP}Read"),
}


def profile_of(record: Record, event: str) -> str:
    """Its canonical URL, empty for none: each pattern wants one object, and the network of both ends."""
    pattern = _PATTERNS.get(event)
    objects = [one for one in record.objects if one.type == _SYSTEM_OBJECT]
    ends = [one for one in record.participants if not one.user_name]
    if pattern is None or record.outcome is not Outcome.SUCCESS or len(objects) != 1:
        return ""
    if not all(one.network for one in ends):
        return ""
    return pattern.of_patient if record.patient else pattern.of_nobody
