"""Walking through all DocumentEntries, for checks that compare them with what the repository holds."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

import orjson
from sqlalchemy import Connection, bindparam, select, tuple_
from sqlalchemy.engine.interfaces import Dialect

from registry.sql import identities, queue
from registry.sql.tables import KINDS, registry_object
from registry.sql.texts import Truth
from storage.deflated import inflated
from storage.prepared import Prepared, prepare
from storage.unit_of_work import Units
from xds.metadata import Association, DocumentEntry

_o = registry_object.c
_PAGE = 500


_STABLE = (
    select(_o.patient_key, _o.object_key, _o.unique_id, _o.hash, _o.size, Truth().label("truth"))
    .where(_o.kind == KINDS[DocumentEntry], _o.is_current, ~_o.is_on_demand, ~_o.is_offline)
    .order_by(_o.patient_key, _o.object_key)
    .limit(_PAGE)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """A current version of a DocumentEntry, as far as it says where its document is and what octets it has."""

    unique_id: str
    repository_unique_id: str
    hash: str | None
    size: int | None


Position = tuple[int, int]
START: Position = (-1, -1)


def named(connection: Connection, unique_ids: Collection[str]) -> set[str]:
    """Those of the uniqueIds that the registry knows: of its objects, or of submissions that wait for their patient."""
    return {*identities.object_keys_of(connection, unique_ids), *queue.waiting_documents(connection, unique_ids)}


def stable_entries(units: Units) -> Iterator[list[StoredEntry]]:
    """Every stable entry whose document is online, page by page; a page is one committed state."""
    after: Position | None = START
    while after is not None:
        entries, after = page_of_entries(units, after)
        yield entries


def page_of_entries(units: Units, after: Position) -> tuple[list[StoredEntry], Position | None]:
    """The next stable entries whose documents are online, and where to go on; None after the last."""
    with units.read() as connection:
        rows = connection.execute(_STABLE.where(tuple_(_o.patient_key, _o.object_key) > after)).all()
    if not rows:
        return [], None
    entries = [
        StoredEntry(
            unique_id=row.unique_id or "",
            repository_unique_id=orjson.loads(inflated(row.truth)).get("repositoryUniqueId", ""),
            hash=row.hash,
            size=row.size,
        )
        for row in rows
    ]
    return entries, (rows[-1].patient_key, rows[-1].object_key)


def repository_of(connection: Connection, patient_key: int, object_key: int) -> str:
    """repositoryUniqueId of one DocumentEntry, empty when it names none."""
    prepared = _truth_of_one(connection.dialect)
    ((truth,),) = prepared.rows(connection, patient_key=patient_key, object_key=object_key)
    return str(orjson.loads(inflated(truth)).get("repositoryUniqueId", ""))


@lru_cache(maxsize=16)
def _truth_of_one(dialect: Dialect) -> Prepared:
    patient, key = (bindparam(one.name, 0, type_=one.type) for one in (_o.patient_key, _o.object_key))
    return prepare(select(Truth()).where(_o.patient_key == patient, _o.object_key == key), dialect)


def rendered_objects(units: Units) -> Iterator[list[str]]:
    """entryUUIDs of everything that has a FHIR rendering, page by page."""
    statement = (
        select(_o.patient_key, _o.object_key, _o.entry_uuid)
        .where(_o.kind != KINDS[Association])
        .order_by(_o.patient_key, _o.object_key)
        .limit(_PAGE)
    )
    after: Position | None = START
    while after is not None:
        with units.read() as connection:
            rows = connection.execute(statement.where(tuple_(_o.patient_key, _o.object_key) > after)).all()
        if rows:
            yield [row.entry_uuid for row in rows]
        after = (rows[-1].patient_key, rows[-1].object_key) if rows else None
