"""The repository's store: index and blobs, and the two ways it reaches the registry."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from access_policy.caller import Caller
from repository import index
from repository.blob_store import BlobStore, DamagedBlob
from repository.checked_octets import Allowance, CheckedOctets, OnDamage, checked_octets
from repository.index import StoredDocument
from storage.keys import Keys
from storage.outbox import Topic, post
from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from xds.ebrim.read import Reading
from xds.errors import RegistryError

Register = Callable[[UnitOfWork, Reading, Caller], Sequence[RegistryError]]
Readable = Callable[[Caller, Collection[str]], frozenset[str]]
OnLeftover = Callable[[str, Exception], None]
# Documents of a repository belong to no patient it knows of.
_NO_PATIENT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The Document Repository. ITI TF-1: 10.1.1.4

    `register` is Register Document Set-b [ITI-42], returns warnings and raises Rejected; `readable` and
    `removable` tell which of some DocumentUniqueIds the caller may read or remove; `now` gives the time as
    DTM of 14 digits, UTC; `on_leftover` is told of a blob that nothing refers to and could not be deleted,
    `on_damage` of one that is missing or has other octets than were stored.
    """

    unique_id: str
    units: Units
    blobs: BlobStore
    register: Register
    readable: Readable
    removable: Readable
    now: Callable[[], str]
    on_leftover: OnLeftover
    on_damage: OnDamage
    keys: Keys = field(default_factory=Keys)

    def held(self, caller: Caller, unique_ids: Collection[str]) -> dict[str, StoredDocument]:
        """The documents held here that the caller may read; no other is ever named."""
        allowed = self.readable(caller, unique_ids)
        with self.units.read() as connection:
            return index.held(connection, allowed)

    def octets(self, document: StoredDocument, allowance: Allowance | None = None) -> CheckedOctets:
        """The document, checked before its octets leave; one `allowance` serves all documents of a request.

        Raises DamagedBlob, and OSError when the store does not answer.
        """
        try:
            return checked_octets(
                self.blobs, document.expected, allowance=allowance or Allowance(), on_damage=self.report_damage
            )
        except DamagedBlob:
            if self._is_held(document):
                self.report_damage(document.blob_key)
            raise

    def delete_blobs(self, keys: Iterable[str]) -> None:
        """Delete blobs that nothing refers to; one that cannot be deleted now is collected later."""
        gone = []
        for key in keys:
            try:
                self.blobs.delete(key)
                gone.append(key)
            except OSError as problem:
                self.on_leftover(key, problem)
        try:
            if gone:
                self.units.write(lambda unit: index.forget(unit.connection, gone))
        except StorageFailed as problem:
            self.on_leftover(gone[0], problem)

    def has_committed(self, keys: Collection[str]) -> bool:
        """Whether a submission with these blobs is in the database: asked when a commit was not answered."""
        with self.units.read() as connection:
            return bool(keys) and index.known_blobs(connection, keys) == set(keys)

    def _is_held(self, document: StoredDocument) -> bool:
        """Whether the document is still there, and not just removed by somebody."""
        with self.units.read() as connection:
            now = index.held(connection, [document.unique_id]).get(document.unique_id)
        return now is not None and now.blob_key == document.blob_key

    def report_damage(self, key: str) -> None:
        """Tell the log, and leave an audit record where the database takes one."""
        self.on_damage(key)
        try:
            self.units.write(lambda unit: self._record(unit, {"transaction": "integrity", "blob": key}, "failure"))
        except StorageFailed as problem:
            self.on_leftover(key, problem)

    def record(self, unit: UnitOfWork, *, transaction: str, caller: Caller, documents: Collection[str]) -> None:
        """Leave an audit record that commits with what it tells about."""
        self._record(
            unit, {"transaction": transaction, "caller": caller.name, "documents": " ".join(documents)}, "success"
        )

    def _record(self, unit: UnitOfWork, record: Mapping[str, str], outcome: str) -> None:
        whole = {**record, "outcome": outcome, "recorded": self.now()}
        post(unit.connection, Topic.AUDIT, record_key=self.keys.new(), patient_key=_NO_PATIENT, record=whole)
