"""An assertion that names a patient opens that patient's record alone. ITI TF-2: 3.40.4.1.2.2.1; DMP 6.5."""

from collections.abc import Iterable, Iterator

from access_policy.caller import Caller
from access_policy.visibility import claimed
from xds.datatypes import CX
from xds.errors import ErrorCode, RegistryError

OTHER_PATIENT = RegistryError(
    code=ErrorCode.REGISTRY, context="the assertion of the request is not about the patient of the request"
)


def claim_rules(caller: Caller, patients: Iterable[CX | None]) -> Iterator[RegistryError]:
    """The patients of a change are those the caller's assertion is about; one text whichever of them is not."""
    seen = claimed(caller)
    is_proved = caller.credentials is not None
    if is_proved and not all(one is None or seen.admits(one.key) for one in patients):
        yield OTHER_PATIENT
