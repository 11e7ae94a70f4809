"""How many long messages are kept in memory at once: whoever sends one slowly holds all that has come of it.

The root part of a SOAP message is kept whole, and nobody knows who sends it before its end; so is a resource of FHIR,
of whomever. One bound is for both.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from soap.faults import HttpRefusal

LARGE = 256 * 1024  # octets; what most messages have, beside their documents, is far below
OF_A_THREAD = 8  # large messages that come slowly, for each that is worked on
# Told how many octets of a message have come. Raises HttpRefusal.
Grows = Callable[[int], None]


class LargeMessages:
    """Room for so many messages of more than 256 kB, at all doors of a process together. Threads may share it."""

    def __init__(self, most: int = 2 * OF_A_THREAD) -> None:
        self._room = threading.BoundedSemaphore(most)

    @contextmanager
    def one(self) -> Iterator[Grows]:
        """One message, told as it comes; the one more that becomes large is refused (503). Room is free at the end."""
        has_room = False

        def grows(octets: int) -> None:
            nonlocal has_room
            if octets > LARGE and not has_room:
                has_room = self._room.acquire(blocking=False)
                if not has_room:
                    raise HttpRefusal(503, "too many large messages are on their way; send it again")

        try:
            yield grows
        finally:
            if has_room:
                self._room.release()
