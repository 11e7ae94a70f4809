"""Identity look-ups: patient identifiers, entryUUIDs and uniqueIds -> keys.

These are the only statements that do not know the patient beforehand.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect

from registry.sql.lists import one_of, one_of_given
from registry.sql.tables import identity, patient
from storage.prepared import Prepared, prepare
from storage.rows_together import insert_together
from xds.datatypes import CX

IN_REGISTRY = 0
NOWHERE = (0, 0)
NO_OBJECT = 0  # object key of a row that only says which patient an identifier concerns
_ROWS = select(identity.c.value, identity.c.patient_key, identity.c.object_key)
_UPSERT: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPatient:
    """A patient identifier that was made known; `merged_into` is the key of the patient that subsumed it."""

    key: int
    patient_id: CX
    merged_into: int | None = None


def known_patient(connection: Connection, patient_id: str) -> KnownPatient | None:
    """The patient of this CX key, merged or not; None when it was never made known."""
    cx = CX(patient_id)
    statement = select(patient).where(patient.c.authority == cx.authority, patient.c.identifier == cx.id)
    return next((_known(row) for row in connection.execute(statement)), None)


def present_id(connection: Connection, patient_id: str) -> str:
    """CX key of the patient who subsumed this one, and so on; itself where nobody did. ITI TF-2: 3.8.4.2.3"""
    found = known_patient(connection, patient_id)
    while found is not None and found.merged_into is not None:
        found = _known(connection.execute(select(patient).where(patient.c.patient_key == found.merged_into)).one())
    return patient_id if found is None else found.patient_id.key


def known_patients(connection: Connection) -> list[KnownPatient]:
    """Every patient, in the order in which they became known."""
    return [_known(row) for row in connection.execute(select(patient).order_by(patient.c.patient_key))]


def _known(row: Any) -> KnownPatient:
    patient_id = CX.of(id=row.identifier, authority=row.authority)
    return KnownPatient(key=row.patient_key, patient_id=patient_id, merged_into=row.merged_into)


def patient_key(connection: Connection, patient_id: str) -> int | None:
    """Key of the patient known by this CX key, None when unknown or merged into another."""
    rows = _key_of_patient(connection.dialect).rows(connection, **parts_of(patient_id))
    return rows[0][0] if rows else None


def parts_of(patient_id: str) -> dict[str, str]:
    """What `key_of_patient` is run with, for a CX key."""
    cx = CX(patient_id)
    return {"authority": cx.authority, "identifier": cx.id}


def key_of_patient() -> Select[tuple[int]]:
    """The key of the patient with the `authority` and `identifier` that the statement is run with."""
    return select(patient.c.patient_key).where(
        patient.c.authority == bindparam("authority", ""),
        patient.c.identifier == bindparam("identifier", ""),
        patient.c.merged_into.is_(None),
    )


@lru_cache(maxsize=16)
def _key_of_patient(dialect: Dialect) -> Prepared:
    return prepare(key_of_patient(), dialect)


def patient_keys(connection: Connection, patient_ids: Collection[str]) -> dict[str, int]:
    """CX key -> key of each of these patients that is known and not merged into another."""
    if len(patient_ids) == 1:
        (one,) = patient_ids
        key = patient_key(connection, one)
        return {} if key is None else {one: key}
    by_parts = {(cx.authority, cx.id): text for text in patient_ids for cx in (CX(text),)}
    statement = select(patient.c.authority, patient.c.identifier, patient.c.patient_key).where(
        one_of(patient.c.authority, sorted({authority for authority, _ in by_parts})),
        one_of(patient.c.identifier, sorted({identifier for _, identifier in by_parts})),
        patient.c.merged_into.is_(None),
    )
    rows = ((by_parts.get((row[0], row[1])), row[2]) for row in connection.execute(statement))
    return {text: key for text, key in rows if text is not None}


def add_patient(connection: Connection, patient_id: str, key: int) -> int:
    """Make a patient known; returns the key it has, old or new."""
    known = patient_key(connection, patient_id)
    if known is not None:
        return known
    cx = CX(patient_id)
    connection.execute(insert(patient).values(patient_key=key, authority=cx.authority, identifier=cx.id))
    return key


def patient_keys_of(connection: Connection, values: Sequence[str]) -> list[int]:
    """Keys of the patients that own these entryUUIDs or uniqueIds."""
    return sorted({owner for rows in rows_of(connection, values).values() for owner, _ in rows})


def object_keys_of(connection: Connection, values: Collection[str]) -> dict[str, list[tuple[int, int]]]:
    """(patient key, object key) of every object that has one of these entryUUIDs or uniqueIds."""
    rows = rows_of(connection, values)
    objects = {value: [key for key in keys if key[1] != NO_OBJECT] for value, keys in rows.items()}
    return {value: keys for value, keys in objects.items() if keys}


def rows_of(connection: Connection, values: Collection[str]) -> dict[str, list[tuple[int, int]]]:
    """The same with the rows that only say which patient an identifier concerns, under the object key NO_OBJECT."""
    if not values:
        return {}
    rows = _rows_of_values(connection.dialect).rows(connection, asked=sorted(values))
    found: dict[str, list[tuple[int, int]]] = {}
    for value, owner, key in rows:
        found.setdefault(value, []).append((owner, key))
    return found


@lru_cache(maxsize=16)
def _rows_of_values(dialect: Dialect) -> Prepared:
    return prepare(_ROWS.where(one_of_given(identity.c.value, "asked")), dialect)


def patients_of(connection: Connection, values: Collection[str]) -> dict[str, str]:
    """Value -> CX of the patient that owns the object with this entryUUID or uniqueId."""
    if not values:
        return {}
    rows = _patients_of_values(connection.dialect).rows(connection, asked=sorted(values))
    return {value: CX.of(id=identifier, authority=authority).text for value, identifier, authority in rows}


@lru_cache(maxsize=16)
def _patients_of_values(dialect: Dialect) -> Prepared:
    statement = select(identity.c.value, patient.c.identifier, patient.c.authority)
    joined = statement.join(patient, patient.c.patient_key == identity.c.patient_key)
    return prepare(joined.where(one_of_given(identity.c.value, "asked")), dialect)


def patient_of_key(connection: Connection, key: int) -> str:
    """CX of the patient with this key; empty for a key of no patient."""
    statement = select(patient.c.identifier, patient.c.authority).where(patient.c.patient_key == key)
    row = connection.execute(statement).first()
    return "" if row is None else CX.of(id=row[0], authority=row[1]).text


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert identities. One of the whole registry that is taken is a race; one of a patient moves to the new row."""
    in_registry = [row for row in rows if row["scope"] == IN_REGISTRY]
    of_patient = [row for row in rows if row["scope"] != IN_REGISTRY]
    if in_registry:
        insert_together(connection, identity, in_registry)
    if of_patient:
        _upsert(connection.dialect).write(connection, of_patient)


