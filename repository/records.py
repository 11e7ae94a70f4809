"""Audit records of the repository, which commit with what they tell about."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from access_policy.caller import Caller
from storage.keys import Keys
from storage.outbox import Topic, post
from storage.unit_of_work import UnitOfWork

# Documents of a repository belong to no patient it knows of.
_NO_PATIENT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Leaves records in the outbox; `now` gives the time as DTM of 14 digits, UTC."""

    now: Callable[[], str]
    keys: Keys = field(default_factory=Keys)

    def success(self, unit: UnitOfWork, *, transaction: str, caller: Caller, documents: Collection[str]) -> None:
        """A transaction that was carried out for a caller, and the DocumentUniqueIds it was about."""
        told = {"transaction": transaction, "caller": caller.name, "documents": " ".join(documents)}
        self._post(unit, told, "success")

    def damage(self, unit: UnitOfWork, key: str) -> None:
        """A blob that is missing or has other octets than were stored."""
        self._post(unit, {"transaction": "integrity", "blob": key}, "failure")

    def _post(self, unit: UnitOfWork, told: dict[str, str], outcome: str) -> None:
        record = {**told, "outcome": outcome, "recorded": self.now()}
        post(unit.connection, Topic.AUDIT, record_key=self.keys.new(), patient_key=_NO_PATIENT, record=record)
