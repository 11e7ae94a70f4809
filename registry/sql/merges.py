"""Moving the objects of one patient to another: rows, identities and searchable values. ITI TF-2: 3.8.4.2.

Rows are deleted and inserted, never updated in place: the patient key is what a sharded database
distributes by. A batch is bounded in rows, so that a large record is never in memory at once.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from registry.sql import identities
from registry.sql.identities import IN_REGISTRY, NO_OBJECT
from registry.sql.lists import one_of
from registry.sql.tables import KINDS, identity, object_value, patient, registry_object
from registry.sql.texts import Truth
from storage.deflated import inflated
from xds.metadata import Association

_o = registry_object.c
BATCH = 500


def colliding_keys(connection: Connection, subsumed: int, surviving: int) -> list[int]:
    """Object keys that both patients use; made by two processes in the same millisecond."""
    theirs = registry_object.alias()
    statement = select(_o.object_key).join(
        theirs, and_(theirs.c.object_key == _o.object_key, theirs.c.patient_key == surviving)
    )
    return list(connection.execute(statement.where(_o.patient_key == subsumed)).scalars())


def batches(connection: Connection, patient_key: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of a patient, oldest first, while there are any: a batch is moved before the next is taken."""
    statement = select(registry_object).where(_o.patient_key == patient_key).order_by(_o.object_key).limit(BATCH)
    while rows := [dict(row) for row in connection.execute(statement).mappings()]:
        yield rows


def links_from(connection: Connection, patients: Collection[int], sources: Collection[str]) -> dict[str, list[bytes]]:
    """entryUUID -> attributes JSON of the associations that start there, oldest first."""
    found: dict[str, list[bytes]] = {}
    if not sources:
        return found
    statement = (
        select(_o.source, Truth())
        .where(_o.patient_key.in_(patients), _o.kind == KINDS[Association], one_of(_o.source, sorted(sources)))
        .order_by(_o.object_key)
    )
    for source, truth in connection.execute(statement):
        found.setdefault(source, []).append(inflated(truth))
    return found


def move(connection: Connection, rows: Sequence[Mapping[str, Any]], moved: Sequence[dict[str, Any]]) -> None:
    """Put `moved`, which belong to another patient, in place of the rows of one batch."""
    owner, first, last = rows[0]["patient_key"], rows[0]["object_key"], rows[-1]["object_key"]
    target = moved[0]["patient_key"]
    keys = {old["object_key"]: new["object_key"] for old, new in zip(rows, moved, strict=True)}
    _move_values(connection, owner, target, keys)
    _move_identities(connection, owner, target, keys, _names(rows))
    in_batch = (_o.patient_key == owner, _o.object_key.between(first, last))
    connection.execute(delete(registry_object).where(*in_batch))
    connection.execute(insert(registry_object), list(moved))


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = ("entry_uuid", "logical_id", "unique_id")
    return sorted({row[column] for row in rows for column in columns if row[column] is not None})


def _move_values(connection: Connection, owner: int, target: int, keys: Mapping[int, int]) -> None:
    in_batch = (
        object_value.c.patient_key == owner,
        object_value.c.object_key.between(min(keys), max(keys)),
    )
    values = [dict(row) for row in connection.execute(select(object_value).where(*in_batch)).mappings()]
    if not values:
        return
    connection.execute(delete(object_value).where(*in_batch))
    moved = [value | {"patient_key": target, "object_key": keys[value["object_key"]]} for value in values]
    connection.execute(insert(object_value), moved)


def _move_identities(
    connection: Connection, owner: int, target: int, keys: Mapping[int, int], names: Sequence[str]
) -> None:
    """The names of the batch. A name that both patients have stays with the newest row of the two."""
    i = identity.c
    rows: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    for some in _chunks(names):
        owned = select(identity).where(i.value.in_(some), i.patient_key == owner)
        rows += [dict(row) for row in connection.execute(owned).mappings()]
        theirs = select(i.value, i.object_key).where(i.value.in_(some), i.scope == target)
        taken |= {row.value: row.object_key for row in connection.execute(theirs)}
    rows = [row for row in rows if row["object_key"] in keys or row["object_key"] == NO_OBJECT]
    if not rows:
        return
    one = delete(identity).where(i.value == bindparam("value_"), i.scope == bindparam("scope_"))
    connection.execute(one, [{"value_": row["value"], "scope_": row["scope"]} for row in rows])
    moved = [_renamed(row, owner, target, keys) for row in rows]
    identities.add(
        connection,
        [row for row in moved if row["scope"] == IN_REGISTRY or row["object_key"] > taken.get(row["value"], -1)],
    )


def _renamed(row: Mapping[str, Any], owner: int, target: int, keys: Mapping[int, int]) -> dict[str, Any]:
    return {
        "value": row["value"],
        "scope": target if row["scope"] == owner else row["scope"],
        "patient_key": target,
        "object_key": keys.get(row["object_key"], NO_OBJECT),
    }


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Lists short enough for the planner to look each name up by the primary key."""
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]


def mark_merged(connection: Connection, subsumed: int, surviving: int) -> None:
    """The subsumed identifier is unknown from now on, for good."""
    connection.execute(update(patient).where(patient.c.patient_key == subsumed).values(merged_into=surviving))


def objects_by_kind(connection: Connection, patient_key: int) -> dict[int, int]:
    """How many objects of each kind a patient has, versions included."""
    statement = select(_o.kind, func.count()).where(_o.patient_key == patient_key).group_by(_o.kind)
    return {row[0]: row[1] for row in connection.execute(statement)}
