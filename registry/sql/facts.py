"""Reading the stored facts that the rules of a submission ask for."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.engine.interfaces import Dialect

from registry.sql import identities
from registry.sql.lists import one_of_pairs_given
from registry.sql.tables import KIND_OF, STATUS_OF, patient, registry_object
from storage.prepared import Prepared, prepare
from storage.unit_of_work import StorageFailed
from xds.datatypes import CX
from xds.metadata import DocumentEntry
from xds.submission_rules import StoredFacts, StoredObject
from xds.vocabulary import ObjectType

_o = registry_object.c
_ATTEMPTS = 5
_COLUMNS = (
    _o.patient_key,
    _o.object_key,
    _o.entry_uuid,
    _o.logical_id,
    _o.unique_id,
    _o.kind,
    _o.status,
    _o.is_current,
    _o.is_on_demand,
    _o.hash,
    _o.size,
    patient.c.identifier,
    patient.c.authority,
)


class _Row(NamedTuple):
    """A row of these columns, as the driver gives it."""

    patient_key: int
    object_key: int
    entry_uuid: str
    logical_id: str
    unique_id: str | None
    kind: int
    status: int
    is_current: bool
    is_on_demand: bool
    hash: str | None
    size: int | None
    identifier: str
    authority: str


def stored_facts(
    connection: Connection, *, patient_is_known: bool, entry_uuids: Collection[str], unique_ids: Collection[str]
) -> StoredFacts:
    """What the registry holds under these entryUUIDs and uniqueIds. Call it under the lock of the patient."""
    keys, rows = _keys_and_rows(connection, {*entry_uuids, *unique_ids})
    stored = {key: _stored(row) for key, row in rows.items()}
    return StoredFacts(
        patient_is_known=patient_is_known,
        objects={uuid: stored[keys[uuid][0]] for uuid in entry_uuids if uuid in keys},
        by_unique_id={uid: tuple(stored[key] for key in keys[uid]) for uid in unique_ids if uid in keys},
    )


def _keys_and_rows(
    connection: Connection, values: Collection[str]
) -> tuple[dict[str, list[tuple[int, int]]], dict[tuple[int, int], _Row]]:
    """Where the values are kept and what is kept there.

    Objects of a patient that is not locked may move between the two questions, by a merge: then both are asked again.
    """
    for _ in range(_ATTEMPTS):
        keys = identities.object_keys_of(connection, values)
        wanted = {key for found in keys.values() for key in found}
        rows = _rows(connection, wanted)
        if len(rows) == len(wanted):
            return keys, rows
    raise StorageFailed("an identity names an object that the registry does not hold")


def _rows(connection: Connection, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], _Row]:
    wanted = sorted(keys)
    if not wanted:
        return {}
    rows = map(_Row._make, _prepared(connection.dialect).rows(connection, keys=wanted))
    return {(row.patient_key, row.object_key): row for row in rows}


@lru_cache(maxsize=16)
def _prepared(dialect: Dialect) -> Prepared:
    statement = select(*_COLUMNS).join(patient, patient.c.patient_key == _o.patient_key)
    return prepare(statement.where(one_of_pairs_given(_o.patient_key, _o.object_key, "keys")), dialect)


def _stored(row: _Row) -> StoredObject:
    kind = KIND_OF[row.kind]
    document_type = ObjectType.ON_DEMAND if row.is_on_demand else ObjectType.STABLE
    return StoredObject(
        entry_uuid=row.entry_uuid,
        logical_id=row.logical_id,
        kind=kind,
        status=STATUS_OF[row.status],
        is_current=bool(row.is_current),
        patient=CX.of(id=row.identifier, authority=row.authority).key,
        object_type=document_type if kind is DocumentEntry else None,
        hash=row.hash,
        size=row.size,
    )
