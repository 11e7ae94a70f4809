"""Keys of rows: 63-bit whole numbers that grow with time, made without asking the database.

A key made by the process lets one submission be written in one statement, loads in bulk, and needs
no sequence that a sharded database would have to share.
"""

import itertools
import secrets
import time

_EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
_LOW_BITS = 22


class Keys:
    """Makes keys: milliseconds since 2020 above, a counter from a random start below."""

    def __init__(self) -> None:
        self._counter = itertools.count(secrets.randbits(_LOW_BITS))

    def new(self) -> int:
        milliseconds = time.time_ns() // 1_000_000 - _EPOCH_MS
        return milliseconds << _LOW_BITS | next(self._counter) & (1 << _LOW_BITS) - 1
