"""What a process counts, as Prometheus reads it: text exposition format 0.0.4, one row of `COUNTERS` for each."""

import os
import threading
from dataclasses import dataclass

from carnet.traffic import Traffic

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A number that only grows while the process lives."""

    name: str
    meaning: str


DAMAGED = Counter(
    name="carnet_damaged_documents_total",
    meaning="Reads that found a stored document damaged or missing; it was not delivered.",
)
LEFT_OVER = Counter(
    name="carnet_left_over_blobs_total", meaning="Blobs without document that could not be deleted and wait for gc."
)
UNSETTLED = Counter(
    name="carnet_unsettled_submissions_total",
    meaning="Submissions that were answered and whose documents are still awaited in the index.",
)
UNTOLD = Counter(
    name="carnet_notification_failures_total",
    meaning="Failures of this program while it told subscribers; the notification is tried again.",
)
COUNTERS = (DAMAGED, LEFT_OVER, UNSETTLED, UNTOLD)


class Counts:
    """The counters of one process; several processes are told apart by the label `process`."""

    def __init__(self) -> None:
        self._counts, self._lock = dict.fromkeys(COUNTERS, 0), threading.Lock()
        self.traffic = Traffic()

    def count(self, counter: Counter) -> int:
        """One more; returns how many there are now."""
        with self._lock:
            self._counts[counter] += 1
            return self._counts[counter]

    def text(self, *, is_ready: bool) -> str:
        """Every counter, and whether the process can serve."""
        label = f'{{process="{os.getpid()}"}}'
        lines = [
            "# HELP carnet_ready Whether the process has all it needs: 1 or 0.",
            "# TYPE carnet_ready gauge",
            f"carnet_ready{label} {int(is_ready)}",
        ]
        for counter, number in self._counts.items():
            lines.append(f"# HELP {counter.name} {counter.meaning}")
            lines.append(f"# TYPE {counter.name} counter")
            lines.append(f"{counter.name}{label} {number}")
        return "\n".join(lines) + "\n" + self.traffic.text()


def documents_text(*, is_reached: bool) -> str:
    """Whether this process reaches the store of documents."""
    return (
        "# HELP carnet_documents_reached Whether the store of documents answers: 1 or 0.\n"
        "# TYPE carnet_documents_reached gauge\n"
        f'carnet_documents_reached{{process="{os.getpid()}"}} {int(is_reached)}\n'
    )
