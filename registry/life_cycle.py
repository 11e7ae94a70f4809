"""What a submission does to objects: the identities they get, the statuses they change. ITI TF-3: 4.2.2.2."""

from collections.abc import Callable
from dataclasses import replace

from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import DTM
from xds.identifiers import is_symbolic, new_uuid_urn
from xds.metadata import Association, Folder, RegistryObject, Submission
from xds.vocabulary import ADDENDA, REPLACEMENTS, AvailabilityStatus

FIRST_VERSION = 1


def registered(submission: Submission, *, now: str) -> tuple[RegistryObject, ...]:
    """The objects as the registry keeps them: UUIDs for symbolic ids, Approved, version 1. ITI TF-2: 3.42.4.1.3.1"""
    uuids: dict[str, str] = {}

    def uuid_of(identifier: str) -> str:
        if is_symbolic(identifier):
            return uuids.setdefault(identifier, new_uuid_urn())
        return identifier

    return tuple(_registered(thing, uuid_of, now) for thing in submission.objects)


def _registered(thing: RegistryObject, uuid_of: Callable[[str], str], now: str) -> RegistryObject:
    entry_uuid = uuid_of(thing.entry_uuid)
    first = replace(
        thing,
        entry_uuid=entry_uuid,
        logical_id=entry_uuid,
        version=FIRST_VERSION,
        availability_status=AvailabilityStatus.APPROVED,
    )
    if isinstance(first, Association):
        return replace(first, source=uuid_of(first.source), target=uuid_of(first.target))
    return replace(first, last_update_time=DTM(now)) if isinstance(first, Folder) else first


def replaced_documents(things: tuple[RegistryObject, ...]) -> set[str]:
    """Documents that a RPLC or XFRM_RPLC of the submission points at."""
    return {t.target for t in things if isinstance(t, Association) and t.association_type in REPLACEMENTS}


def deprecate_replaced(registry: Registry, unit: UnitOfWork, patient_key: int, replaced: set[str]) -> None:
    """The replaced documents, and every addendum and transformation of them, recursively. ITI TF-3: 4.2.2.2.3"""
    deprecated: set[str] = set()
    wave = set(replaced)
    while wave:
        deprecated |= wave
        wave = registry.sources_of(unit, patient_key, wave, ADDENDA) - deprecated
    if deprecated:
        registry.deprecate(unit, patient_key, deprecated)
