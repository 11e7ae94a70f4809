"""What a measurement found: rounds, ratios, and the shape in which they are kept and shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.closed_loop import Sample
from benchmarks.floors import Floor

OPEN, EVERYTHING_ON = "open", "everything on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the closed loop against one server, and the processor time it took there."""

    sample: Sample
    server_seconds: float | None = None
    database_seconds: float | None = None

    def server_ms(self) -> float | None:
        """Milliseconds of the server's processor time per request; None where the system does not tell."""
        return None if self.server_seconds is None else self.server_seconds * 1000 / self.sample.requests

    def database_ms(self) -> float | None:
        return None if self.database_seconds is None else self.database_seconds * 1000 / self.sample.requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Carnet and what stands beside it, one directly after the other."""

    carnet: Run
    floor: Run
    other: Run | None = None

    @property
    def ratio(self) -> float:
        return self.carnet.sample.per_second / self.floor.sample.per_second

    @property
    def other_ratio(self) -> float | None:
        return None if self.other is None else self.carnet.sample.per_second / self.other.sample.per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One transaction on one database. `memory` of the server and `disk` for each new document in octets.

    `other` stands beside it besides the `floor`: the bare database work where that is canned bytes, and the reverse.
    """

    key: str
    title: str
    floor: Floor
    target: float | None
    answer_length: int
    rounds: tuple[Round, ...]
    profile: str = ""
    memory: int | None = None
    disk: int | None = None
    other: Floor | None = None

    @property
    def ratios(self) -> list[float]:
        return sorted(one.ratio for one in self.rounds)

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def is_missed(self) -> bool:
        return self.target is not None and self.ratio < self.target

    def plain(self) -> dict[str, Any]:
        """For JSON: medians over the rounds, and every ratio."""
        carnet, floor = [one.carnet for one in self.rounds], [one.floor for one in self.rounds]
        return {
            "title": self.title,
            "beside": self.floor.value,
            "answer_octets": self.answer_length,
            "ratio": round(self.ratio, 3),
            "ratios": [round(ratio, 3) for ratio in self.ratios],
            "target": self.target,
            "missed": self.is_missed,
            "carnet": medians(carnet),
            "floor": medians(floor),
            "memory_MB": None if self.memory is None else round(self.memory / 1e6),
            "disk_kB_a_document": None if self.disk is None else round(self.disk / 1e3, 1),
            "other": self._other(),
            "profile": self.profile,
        }

    def _other(self) -> dict[str, Any] | None:
        runs = [one.other for one in self.rounds if one.other is not None]
        ratios = sorted(ratio for one in self.rounds if (ratio := one.other_ratio) is not None)
        if self.other is None or not ratios:
            return None
        return {
            "beside": self.other.value,
            "ratio": round(median(ratios), 3),
            "ratios": [round(ratio, 3) for ratio in ratios],
            "figures": medians(runs),
        }


def medians(runs: Sequence[Run]) -> dict[str, float | int | None]:
    return {
        "requests": sum(run.sample.requests for run in runs),
        "per_second": round(median(run.sample.per_second for run in runs), 1),
        "p50_ms": round(median(run.sample.p50 for run in runs), 2),
        "p95_ms": round(median(run.sample.p95 for run in runs), 2),
        "p99_ms": round(median(run.sample.p99 for run in runs), 2),
        "server_cpu_ms": _median_of(run.server_ms() for run in runs),
        "database_cpu_ms": _median_of(run.database_ms() for run in runs),
    }


def _median_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 3) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOutcome:
    """Everything measured on one database."""

    name: str
    version: str
    measured: tuple[Measured, ...]

    def plain(self) -> dict[str, Any]:
        return {"version": self.version, "transactions": {one.key: one.plain() for one in self.measured}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One whole measurement: circumstances and figures."""

    made: str
    commit: str
    circumstances: Mapping[str, Any]
    machine: Mapping[str, str | int]
    versions: Mapping[str, str]
    databases: tuple[DatabaseOutcome, ...] = field(default=())

    def plain(self) -> dict[str, Any]:
        """The shape of the JSON file; the tables are made from it."""
        return {
            "made": self.made,
            "commit": self.commit,
            "circumstances": dict(self.circumstances),
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "databases": {one.name: one.plain() for one in self.databases},
        }
