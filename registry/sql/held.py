"""Reading whole objects by their identities, for transactions that change what is stored."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from registry.sql import identities
from registry.sql.lists import one_of, one_of_pairs
from registry.sql.tables import KIND_OF, KINDS, registry_object
from xds.metadata import Association
from xds.metadata_json import from_json
from xds.metadata_update_rules import Held

_o = registry_object.c
_COLUMNS = (_o.patient_key, _o.object_key, _o.kind, _o.is_current, _o.attributes)


def by_entry_uuid(connection: Connection, entry_uuids: Collection[str]) -> dict[str, Held]:
    """The stored objects among these entryUUIDs."""
    found = identities.object_keys_of(connection, entry_uuids)
    keys = sorted(key for pairs in found.values() for key in pairs)
    statement = select(*_COLUMNS).where(one_of_pairs(_o.patient_key, _o.object_key, keys))
    return {one.thing.entry_uuid: one for one in _held(connection, statement) if one.thing.entry_uuid in entry_uuids}


def newest(connection: Connection, logical_ids: Collection[str]) -> dict[str, Held]:
    """The newest version of each of these logical objects."""
    return {
        one.thing.logical_id or one.thing.entry_uuid: one for one in versions(connection, logical_ids) if one.is_current
    }


def versions(connection: Connection, logical_ids: Collection[str]) -> list[Held]:
    """Every version of these logical objects, whichever patient it belongs to, oldest registration first."""
    patients = identities.patient_keys_of(connection, sorted(logical_ids))
    if not patients:
        return []
    statement = select(*_COLUMNS).where(one_of(_o.patient_key, patients), one_of(_o.logical_id, sorted(logical_ids)))
    return list(_held(connection, statement.order_by(_o.object_key)))


def touching(connection: Connection, entry_uuids: Collection[str]) -> list[Held]:
    """The associations with an end among these entryUUIDs, oldest first."""
    patients = identities.patient_keys_of(connection, sorted(entry_uuids))
    if not patients:
        return []
    ends = sorted(entry_uuids)
    statement = select(*_COLUMNS).where(
        one_of(_o.patient_key, patients),
        _o.kind == KINDS[Association],
        or_(one_of(_o.source, ends), one_of(_o.target, ends)),
    )
    return list(_held(connection, statement.order_by(_o.object_key)))


def _held(connection: Connection, statement: Select[Any]) -> Iterable[Held]:
    for row in connection.execute(statement):
        thing = from_json(KIND_OF[row.kind], row.attributes)
        yield Held(thing=thing, is_current=row.is_current, key=(row.patient_key, row.object_key))