@lru_cache(maxsize=16)
def _upsert(dialect: Dialect) -> Prepared:
    upsert = _UPSERT[dialect.name](identity)
    changed = {"object_key": upsert.excluded.object_key}
    moved = upsert.on_conflict_do_update(index_elements=[identity.c.value, identity.c.scope], set_=changed)
    return prepare(moved, dialect, columns=tuple(identity.c.keys()))


def forget(connection: Connection, value: str, scope: int) -> None:
    connection.execute(delete(identity).where(identity.c.value == value, identity.c.scope == scope))


def move(connection: Connection, value: str, scope: int, *, object_key: int, patient_key: int) -> None:
    """Let an identifier name another row."""
    connection.execute(
        update(identity)
        .where(identity.c.value == value, identity.c.scope == scope)
        .values(object_key=object_key, patient_key=patient_key)
    )


def lock(connection: Connection, patients: Collection[int], values: Collection[str]) -> None:
    """Make other submissions for the patients, or with one of these uniqueIds, wait until the commit.

    SQLite has one writer, which is the lock.
    """
    if connection.dialect.name != "postgresql":
        return
    keys = {_lock_number(value) for value in values} | set(patients)
    _locking(connection.dialect).write(connection, [{"keys": sorted(keys)}])


@lru_cache(maxsize=16)
def _locking(dialect: Dialect) -> Prepared:
    return prepare(text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key"), dialect)


def _lock_number(value: str) -> int:
    return int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), signed=True)


def patients_known(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(patient)).scalar_one()
