"""What repositories ask of the registry beside Register Document Set-b [ITI-42], in one process and in two."""

from collections.abc import Collection

from access_policy.caller import Caller
from access_policy.visibility import Purpose
from registry.criteria import Criteria, Form, Found
from registry.snapshot import Snapshot
from registry.sql import queue, stored_entries, submissions
from registry.sql.stored_entries import Position, StoredEntry, page_of_entries
from registry.store import Registry


def readable(registry: Registry, caller: Caller, unique_ids: Collection[str]) -> dict[str, str]:
    """Those of the DocumentUniqueIds whose documents the caller may read, each with the CX key of the patient as whose
    it may be read; empty where that may be anybody's."""
    if not unique_ids:
        return {}
    criteria = Criteria(unique_ids=tuple(sorted(unique_ids)), on_demand=True)
    with registry.seen_by(caller, Purpose.READ) as snapshot:
        found = snapshot.find(criteria, form=Form.REFERENCE)
        patient = snapshot.visibility.patient
    return {one.unique_id: patient for one in found if one.unique_id}


def documents_of(registry: Registry, submission: str, unique_id: str) -> frozenset[tuple[str, str]] | None:
    """(uniqueId, SHA-1) of the documents of a submission by entryUUID and uniqueId; None: it is not here."""
    with registry.units.read() as connection:
        return submissions.documents_of(connection, submission, unique_id)


def entries_of(
    registry: Registry, repository_unique_id: str, after: Position
) -> tuple[list[StoredEntry], Position | None]:
    """The next entries whose documents a repository keeps, and where to go on; None after the last."""
    entries, position = page_of_entries(registry.units, after)
    return [one for one in entries if one.repository_unique_id == repository_unique_id], position


def waiting(registry: Registry, unique_ids: Collection[str]) -> frozenset[str]:
    """Those of the DocumentUniqueIds whose submission waits for its patient."""
    with registry.units.read() as connection:
        return queue.waiting_documents(connection, unique_ids)


def named(registry: Registry, unique_ids: Collection[str]) -> frozenset[str]:
    """Those of the DocumentUniqueIds that the registry knows, of entries or of submissions that wait."""
    with registry.units.read() as connection:
        return frozenset(stored_entries.named(connection, unique_ids))


def repository_of(snapshot: Snapshot, found: Found) -> str:
    """repositoryUniqueId of an entry that was found in this snapshot; empty when it names none."""
    return stored_entries.repository_of(snapshot.connection, found.patient_key, found.object_key)
