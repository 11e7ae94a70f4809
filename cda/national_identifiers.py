"""Keys and shapes of French identifiers: INS, RPPS and the other national ones. RNIV, CI-SIS Annexe sources."""

import re

INS_ROOTS = frozenset({"1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9", "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"})
PROFESSIONAL_ROOT = "1.2.250.1.71.4.2.1"
STRUCTURE_ROOT = "1.2.250.1.71.4.2.2"

_INS = re.compile(r"\d{5}(\d\d|2[AB])\d{8}")
_CORSICA = {"2A": "19", "2B": "18"}
_RPPS = re.compile(r"8\d{11}")
_NATIONAL = re.compile(r"(8\d{11}|0\d{9}|[0-9].{1,40})")


def is_ins(value: str) -> bool:
    """13 characters and a key of two digits; Corsica has 2A or 2B for the department."""
    return _INS.fullmatch(value) is not None


def ins_key_is_right(value: str) -> bool:
    """Whether the last two digits are 97 minus the number modulo 97. The value must be an INS by shape."""
    number = value[:5] + _CORSICA.get(value[5:7], value[5:7]) + value[7:13]
    return 97 - int(number) % 97 == int(value[13:])


def is_professional(value: str) -> bool:
    """A prefix digit and the number it announces: 8 and an RPPS of 11 digits, 0 and an ADELI of 9, others longer."""
    if value.startswith("8"):
        return _RPPS.fullmatch(value) is not None
    return _NATIONAL.fullmatch(value) is not None


def rpps_key_is_right(value: str) -> bool:
    """Luhn over the 11 digits after the prefix 8; of any other identifier nothing is known."""
    return _RPPS.fullmatch(value) is None or luhn(value[1:])


def luhn(digits: str) -> bool:
    """The Luhn check of ISO/IEC 7812-1 over digits that include their key."""
    doubled = (int(digit) * (2 if at % 2 else 1) for at, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0
