"""Reading whole objects by their identities, for transactions that change what is stored."""

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, select
from sqlalchemy.engine.interfaces import Dialect

from registry.sql import identities
from registry.sql.lists import one_of_given, one_of_pairs_given
from registry.sql.tables import KIND_OF, registry_object
from registry.sql.texts import Truth
from storage.deflated import inflated
from storage.prepared import Prepared, prepare
from xds.metadata_json import from_json
from xds.metadata_update_facts import Held

_o = registry_object.c
_COLUMNS = (_o.patient_key, _o.object_key, _o.kind, _o.is_current, Truth())
_CONDITIONS: dict[str, tuple[ColumnElement[bool], ...]] = {
    "key": (one_of_pairs_given(_o.patient_key, _o.object_key, "keys"),),
    "later version": (
        one_of_given(_o.patient_key, "patients"),
        _o.version > literal_column("1"),  # as the partial index has it
        one_of_given(_o.logical_id, "values"),
    ),
    "newest later version": (
        one_of_given(_o.patient_key, "patients"),
        _o.version > literal_column("1"),
        one_of_given(_o.logical_id, "values"),
        _o.is_current,
    ),
    "source": (one_of_given(_o.patient_key, "patients"), one_of_given(_o.source, "values")),
    "target": (one_of_given(_o.patient_key, "patients"), one_of_given(_o.target, "values")),
}


def by_entry_uuid(connection: Connection, entry_uuids: Collection[str]) -> dict[str, Held]:
    """The stored objects among these entryUUIDs."""
    return {one.thing.entry_uuid: one for one in _at(connection, entry_uuids) if one.thing.entry_uuid in entry_uuids}


def newest(connection: Connection, logical_ids: Collection[str]) -> dict[str, Held]:
    """The newest version of each of these logical objects."""
    found = _versions(connection, logical_ids, "newest later version")
    return {one.thing.logical_id or one.thing.entry_uuid: one for one in found if one.is_current}


def versions(connection: Connection, logical_ids: Collection[str]) -> list[Held]:
    """Every version of these logical objects, whichever patient it belongs to, oldest registration first."""
    return _versions(connection, logical_ids, "later version")


def _versions(connection: Connection, logical_ids: Collection[str], later_ones: str) -> list[Held]:
    """The first version has the logicalID for its entryUUID; the few later ones have an index."""
    patients = identities.patient_keys_of(connection, sorted(logical_ids))
    if not patients:
        return []
    later = _held(connection, later_ones, patients=patients, values=sorted(logical_ids))
    first = [one for one in _at(connection, logical_ids) if one.thing.logical_id in logical_ids]
    return _in_order([*first, *later])


def touching(connection: Connection, entry_uuids: Collection[str]) -> list[Held]:
    """The associations with an end among these entryUUIDs, oldest first: each end has an index of its own."""
    patients = identities.patient_keys_of(connection, sorted(entry_uuids))
    if not patients:
        return []
    values = sorted(entry_uuids)
    return _in_order(
        one for end in ("source", "target") for one in _held(connection, end, patients=patients, values=values)
    )


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
    return _held(connection, "key", keys=sorted(keys)) if keys else ()


def _held(connection: Connection, name: str, **values: Any) -> Iterable[Held]:
    rows = _prepared(connection.dialect, name).rows(connection, **values)
    for patient_key, object_key, kind, is_current, truth in rows:
        thing = from_json(KIND_OF[kind], inflated(truth))
        yield Held(thing=thing, is_current=bool(is_current), key=(patient_key, object_key))


@lru_cache(maxsize=64)
def _prepared(dialect: Dialect, name: str) -> Prepared:
    return prepare(select(*_COLUMNS).where(*_CONDITIONS[name]), dialect)
