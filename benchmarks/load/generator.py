"""A generator of load, a process of its own: makes its messages, waits for the word, sends, and reads back."""

import math
import random
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.load.arrivals import Arrival, Schedule
from benchmarks.load.counted import Counted
from benchmarks.load.messages import Feed, SignedRequests, messages_of
from benchmarks.load.open_loop import OpenLoop, Place
from benchmarks.load.profiles import FEED, RETRIEVE
from benchmarks.load.read_back import ReadBack
from benchmarks.plan import Sizes
from benchmarks.requests import Workload
from benchmarks.shown import Shown

_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one generator does. `ports` are of servers that share the work, connections going round."""

    sizes: Sizes
    schedule: Schedule
    port: int
    shown: Shown
    connections: int
    reuse: int


class _Generator:
    """What runs in the process; `tell` is given progress."""

    def __init__(self, task: Task, pipe: Connection) -> None:
        self._task, self._pipe = task, pipe
        self._workload = Workload(task.sizes)
        self._messages = {key: messages_of(self._workload, key) for key in task.schedule.profile.mix}
        self._requests = SignedRequests(self._messages, signer=task.shown.signer, reuse=task.reuse)
        self._arrivals: Sequence[Arrival] = ()
        self._place = Place(host="127.0.0.1", port=task.port, tls=task.shown.proof().context)

    def prepare(self) -> tuple[int, int]:
        """Draw the arrivals and sign; returns how many arrivals and assertions there are."""
        self._arrivals = self._task.schedule.drawn()
        return len(self._arrivals), self._requests.prepare(self._arrivals)

    def run(self, begin: float) -> Counted:
        """Send everything, from this monotonic time on."""
        schedule = self._task.schedule
        loop = OpenLoop(
            self._place,
            self._requests,
            self._task.connections,
            warm_up=schedule.warm_up,
            step_of=lambda at: schedule.step(at).name,
            on_second=lambda second: self._pipe.send(("second", second)),
        )
        used = _processor_seconds()
        counted = loop.run(self._arrivals, begin=begin)
        counted.processor_seconds = _processor_seconds() - used
        self._acknowledged = tuple(counted.acknowledged)
        return counted

    def run_at_once(self) -> Counted:
        """Send everything as fast as it is answered, every connection busy all the time."""
        due = [replace(one, at=0.0) for one in self._arrivals]
        return OpenLoop(self._place, self._requests, self._task.connections, patience=math.inf).run(due)

    def read_back(self, most: int) -> tuple[int, dict[str, int]]:
        """Retrieve acknowledged documents, all or so many of them at random; how many, and what was wrong."""
        feed = self._messages.get(FEED)
        if not isinstance(feed, Feed):
            return 0, {}
        chosen = self._acknowledged
        if most and len(chosen) > most:
            chosen = tuple(random.Random(self._task.schedule.seed).sample(chosen, most))
        kept = ReadBack(feed, self._workload.repository)
        requests = SignedRequests({RETRIEVE: kept}, signer=self._task.shown.signer, reuse=self._task.reuse)
        arrivals = [Arrival(at=0, key=RETRIEVE, number=number) for number in chosen]
        requests.prepare(arrivals)
        counted = OpenLoop(self._place, requests, 4, patience=math.inf).run(arrivals)
        return len(chosen), dict(counted.problems)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _serve(task: Task, pipe: Connection) -> None:
    generator = _Generator(task, pipe)
    while (asked := pipe.recv()) is not None:
        name, arguments = asked
        try:
            pipe.send(("done", getattr(generator, name)(*arguments)))
        except Exception as problem:  # noqa: BLE001 - told to the process that asked
            pipe.send(("failed", f"{type(problem).__name__}: {problem}"))


class GeneratorFailed(Exception):
    """A generator could not do its work; the text says why."""


class GeneratorProcess:
    """A generator, seen from the process that measures."""

    def __init__(self, task: Task) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(task, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.second = -1

    @property
    def process(self) -> int:
        """Its id."""
        return self._process.pid or 0

    def ask(self, name: str, *arguments: Any) -> None:
        """Begin one of `prepare`, `run`, `read_back`; `answer` waits for its end."""
        self._pipe.send((name, arguments))

    def hears(self, seconds: float) -> bool:
        """Whether something came within these seconds: a second of the run, or the end."""
        return self._pipe.poll(seconds)

    def answer(self) -> Any:
        """What was asked for, or None when it was only a second of the run. Raises GeneratorFailed."""
        try:
            kind, value = self._pipe.recv()
        except EOFError:
            raise GeneratorFailed("a generator of load ended") from None
        if kind == "failed":
            raise GeneratorFailed(value)
        if kind == "second":
            self.second = value
            return None
        return value

    def wait(self) -> Any:
        """What was asked for, whatever comes before it."""
        while (found := self.answer()) is None:
            pass
        return found

    def stop(self) -> None:
        if self._process.is_alive():
            self._pipe.send(None)
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.terminate()


def begin_in(seconds: float) -> float:
    """A moment that all processes of this machine agree on."""
    return time.monotonic() + seconds
