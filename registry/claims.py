"""An assertion that names a patient opens that patient's record alone. ITI TF-2: 3.40.4.1.2.2.1; DMP 6.5."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from access_policy.caller import Caller
from access_policy.visibility import claimed
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX
from xds.errors import ErrorCode, RegistryError

OTHER_PATIENT = RegistryError(
    code=ErrorCode.REGISTRY, context="the assertion of the request is not about the patient of the request"
)


def is_of_other_patient(error: RegistryError) -> bool:
    """By what it says: its code is that of the domain."""
    return error.context == OTHER_PATIENT.context


def as_told_in(domain: AffinityDomain, errors: Iterable[RegistryError]) -> Iterator[RegistryError]:
    """The errors with the code that the domain has for a request about another patient than its assertion."""
    for error in errors:
        yield replace(error, code=domain.other_patient_error) if is_of_other_patient(error) else error


def claim_rules(domain: AffinityDomain, caller: Caller, patients: Iterable[CX | None]) -> Iterator[RegistryError]:
    """The patients of a change are those the caller's assertion is about; one text whichever of them is not."""
    seen = claimed(caller)
    is_proved = caller.credentials is not None
    if is_proved and not all(one is None or seen.admits(one.key) for one in patients):
        yield from as_told_in(domain, [OTHER_PATIENT])
