"""The repository's store: index and blobs, and the two ways it reaches the registry."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from access_policy.caller import Caller
from repository import index
from repository.blob_store import BlobStore, Octets
from repository.index import StoredDocument
from storage.unit_of_work import UnitOfWork, Units
from xds.ebrim.read import Reading

Register = Callable[[UnitOfWork, Reading, Caller], None]
Readable = Callable[[Caller, Collection[str]], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The Document Repository. ITI TF-1: 10.1.1.4

    `register` is Register Document Set-b [ITI-42] and raises Rejected; `readable` tells which of
    some DocumentUniqueIds the caller may read.
    """

    unique_id: str
    units: Units
    blobs: BlobStore
    register: Register
    readable: Readable

    def held(self, caller: Caller, unique_ids: Collection[str]) -> dict[str, StoredDocument]:
        """The documents held here that the caller may read; no other is ever named."""
        allowed = self.readable(caller, unique_ids)
        with self.units.read() as connection:
            return index.held(connection, allowed)

    def octets(self, document: StoredDocument) -> Octets:
        """The document, verified before the first octet is given. Raises DamagedBlob."""
        return self.blobs.read(document.blob_key, sha256=document.sha256)
