"""Break-glass on record as it begins: with the first message of an assertion that claims it. DICOM PS3.15: A.5.3.11"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec

from access_policy.caller import Caller, PurposeOfUse
from audit.occurrence import Occurrence
from carnet.auditing import Auditor

P = ParamSpec("P")
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Emergencies:
    """One for each process: an assertion that is used in two, or twice at the same moment, may be told twice."""

    auditor: Auditor
    _told: set[tuple[str, str]] = field(default_factory=set)

    def told(self, caller_of: Callable[P, Caller]) -> Callable[P, Caller]:
        """The same question; whoever breaks the glass is on record before the answer. Raises StorageFailed too."""

        def caller(*arguments: P.args, **named: P.kwargs) -> Caller:
            found = caller_of(*arguments, **named)
            if found.purpose is PurposeOfUse.BREAK_GLASS:
                self._tell(found)
            return found

        return caller

    def _tell(self, caller: Caller) -> None:
        proof = caller.credentials
        assertion = ("", "") if proof is None else (proof.issuer, proof.assertion_id)
        if assertion in self._told:
            return
        patient = "" if caller.patient_id is None else caller.patient_id.key
        self.auditor.told(Occurrence(event="break-glass", patient=patient), caller)
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told.add(assertion)
