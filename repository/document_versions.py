"""Which document is which version of its set: one row per setId and versionNumber, the key of one document alone.

A row is written in the unit of work that brings the document, awaited ones included, and goes with the document, so
that what was removed may come again. A document that was replaced is held on and keeps its version.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from sqlalchemy import BigInteger, Column, Connection, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect

from repository.index import StoredDocument, metadata
from storage.prepared import Prepared, prepare
from xds.errors import ErrorCode, RegistryError

document_version = Table(
    "document_version",
    metadata,
    Column("set_id", String, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("unique_id", String, nullable=False, index=True),
    comment="CDA setId (root^extension) and versionNumber of the documents that may be held only once",
)
_v = document_version.c


def repetitions(
    connection: Connection, documents: Mapping[str, StoredDocument], held: Collection[str]
) -> Iterator[RegistryError]:
    """Claim the versions of documents (by entryUUID); an error for each that repeats a document of this repository.

    `held` are the uniqueIds of those that are held. The claims stand when the unit of work commits.
    """
    for entry_uuid, one in sorted(documents.items(), key=_order):
        if one.is_only_once and one.unique_id in held:
            yield _repeated(entry_uuid, one, "a document of this uniqueId is held already; expected a new uniqueId")
        elif one.version is not None and not _is_claimed(connection, one):
            shown = f"setId {one.version.set_id} with versionNumber {one.version.number}"
            yield _repeated(entry_uuid, one, f"found {shown}, those of another document; expected a new versionNumber")


def _order(item: tuple[str, StoredDocument]) -> tuple[str, int]:
    """One order for all submissions: those that claim the same versions wait for each other, never in a circle."""
    version = item[1].version
    return ("", 0) if version is None else (version.set_id, version.number)


def _repeated(entry_uuid: str, one: StoredDocument, problem: str) -> RegistryError:
    context = f"DocumentEntry {entry_uuid}: uniqueId {one.unique_id}: {problem}"
    return RegistryError(code=ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, context=context)


def _is_claimed(connection: Connection, one: StoredDocument) -> bool:
    """Whether the version is this document's from now on, or was before: by an attempt whose answer is awaited."""
    version = one.version
    if version is None:
        return True
    row = {"set_id": version.set_id, "number": version.number, "unique_id": one.unique_id}
    if _claim(connection.dialect).rows(connection, **row):
        return True
    key = (_v.set_id == version.set_id) & (_v.number == version.number)
    return connection.execute(select(_v.unique_id).where(key)).scalar() == one.unique_id


@lru_cache(maxsize=4)
def _claim(dialect: Dialect) -> Prepared:
    """Put a row in where none has its key; what was put in comes back."""
    of_dialect = postgresql if dialect.name == "postgresql" else sqlite
    claim = of_dialect.insert(document_version).on_conflict_do_nothing().returning(_v.unique_id)
    return prepare(claim, dialect, columns=tuple(_v.keys()))


def release(connection: Connection, unique_ids: Iterable[str]) -> None:
    """Let the versions of these documents be claimed again."""
    chosen: Sequence[str] = sorted(unique_ids)
    if chosen:
        connection.execute(delete(document_version).where(_v.unique_id.in_(chosen)))
