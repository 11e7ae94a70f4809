"""What the scopes of a token open: those of IUA by their names, those of SMART App Launch 2 by resource and letter.

A scope that cannot be honoured to the letter, such as one with a search constraint, opens nothing. IUA 3.71; SMART 2.2
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

# `user/DocumentReference.rs`, and `patient/*.read` of version 1.
_SMART = re.compile(r"(patient|user|system)/([A-Z][A-Za-z]*|\*)\.(c?r?u?d?s?|read|write|\*)")
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
_FEEDING = ("DocumentReference.c", "List.c", "Binary.c")


@dataclass(frozen=True, slots=True)
class Need:
    """What opens a transaction: one of these scopes of IUA, or every one of these letters of SMART."""

    iua: tuple[str, ...]
    smart: tuple[str, ...]


# IUA names no scope for ITI-105 and ITI-106: they are Provide Document Bundle in what they do.
NEEDS: Mapping[str, Need] = {
    "ITI-57": Need(("ITI-57",), ("DocumentReference.u",)),
    "ITI-65": Need(("ITI-65",), _FEEDING),
    "ITI-66": Need(("ITI-66",), ("List.r", "List.s")),
    "ITI-67": Need(("ITI-67",), ("DocumentReference.r", "DocumentReference.s")),
    "ITI-68": Need(("ITI-68",), ("Binary.r",)),
    "ITI-81": Need(("ITI-81",), ("AuditEvent.r", "AuditEvent.s")),
    "ITI-111": Need(("ITI-111",), ("Subscription.c", "Subscription.r", "Subscription.d")),
    "ITI-105": Need(("ITI-65",), ("DocumentReference.c", "Binary.c")),
    "ITI-106": Need(("ITI-65",), ("DocumentReference.c", "Binary.c")),
}
IUA_SCOPES = tuple(sorted({name for need in NEEDS.values() for name in need.iua}))


def opens(scopes: Iterable[str], transaction: str, letters: Iterable[str] = (), *, names_patient: bool) -> bool:
    """Whether the scopes open a transaction; `letters`, such as `List.s`, where one interaction of it is asked for.

    `names_patient`: the token names a patient, without whom `patient/` opens nothing.
    """
    need = NEEDS.get(transaction, Need((), ()))
    held = tuple(scopes)
    if any(one in need.iua for one in held):
        return True
    wanted = tuple(letters) or need.smart
    granted = frozenset(_granted(held, names_patient=names_patient))
    return bool(wanted) and all(one in granted or f"*.{one.partition('.')[2]}" in granted for one in wanted)


def _granted(scopes: Iterable[str], *, names_patient: bool) -> Iterator[str]:
    for one in scopes:
        found = _SMART.fullmatch(one)
        if found is None or (found[1] == "patient" and not names_patient):
            continue
        yield from (f"{found[2]}.{letter}" for letter in _VERSION_1.get(found[3], found[3]))
