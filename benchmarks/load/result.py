"""What came of a load, as it is kept: rates, times, outcomes, processor time, and whether the goal was held."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.load.counted import Counted, Outcome
from benchmarks.load.histogram import Histogram
from benchmarks.load.machine_use import ProcessorUse
from benchmarks.load.profiles import FEED, OVERLOAD

if TYPE_CHECKING:
    from benchmarks.load.measurement import Measurement

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
REFUSAL_MS, RECOVERY_SECONDS = 50.0, 30
_KEPT_UP = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`documents`: how many more the index has than before; `octets`: what the disk has more; `memory` in octets."""

    plan: "Measurement"
    counted: Counted
    use: ProcessorUse
    memory: int
    read_back: int
    problems: dict[str, int]
    documents: int
    octets: int
    made: str
    version: str
    server_workers: int
    paces: tuple[float, float]
    load_before: float
    load_after: float

    @property
    def acknowledged(self) -> int:
        return len(self.counted.acknowledged)

    def misses(self) -> Iterator[str]:
        """What was not as it must be, each in words; nothing when the goal was held."""
        accepted, failed = self.counted.over(Outcome.ACCEPTED), self.counted.over(Outcome.FAILED)
        if failed.total:
            yield f"{failed.total} requests failed"
        yield from self._easier()
        if FEED in self.plan.profile.mix:
            yield from self._lost()
        if self.is_overload:
            yield from self._overloaded()
            return
        if refused := self.counted.over(Outcome.REFUSED).total:
            yield f"{refused} requests refused, goal none"
        intended = self.plan.arrivals_a_second * sum(step.share * step.factor for step in self.plan.profile.steps)
        if self.kept_up < _KEPT_UP * intended:
            yield f"{self.kept_up:.1f} a second accepted in time of {intended:.1f} intended"
        p99, bound = accepted.quantile(0.99) * 1000, self.plan.goal.p99
        if bound and p99 > bound:
            yield f"p99 {p99:.0f} ms, goal {bound:.0f} ms"

    @property
    def kept_up(self) -> float:
        """Accepted a second while arrivals came: what was answered after the last of them is no part of it."""
        in_time = self.counted.ended_until(Outcome.ACCEPTED, self.plan.warm_up + self.plan.seconds)
        return (in_time + self.counted.late[Outcome.ACCEPTED]) / self.plan.seconds

    def _easier(self) -> Iterator[str]:
        """What was asked for is less than the goal."""
        plan, goal = self.plan, self.plan.goal
        for name, asked, wanted in (
            ("arrivals a second", plan.arrivals_a_second, goal.rate),
            ("seconds", plan.seconds, goal.seconds),
            ("entries", plan.sizes.entries, goal.entries),
        ):
            if asked < wanted:
                yield f"asked for {asked:g} {name}, goal {wanted:g}"

    @property
    def is_overload(self) -> bool:
        return any(step.name == OVERLOAD for step in self.plan.profile.steps)

    def _lost(self) -> Iterator[str]:
        if self.problems:
            yield f"read back: {self.problems}"
        if self.documents < self.acknowledged:
            yield f"{self.acknowledged} documents acknowledged, {self.documents} in the index"

    def _overloaded(self) -> Iterator[str]:
        accepted = self.counted.over(Outcome.ACCEPTED, step=OVERLOAD).quantile(0.99) * 1000
        if accepted > self.plan.goal.p99:
            yield f"p99 of what was accepted in overload {accepted:.0f} ms, goal {self.plan.goal.p99:.0f} ms"
        refused = self.counted.over(Outcome.REFUSED).quantile(0.99) * 1000
        if refused > REFUSAL_MS:
            yield f"p99 of refusals {refused:.0f} ms, goal {REFUSAL_MS:.0f} ms"
        if self.recovery > RECOVERY_SECONDS:
            yield f"recovery {self.recovery} s, goal {RECOVERY_SECONDS} s"

    @property
    def recovery(self) -> int:
        """Seconds after the overload until no request took longer than the goal any more, or was refused."""
        ends = next(end for step, _, end in self.plan.profile.bounds(self.plan.seconds) if step.name == OVERLOAD)
        ends += self.plan.warm_up
        late = [
            second
            for second, outcomes in self.counted.seconds.items()
            if second >= ends
            and (Outcome.REFUSED in outcomes or outcomes.get(Outcome.ACCEPTED, (0, 0))[1] * 1000 > self.plan.goal.p99)
        ]
        return round(max(late) + 1 - ends) if late else 0

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        plan = self.plan
        accepted, refused = (self.counted.ended(one) for one in (Outcome.ACCEPTED, Outcome.REFUSED))
        return {
            "made": self.made,
            "commit": machine.commit(),
            "machine": machine.machine(),
            "versions": machine.versions(),
            "profile": plan.profile.name,
            "meaning": plan.profile.meaning,
            "database": {"name": plan.database, "version": self.version},
            "circumstances": {
                "entries": plan.sizes.entries,
                "rate": plan.arrivals_a_second,
                "seconds": plan.seconds,
                "warm_up": plan.warm_up,
                "seed": plan.seed,
                "connections": plan.connections or plan.profile.connections,
                "generators": plan.generators,
                "workers": self.server_workers,
                "messages_an_assertion": plan.reuse,
                "settings": dict(plan.settings),
                "paces_ms": list(self.paces),
                "load_before": self.load_before,
                "load_after": self.load_after,
            },
            "goal": {"rate": plan.goal.rate, "p99": plan.goal.p99, "misses": list(self.misses())},
            "rows": list(self._rows()),
            "processor_ms": {
                "server": _each(self.use.server, accepted),
                "database": _each(self.use.database, accepted) if self.use.database else None,
                "accepted": accepted,
                "refused": refused,
                "generator": _each(self.counted.processor_seconds, self.counted.sent or 1),
                "others_share_of_machine": self._others(),
            },
            "memory_MB": round(self.memory / 1e6),
            "recovery_seconds": self.recovery if self.is_overload else None,
            "accepted_in_time_per_second": round(self.kept_up, 1),
            "acknowledged": self.acknowledged,
            "in_the_index": self.documents,
            "read_back": self.read_back,
            "disk_kB_a_document": round(self.octets / self.documents / 1000) if self.documents > 0 else None,
            "longest_queue_of_the_client": self.counted.longest_queue,
            "counted": self.counted.plain(),
        }

    def _others(self) -> float:
        """Of all processor time that the machine spent, the share of programs that are no part of this."""
        ours = self.use.server + self.use.database + self.counted.processor_seconds
        return round(max(0.0, 1 - ours / self.use.machine), 3) if self.use.machine > 0 else 0.0

    def _rows(self) -> Iterator[dict[str, Any]]:
        steps = [step.name for step in self.plan.profile.steps] if self.is_overload else [None]
        for step in steps:
            for key in self.counted.transactions():
                for outcome in Outcome:
                    times = self.counted.over(outcome, key=key, step=step)
                    if times.total or outcome is Outcome.ACCEPTED:
                        yield {"step": step or "", "transaction": key, "outcome": outcome, **self._row(times, step)}

    def _row(self, times: Histogram, step: str | None) -> dict[str, Any]:
        lasts = self.plan.seconds
        if step is not None:
            lasts = sum(one.share for one in self.plan.profile.steps if one.name == step) * self.plan.seconds
        quantiles = {name: round(times.quantile(share) * 1000, 1) for name, share in SHARES.items()}
        return {
            "requests": times.total,
            "per_second": round(times.total / lasts, 1),
            **quantiles,
            "max": round(times.largest * 1000, 1),
        }


def _each(seconds: float, requests: int) -> float:
    return round(seconds * 1000 / (requests or 1), 2)
