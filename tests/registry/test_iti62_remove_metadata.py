"""Remove Metadata: what may go, what stands against it, what is left."""

import pytest
from lxml import etree

from access_policy.caller import OPEN_CALLER
from registry import iti57_update_document_set as iti57
from registry import iti62_remove_metadata as iti62
from registry.store import Registry
from tests.builders import a_folder, a_replacement, a_submission, an_entry, an_update
from tests.registry.registries import (
    APPROVED,
    DEPRECATED,
    a_filled_folder,
    a_stored_entry,
    codes,
    held,
    links,
    now_held,
    only,
    rows,
    submit,
)
from xds.errors import Rejected
from xds.metadata import Association, DocumentEntry, RegistryObject, SubmissionSet
from xds.vocabulary import LCM, RIM

UNKNOWN = "urn:uuid:99999999-9999-4999-8999-999999999999"


def remove(registry: Registry, *entry_uuids: str) -> None:
    registry.units.write(lambda unit: iti62.handle(registry, unit, entry_uuids, OPEN_CALLER))


def refused(registry: Registry, *entry_uuids: str) -> set[tuple[str, str]]:
    """(code, location) of each error of a removal that must change nothing."""
    before = rows(registry)
    with pytest.raises(Rejected) as caught:
        remove(registry, *entry_uuids)
    assert rows(registry) == before
    return {(str(error.code), error.location) for error in caught.value.errors}


def uuids(things: tuple[RegistryObject, ...], *kinds: type[RegistryObject]) -> list[str]:
    return [thing.entry_uuid for thing in things if not kinds or isinstance(thing, kinds)]


def test_a_whole_submission_goes_and_leaves_nothing(registry: Registry) -> None:
    empty = rows(registry)[:3]
    things = submit(registry, a_submission(an_entry()))
    remove(registry, *uuids(things))
    assert rows(registry)[:3] == empty


def test_the_order_and_repetition_of_references_mean_nothing(registry: Registry) -> None:
    things = uuids(submit(registry, a_submission(an_entry())))
    remove(registry, *reversed(things), things[0])
    assert held(registry, *things) == {}


def test_what_is_still_referred_to_stays(registry: Registry) -> None:
    things = submit(registry, a_submission(an_entry()))
    [entry] = uuids(things, DocumentEntry)
    assert refused(registry, entry) == {("ReferencesExistException", entry)}


def test_an_association_alone_leaves_two_orphans(registry: Registry) -> None:
    things = submit(registry, a_submission(an_entry()))
    [member] = uuids(things, Association)
    assert refused(registry, member) == {
        ("XDSUnreferencedObjectException", uuids(things, DocumentEntry)[0]),
        ("XDSUnreferencedObjectException", uuids(things, SubmissionSet)[0]),
    }


def test_every_check_is_made_whatever_the_others_find(registry: Registry) -> None:
    things = submit(registry, a_submission(an_entry()))
    [entry], [member], [owner] = (uuids(things, kind) for kind in (DocumentEntry, Association, SubmissionSet))
    assert refused(registry, entry, member, UNKNOWN) == {
        ("UnresolvedReferenceException", UNKNOWN),
        ("XDSUnreferencedObjectException", owner),
    }


def test_an_unknown_object_is_named(registry: Registry) -> None:
    assert refused(registry, UNKNOWN) == {("UnresolvedReferenceException", UNKNOWN)}


def test_a_membership_of_a_folder_goes_with_what_holds_it(registry: Registry) -> None:
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    [membership] = [one for one in links(registry, folder.entry_uuid) if one.source == folder.entry_uuid]
    [holding] = links(registry, membership.entry_uuid)
    assert refused(registry, holding.entry_uuid) == {("XDSUnreferencedObjectException", membership.entry_uuid)}
    remove(registry, membership.entry_uuid, holding.entry_uuid)
    assert str(now_held(registry, folder).last_update_time) > str(folder.last_update_time)
    assert now_held(registry, entry).availability_status is APPROVED


def test_a_relationship_goes_alone_and_restores_no_status(registry: Registry) -> None:
    replaced = a_stored_entry(registry)
    new = an_entry(entry_uuid="Document02")
    things = submit(registry, a_submission(new, associations=(a_replacement(new, replaced.entry_uuid),)))
    [replacement] = links(registry, replaced.entry_uuid, kind=a_replacement(new, "").association_type)
    remove(registry, replacement.entry_uuid)
    assert now_held(registry, replaced).availability_status is DEPRECATED
    assert now_held(registry, only(DocumentEntry, things)).availability_status is APPROVED


def test_when_the_newest_version_goes_the_one_before_is_the_newest(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    things = submit(registry, an_update(entry), iti57.handle)
    remove(registry, *uuids(things))
    left = held(registry, entry.entry_uuid)[entry.entry_uuid]
    assert (left.is_current, left.thing.availability_status) == (True, DEPRECATED)
    submit(registry, an_update(entry), iti57.handle)


def test_a_unique_id_is_free_again_when_nothing_has_it(registry: Registry) -> None:
    submission = a_submission(an_entry())
    remove(registry, *uuids(submit(registry, submission)))
    submit(registry, submission)


def test_a_unique_id_still_names_the_document_that_is_left(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    again = submit(registry, a_submission(an_entry(unique_id=entry.unique_id)))
    remove(registry, *uuids(again))
    with pytest.raises(Rejected) as caught:
        a_stored_entry(registry, unique_id=entry.unique_id, hash="0" * 40)
    assert codes(caught.value.errors) == {"XDSNonIdenticalHash"}


@pytest.mark.parametrize(
    "body",
    [
        "<rim:ObjectRefList/>",
        '<rim:AdhocQuery id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"/>',
    ],
)
def test_a_request_that_names_no_object_is_a_registry_error(registry: Registry, body: str) -> None:
    request = etree.fromstring(
        f'<lcm:RemoveObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}">{body}</lcm:RemoveObjectsRequest>'
    )
    answer = iti62.soap(registry, request, OPEN_CALLER)
    assert b"XDSRegistryError" in answer
    assert b"Failure" in answer
