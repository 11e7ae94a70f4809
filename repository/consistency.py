"""Whether every document has its octets and every blob its document: what `carnet fsck` and scrubbing run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from repository import index
from repository.blob_store import BlobStore, DamagedBlob, parts_of
from repository.checked_octets import Expected, verify
from repository.collection import unreferenced
from repository.index import StoredDocument
from storage.unit_of_work import Units

_PAGE = 200
_COPIED = 1024 * 1024
OnProgress = Callable[[int], None]


class Kind(StrEnum):
    """What can be wrong, or is to be known."""

    MISSING_BLOB = "document without blob"
    DAMAGED_BLOB = "blob with other octets than were stored"
    UNREFERENCED_BLOB = "blob without document"
    UNREADABLE = "blob that the store does not give now"
    ENTRY_WITHOUT_DOCUMENT = "entry without document"
    ENTRY_DIFFERS = "entry with another hash or size than its document"
    DOCUMENT_WITHOUT_ENTRY = "document whose metadata was removed"

    @property
    def is_fault(self) -> bool:
        """A document may outlive its metadata until Remove Documents takes it. ITI TF-1: RMD"""
        return self is not Kind.DOCUMENT_WITHOUT_ENTRY


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong: what, of which document (uniqueId) or blob (key), and whether it was repaired."""

    kind: Kind
    unique_id: str = ""
    blob_key: str = ""
    is_repaired: bool = False


def documents(units: Units, *, after: str = "") -> Iterator[StoredDocument]:
    """Every document held, in the order of uniqueIds, page by page."""
    while True:
        with units.read() as connection:
            found = index.page(connection, after=after, size=_PAGE)
        if not found:
            return
        yield from found
        after = found[-1].unique_id


def document_findings(
    units: Units, store: BlobStore, *, whole: bool = True, on_progress: OnProgress = lambda _octets: None
) -> Iterator[Finding]:
    """Documents whose blob is missing or wrong; `whole` reads every octet, else lengths are compared."""
    for one in documents(units):
        finding = finding_of(units, store, one, whole=whole, on_progress=on_progress)
        if finding is not None:
            yield finding


def finding_of(
    units: Units,
    store: BlobStore,
    one: StoredDocument,
    *,
    whole: bool = True,
    on_progress: OnProgress = lambda _octets: None,
) -> Finding | None:
    """What is wrong with one document, None when nothing is or it was removed meanwhile."""
    try:
        if whole:
            verify(store, one.expected, pause=on_progress)
        else:
            _check_length(store, one.expected)
            on_progress(one.size)
        return None
    except DamagedBlob:
        kind = Kind.MISSING_BLOB if _is_missing(store, one.blob_key) else Kind.DAMAGED_BLOB
    except OSError:
        kind = Kind.UNREADABLE
    return Finding(kind=kind, unique_id=one.unique_id, blob_key=one.blob_key) if _is_held(units, one) else None


def unreferenced_findings(units: Units, store: BlobStore, *, before: float) -> Iterator[Finding]:
    """Blobs kept before that time that no document refers to; younger ones may belong to a submission under way."""
    old = (one for one in store.blobs() if one.kept_at < before)
    for one in unreferenced(units, old):
        yield Finding(kind=Kind.UNREFERENCED_BLOB, blob_key=one.key)


def repaired(units: Units, store: BlobStore, finding: Finding) -> bool:
    """Give a document whose blob is missing or damaged the octets of another blob that has them.

    Each document has its own blob, so the octets are copied, never shared.
    """
    sha256, _uuid = parts_of(finding.blob_key)
    others = (one.key for one in store.blobs(sha256=sha256) if one.key != finding.blob_key)
    return any(_copied(units, store, finding, key) for key in others)


def _copied(units: Units, store: BlobStore, finding: Finding, source: str) -> bool:
    with units.read() as connection:
        document = index.held(connection, [finding.unique_id]).get(finding.unique_id)
    if document is None or document.blob_key != finding.blob_key:
        return False
    expected = Expected(key=source, size=document.size, sha256=document.sha256)
    try:
        verify(store, expected)
        with store.receive() as incoming:
            reader = store.open(source)
            for offset in range(0, document.size, _COPIED):
                incoming.write(reader.read_at(offset, min(_COPIED, document.size - offset)))
            reader.close()
            if incoming.digest().sha256 != document.sha256:
                return False
            key = incoming.keep()
    except DamagedBlob:
        return False
    return units.write(lambda unit: index.replace_blob(unit.connection, document, key))


def _check_length(store: BlobStore, expected: Expected) -> None:
    reader = store.open(expected.key)
    reader.close()
    if reader.size != expected.size:
        raise DamagedBlob(f"blob {expected.key} has {reader.size} octets, expected {expected.size}")


def _is_missing(store: BlobStore, key: str) -> bool:
    try:
        store.open(key).close()
    except DamagedBlob:
        return True
    return False


def _is_held(units: Units, one: StoredDocument) -> bool:
    with units.read() as connection:
        now = index.held(connection, [one.unique_id]).get(one.unique_id)
    return now is not None and now.blob_key == one.blob_key
