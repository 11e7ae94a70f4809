"""Progress of long work: a bar on a terminal, a line at every tenth elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_LINES = 10


class Progress:
    """Tells how far something is; give it the steps done so far."""

    def __init__(self, name: str, whole: int) -> None:
        self._name, self._whole, self._told, self._began = name, whole, 0, time.monotonic()
        self._console = Console(stderr=True, highlight=False)
        self._bar = Bar(
            *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(name, total=whole)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def at(self, done: int) -> None:
        self._bar.update(self._task, completed=done)
        tenth = done * _LINES // self._whole
        if not self._console.is_terminal and tenth > self._told:
            self._told = tenth
            seconds = time.monotonic() - self._began
            self._console.print(f"{self._name}: {done} of {self._whole} ({seconds:.0f} s)")
