"""Documents hidden from their patient that open by a date, and documents by any of their names. DMP 13."""

from dataclasses import dataclass

from registry.sql import contents, identities
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.metadata import DocumentEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenDocument:
    """CX key of the patient, entryUUID of the newest version, logicalID, and when it opens, as DTM."""

    patient: str
    entry_uuid: str
    logical_id: str
    visible_from: str


def hidden_until(registry: Registry, moment: str) -> tuple[HiddenDocument, ...]:
    """Those that open by this time, the first to open first."""
    with registry.units.read() as connection:
        return tuple(
            HiddenDocument(patient=patient, entry_uuid=entry_uuid, logical_id=logical_id, visible_from=opens)
            for patient, entry_uuid, logical_id, opens in contents.hidden_until(connection, moment)
        )


def newest_version(registry: Registry, unit: UnitOfWork, identifier: str) -> DocumentEntry:
    """The newest version of a document by its uniqueId, entryUUID or logicalID.

    Raises Rejected for one that is not registered, and where several have that uniqueId.
    """
    owners = identities.object_keys_of(unit.connection, [identifier]).get(identifier, [])
    stored = registry.at(unit, owners)
    logical_ids = {one.thing.logical_id or one.thing.entry_uuid for one in stored}
    newest = [one.thing for one in registry.newest(unit, logical_ids).values()]
    entries = [one for one in newest if isinstance(one, DocumentEntry)]
    if len(entries) != 1:
        context = f"document {identifier}: found {len(entries)} registered, expected one"
        raise Rejected([RegistryError(code=ErrorCode.UNRESOLVED_REFERENCE, context=context, location=identifier)])
    return entries[0]
