"""Draws that are the same for the same seed, on any machine and version of Python: SHA-256 of a counter.

Predictable on purpose: what is drawn here, keys among it, is for tests only.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """A stream of its own for every name: what is drawn from one never shifts what another gives."""

    def __init__(self, seed: int, *names: object) -> None:
        self._key = "/".join(map(str, (seed, *names))).encode("utf-8")
        self._counter = 0

    def octets(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            found += hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest()
            self._counter += 1
        return found[:count]

    def integer(self, bits: int) -> int:
        """Of this many bits at most."""
        return int.from_bytes(self.octets((bits + 7) // 8), "big") >> (-bits % 8)

    def below(self, limit: int) -> int:
        """0 to limit - 1; the bias of a remainder of 64 bits is of no matter here."""
        return self.integer(64) % limit

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def oid(self) -> str:
        """An OID from a UUID. ITU-T X.667"""
        return f"2.25.{self.integer(122)}"

    def uuid(self) -> str:
        """A UUID of version 4."""
        octets = bytearray(self.octets(16))
        octets[6], octets[8] = octets[6] & 0x0F | 0x40, octets[8] & 0x3F | 0x80
        text = octets.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
