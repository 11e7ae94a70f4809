"""Identifiers the runner makes: patient ids, uniqueIds, UUIDs; each unique for ever."""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conformance.nist.vocabulary import UUID_PREFIX


@dataclass(slots=True)
class Allocator:
    """Makes identifiers; those of one run share its start time. `authority` is the OID that assigns patient ids."""

    authority: str
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _patients: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _unique_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def patient_id(self) -> str:
        """A CX, `P<MMDDhhmmss and microseconds>.<n>^^^&<OID>&ISO`; no two runs meet."""
        return f"P{self.started:%m%d%H%M%S%f}.{next(self._patients)}^^^&{self.authority}&ISO"

    def unique_id(self) -> str:
        """An OID below 1.2.42, from the same time."""
        return f"1.2.42.{self.started:%Y%m%d%H%M%S%f}.{next(self._unique_ids)}"


def new_uuid() -> str:
    return f"{UUID_PREFIX}{uuid.uuid4()}"
