"""What the registry tells those who follow its changes, in the unit of work of the change."""

from collections.abc import Sequence
from typing import Protocol

from access_policy.caller import Caller
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX
from xds.metadata import DocumentEntry, RegistryObject


class Watcher(Protocol):
    """Follows patients and documents; whatever it raises undoes the change."""

    def opens_at(self, entry: DocumentEntry, now: str) -> str | None:
        """When a document hidden from its patient opens by itself, as DTM; None for one that is not hidden."""
        ...

    def submitted(
        self, unit: UnitOfWork, patient: str, entries: Sequence[DocumentEntry], caller: Caller, now: str
    ) -> None:
        """New documents of the patient with this CX key."""
        ...

    def merged(self, unit: UnitOfWork, subsumed: CX, surviving: CX, caller: Caller, now: str) -> None:
        """One patient was subsumed by another, with all objects."""
        ...


class Notifier(Protocol):
    """Leaves what is to be told to subscribers of documents; whatever it raises undoes the change."""

    def changed(
        self,
        unit: UnitOfWork,
        patient: str,
        added: Sequence[RegistryObject],
        changed: Sequence[RegistryObject],
        now: str,
    ) -> None:
        """Objects of the patient with this CX key were added, others have other members or another status."""
        ...

    def merged(self, unit: UnitOfWork, subsumed: CX, surviving: CX) -> None:
        """One patient was subsumed by another."""
        ...


class NoNotifier:
    """Nobody subscribes."""

    def changed(
        self,
        unit: UnitOfWork,
        patient: str,
        added: Sequence[RegistryObject],
        changed: Sequence[RegistryObject],
        now: str,
    ) -> None:
        """Nobody is told."""

    def merged(self, unit: UnitOfWork, subsumed: CX, surviving: CX) -> None:
        """Nobody follows either."""


class NoWatcher:
    """Nobody follows: an affinity domain without records of persons."""

    def opens_at(self, entry: DocumentEntry, now: str) -> str | None:
        """Nothing is ever hidden."""
        return None

    def submitted(
        self, unit: UnitOfWork, patient: str, entries: Sequence[DocumentEntry], caller: Caller, now: str
    ) -> None:
        """Nobody is told."""

    def merged(self, unit: UnitOfWork, subsumed: CX, surviving: CX, caller: Caller, now: str) -> None:
        """Nothing else changes."""


NO_WATCHER = NoWatcher()
NO_NOTIFIER = NoNotifier()
