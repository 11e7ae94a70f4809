"""Reading whole objects by their identities, for transactions that change what is stored."""

from collections.abc import Collection, Iterable, Iterator
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, literal_column, select

from registry.sql import identities
from registry.sql.lists import one_of, one_of_pairs
from registry.sql.tables import KIND_OF, registry_object
from xds.metadata_json import from_json
from xds.metadata_update_rules import Held

_o = registry_object.c
_COLUMNS = (_o.patient_key, _o.object_key, _o.kind, _o.is_current, _o.attributes)


def by_entry_uuid(connection: Connection, entry_uuids: Collection[str]) -> dict[str, Held]:
    """The stored objects among these entryUUIDs."""
    return {one.thing.entry_uuid: one for one in _at(connection, entry_uuids) if one.thing.entry_uuid in entry_uuids}


def newest(connection: Connection, logical_ids: Collection[str]) -> dict[str, Held]:
    """The newest version of each of these logical objects."""
    return {
        one.thing.logical_id or one.thing.entry_uuid: one for one in versions(connection, logical_ids) if one.is_current
    }


def versions(connection: Connection, logical_ids: Collection[str]) -> list[Held]:
    """Every version of these logical objects, whichever patient it belongs to, oldest registration first.

    The first version has the logicalID for its entryUUID; the few later ones have an index.
    """
    patients = identities.patient_keys_of(connection, sorted(logical_ids))
    if not patients:
        return []
    later = select(*_COLUMNS).where(
        one_of(_o.patient_key, patients),
        _o.version > literal_column("1"),  # as the partial index has it
        one_of(_o.logical_id, sorted(logical_ids)),
    )
    first = [one for one in _at(connection, logical_ids) if one.thing.logical_id in logical_ids]
    return _in_order([*first, *_held(connection, later)])


def touching(connection: Connection, entry_uuids: Collection[str]) -> list[Held]:
    """The associations with an end among these entryUUIDs, oldest first: each end has an index of its own."""
    patients = identities.patient_keys_of(connection, sorted(entry_uuids))
    if not patients:
        return []
    of_patients = select(*_COLUMNS).where(one_of(_o.patient_key, patients))
    ends = (of_patients.where(one_of(end, sorted(entry_uuids))) for end in (_o.source, _o.target))
    return _in_order(one for statement in ends for one in _held(connection, statement))


def _in_order(found: Iterable[Held]) -> list[Held]:
    """Each object once, oldest registration first."""
    by_key = {one.key: one for one in found}
    return [by_key[key] for key in sorted(by_key, key=itemgetter(1))]


def _at(connection: Connection, values: Collection[str]) -> Iterator[Held]:
    """The objects that have one of these entryUUIDs or uniqueIds."""
    found = identities.object_keys_of(connection, values)
    yield from by_key(connection, [key for pairs in found.values() for key in pairs])


def by_key(connection: Connection, keys: Collection[tuple[int, int]]) -> Iterable[Held]:
    """The objects at these keys: (patient, object)."""
    return _held(connection, select(*_COLUMNS).where(one_of_pairs(_o.patient_key, _o.object_key, sorted(keys))))


def _held(connection: Connection, statement: Select[Any]) -> Iterable[Held]:
    for row in connection.execute(statement):
        thing = from_json(KIND_OF[row.kind], row.attributes)
        yield Held(thing=thing, is_current=row.is_current, key=(row.patient_key, row.object_key))
