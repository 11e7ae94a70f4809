"""The repository's index: which blob holds which document.

One row per DocumentUniqueId: several entries with one uniqueId have identical octets and are one
document. ITI TF-2: 3.43.4.2.2

One row per blob that is referred to or discarded. Its primary key decides between a submission that
commits and a collection that found the blob unreferred: only one of them can have the key. A discarded
key stays for a day, longer than any submission takes between keeping a blob and its commit.
"""

import hashlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect

from repository.blob_store import HASHED_WHOLE
from repository.checked_octets import Expected
from repository.document_rules import DocumentVersion
from storage.prepared import Prepared, insertion, prepare

metadata = MetaData()

document = Table(
    "document",
    metadata,
    Column("unique_id", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("sha1", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("blob_key", String, nullable=False),
    Column("mime_type", String, nullable=False),
    comment="Documents held by this repository",
)

blob = Table(
    "blob",
    metadata,
    Column("blob_key", String, primary_key=True),
    Column("discarded", BigInteger),
    Column("blocks", LargeBinary),
    comment="Blobs referred to by a document, or discarded (seconds since 1970); digests per MiB of large ones",
)

removed_document = Table(
    "removed_document",
    metadata,
    Column("unique_id", String, primary_key=True),
    Column("removed", String(14), nullable=False),
    comment="Documents that were removed by ITI-86 and not submitted again, with the time in UTC",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """One document held: identity, digests, type and the key of its blob. `blocks`: as of its `Digest`.

    `is_only_once` and `version` are those of a document that is being submitted, as its domain examined it.
    """

    unique_id: str
    size: int
    sha1: str
    sha256: str
    blob_key: str
    mime_type: str
    blocks: bytes = b""
    is_only_once: bool = False
    version: DocumentVersion | None = None

    def is_of(self, content: bytes) -> bool:
        return (len(content), hashlib.sha256(content).hexdigest()) == (self.size, self.sha256)

    @property
    def expected(self) -> Expected:
        return Expected(key=self.blob_key, size=self.size, sha256=self.sha256, blocks=self.blocks)


_WITH_BLOCKS = select(document, func.coalesce(blob.c.blocks, b"").label("blocks")).join(
    blob, blob.c.blob_key == document.c.blob_key, isouter=True
)


def held(connection: Connection, unique_ids: Collection[str]) -> dict[str, StoredDocument]:
    """The documents held among these DocumentUniqueIds."""
    if not unique_ids:
        return {}
    if len(unique_ids) == 1:
        rows = _one_held(connection.dialect).rows(connection, unique_id=next(iter(unique_ids)))
    else:
        rows = connection.execute(select(document).where(document.c.unique_id.in_(sorted(unique_ids)))).fetchall()
    names = document.columns.keys()
    found = [StoredDocument(**dict(zip(names, row, strict=True))) for row in rows]
    blocks = blocks_of(connection, [one.blob_key for one in found if one.size > HASHED_WHOLE])
    return {one.unique_id: replace(one, blocks=blocks.get(one.blob_key, b"")) for one in found}


def blocks_of(connection: Connection, keys: Sequence[str]) -> dict[str, bytes]:
    """Digests of the blocks of large blobs. Never joined: a document and its blob may lie on two machines."""
    if not keys:
        return {}
    rows = connection.execute(select(blob.c.blob_key, blob.c.blocks).where(blob.c.blob_key.in_(keys)))
    return {key: blocks or b"" for key, blocks in rows}


@lru_cache(maxsize=16)
def _one_held(dialect: Dialect) -> Prepared:
    return prepare(select(document).where(document.c.unique_id == bindparam("unique_id", "")), dialect)


def lock(connection: Connection, unique_ids: Collection[str], *, for_removal: bool) -> None:
    """Keep these documents as they are until the commit: against removal, or `for_removal` against their being needed.

    One after the other, in one order for all: where they lie on several machines no statement locks rows of two.
    SQLite has one writer, which is the lock.
    """
    if unique_ids and connection.dialect.name == "postgresql":
        rows = [{"unique_id": one} for one in sorted(unique_ids)]
        _locking(connection.dialect, for_removal=for_removal).write(connection, rows)


@lru_cache(maxsize=16)
def _locking(dialect: Dialect, *, for_removal: bool) -> Prepared:
    chosen = select(document.c.unique_id).where(document.c.unique_id == bindparam("unique_id", ""))
    return prepare(chosen.with_for_update(read=not for_removal), dialect)


def page(connection: Connection, *, after: str, size: int) -> list[StoredDocument]:
    """The next documents in the order of their uniqueIds."""
    statement = _WITH_BLOCKS.where(document.c.unique_id > after).order_by(document.c.unique_id).limit(size)
    return [StoredDocument(**row) for row in connection.execute(statement).mappings()]


def count(connection: Connection) -> tuple[int, int]:
    """How many documents are held, and their octets."""
    row = connection.execute(select(func.count(), func.coalesce(func.sum(document.c.size), 0))).one()
    return int(row[0]), int(row[1])


def is_new(connection: Connection) -> bool:
    """Whether nothing was ever held here."""
    tables = (document, blob, removed_document)
    return not any(connection.execute(select(one).limit(1)).first() for one in tables)


def add(connection: Connection, documents: Sequence[StoredDocument]) -> None:
    """Add documents that are not held yet, and their blobs. IntegrityError when a blob is about to be deleted."""
    add_documents(connection, documents)
    add_blobs(connection, documents)


def add_documents(connection: Connection, documents: Sequence[StoredDocument]) -> None:
    """Add documents that are not held yet and whose blobs have their rows."""
    if not documents:
        return
    columns = document.c.keys()
    rows = [{name: getattr(one, name) for name in columns} for one in documents]
    insertion(document, connection.dialect).write(connection, rows)
    _brought_back(connection.dialect).write(connection, rows)


@lru_cache(maxsize=16)
def _brought_back(dialect: Dialect) -> Prepared:
    return prepare(delete(removed_document).where(removed_document.c.unique_id == bindparam("unique_id", "")), dialect)


def add_blobs(connection: Connection, documents: Sequence[StoredDocument]) -> None:
    """Add the blobs of documents. IntegrityError when one is about to be deleted."""
    rows = [{"blob_key": one.blob_key, "discarded": None, "blocks": one.blocks or None} for one in documents]
    if rows:
        insertion(blob, connection.dialect).write(connection, rows)


def mark_discarded(connection: Connection, keys: Collection[str]) -> None:
    """Let blobs that have a row, and that nothing refers to any more, be deleted once this commits."""
    if keys:
        connection.execute(update(blob).where(blob.c.blob_key.in_(keys)).values(discarded=int(time.time())))


def remove(connection: Connection, unique_ids: Collection[str], *, now: str) -> dict[str, StoredDocument]:
    """Take documents out; returns those that were held. Their blobs are discarded once this commits.

    That they were removed stays known: `now` is the time as DTM of 14 digits, UTC.
    """
    if not unique_ids:
        return {}
    chosen = document.c.unique_id.in_(sorted(unique_ids))
    rows = connection.execute(delete(document).where(chosen).returning(*document.c)).mappings()
    removed = {row["unique_id"]: StoredDocument(**row) for row in rows}
    keys = [one.blob_key for one in removed.values()]
    mark_discarded(connection, keys)
    if removed:
        connection.execute(insert(removed_document), [{"unique_id": one, "removed": now} for one in removed])
    return removed


def removed_among(connection: Connection, unique_ids: Collection[str]) -> set[str]:
    """Those of the documents that were removed by ITI-86 and not submitted again."""
    chosen = removed_document.c.unique_id.in_(unique_ids)
    return set(connection.execute(select(removed_document.c.unique_id).where(chosen)).scalars())


def replace_blob(connection: Connection, held_now: StoredDocument, new_key: str) -> bool:
    """Let a document refer to another blob with the same octets; the former one is discarded.

    False, and nothing changed, when the document was removed meanwhile or has another blob.
    """
    chosen = (document.c.unique_id == held_now.unique_id) & (document.c.blob_key == held_now.blob_key)
    if not connection.execute(update(document).where(chosen).values(blob_key=new_key)).rowcount:
        return False
    connection.execute(insert(blob).values(blob_key=new_key, blocks=held_now.blocks or None))
    mark_discarded(connection, [held_now.blob_key])
    return True


def known_blobs(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the keys that have a row, referred to or discarded."""
    return set(connection.execute(select(blob.c.blob_key).where(blob.c.blob_key.in_(keys))).scalars())


def discard(connection: Connection, keys: Collection[str]) -> list[str]:
    """Claim blobs that nothing refers to; returns those that are discarded once this commits.

    A submission that wrote its row meanwhile keeps its blob; one that comes later cannot commit any more.
    """
    if not keys:
        return []
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(blob).on_conflict_do_nothing().returning(blob.c.blob_key)
    claimed: list[str] = []
    for key in sorted(keys):
        row = {"blob_key": key, "discarded": int(time.time()), "blocks": None}
        claimed.extend(connection.execute(statement.values(row)).scalars())
    return claimed


def discarded(connection: Connection, *, after: str, size: int) -> list[str]:
    """The next blobs that are to be deleted, in the order of their keys."""
    statement = (
        select(blob.c.blob_key)
        .where(blob.c.discarded.is_not(None), blob.c.blob_key > after)
        .order_by(blob.c.blob_key)
        .limit(size)
    )
    return list(connection.execute(statement).scalars())


def forget(connection: Connection, keys: Collection[str]) -> None:
    """Drop the rows of blobs that were referred to until they were discarded, and whose octets are gone."""
    connection.execute(delete(blob).where(blob.c.blob_key.in_(keys), blob.c.discarded.is_not(None)))


def forget_discarded(connection: Connection, *, before: float) -> None:
    """Drop the rows of blobs discarded before that time (seconds since 1970), whose octets are gone."""
    connection.execute(delete(blob).where(blob.c.discarded < int(before)))
