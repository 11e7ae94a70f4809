"""Everything that is kept of one patient, and the documents that open to theirs by a date."""

from collections.abc import Iterator

from sqlalchemy import Connection, case, func, select

from access_policy.visibility import Visibility
from registry.sql import identities
from registry.sql.places import Places
from registry.sql.tables import KINDS, STATUSES, patient, registry_object
from registry.sql.visible import may_be_seen
from xds.datatypes import CX
from xds.metadata import DocumentEntry, SubmissionSet
from xds.vocabulary import AvailabilityStatus

_o = registry_object.c


def entry_uuids(connection: Connection, patient_key: int) -> list[str]:
    """Every object of a patient, oldest registration first."""
    statement = select(_o.entry_uuid).where(_o.patient_key == patient_key).order_by(_o.object_key)
    return list(connection.execute(statement).scalars())


def documents_of_nobody_else(connection: Connection, patient_key: int) -> list[str]:
    """uniqueIds of the patient's documents that no other patient has an entry for."""
    statement = select(_o.unique_id).where(
        _o.patient_key == patient_key, _o.kind == KINDS[DocumentEntry], _o.unique_id.is_not(None)
    )
    found = sorted(set(connection.execute(statement).scalars()))
    owners = identities.rows_of(connection, found)
    return [one for one in found if all(owner == patient_key for owner, _ in owners.get(one, ()))]


def last_submitted(connection: Connection, visibility: Visibility) -> tuple[str, str]:
    """When a document that may be seen was added last, and when one was added or changed; DTM, empty for never."""
    lot = registry_object.alias().c
    came = lot.update_time
    statement = (
        select(func.max(case((_o.version == 1, came))), func.max(came))
        .join(
            lot.entry_uuid.table,
            (lot.patient_key == _o.patient_key) & (lot.object_key == _o.submission_key),
        )
        .where(_o.kind == KINDS[DocumentEntry], may_be_seen(visibility, DocumentEntry, Places(connection)))
        .where(lot.kind == KINDS[SubmissionSet])
    )
    added, changed = connection.execute(statement).one()
    return added or "", changed or ""


def hidden_until(connection: Connection, moment: str) -> Iterator[tuple[str, str, str, str]]:
    """(CX key, entryUUID, logicalID, time) of documents that are hidden from their patient and open by this time.

    Not of deleted ones: nothing of these changes any more. DMP 8.7
    """
    statement = (
        select(patient.c.identifier, patient.c.authority, _o.entry_uuid, _o.logical_id, _o.visible_from)
        .join(patient, patient.c.patient_key == _o.patient_key)
        .where(_o.visible_from.is_not(None), _o.visible_from <= moment, _o.is_current)
        .where(_o.status != STATUSES[AvailabilityStatus.DELETED])
        .order_by(_o.visible_from, _o.object_key)
    )
    for row in connection.execute(statement).fetchall():
        yield CX.of(id=row.identifier, authority=row.authority).key, row.entry_uuid, row.logical_id, row.visible_from
