"""The repository's index: which blob holds which document.

One row per DocumentUniqueId: several entries with one uniqueId have identical octets and are one
document. ITI TF-2: 3.43.4.2.2
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, bindparam, delete, insert, select
from sqlalchemy.engine.interfaces import Dialect

from storage.prepared import Prepared, prepare

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """One document held: identity, digests, type and the key of its blob."""

    unique_id: str
    size: int
    sha1: str
    sha256: str
    blob_key: str
    mime_type: str


def held(connection: Connection, unique_ids: Collection[str]) -> dict[str, StoredDocument]:
    """The documents held among these DocumentUniqueIds."""
    if not unique_ids:
        return {}
    if len(unique_ids) == 1:
        found = _held_by(connection.dialect).rows(connection, unique_id=next(iter(unique_ids)))
    else:
        found = connection.execute(select(document).where(document.c.unique_id.in_(sorted(unique_ids)))).fetchall()
    names = document.c.keys()
    return {row[0]: StoredDocument(**dict(zip(names, row, strict=True))) for row in found}


@lru_cache(maxsize=16)
def _held_by(dialect: Dialect) -> Prepared:
    """One document, as nearly every request asks for."""
    return prepare(select(document).where(document.c.unique_id == bindparam("unique_id", "")), dialect)


def add(connection: Connection, documents: Sequence[StoredDocument]) -> None:
    """Add documents that are not held yet."""
    if documents:
        columns = document.c.keys()
        rows = [{name: getattr(one, name) for name in columns} for one in documents]
        connection.execute(insert(document), rows)


def remove(connection: Connection, unique_ids: Collection[str]) -> dict[str, StoredDocument]:
    """Take documents out; returns those that were held, whose blobs nothing refers to once this commits."""
    if not unique_ids:
        return {}
    chosen = document.c.unique_id.in_(sorted(unique_ids))
    rows = connection.execute(delete(document).where(chosen).returning(*document.c)).mappings()
    return {row["unique_id"]: StoredDocument(**row) for row in rows}
