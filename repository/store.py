"""The repository's store: index and blobs, and the two ways it reaches the registry."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from access_policy.caller import Caller
from repository import index
from repository.blob_store import BlobStore, Octets
from repository.index import StoredDocument
from storage.keys import Keys
from storage.outbox import Topic, post
from storage.unit_of_work import UnitOfWork, Units
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
    DTM of 14 digits, UTC; `on_leftover` is told of a blob that nothing refers to and could not be deleted.
    """

    unique_id: str
    units: Units
    blobs: BlobStore
    register: Register
    readable: Readable
    removable: Readable
    now: Callable[[], str]
    on_leftover: OnLeftover
    keys: Keys = field(default_factory=Keys)

    def held(self, caller: Caller, unique_ids: Collection[str]) -> dict[str, StoredDocument]:
        """The documents held here that the caller may read; no other is ever named."""
        allowed = self.readable(caller, unique_ids)
        with self.units.read() as connection:
            return index.held(connection, allowed)

    def octets(self, document: StoredDocument) -> Octets:
        """The document, verified before the first octet is given. Raises DamagedBlob."""
        return self.blobs.read(document.blob_key, sha256=document.sha256)

    def record(self, unit: UnitOfWork, *, transaction: str, caller: Caller, documents: Collection[str]) -> None:
        """Leave an audit record that commits with what it tells about."""
        record = {
            "transaction": transaction,
            "caller": caller.name,
            "outcome": "success",
            "recorded": self.now(),
            "documents": " ".join(documents),
        }
        post(unit.connection, Topic.AUDIT, record_key=self.keys.new(), patient_key=_NO_PATIENT, record=record)
