"""Identity look-ups: patient identifiers, entryUUIDs and uniqueIds -> keys.

These are the only statements that do not know the patient beforehand.
"""

from collections.abc import Collection, Sequence
from hashlib import blake2b

from sqlalchemy import Connection, func, insert, select, text

from registry.sql.one_of import one_of
from registry.sql.tables import identity, patient
from xds.datatypes import CX

IN_REGISTRY = 0


def patient_key(connection: Connection, patient_id: str) -> int | None:
    """Key of the patient known by this CX key, None when unknown or merged into another."""
    cx = CX(patient_id)
    statement = select(patient.c.patient_key).where(
        patient.c.authority == cx.authority, patient.c.identifier == cx.id, patient.c.merged_into.is_(None)
    )
    return connection.execute(statement).scalar_one_or_none()


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
    if not values:
        return []
    statement = select(identity.c.patient_key).where(one_of(identity.c.value, values)).distinct()
    return sorted(connection.execute(statement).scalars())


def object_keys_of(connection: Connection, values: Collection[str]) -> dict[str, list[tuple[int, int]]]:
    """(patient key, object key) of every object that has one of these entryUUIDs or uniqueIds."""
    if not values:
        return {}
    statement = select(identity.c.value, identity.c.patient_key, identity.c.object_key).where(
        one_of(identity.c.value, sorted(values))
    )
    found: dict[str, list[tuple[int, int]]] = {}
    for value, owner, key in connection.execute(statement):
        found.setdefault(value, []).append((owner, key))
    return found


def lock(connection: Connection, patient: int | None, values: Collection[str]) -> None:
    """Make other submissions for the patient, or with one of these uniqueIds, wait until the commit.

    SQLite has one writer, which is the lock.
    """
    if connection.dialect.name != "postgresql":
        return
    keys = {_lock_number(value) for value in values} | ({patient} if patient is not None else set())
    connection.execute(
        text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key"), {"keys": sorted(keys)}
    ).all()


def _lock_number(value: str) -> int:
    return int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), signed=True)


def patients_known(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(patient)).scalar_one()
