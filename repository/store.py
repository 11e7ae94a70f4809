"""The repository's store: index and blobs, and the ways it reaches the registry."""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from access_policy.caller import Caller
from audit.objects import a_stored_thing
from audit.occurrence import Occurrence
from audit.record import Outcome
from audit.recorder import NO_RECORDER, Recorder
from repository import awaited, index
from repository.blob_store import BlobStore, DamagedBlob
from repository.checked_octets import Allowance, CheckedOctets, OnDamage, checked_octets
from repository.document_rules import DocumentRules, no_document_rules
from repository.index import StoredDocument
from repository.on_demand_source import OnDemandSource
from repository.registration import Registration
from repository.submission_signature import SignatureRules
from storage.unit_of_work import StorageFailed, UnitOfWork, Units

Readable = Callable[[Caller, Collection[str]], Set[str]]
Waits = Callable[[UnitOfWork, Collection[str]], frozenset[str]]


WaitsElsewhere = Callable[[Collection[str]], frozenset[str]]


def none_waits(_unit: UnitOfWork, _unique_ids: Collection[str]) -> frozenset[str]:
    """Where no submission waits in the database of this repository."""
    return frozenset()


def none_waits_elsewhere(_unique_ids: Collection[str]) -> frozenset[str]:
    """Where the registry shares the database of this repository."""
    return frozenset()


OnLeftover = Callable[[str, Exception], None]
# Which patient (CX) each of some DocumentUniqueIds is of, as far as the repository can know.
PatientsOf = Callable[[Collection[str]], Mapping[str, str]]
_NOBODY = Caller(name="")


def _of_nobody(_unique_ids: Collection[str]) -> Mapping[str, str]:
    """A repository alone knows no patients."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The Document Repository. ITI TF-1: 10.1.1.4

    `registration` is Register Document Set-b [ITI-42], in this process or another; `readable` and `removable`
    tell which of some DocumentUniqueIds the caller may read or remove, `readable` raises RegistryNotAvailable;
    `waits` which of them belong to submissions that are not registered yet and must not be removed, and
    `waits_elsewhere` the same of a registry in another process, which no unit of work can ask;
    `now` gives the time as DTM of 14 digits, UTC; `signatures` check those of submissions; `on_leftover` is told of a
    blob that nothing refers to and could not be deleted, `on_damage` of one that is missing or has other octets than
    were stored. `on_demand` makes documents when they are asked for. `document_rules` look at what is submitted;
    `recorder` keeps audit records of what changes here, `patients_of` tells them whose documents they are.
    """

    unique_id: str
    units: Units
    blobs: BlobStore
    registration: Registration
    readable: Readable
    removable: Readable
    waits: Waits = none_waits
    waits_elsewhere: WaitsElsewhere = none_waits_elsewhere
    now: Callable[[], str]
    on_leftover: OnLeftover
    on_damage: OnDamage
    signatures: SignatureRules
    on_demand: OnDemandSource = field(default_factory=OnDemandSource)
    document_rules: DocumentRules = no_document_rules
    recorder: Recorder = NO_RECORDER
    patients_of: PatientsOf = _of_nobody

    def held(self, caller: Caller, unique_ids: Collection[str]) -> dict[str, StoredDocument]:
        """The documents held here that the caller may read; no other is ever named. Raises RegistryNotAvailable."""
        return self.held_among(self.readable(caller, unique_ids))

    def held_among(self, readable: Collection[str]) -> dict[str, StoredDocument]:
        """Those held here of documents that a caller was just found to be allowed to read.

        Raises RegistryNotAvailable.
        """
        with self.units.look() as connection:
            found = index.held(connection, readable)
        missing = set(readable) - found.keys()
        return found | self._awaited(missing) if missing else found

    def _awaited(self, unique_ids: set[str]) -> dict[str, StoredDocument]:
        """Those that are held, or registered as the registry says now: one state, since the one becomes the other."""
        with self.units.read() as connection:
            found = index.held(connection, unique_ids)
            waiting = awaited.among(connection, unique_ids - found.keys())
        return found | self.registration.registered(waiting) if waiting else found

    def settle(self, unique_ids: Collection[str]) -> None:
        """Hold what the registry has of these and has not told of yet. Raises RegistryNotAvailable, StorageFailed."""
        with self.units.read() as connection:
            waiting = awaited.among(connection, unique_ids)
        if waiting:
            self.registration.settle(waiting)

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

    def octets_of(self, key: str) -> bytes:
        """A blob just kept, whole. Raises OSError, DamagedBlob."""
        reader = self.blobs.open(key)
        try:
            return reader.read_at(0, reader.size)
        finally:
            reader.close()

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

    def _is_held(self, document: StoredDocument) -> bool:
        """Whether the document is still there, and not just removed by somebody."""
        with self.units.read() as connection:
            now = index.held(connection, [document.unique_id]).get(document.unique_id)
        return now is not None and now.blob_key == document.blob_key

    def report_damage(self, key: str) -> None:
        """Tell the log, and leave an audit record where the database takes one."""
        self.on_damage(key)
        try:
            damage = Occurrence(event="damage", outcome=Outcome.SERIOUS, objects=(a_stored_thing(key),))
            self.units.write(lambda unit: self.recorder.record(unit, [damage], _NOBODY))
        except StorageFailed as problem:
            self.on_leftover(key, problem)
