"""What a stored query has found so far: each object once, in a stable order, within the limit."""

from collections.abc import Iterable
from dataclasses import dataclass

from registry.claims import OTHER_PATIENT
from registry.criteria import Criteria, Form, Found, Page
from registry.snapshot import Snapshot
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.query_grammar import ReturnType


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLimits:
    """Larger results are refused with XDSTooManyResults. ITI TF-2: 3.18.4.1.3"""

    leaf_class: int = 10_000
    object_ref: int = 100_000

    def of(self, return_type: ReturnType) -> int:
        return self.leaf_class if return_type is ReturnType.LEAF_CLASS else self.object_ref


DEFAULT_LIMITS = ResultLimits()


class Answer:
    """Collects what the steps of a query find in one snapshot."""

    def __init__(self, snapshot: Snapshot, form: Form, limit: int) -> None:
        self._snapshot, self._form, self._limit = snapshot, form, limit
        self._found: dict[tuple[int, int], Found] = {}

    @property
    def found(self) -> tuple[Found, ...]:
        return tuple(self._found.values())

    def add(self, criteria: Criteria) -> tuple[Found, ...]:
        """Find and keep."""
        found = self.look(criteria)
        self.keep(found)
        return found

    def look(self, criteria: Criteria) -> tuple[Found, ...]:
        """Find in the form of the answer, without keeping. Raises Rejected for too many."""
        return self._find(criteria, self._form)

    def steps(self, criteria: Criteria) -> tuple[Found, ...]:
        """Find what the query only goes through: no renderings."""
        return self._find(criteria, Form.REFERENCE)

    def keep(self, found: Iterable[Found]) -> None:
        for one in found:
            self._found.setdefault((one.patient_key, one.object_key), one)
        self._check(len(self._found))

    def _find(self, criteria: Criteria, form: Form) -> tuple[Found, ...]:
        seen = self._snapshot.visibility
        if criteria.patient is not None and seen.patient and not seen.admits(criteria.patient):
            raise Rejected([OTHER_PATIENT])
        found = self._snapshot.find(criteria, Page(size=self._limit + 1), form)
        self._check(len(found))
        return found

    def _check(self, count: int) -> None:
        if count > self._limit:
            limit = self._limit
            context = (
                f"result: found more than {limit} objects, expected at most {limit}; narrow it or ask for ObjectRef"
            )
            raise Rejected([RegistryError(code=ErrorCode.TOO_MANY_RESULTS, context=context)])


def uuids(found: Iterable[Found]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.entry_uuid for one in found))


def sources(found: Iterable[Found]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.source for one in found if one.source is not None))


def targets(found: Iterable[Found]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.target for one in found if one.target is not None))
