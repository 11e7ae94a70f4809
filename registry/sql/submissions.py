"""What one submission brought, for the repository that made it and did not hear the answer."""

from sqlalchemy import Connection, select

from registry.sql import identities, queue
from registry.sql.tables import KINDS, registry_object
from xds.metadata import DocumentEntry, SubmissionSet

_o = registry_object.c


def documents_of(connection: Connection, submission: str, unique_id: str) -> frozenset[tuple[str, str]] | None:
    """(uniqueId, SHA-1) of the documents that came with the SubmissionSet of this entryUUID and uniqueId.

    One that waits for its patient counts. None: there is no such submission.
    """
    keys = identities.object_keys_of(connection, [submission]).get(submission, [])
    for patient_key, object_key in keys:
        if _is_submission(connection, patient_key, object_key, unique_id):
            return _brought(connection, patient_key, object_key)
    return _queued(connection, submission, unique_id)


def _is_submission(connection: Connection, patient_key: int, object_key: int, unique_id: str) -> bool:
    statement = select(_o.object_key).where(
        _o.patient_key == patient_key,
        _o.object_key == object_key,
        _o.kind == KINDS[SubmissionSet],
        _o.unique_id == unique_id,
    )
    return connection.execute(statement).first() is not None


def _brought(connection: Connection, patient_key: int, submission_key: int) -> frozenset[tuple[str, str]]:
    statement = select(_o.unique_id, _o.hash).where(
        _o.patient_key == patient_key,
        _o.kind == KINDS[DocumentEntry],
        _o.submission_key == submission_key,
    )
    return frozenset((row.unique_id or "", row.hash or "") for row in connection.execute(statement))


def _queued(connection: Connection, submission: str, unique_id: str) -> frozenset[tuple[str, str]] | None:
    row = queue.find(connection, unique_id)
    things = list(queue.things_of(row)) if row is not None else []
    if not any(isinstance(one, SubmissionSet) and one.entry_uuid == submission for one in things):
        return None
    return frozenset((one.unique_id or "", one.hash or "") for one in things if isinstance(one, DocumentEntry))
