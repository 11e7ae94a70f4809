"""Objects that one thread at a time may use, such as a schema of libxml2, which keeps the errors of its last document.

As many are made as are used at once, not one for each thread: a server has hundreds of threads that wait, and the
schema of CDA takes 45 ms and 7 MB to make.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class OneAtATime(Generic[T]):
    """Lends what `make` makes; the one given back last is lent first."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._idle = make, deque[T]()

    @contextmanager
    def lent(self) -> Iterator[T]:
        """One that nobody else uses until the end of the block."""
        try:
            one = self._idle.pop()
        except IndexError:
            one = self._make()
        try:
            yield one
        finally:
            self._idle.append(one)
