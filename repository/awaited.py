"""Documents whose registration is awaited: written before a registry elsewhere is told, settled by its answer.

One row per document and attempt. It becomes a row of `document` when the registry has the submission, and goes
when the registry has refused it. In between nobody knows, and the registry is asked before the document is read.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Index, String, Table, delete, insert, select, true

from repository import document_versions, index
from repository.index import StoredDocument, metadata

awaited_document = Table(
    "awaited_document",
    metadata,
    Column("attempt", String(36), primary_key=True),
    Column("unique_id", String, primary_key=True),
    Column("submission", String, nullable=False),
    Column("submission_unique_id", String, nullable=False),
    Column("begun", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha1", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("blob_key", String, nullable=False),
    Column("mime_type", String, nullable=False),
    Index("ix_awaited_document_unique_id", "unique_id"),
    comment="Documents of submissions that another process registers, until its answer is known",
)
_d = awaited_document.c
_COLUMNS = ("unique_id", "size", "sha1", "sha256", "blob_key", "mime_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to register a submission: a UUID, and entryUUID and uniqueId of the SubmissionSet."""

    id: str
    submission: str
    submission_unique_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A document of an attempt that began at this time (seconds since 1970)."""

    attempt: Attempt
    begun: int
    document: StoredDocument


def begin(connection: Connection, attempt: Attempt, documents: Sequence[StoredDocument]) -> None:
    """Keep the documents of an attempt. IntegrityError when a blob is about to be deleted."""
    if not documents:
        return
    begun = int(time.time())
    rows = [
        {
            "attempt": attempt.id,
            "submission": attempt.submission,
            "submission_unique_id": attempt.submission_unique_id,
            "begun": begun,
            **{name: getattr(one, name) for name in _COLUMNS},
        }
        for one in documents
    ]
    connection.execute(insert(awaited_document), rows)
    index.add_blobs(connection, documents)


def among(connection: Connection, unique_ids: Collection[str]) -> list[Awaited]:
    """What is awaited of these DocumentUniqueIds; several attempts may bring the same one."""
    return _read(connection, _d.unique_id.in_(sorted(unique_ids))) if unique_ids else []


def all_of(connection: Connection) -> list[Awaited]:
    return _read(connection, true())


def of(connection: Connection, attempt: Attempt) -> list[Awaited]:
    return _read(connection, _d.attempt == attempt.id)


def settle(connection: Connection, attempt: Attempt) -> list[str]:
    """The registry has it: its documents are held from now on. Returns keys of blobs that are not needed, discarded.

    Harmless when it was settled before. A document that is held already keeps the blob it has.
    """
    found = [one.document for one in of(connection, attempt)]
    known = index.held(connection, [one.unique_id for one in found])
    index.add_documents(connection, [one for one in found if one.unique_id not in known])
    unused = [one.blob_key for one in found if one.unique_id in known]
    _forget(connection, attempt)
    index.mark_discarded(connection, unused)
    return unused


def give_up(connection: Connection, attempt: Attempt) -> list[str]:
    """The registry does not have it. Returns the keys of its blobs, discarded."""
    found = [one.document for one in of(connection, attempt)]
    _forget(connection, attempt)
    unique_ids = {one.unique_id for one in found}
    wanted = {one.document.unique_id for one in among(connection, unique_ids)} | index.held(
        connection, unique_ids
    ).keys()
    document_versions.release(connection, unique_ids - wanted)
    keys = [one.blob_key for one in found]
    index.mark_discarded(connection, keys)
    return keys


def _forget(connection: Connection, attempt: Attempt) -> None:
    connection.execute(delete(awaited_document).where(_d.attempt == attempt.id))


def _read(connection: Connection, condition: object) -> list[Awaited]:
    statement = select(awaited_document).where(condition).order_by(_d.attempt, _d.unique_id)  # type: ignore[arg-type]  # a column's comparison
    rows = connection.execute(statement).mappings().all()
    blocks = index.blocks_of(connection, [row["blob_key"] for row in rows])
    return [
        Awaited(
            attempt=Attempt(
                id=row["attempt"], submission=row["submission"], submission_unique_id=row["submission_unique_id"]
            ),
            begun=row["begun"],
            document=StoredDocument(**{name: row[name] for name in _COLUMNS}, blocks=blocks.get(row["blob_key"], b"")),
        )
        for row in rows
    ]
