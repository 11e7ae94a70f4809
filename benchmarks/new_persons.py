"""Persons whom no registry knows yet: other ones in every process."""

import time
from functools import cache

from carnet.domains import TEST_INS_AUTHORITY
from xds.datatypes import CX


def new_person(number: int) -> CX:
    """The INS of the one with this number."""
    digits = f"1{(_first() + number) % 10**12:012d}"
    return CX.of(id=f"{digits}{97 - int(digits) % 97:02d}", authority=TEST_INS_AUTHORITY, type_code="NH")


@cache
def _first() -> int:
    """Where the numbers begin in this process."""
    return time.time_ns() // 1000
