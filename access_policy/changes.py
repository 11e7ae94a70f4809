"""Which decisions change from one version of the tables to another."""

from collections.abc import Iterator
from dataclasses import dataclass

from access_policy.matrix import Matrix
from access_policy.rights import Rights

ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One cell that says something else. `cell` is its place: type and column, or action, authentication, actor…"""

    table: str
    cell: str
    before: str
    after: str


def matrix_changes(before: Matrix, after: Matrix) -> Iterator[Change]:
    """Types and professions that are new or gone count as cells that opened or closed."""
    for column in dict.fromkeys(one.id for one in (*before.columns, *after.columns)):
        for key in dict.fromkeys(one.key for one in (*before.types, *after.types)):
            old, new = _cell(before, column, key), _cell(after, column, key)
            if old != new:
                yield Change(table="matrix", cell=f"{column}/{key}", before=old, after=new)


def _cell(matrix: Matrix, column: str, key: str) -> str:
    if column not in matrix.readable or key not in {one.key for one in matrix.types}:
        return ABSENT
    is_read = key in matrix.readable[column] or (key not in matrix.listed and column in matrix.reads_imaging)
    return "read" if is_read else "closed"


def rights_changes(before: Rights, after: Rights) -> Iterator[Change]:
    """A cell that is absent denies."""
    for key in dict.fromkeys((*before.cells, *after.cells)):
        old, new = (str(one.cells.get(key, ABSENT)) for one in (before, after))
        if old != new:
            yield Change(table="rights", cell="/".join(key), before=old, after=new)
