"""What a run carries from step to step: patients, allocated ids, logs, what was sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.failures import KitError
from conformance.nist.codes import CodeTable
from conformance.nist.fidelity import Submitted
from conformance.nist.identifiers import Allocator
from conformance.nist.log_tree import Logs
from conformance.sentence import Sentence

PATIENT_NAMES = ("register", "registerAlt", "sq", "mpq1", "mpq2")


@dataclass(slots=True, kw_only=True)
class Session:
    """`patients` are the five ids of the run; `patient_id` the one written into submissions at the moment.

    `documents`: uniqueId → octets submitted. `submitted`: UUID or uniqueId → object as sent and acknowledged.
    """

    allocator: Allocator
    patients: Mapping[str, str]
    source_id: str
    codes: CodeTable
    home_community_id: str = ""
    logs: Logs = field(default_factory=Logs)
    patient_id: str = ""
    external: dict[str, str] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    submitted: dict[str, Submitted | None] = field(default_factory=dict)


def allocate_patients(allocator: Allocator, given: Mapping[str, str]) -> dict[str, str]:
    """The five patient ids of a run: those given by name, the others new. Raises KitError."""
    known = ", ".join(PATIENT_NAMES)
    for name in given:
        if name not in PATIENT_NAMES:
            raise KitError(
                Sentence(
                    f"il n'y a pas de patient {name} ; les patients d'un essai sont {known}",
                    f"there is no patient {name}; the patients of a run are {known}",
                )
            )
    return {name: given.get(name) or allocator.patient_id() for name in PATIENT_NAMES}
