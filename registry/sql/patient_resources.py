"""Patients as FHIR fed them: the resource, and identifiers beside the one of the domain. ITI TF-2: 3.104."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, Text, delete, insert, select, union_all

from registry.sql.tables import metadata, patient
from xds.datatypes import CX

patient_resource = Table(
    "patient_resource",
    metadata,
    Column("patient_key", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("updated", String(14), nullable=False),
    Column("resource", Text, nullable=False),
    comment="Patient resources as they were fed last. ITI TF-2: 3.104",
)
patient_alias = Table(
    "patient_alias",
    metadata,
    Column("system", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("patient_key", BigInteger, nullable=False, index=True),
    comment="Further identifiers of those patients, by system and value as FHIR has them",
)
_r, _a = patient_resource.c, patient_alias.c
_PATIENTS = select(patient, _r.version, _r.updated, _r.resource).outerjoin(
    patient_resource, _r.patient_key == patient.c.patient_key
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRow:
    """A patient of the registry; version 0 and no resource where FHIR did not feed it."""

    key: int
    patient_id: CX
    merged_into: int | None
    version: int = 0
    updated: str = ""
    resource: str = ""


def by_key(connection: Connection, key: int) -> PatientRow | None:
    row = connection.execute(_PATIENTS.where(patient.c.patient_key == key)).one_or_none()
    return None if row is None else _row(row)


def by_identifier(connection: Connection, *, authority: str, system: str, value: str) -> list[PatientRow]:
    """The patients with this identifier, as that of the domain or beside it; an empty system is any."""
    named = select(patient.c.patient_key).where(patient.c.identifier == value)
    aliases = select(_a.patient_key).where(_a.value == value)
    if system:
        named, aliases = named.where(patient.c.authority == authority), aliases.where(_a.system == system)
    keys = {*connection.scalars(named), *connection.scalars(aliases)}
    found = (by_key(connection, key) for key in sorted(keys))
    return [one for one in found if one is not None]


def of_system(connection: Connection, *, authority: str, system: str, only: CX | None, most: int) -> list[PatientRow]:
    """The patients with any identifier of a system, as that of the domain or beside it, in the order of their keys;
    `only` this one, and at most so many. Those that were merged are left out.
    """
    named = select(patient.c.patient_key).where(patient.c.authority == authority)
    with_one = union_all(named, select(_a.patient_key).where(_a.system == system))
    statement = _PATIENTS.where(patient.c.patient_key.in_(with_one), patient.c.merged_into.is_(None))
    if only is not None:
        statement = statement.where(patient.c.authority == only.authority, patient.c.identifier == only.id)
    return [_row(row) for row in connection.execute(statement.order_by(patient.c.patient_key).limit(most))]


def save(
    connection: Connection, key: int, *, version: int, updated: str, resource: str, aliases: Collection[tuple[str, str]]
) -> None:
    """Keep the resource in place of the one before; an alias that another patient has stays with that one."""
    connection.execute(delete(patient_resource).where(_r.patient_key == key))
    connection.execute(delete(patient_alias).where(_a.patient_key == key))
    connection.execute(
        insert(patient_resource).values(patient_key=key, version=version, updated=updated, resource=resource)
    )
    for system, value in sorted(set(aliases)):
        taken = connection.execute(select(_a.patient_key).where(_a.system == system, _a.value == value)).first()
        if taken is None:
            connection.execute(insert(patient_alias).values(system=system, value=value, patient_key=key))


def _row(row: Any) -> PatientRow:
    return PatientRow(
        key=row.patient_key,
        patient_id=CX.of(id=row.identifier, authority=row.authority),
        merged_into=row.merged_into,
        version=row.version or 0,
        updated=row.updated or "",
        resource=row.resource or "",
    )
