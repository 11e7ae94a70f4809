"""What tests of the registry's transactions share: submit, look, count."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from access_policy.caller import OPEN_CALLER
from registry import iti42_register_document_set_b as iti42
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from tests.builders import a_reading, a_submission, an_association, an_entry
from xds.errors import RegistryError, Rejected
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.metadata_update_facts import Held
from xds.vocabulary import AssociationType, AvailabilityStatus

T = TypeVar("T", bound=RegistryObject)
Handle = Callable[..., Any]
TABLES = ("registry_object", "identity", "object_value", "outbox")
APPROVED, DEPRECATED = AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED


def submit(registry: Registry, submission: Submission, handle: Handle = iti42.handle) -> tuple[RegistryObject, ...]:
    things: tuple[RegistryObject, ...] = registry.units.write(
        lambda unit: handle(registry, unit, a_reading(submission), OPEN_CALLER)
    )
    return things


def refused(registry: Registry, submission: Submission, handle: Handle = iti42.handle) -> tuple[RegistryError, ...]:
    """The errors of a request that must change nothing."""
    before = rows(registry)
    with pytest.raises(Rejected) as caught:
        submit(registry, submission, handle)
    assert rows(registry) == before
    for error in caught.value.errors:
        assert "found " in error.context, error.context
        assert "expected " in error.context, error.context
    return caught.value.errors


def codes(errors: tuple[RegistryError, ...]) -> set[str]:
    return {str(error.code) for error in errors}


def rows(registry: Registry) -> list[int]:
    with registry.units.read() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES]


def only(kind: type[T], things: tuple[RegistryObject, ...]) -> T:
    [one] = [thing for thing in things if isinstance(thing, kind)]
    return one


def a_stored_entry(registry: Registry, *associations: Association, **changes: Any) -> DocumentEntry:
    return only(DocumentEntry, submit(registry, a_submission(an_entry(**changes), associations=associations)))


def a_filled_folder(registry: Registry, folder: Folder, entry: DocumentEntry) -> tuple[Folder, DocumentEntry]:
    """A folder with one document, stored by one submission."""
    membership = an_association(source=folder.entry_uuid, target=entry.entry_uuid)
    held = an_association(target=membership.entry_uuid)
    submission = a_submission(entry, folders=(folder,), associations=(membership, held))
    things = submit(registry, submission)
    return only(Folder, things), only(DocumentEntry, things)


def held(registry: Registry, *entry_uuids: str) -> dict[str, Held]:
    return registry.units.write(lambda unit: registry.held(unit, set(entry_uuids)))


def now_held(registry: Registry, thing: T) -> T:
    """The object as the registry holds it now."""
    found = held(registry, thing.entry_uuid)[thing.entry_uuid].thing
    assert isinstance(found, type(thing))
    return found


def links(registry: Registry, *entry_uuids: str, kind: AssociationType | None = None) -> list[Association]:
    def read(unit: UnitOfWork) -> list[Held]:
        return registry.links(unit, set(entry_uuids))

    found = [one.thing for one in registry.units.write(read)]
    return [one for one in found if isinstance(one, Association) and kind in (None, one.association_type)]


def owner_of(things: tuple[RegistryObject, ...]) -> SubmissionSet:
    return only(SubmissionSet, things)
