"""What the machine did meanwhile: processor time of the server, the database and everything else; memory."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import process_times

_PROC = Path("/proc")
_SAMPLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorUse:
    """Seconds of processor time since some moment; `machine` is that of all processors and all programs."""

    server: float
    database: float
    machine: float

    @classmethod
    def now(cls, server: int, database: int) -> "ProcessorUse":
        """Of the server and the database whose first processes have these ids; 0: there is none."""
        return cls(
            server=process_times.processor_seconds(server),
            database=process_times.processor_seconds(database) if database else 0.0,
            machine=_machine_seconds(),
        )

    def since(self, before: "ProcessorUse") -> "ProcessorUse":
        return ProcessorUse(
            server=self.server - before.server,
            database=self.database - before.database,
            machine=self.machine - before.machine,
        )


def _machine_seconds() -> float:
    """All but idling and waiting for disks."""
    fields = [int(word) for word in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def proportional_memory(root: int) -> int:
    """Octets resident of a process and its descendants; what several share is counted once."""
    return sum(_proportional(process) for process in process_times.with_descendants(root))


def _proportional(process: int) -> int:
    try:
        lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


class MemoryWatch:
    """Looks at the memory of a server every so many seconds, on a thread of its own; `most` is the largest seen."""

    def __init__(
        self, root: int, *, look: Callable[[int], int] = proportional_memory, seconds: float = _SAMPLE_SECONDS
    ) -> None:
        self._root, self._look, self._seconds, self._stop = root, look, seconds, threading.Event()
        self.most = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, self._look(self._root))
            if self._stop.wait(self._seconds):
                return
