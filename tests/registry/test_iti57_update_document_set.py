"""Update Document Set: versions, statuses, submitted associations, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from access_policy.caller import OPEN_CALLER
from access_policy.document_facts import Trait, traits_of
from registry import iti18_registry_stored_query as iti18
from registry import iti57_update_document_set as iti57
from registry.sql import objects
from registry.store import Registry
from tests.builders import (
    OTHER_PATIENT,
    TEST_INS,
    a_folder,
    a_replacement,
    a_status_update,
    a_submission,
    a_submitted_association,
    an_association,
    an_entry,
    an_update,
    together,
)
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
    owner_of,
    refused,
    submit,
)
from xds.datatypes import CX, DTM
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission
from xds.query_grammar import AdhocQuery, read_query
from xds.stored_queries import GET_DOCUMENTS_AND_ASSOCIATIONS
from xds.vocabulary import AssociationType, ObjectType

HAS_MEMBER, APND, RPLC = AssociationType.HAS_MEMBER, AssociationType.APND, AssociationType.RPLC
UNKNOWN_PATIENT = CX(f"999999999999999^^^&{TEST_INS}&ISO^NH")
UNKNOWN = "urn:uuid:99999999-9999-4999-8999-999999999999"


def update(registry: Registry, submission: Submission) -> tuple[RegistryObject, ...]:
    return submit(registry, submission, iti57.handle)


def refused_codes(registry: Registry, submission: Submission) -> set[str]:
    return codes(refused(registry, submission, iti57.handle))


# --- new versions ----------------------------------------------------------------------------


def test_an_update_stores_the_next_version_and_deprecates_the_present_one(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    new = only(DocumentEntry, update(registry, an_update(entry, title="Titre corrigé")))
    assert (new.version, new.logical_id, new.availability_status) == (2, entry.entry_uuid, APPROVED)
    assert new.title == "Titre corrigé"
    assert new.entry_uuid != entry.entry_uuid
    before = held(registry, entry.entry_uuid)[entry.entry_uuid]
    assert (before.thing.availability_status, before.is_current) == (DEPRECATED, False)
    assert held(registry, new.entry_uuid)[new.entry_uuid].is_current


def test_versions_follow_one_another(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    for number in (2, 3, 4):
        entry = only(DocumentEntry, update(registry, an_update(entry, title=f"Version {number}")))
        assert entry.version == number


def test_a_deprecated_entry_is_updated_and_stays_deprecated(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    update(registry, a_status_update(entry.entry_uuid, "Approved", "Deprecated"))
    new = only(DocumentEntry, update(registry, an_update(entry)))
    assert new.availability_status is DEPRECATED


def test_hash_and_size_may_change_between_versions(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    new = only(DocumentEntry, update(registry, an_update(entry, hash="0" * 40, size=7)))
    assert (new.hash, new.size) == ("0" * 40, 7)


def test_a_new_version_has_the_octets_of_other_documents_with_its_unique_id(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    a_stored_entry(registry, unique_id=entry.unique_id)
    errors = refused_codes(registry, an_update(entry, hash="0" * 40, size=7))
    assert errors == {"XDSNonIdenticalHash", "XDSNonIdenticalSize"}


def test_a_later_submission_is_compared_with_the_newest_version(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    update(registry, an_update(entry, hash="0" * 40, size=7))
    assert codes(refused(registry, a_submission(an_entry(unique_id=entry.unique_id)))) == {
        "XDSNonIdenticalHash",
        "XDSNonIdenticalSize",
    }
    a_stored_entry(registry, unique_id=entry.unique_id, hash="0" * 40, size=7)


def test_earlier_versions_are_written_again_for_another_restriction_alone(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    for version in (1, 2, 3):
        update(registry, an_update(entry, entry_uuid=f"Update{version}", previous_version=version))
    logical_id = entry.logical_id or ""

    def spread(traits: Trait) -> int:
        return registry.units.write(lambda unit: objects.spread(unit.connection, logical_id, {"traits": int(traits)}))

    assert [spread(traits_of(entry)), spread(Trait.MASKED), spread(Trait.MASKED)] == [0, 4, 0]


def test_a_folder_update_moves_its_last_update_time(registry: Registry) -> None:
    folder, _ = a_filled_folder(registry, a_folder(), an_entry())
    new = only(Folder, update(registry, an_update(folder, title="Grossesse")))
    assert new.version == 2
    assert new.last_update_time is not None
    assert folder.last_update_time is not None
    assert str(new.last_update_time) > str(folder.last_update_time)


def test_an_entry_may_move_to_another_patient(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    new = only(DocumentEntry, update(registry, an_update(entry, patient_id=OTHER_PATIENT, propagation="no")))
    assert new.patient_id == OTHER_PATIENT
    later = only(DocumentEntry, update(registry, an_update(new, title="Encore")))
    assert (later.version, later.patient_id) == (3, OTHER_PATIENT)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"logical_id": None}, {"XDSInvalidRequestException"}),
        ({"logical_id": "Update01"}, {"XDSInvalidRequestException"}),
        ({"logical_id": UNKNOWN}, {"UnresolvedReferenceException", "XDSMetadataVersionError"}),
        ({"previous_version": None}, {"XDSMetadataUpdateOperationError", "XDSMetadataVersionError"}),
        ({"previous_version": 7}, {"XDSMetadataVersionError"}),
        ({"unique_id": "2.25.12345"}, {"XDSMetadataIdentifierError"}),
        ({"object_type": ObjectType.ON_DEMAND}, {"XDSMetadataIdentifierError", "XDSRegistryMetadataError"}),
        ({"class_code": None}, {"XDSRegistryMetadataError"}),
        ({"patient_id": UNKNOWN_PATIENT}, {"XDSUnknownPatientId"}),
    ],
)
def test_an_update_that_breaks_a_rule_names_it(
    registry: Registry, changes: dict[str, object], expected: set[str]
) -> None:
    entry = a_stored_entry(registry)
    assert refused_codes(registry, an_update(entry, **changes)) == expected


def test_a_new_version_is_an_original_member_of_its_submission_set(registry: Registry) -> None:
    request = an_update(a_stored_entry(registry))
    [member] = request.associations
    for status in (None, "Reference"):
        changed = replace(request, associations=(replace(member, submission_set_status=status),))
        assert refused_codes(registry, changed) == {"XDSMetadataUpdateOperationError"}


def test_an_error_is_located_at_the_object_as_it_was_sent(registry: Registry) -> None:
    errors = refused(registry, an_update(a_stored_entry(registry), previous_version=7), iti57.handle)
    assert [error.location for error in errors] == ["Update01"]


def test_an_initial_version_of_a_folder_is_an_update_error(registry: Registry) -> None:
    folder, _ = a_filled_folder(registry, a_folder(), an_entry())
    assert refused_codes(registry, an_update(folder, logical_id=None)) == {"XDSMetadataUpdateError"}


def test_a_folder_that_is_not_approved_is_not_updated(registry: Registry) -> None:
    folder, _ = a_filled_folder(registry, a_folder(), an_entry())
    update(registry, a_status_update(folder.entry_uuid, "Approved", "Deprecated"))
    assert refused_codes(registry, an_update(folder)) == {"XDSMetadataUpdateError"}


def test_one_logical_object_is_updated_once_in_a_request(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    twice = together(an_update(entry), an_update(entry, entry_uuid="Update02"))
    assert refused_codes(registry, twice) == {"XDSMetadataUpdateError"}


def test_the_present_version_sent_along_is_refused(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    both = together(an_update(entry), an_update(entry, entry_uuid=entry.entry_uuid))
    assert {"XDSRegistryMetadataError", "XDSInvalidRequestException"} <= refused_codes(registry, both)


def test_an_object_without_its_membership_asks_for_nothing(registry: Registry) -> None:
    bare = replace(an_update(a_stored_entry(registry)), associations=())
    assert refused_codes(registry, bare) == {"XDSMetadataUpdateOperationError"}


def test_a_request_without_an_operation_is_refused(registry: Registry) -> None:
    empty = replace(an_update(a_stored_entry(registry)), document_entries=(), associations=())
    assert refused_codes(registry, empty) == {"XDSMetadataUpdateOperationError"}


def test_an_association_that_no_operation_asks_for_is_refused(registry: Registry) -> None:
    first, second = a_stored_entry(registry), a_stored_entry(registry)
    stray = an_association(association_type=APND, source=first.entry_uuid, target=second.entry_uuid)
    request = an_update(first)
    assert refused_codes(registry, replace(request, associations=(*request.associations, stray))) == {
        "XDSMetadataUpdateOperationError"
    }


def test_the_unique_id_of_the_submission_set_is_new(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    request = an_update(entry)
    update(registry, request)
    again = an_update(entry, previous_version=2)
    assert request.submission_set is not None
    assert again.submission_set is not None
    again = replace(again, submission_set=replace(again.submission_set, unique_id=request.submission_set.unique_id))
    assert refused_codes(registry, again) == {"XDSDuplicateUniqueIdInRegistry"}


# --- propagation -----------------------------------------------------------------------------


def test_memberships_and_relationships_are_carried_to_the_new_version(registry: Registry) -> None:
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    addendum = an_entry(entry_uuid="Document02")
    added = a_stored_entry(registry, a_replacement(addendum, entry.entry_uuid, APND), entry_uuid="Document02")
    things = update(registry, an_update(entry))
    new = only(DocumentEntry, things)
    [membership] = [one for one in links(registry, folder.entry_uuid, kind=HAS_MEMBER) if one.target == new.entry_uuid]
    assert membership.source == folder.entry_uuid
    [held_by] = [one for one in links(registry, membership.entry_uuid) if one.target == membership.entry_uuid]
    assert held_by.source == owner_of(things).entry_uuid
    [addition] = links(registry, new.entry_uuid, kind=APND)
    assert (addition.source, addition.target) == (added.entry_uuid, new.entry_uuid)
    assert links(registry, entry.entry_uuid, kind=APND)[0].availability_status is APPROVED


def test_no_propagation_carries_nothing(registry: Registry) -> None:
    _, entry = a_filled_folder(registry, a_folder(), an_entry())
    things = update(registry, an_update(entry, propagation="no"))
    assert [one.source for one in links(registry, only(DocumentEntry, things).entry_uuid)] == [
        owner_of(things).entry_uuid
    ]


def test_a_folder_update_carries_the_approved_members_only(registry: Registry) -> None:
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    replacing = an_entry(entry_uuid="Document02")
    newer = a_stored_entry(registry, a_replacement(replacing, entry.entry_uuid), entry_uuid="Document02")
    new = only(Folder, update(registry, an_update(folder)))
    assert [one.target for one in links(registry, new.entry_uuid) if one.source == new.entry_uuid] == [newer.entry_uuid]


def test_both_ends_updated_are_linked_once_and_not_crosswise(registry: Registry) -> None:
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    things = update(registry, together(an_update(entry), an_update(folder, entry_uuid="Update02")))
    new_entry, new_folder = only(DocumentEntry, things), only(Folder, things)
    into_new = [
        one for one in links(registry, new_entry.entry_uuid, kind=HAS_MEMBER) if one.target == new_entry.entry_uuid
    ]
    assert {one.source for one in into_new} == {new_folder.entry_uuid, owner_of(things).entry_uuid}
    assert [one.target for one in links(registry, new_folder.entry_uuid) if one.source == new_folder.entry_uuid] == [
        new_entry.entry_uuid
    ]


def test_linked_updates_propagate_alike(registry: Registry) -> None:
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    mixed = together(an_update(entry, propagation="no"), an_update(folder, entry_uuid="Update02"))
    assert refused_codes(registry, mixed) == {"XDSMetadataUpdateError"}


def test_a_move_to_another_patient_does_not_drag_a_folder_along(registry: Registry) -> None:
    _, entry = a_filled_folder(registry, a_folder(), an_entry())
    assert refused_codes(registry, an_update(entry, patient_id=OTHER_PATIENT)) == {"XDSPatientIDReconciliationError"}


# --- statuses --------------------------------------------------------------------------------


def test_a_status_changes_without_a_new_version(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    things = update(registry, a_status_update(entry.entry_uuid, "Approved", "Deprecated"))
    assert [type(thing).__name__ for thing in things] == ["SubmissionSet"]
    assert (now_held(registry, entry).availability_status, now_held(registry, entry).version) == (DEPRECATED, 1)
    update(registry, a_status_update(entry.entry_uuid, "Deprecated", "Approved"))
    assert now_held(registry, entry).availability_status is APPROVED


def test_a_status_beside_a_new_version_is_that_of_the_new_version(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    both = together(an_update(entry), a_status_update(entry.entry_uuid, "Approved", "Deprecated"))
    assert only(DocumentEntry, update(registry, both)).availability_status is DEPRECATED


def test_the_status_of_a_membership_changes_and_touches_the_folder(registry: Registry) -> None:
    folder, _ = a_filled_folder(registry, a_folder(), an_entry())
    [membership] = [one for one in links(registry, folder.entry_uuid) if one.source == folder.entry_uuid]
    update(registry, a_status_update(membership.entry_uuid, "Approved", "Deprecated"))
    assert now_held(registry, membership).availability_status is DEPRECATED
    assert str(now_held(registry, folder).last_update_time) > str(folder.last_update_time)


def _set_of(registry: Registry, entry: DocumentEntry) -> Association:
    [member] = [one for one in links(registry, entry.entry_uuid) if one.target == entry.entry_uuid]
    return member


WRONG_STATUS_UPDATES: list[tuple[Callable[[Registry, DocumentEntry], Submission], set[str]]] = [
    (lambda _, entry: a_status_update(entry.entry_uuid, "Deprecated", "Approved"), {"XDSMetadataUpdateError"}),
    (lambda *_: a_status_update(UNKNOWN, "Approved", "Deprecated"), {"UnresolvedReferenceException"}),
    (
        lambda _, entry: a_status_update(entry.entry_uuid, "Approved", "Perdu"),
        {"XDSMetadataUpdateOperationError", "XDSMetadataUpdateError"},
    ),
    (
        lambda registry, entry: a_status_update(_set_of(registry, entry).entry_uuid, "Approved", "Deprecated"),
        {"XDSMetadataUpdateError"},
    ),
    (
        lambda registry, entry: a_status_update(_set_of(registry, entry).source, "Approved", "Deprecated"),
        {"XDSMetadataUpdateError"},
    ),
    (
        lambda _, entry: together(
            a_status_update(entry.entry_uuid, "Approved", "Deprecated"),
            a_status_update(entry.entry_uuid, "Approved", "Deprecated"),
        ),
        {"XDSMetadataUpdateError"},
    ),
]


@pytest.mark.parametrize(("request_of", "expected"), WRONG_STATUS_UPDATES)
def test_a_status_update_that_breaks_a_rule_names_it(
    registry: Registry, request_of: Callable[[Registry, DocumentEntry], Submission], expected: set[str]
) -> None:
    entry = a_stored_entry(registry)
    assert refused_codes(registry, request_of(registry, entry)) == expected


def test_an_addendum_whose_link_was_withdrawn_is_not_deprecated_with_the_document(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    added = a_stored_entry(registry, a_replacement(an_entry(), entry.entry_uuid, APND))
    [link] = links(registry, entry.entry_uuid, kind=APND)
    update(registry, a_status_update(link.entry_uuid, "Approved", "Deprecated"))
    a_stored_entry(registry, a_replacement(an_entry(), entry.entry_uuid))
    assert now_held(registry, entry).availability_status is DEPRECATED
    assert now_held(registry, added).availability_status is APPROVED


def test_the_status_of_an_older_version_stays(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    update(registry, an_update(entry))
    older = a_status_update(entry.entry_uuid, "Deprecated", "Approved")
    assert refused_codes(registry, older) == {"XDSMetadataUpdateError"}


# --- submitted associations ------------------------------------------------------------------


def test_an_association_is_submitted_between_stored_objects(registry: Registry) -> None:
    first, second = a_stored_entry(registry), a_stored_entry(registry)
    update(registry, a_submitted_association(first.entry_uuid, second.entry_uuid, APND))
    [link] = links(registry, first.entry_uuid, kind=APND)
    assert (link.source, link.target, link.availability_status) == (first.entry_uuid, second.entry_uuid, APPROVED)


def test_a_submitted_membership_is_held_by_the_submission_set_and_touches_the_folder(registry: Registry) -> None:
    folder, _ = a_filled_folder(registry, a_folder(), an_entry())
    other = a_stored_entry(registry)
    things = update(registry, a_submitted_association(folder.entry_uuid, other.entry_uuid, HAS_MEMBER))
    [membership] = [one for one in links(registry, other.entry_uuid) if one.source == folder.entry_uuid]
    assert {one.source for one in links(registry, membership.entry_uuid)} == {owner_of(things).entry_uuid}
    assert str(now_held(registry, folder).last_update_time) > str(folder.last_update_time)


def test_a_submitted_replacement_does_what_one_of_a_submission_does(registry: Registry) -> None:
    """ITI TF-3: 4.2.2.2.3"""
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    addendum = a_stored_entry(registry, a_replacement(an_entry(), entry.entry_uuid, APND))
    new = a_stored_entry(registry)
    things = update(registry, a_submitted_association(new.entry_uuid, entry.entry_uuid, RPLC))
    statuses = [now_held(registry, one).availability_status for one in (entry, addendum, new)]
    assert statuses == [DEPRECATED, DEPRECATED, APPROVED]
    [entered] = [one for one in links(registry, new.entry_uuid) if one.source == folder.entry_uuid]
    assert {one.source for one in links(registry, entered.entry_uuid)} == {owner_of(things).entry_uuid}
    assert str(now_held(registry, folder).last_update_time) > str(folder.last_update_time)
    again = a_submitted_association(addendum.entry_uuid, entry.entry_uuid, RPLC)
    assert "XDSMetadataUpdateError" in refused_codes(registry, again)


def test_a_submitted_snapshot_is_a_stable_document_of_one_on_demand(registry: Registry) -> None:
    first, second = a_stored_entry(registry), a_stored_entry(registry)
    request = a_submitted_association(first.entry_uuid, second.entry_uuid, AssociationType.IS_SNAPSHOT_OF)
    assert refused_codes(registry, request) == {"XDSRegistryMetadataError"}


def test_triggers_are_not_stored(registry: Registry) -> None:
    first, second = a_stored_entry(registry), a_stored_entry(registry)
    things = update(registry, a_submitted_association(first.entry_uuid, second.entry_uuid, APND))
    assert links(registry, owner_of(things).entry_uuid) == []


def test_a_submitted_association_that_breaks_a_rule_names_it(registry: Registry) -> None:
    first, second = a_stored_entry(registry), a_stored_entry(registry)
    foreign = a_stored_entry_of_other_patient(registry)
    folder, _ = a_filled_folder(registry, a_folder(), an_entry())

    def submitted(source: str, target: str, kind: AssociationType) -> set[str]:
        return refused_codes(registry, a_submitted_association(source, target, kind))

    assert submitted(first.entry_uuid, UNKNOWN, APND) == {"UnresolvedReferenceException"}
    assert submitted(first.entry_uuid, foreign.entry_uuid, APND) == {"XDSPatientIDReconciliationError"}
    assert submitted(folder.entry_uuid, second.entry_uuid, APND) == {"XDSMetadataUpdateError"}
    assert submitted(first.entry_uuid, second.entry_uuid, HAS_MEMBER) == {"XDSMetadataUpdateError"}
    update(registry, a_submitted_association(first.entry_uuid, second.entry_uuid, APND))
    assert submitted(first.entry_uuid, second.entry_uuid, APND) == {"XDSMetadataUpdateError"}
    update(registry, a_status_update(second.entry_uuid, "Approved", "Deprecated"))
    assert submitted(first.entry_uuid, second.entry_uuid, RPLC) == {"XDSMetadataUpdateError"}


def a_stored_entry_of_other_patient(registry: Registry) -> DocumentEntry:
    entry = an_entry(patient_id=OTHER_PATIENT)
    return only(DocumentEntry, submit(registry, a_submission(entry, patient_id=OTHER_PATIENT)))


def test_a_trigger_that_points_at_nothing_of_the_request_is_refused(registry: Registry) -> None:
    first, second = a_stored_entry(registry), a_stored_entry(registry)
    request = a_submitted_association(first.entry_uuid, second.entry_uuid, APND)
    [_, trigger] = request.associations
    assert "XDSRegistryMetadataError" in refused_codes(registry, replace(request, associations=(trigger,)))


# --- the life cycle of a submission ----------------------------------------------------------


def test_a_replacing_document_enters_the_folders_of_the_replaced_one(registry: Registry) -> None:
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    new = an_entry(entry_uuid="Document02")
    things = submit(registry, a_submission(new, associations=(a_replacement(new, entry.entry_uuid),)))
    stored = only(DocumentEntry, things)
    members = [one for one in links(registry, folder.entry_uuid) if one.source == folder.entry_uuid]
    assert {one.target for one in members} == {entry.entry_uuid, stored.entry_uuid}
    [entered] = [one for one in members if one.target == stored.entry_uuid]
    assert {one.source for one in links(registry, entered.entry_uuid)} == {owner_of(things).entry_uuid}
    assert str(now_held(registry, folder).last_update_time) > str(folder.last_update_time)


def test_a_document_does_not_enter_the_folder_of_another_patient(registry: Registry) -> None:
    folder, _ = a_filled_folder(registry, a_folder(), an_entry())
    new = an_entry(entry_uuid="Document02", patient_id=OTHER_PATIENT)
    membership = an_association(source=folder.entry_uuid, target="Document02")
    own = (membership, an_association(target=membership.entry_uuid))
    errors = refused(registry, a_submission(new, patient_id=OTHER_PATIENT, associations=own))
    assert codes(errors) == {"XDSPatientIdDoesNotMatch"}


def test_a_membership_that_the_submission_makes_is_not_made_again(registry: Registry) -> None:
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    new = an_entry(entry_uuid="Document02")
    membership = an_association(source=folder.entry_uuid, target="Document02")
    own = (membership, an_association(target=membership.entry_uuid), a_replacement(new, entry.entry_uuid))
    stored = only(DocumentEntry, submit(registry, a_submission(new, associations=own)))
    assert len([one for one in links(registry, stored.entry_uuid) if one.source == folder.entry_uuid]) == 1


def test_last_update_time_moves_on_within_one_second(registry: Registry) -> None:
    folder, _ = a_filled_folder(registry, a_folder(), an_entry())
    times = [str(folder.last_update_time)]
    for number in range(3):
        other = a_stored_entry(registry, entry_uuid=f"Other{number}")
        update(registry, a_submitted_association(folder.entry_uuid, other.entry_uuid, HAS_MEMBER))
        times.append(str(now_held(registry, folder).last_update_time))
    assert times == [str(DTM(f"2026031010000{n}")) for n in range(4)]


def test_a_reference_from_another_patient_is_found_from_the_document(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    reference = an_association(target=entry.entry_uuid, submission_set_status="Reference")
    other = a_submission(an_entry(patient_id=OTHER_PATIENT), patient_id=OTHER_PATIENT, associations=(reference,))
    things = submit(registry, other)
    assert owner_of(things).entry_uuid in [one.source for one in links(registry, entry.entry_uuid)]
    for name, value in (
        ("$XDSDocumentEntryEntryUUID", entry.entry_uuid),
        ("$XDSDocumentEntryUniqueId", entry.unique_id),
    ):
        for return_type in ("ObjectRef", "LeafClass"):  # an association has no patient that could be another
            request = AdhocQuery(
                id=GET_DOCUMENTS_AND_ASSOCIATIONS.id, return_type=return_type, slots=((name, (f"('{value}')",)),)
            )
            found = iti18.handle(registry, read_query(request), OPEN_CALLER)
            sources = {one.source for one in links(registry, entry.entry_uuid)}
            assert {one.source for one in found if one.source} == sources
