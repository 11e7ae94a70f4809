"""Callers that one process of a server has verified, in memory that all of its processes see.

A client shows one assertion with several messages, and its connections end in whichever process took them. Nothing is
locked: what two processes wrote at once does not fit its digest, and is as if it had never been there.
"""

import mmap
from hashlib import blake2b
from typing import Final

import orjson

from access_policy.caller import Caller
from carnet.caller_json import NoCaller, read_caller, write_caller

# 8 MB at most, and of these only what was written to. A caller of the usual kind takes 1.4 kB.
_PLACES: Final = 4_096
_PLACE_OCTETS: Final = 2_048
_KEY_OCTETS: Final = 32
_DIGEST_OCTETS: Final = 16
_LENGTH_OCTETS: Final = 2
_HEAD_OCTETS: Final = _KEY_OCTETS + _DIGEST_OCTETS + _LENGTH_OCTETS


class SharedCallers:
    """`access_policy.authentication.VerifiedCallers` of all processes; made before they are forked.

    A key has one place, which belongs to whoever was written there last.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _PLACES * _PLACE_OCTETS)

    def get(self, key: bytes) -> Caller | None:
        """Who was verified under this key of 32 octets."""
        at = _place_of(key)
        if self._memory[at : at + _KEY_OCTETS] != key:
            return None
        head = self._memory[at + _KEY_OCTETS : at + _HEAD_OCTETS]
        length = int.from_bytes(head[_DIGEST_OCTETS:])
        found = self._memory[at + _HEAD_OCTETS : at + _HEAD_OCTETS + length]
        if head[:_DIGEST_OCTETS] != _digest(key, found):
            return None
        try:
            return read_caller(orjson.loads(found))
        except (orjson.JSONDecodeError, NoCaller):
            return None

    def keep(self, key: bytes, caller: Caller) -> None:
        """One that takes more room than a place has is verified by each process."""
        written = orjson.dumps(write_caller(caller))
        whole = b"".join((key, _digest(key, written), len(written).to_bytes(_LENGTH_OCTETS), written))
        if len(whole) <= _PLACE_OCTETS:
            at = _place_of(key)
            self._memory[at : at + len(whole)] = whole


def _place_of(key: bytes) -> int:
    return int.from_bytes(key[:4]) % _PLACES * _PLACE_OCTETS


def _digest(key: bytes, written: bytes) -> bytes:
    return blake2b(written, key=key, digest_size=_DIGEST_OCTETS).digest()
