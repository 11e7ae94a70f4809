"""How professionals and structures are identified in France. DMP 8.5; W16: never by digits alone."""

import re
from collections.abc import Mapping

from access_policy.trust import is_structure_id
from dmp.record import HolderKind

# RPPS; ADELI; a number inside of an ADELI or RPPS practice, or of a structure by FINESS, SIREN or SIRET.
_PROFESSIONAL = re.compile(r"8[0-9]{11}|0[0-9A-Z]{9}|[13456][0-9A-Z]{8,14}/\S{1,64}", re.ASCII)
_EXPECTED: Mapping[HolderKind, str] = {
    HolderKind.PROFESSIONAL: "a PS_IdNat: 8 and the RPPS number, 0 and the ADELI number, or 1, 3, 4, 5, 6, "
    "the number of the practice or structure, / and an internal one",
    HolderKind.STRUCTURE: "a Struct_IdNat: 0, 1, 2, 3 or 4 and the ADELI, FINESS, SIREN, SIRET or RPPS number",
}


def is_identifier(kind: HolderKind, text: str) -> bool:
    """Whether this has the form of a PS_IdNat or of a Struct_IdNat."""
    return is_structure_id(text) if kind is HolderKind.STRUCTURE else _PROFESSIONAL.fullmatch(text) is not None


def expected_identifier(kind: HolderKind) -> str:
    """The form that `is_identifier` expects, in words."""
    return _EXPECTED[kind]
