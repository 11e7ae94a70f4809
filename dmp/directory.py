"""The directory: professionals in their situations, structures, software. What it does not know is a finding. DMP 6.5

A file is CSV with a header: `kind,id,name,profession,speciality,activity,structure,version`. `kind` is `professional`
(a line for each situation of one PS_IdNat), `structure` (`activity` is its kind) or `software` (`id` is its
homologation number). A last column `air` may say `yes` of structures that AIR is enabled for.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from access_policy.caller import AuthenticationMode, Caller
from access_policy.caller import Kind as ProofKind
from dmp.facts import professional_of
from dmp.sql import directory
from storage.unit_of_work import UnitOfWork
from xds.failure import Failure

COLUMNS = ("kind", "id", "name", "profession", "speciality", "activity", "structure", "version")
_AIR, _ENABLED = "air", ("yes", "no", "")


class Kind(StrEnum):
    """What a line is about."""

    PROFESSIONAL = "professional"
    STRUCTURE = "structure"
    SOFTWARE = "software"


class DirectoryRefused(Failure, ValueError):
    """A file that is not loaded: every line that is wrong, and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """How many lines of each kind were loaded."""

    professionals: int
    structures: int
    software: int


def load(unit: UnitOfWork, lines: Iterable[str], *, keeps_others: bool = False) -> Loaded:
    """Take a file in place of what is there, or beside it. Raises DirectoryRefused, nothing changed."""
    reader = csv.DictReader(lines)
    if tuple(reader.fieldnames or ()) not in (COLUMNS, (*COLUMNS, _AIR)):
        found = ",".join(reader.fieldnames or ())
        raise DirectoryRefused(f"line 1: found {found or 'nothing'}, expected {','.join(COLUMNS)}[,{_AIR}]")
    rows = [{_AIR: ""} | row for row in reader]
    problems = [f"line {number}: {problem}" for number, row in enumerate(rows, 2) for problem in _problems(row)]
    if problems:
        raise DirectoryRefused("; ".join(problems[:20]))
    by_kind = {kind: [row for row in rows if row["kind"] == kind] for kind in Kind}
    if not keeps_others:
        directory.clear(unit.connection)
    directory.put_professionals(unit.connection, by_kind[Kind.PROFESSIONAL])
    directory.put_structures(unit.connection, by_kind[Kind.STRUCTURE])
    directory.put_software(unit.connection, by_kind[Kind.SOFTWARE])
    return Loaded(
        professionals=len(by_kind[Kind.PROFESSIONAL]),
        structures=len(by_kind[Kind.STRUCTURE]),
        software=len(by_kind[Kind.SOFTWARE]),
    )


def _problems(row: Mapping[str, str | None]) -> Iterator[str]:
    if row["kind"] not in set(Kind):
        yield f"kind: found {row['kind']!r}, expected {', '.join(Kind)}"
    if not row["id"]:
        yield "id: found nothing, expected an identifier"
    if row["kind"] == Kind.PROFESSIONAL and not row["profession"]:
        yield "profession: found nothing, expected a code of the profession"
    if any(value is None for value in row.values()) or None in row:
        yield "found another number of fields than in line 1, expected as many"
    elif row[_AIR] not in (_ENABLED if row["kind"] == Kind.STRUCTURE else ("",)):
        yield f"{_AIR}: found {row[_AIR]!r}, expected yes or no, of structures alone"


def findings(unit: UnitOfWork, caller: Caller) -> Iterator[str]:
    """What the directory does not know of a caller: structure, professional, profession, link, software.

    A directory of which a kind is empty says nothing of that kind. The software of a token is known to its issuer.
    """
    known = directory.known(
        unit.connection,
        professional=professional_of(caller),
        structure=caller.structure,
        homologation=caller.software.homologation,
    )
    if known.has_structures and not known.knows_structure:
        yield f"structure: found {caller.structure or 'none'}, expected one of the directory"
    has_own_number = caller.software.homologation or not _is_by_token(caller)
    if known.has_software and has_own_number and not known.knows_software:
        yield f"homologation: found {caller.software.homologation or 'none'}, expected a number of the directory"
    if known.has_professionals and caller.mode is not AuthenticationMode.INDIRECT:
        yield from _of_professional(caller, known)


def _is_by_token(caller: Caller) -> bool:
    return caller.credentials is not None and caller.credentials.kind is ProofKind.TOKEN


def _of_professional(caller: Caller, known: directory.Known) -> Iterator[str]:
    if not known.situations:
        yield f"professional: found {caller.name}, expected one of the directory"
        return
    profession = "" if caller.profession is None else caller.profession.code
    fitting = [structure for structure, held in known.situations if held == profession]
    if not fitting:
        yield f"profession: found {profession or 'none'}, expected one that the directory gives the professional"
    elif caller.structure and any(fitting) and caller.structure not in fitting:
        yield f"structure: found {caller.structure}, expected one that the directory links to the professional"
