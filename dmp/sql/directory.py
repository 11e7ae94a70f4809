"""Rows of the directory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, exists, insert, select

from dmp.sql.tables import directory_professional, directory_software, directory_structure

_p, _s, _w = directory_professional.c, directory_structure.c, directory_software.c
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the directory says of a caller. `situations`: (structure, profession) of the professional."""

    has_professionals: bool
    has_structures: bool
    has_software: bool
    knows_structure: bool
    knows_software: bool
    situations: tuple[tuple[str, str], ...]


def clear(connection: Connection) -> None:
    for table in (directory_professional, directory_structure, directory_software):
        connection.execute(delete(table))


def put_professionals(connection: Connection, rows: Sequence[Row]) -> None:
    names = ("structure", "profession", "name", "speciality", "activity")
    values = {
        (row["id"], row["structure"], row["profession"]): {"professional": row["id"]} | {n: row[n] for n in names}
        for row in rows
    }
    for one in values.values():
        same = (_p.professional == one["professional"], _p.structure == one["structure"])
        connection.execute(delete(directory_professional).where(*same, _p.profession == one["profession"]))
    _insert(connection, directory_professional, list(values.values()))


def put_structures(connection: Connection, rows: Sequence[Row]) -> None:
    values = {
        row["id"]: {"structure": row["id"], "name": row["name"], "kind": row["activity"], "air": row["air"] == "yes"}
        for row in rows
    }
    for one in values:
        connection.execute(delete(directory_structure).where(_s.structure == one))
    _insert(connection, directory_structure, list(values.values()))


def put_software(connection: Connection, rows: Sequence[Row]) -> None:
    values = {row["id"]: {"homologation": row["id"], "name": row["name"], "version": row["version"]} for row in rows}
    for one in values:
        connection.execute(delete(directory_software).where(_w.homologation == one))
    _insert(connection, directory_software, list(values.values()))


def known(connection: Connection, *, professional: str, structure: str, homologation: str) -> Known:
    situations = select(_p.structure, _p.profession).where(_p.professional == professional)
    statement = select(
        exists(select(_p.professional)),
        exists(select(_s.structure)),
        exists(select(_w.homologation)),
        exists(select(_s.structure).where(_s.structure == structure)),
        exists(select(_w.homologation).where(_w.homologation == homologation)),
    )
    row = connection.execute(statement).one()
    return Known(
        has_professionals=row[0],
        has_structures=row[1],
        has_software=row[2],
        knows_structure=row[3],
        knows_software=row[4],
        situations=tuple((one[0], one[1]) for one in connection.execute(situations)),
    )


def professionals_of(connection: Connection, structure: str) -> tuple[str, ...]:
    """PS_IdNat of those whom the directory links to a structure."""
    linked = select(_p.professional).where(_p.structure == structure, _p.structure != "").distinct()
    return tuple(connection.execute(linked.order_by(_p.professional)).scalars())


def activities(connection: Connection, professional: str, structure: str, profession: str) -> tuple[str, ...]:
    """Kinds of activity of a professional in a structure; a situation without structure holds in any."""
    held = select(_p.activity).where(
        _p.professional == professional,
        _p.structure.in_((structure, "")),
        _p.profession == profession,
        _p.activity != "",
    )
    return tuple(connection.execute(held.order_by(_p.activity)).scalars())


def enables_air(connection: Connection, structure: str) -> bool:
    return bool(connection.execute(select(exists().where(_s.structure == structure, _s.air.is_(True)))).scalar_one())


def kinds(connection: Connection) -> dict[str, str]:
    """Struct_IdNat -> kind of every structure."""
    return {row[0]: row[1] for row in connection.execute(select(_s.structure, _s.kind))}


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(insert(table), list(rows))
