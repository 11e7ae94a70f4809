"""Removing everything that is kept of one patient: what is left of a record whose retention is over. DMP 13."""

from dataclasses import dataclass

from access_policy.caller import Caller
from registry import iti62_remove_metadata as iti62
from registry.sql import contents, identities
from registry.store import Registry
from storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the registry has of a patient: every object, and the documents of no other patient, by uniqueId."""

    entry_uuids: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


def contents_of(registry: Registry, patient: str) -> Contents:
    """`patient` is a CX key; nothing for one that is not known."""
    with registry.units.read() as connection:
        key = identities.patient_key(connection, patient)
        if key is None:
            return Contents()
        return Contents(
            entry_uuids=tuple(contents.entry_uuids(connection, key)),
            documents=tuple(contents.documents_of_nobody_else(connection, key)),
        )


def erase_metadata(registry: Registry, unit: UnitOfWork, found: Contents, caller: Caller) -> None:
    """Remove the objects as Remove Metadata [ITI-62] does. Raises Rejected when something else refers to them."""
    if found.entry_uuids:
        iti62.handle(registry, unit, found.entry_uuids, caller)
