"""Patients as resources: found by id or identifier, fed whole. ITI TF-2: 3.104; FHIR R4 Patient."""

from collections.abc import Collection

from registry import patients
from registry.patients import Source
from registry.sql import identities, patient_resources
from registry.sql.patient_resources import PatientRow
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX

LARGEST_KEY = 2**63 - 1


def by_key(registry: Registry, key: int) -> PatientRow | None:
    """The patient with this key, merged or not."""
    with registry.units.read() as connection:
        return patient_resources.by_key(connection, key) if 0 < key <= LARGEST_KEY else None


def by_identifier(registry: Registry, *, authority: str, system: str, value: str) -> list[PatientRow]:
    """The patients with this identifier; `authority` is the OID of the system, an empty system means any."""
    with registry.units.read() as connection:
        return patient_resources.by_identifier(connection, authority=authority, system=system, value=value)


def present(registry: Registry, row: PatientRow) -> PatientRow:
    """The patient that a merged one is now; itself where it was not merged. ITI TF-2: 3.8.4.2.3"""
    while row.merged_into is not None:
        survivor = by_key(registry, row.merged_into)
        if survivor is None:
            raise LookupError("the survivor of a merged patient is not there")
        row = survivor
    return row


def of_system(registry: Registry, *, authority: str, system: str, only: CX | None, most: int) -> list[PatientRow]:
    """At most so many of the patients with any identifier of the system, or `only` this one; `authority` is its OID."""
    with registry.units.read() as connection:
        return patient_resources.of_system(connection, authority=authority, system=system, only=only, most=most)


def locked(registry: Registry, unit: UnitOfWork, patient_ids: Collection[CX]) -> dict[str, PatientRow]:
    """Those of the patients that are known, by CX key; nobody else feeds or merges them until the unit ends."""
    keys = registry.lock_all(unit, patient_ids, references=())
    rows = ((name, patient_resources.by_key(unit.connection, key)) for name, key in keys.items())
    return {name: row for name, row in rows if row is not None}


def feed(
    registry: Registry,
    unit: UnitOfWork,
    patient_id: CX,
    resource: str,
    aliases: Collection[tuple[str, str]],
    source: Source,
) -> PatientRow:
    """Make a patient known, or say anew what is known of it. Raises Rejected. ITI TF-2: 3.104.4.1.3"""
    is_known = bool(registry.lock_all(unit, [patient_id], references=()))
    patients.make_known(registry, unit, [patient_id], source, action="U" if is_known else "C")
    key = identities.patient_key(unit.connection, patient_id.key)
    before = None if key is None else patient_resources.by_key(unit.connection, key)
    if before is None:
        raise LookupError("a patient that was made known is not there")
    patient_resources.save(
        unit.connection,
        before.key,
        version=before.version + 1,
        updated=registry.now(),
        resource=resource,
        aliases=aliases,
    )
    kept = patient_resources.by_key(unit.connection, before.key)
    return before if kept is None else kept
