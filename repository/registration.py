"""How submissions get registered: in one unit of work with the index, or by a registry in another process.

ITI TF-2: 3.41.4.1.3 asks for one order in both: documents are stored, then registered, then the answer.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from access_policy.caller import Caller
from repository import document_versions, index
from repository.awaited import Awaited
from repository.index import StoredDocument
from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from xds.ebrim.read import Reading
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.failure import Failure

Register = Callable[[UnitOfWork, Reading, Caller], Sequence[RegistryError]]


class RegistryNotAvailable(Failure):
    """The registry did not take a request: nothing was registered and nothing was told."""

    @property
    def error(self) -> RegistryError:
        """What a requester is told. ITI TF-3: Table 4.2.4.1-2"""
        context = "the registry cannot be asked now; nothing was changed, try again later"
        return RegistryError(code=ErrorCode.REGISTRY_NOT_AVAILABLE, context=context)


class RegistrationUnknown(Exception):
    """The registry was asked and gave no answer: whether it registered the submission is unknown."""

    def __init__(self, submission_unique_id: str) -> None:
        super().__init__(submission_unique_id)
        self.submission_unique_id = submission_unique_id

    @property
    def error(self) -> RegistryError:
        """What a requester is told. ITI TF-3: Table 4.2.4.1-2"""
        context = (
            f"SubmissionSet uniqueId {self.submission_unique_id}: the registry gave no answer, so whether the "
            "submission is registered is unknown; send it again under the same uniqueId"
        )
        return RegistryError(code=ErrorCode.REGISTRY_NOT_AVAILABLE, context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A submission that is registered: the registry's warnings, and keys of blobs that turned out not to be needed."""

    warnings: tuple[RegistryError, ...] = ()
    unused: tuple[str, ...] = ()


class Registration(Protocol):
    """Enters submissions into the registry and their documents into the index, both or neither."""

    def enter(self, reading: Reading, documents: Mapping[str, StoredDocument], caller: Caller) -> Entered:
        """Register a submission whose documents (by entryUUID) are in the store.

        Raises Rejected with every error, RegistryNotAvailable: nothing was entered. RegistrationUnknown, StorageFailed:
        the blobs must stay, because something may have been.
        """
        ...

    def findings(self, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        """What else would be wrong with a submission that is refused anyway."""
        ...

    def registered(self, awaited: Sequence[Awaited]) -> dict[str, StoredDocument]:
        """Those of the awaited documents that the registry has, by DocumentUniqueId. Raises RegistryNotAvailable."""
        ...

    def settle(self, awaited: Sequence[Awaited]) -> None:
        """Let the index hold those that the registry has. Raises RegistryNotAvailable, StorageFailed."""
        ...


class InOneUnit:
    """`Registration` where registry and repository share a database: one unit of work changes both."""

    def __init__(self, units: Units, register: Register) -> None:
        """`register` is Register Document Set-b [ITI-42]; it returns warnings and raises Rejected."""
        self._units, self._register = units, register

    def enter(self, reading: Reading, documents: Mapping[str, StoredDocument], caller: Caller) -> Entered:
        """A commit that was not answered may have happened: its blobs tell."""
        try:
            return self._units.write(lambda unit: self._entered(unit, reading, documents, caller))
        except StorageFailed:
            if not self._has_committed({one.blob_key for one in documents.values()}):
                raise
            return Entered()

    def findings(self, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        """What the registry says in a unit of work that is never committed."""

        def attempt(unit: UnitOfWork) -> None:
            self._register(unit, reading, caller)
            raise Rejected(())

        try:
            self._units.write(attempt)
        except Rejected as rejected:
            return rejected.errors
        return ()

    def registered(self, awaited: Sequence[Awaited]) -> dict[str, StoredDocument]:
        """Nothing is ever awaited."""
        return {}

    def settle(self, awaited: Sequence[Awaited]) -> None:
        """Nothing is ever awaited."""

    def _entered(
        self, unit: UnitOfWork, reading: Reading, documents: Mapping[str, StoredDocument], caller: Caller
    ) -> Entered:
        warnings = tuple(self._register(unit, reading, caller))
        unique_ids = {one.unique_id for one in documents.values()}
        index.lock(unit.connection, unique_ids, for_removal=False)
        known = index.held(unit.connection, unique_ids)
        errors = (
            *other_octets(documents, known.values()),
            *document_versions.repetitions(unit.connection, documents, known),
        )
        if errors:
            raise Rejected(errors)
        index.add(unit.connection, [one for one in documents.values() if one.unique_id not in known])
        return Entered(warnings=warnings, unused=needless(documents, known))

    def _has_committed(self, keys: Collection[str]) -> bool:
        with self._units.read() as connection:
            return bool(keys) and index.known_blobs(connection, keys) == keys


def other_octets(documents: Mapping[str, StoredDocument], known: Iterable[StoredDocument]) -> Iterable[RegistryError]:
    """P4: what is here under the same DocumentUniqueId has the same octets, whatever their SHA-1 says."""
    held = {one.unique_id: one for one in known}
    for entry_uuid, one in documents.items():
        other = held.get(one.unique_id, one)
        found = "found other octets than are held here, expected the same"
        context = f"DocumentEntry {entry_uuid}: uniqueId {one.unique_id}: {found}"
        if other.sha256 != one.sha256:
            yield RegistryError(code=ErrorCode.NON_IDENTICAL_HASH, context=context)
        if other.size != one.size:
            yield RegistryError(code=ErrorCode.NON_IDENTICAL_SIZE, context=context)


def needless(documents: Mapping[str, StoredDocument], known: Collection[str]) -> tuple[str, ...]:
    """Keys of the blobs of documents that are held already."""
    return tuple(one.blob_key for one in documents.values() if one.unique_id in known)
