"""What codes of some code systems look like: SNOMED CT, LOINC (with check digits), the CI-SIS terminology.

SNOMED CT Release File Specification 5.2 (SCTID), LOINC Users' Guide (LOINC number).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import cycle

from cda.national_identifiers import luhn

SNOMED_CT = "2.16.840.1.113883.6.96"
LOINC = "2.16.840.1.113883.6.1"
CISIS = "1.2.250.1.213.1.1.4.322"

_SCTID = re.compile(r"[1-9][0-9]{5,17}")
_LOINC_NUMBER = re.compile(r"[0-9]{1,7}-[0-9]")
_LOINC_PART_OR_ANSWER = re.compile(r"L[A-Z]{1,2}[0-9]{1,7}-[0-9]")
_PLACEHOLDER = re.compile(r"[Xx]{2}-.+")
_CISIS_CODE = re.compile(r"[A-Z]{3}[-_][0-9]+(\.[0-9]+)*")
_SHIFT = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


@lru_cache(4096)
def is_sctid(code: str) -> bool:
    """6 to 18 digits, the first not zero, the last the check digit of Verhoeff."""
    return _SCTID.fullmatch(code) is not None and verhoeff(code)


@lru_cache(4096)
def is_loinc(code: str) -> bool:
    """A number, a hyphen and its check digit (Luhn); parts and answers begin with two or three letters.

    Codes that begin with XX- stand for a number that was still to come when a document model was published.
    """
    if _LOINC_NUMBER.fullmatch(code):
        return luhn(code.replace("-", ""))
    return any(shape.fullmatch(code) for shape in (_LOINC_PART_OR_ANSWER, _PLACEHOLDER))


def is_cisis(code: str) -> bool:
    """Of TerminologieCISIS: three letters that say the field, a hyphen, a number."""
    return _CISIS_CODE.fullmatch(code) is not None


CODE_SHAPES: Mapping[str, Callable[[str], bool]] = {SNOMED_CT: is_sctid, LOINC: is_loinc, CISIS: is_cisis}


def verhoeff(digits: str) -> bool:
    """The check of Verhoeff over digits that include their key: a product in the dihedral group of order 10."""
    product = 0
    for digit, shift in zip(reversed(digits), cycle(_SHIFTS), strict=False):
        product = _times(product, shift[int(digit)])
    return product == 0


def _times(left: int, right: int) -> int:
    """In the group of a pentagon: 0 to 4 turn it, 5 to 9 turn it over first."""
    turn = left + right if left < 5 else left - right
    return turn % 5 + 5 * ((left < 5) != (right < 5))


def _shifts() -> Iterator[tuple[int, ...]]:
    """The permutation of each position from the last: none, once, twice; after eight it begins again."""
    shift = tuple(range(10))
    for _ in range(8):
        yield shift
        shift = tuple(shift[digit] for digit in _SHIFT)


_SHIFTS = tuple(_shifts())
