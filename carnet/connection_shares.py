"""How many connections each server process has, in memory that all of them see.

A connection that is kept alive stays in the process that took it, so one that took more would have more to do for
hours, while another idles.
"""

import mmap
from typing import Final

# More than there are processes at once, whatever number a new one has.
_PLACES: Final = 64


class Share:
    """What one process has beside the others."""

    def __init__(self, counts: memoryview, place: int) -> None:
        self._counts, self._place, self._own, self._takes = counts, place, 0, True
        self.grew(0)

    def grew(self, by: int) -> None:
        """So many connections came, or went. One thread of the process calls this."""
        self._own += by
        self._counts[self._place] = self._own + 1 if self._takes else 0

    def leave(self) -> None:
        """The process takes no more, so that others leave none to it."""
        self._takes = False
        self.grew(0)

    def is_the_largest(self) -> bool:
        """Whether another process takes connections and has fewer."""
        return any(0 < other <= self._own for other in self._counts)


class Shares:
    """Of all processes; made before they are forked. A place holds one more than its process has, 0 is nobody's."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, _PLACES * 4)).cast("I")

    def of(self, number: int) -> Share:
        """The share of a process that begins, by the number that its parent gave it."""
        return Share(self._counts, number % _PLACES)

    def ended(self, number: int) -> None:
        """The process with this number has ended, however that came."""
        self._counts[number % _PLACES] = 0
