"""Patients made known and merged, on SQLite and on PostgreSQL. ITI TF-2: 3.8."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text

from access_policy.caller import OPEN_CALLER
from access_policy.visibility import EVERYTHING
from carnet.domains import affinity_domain
from carnet.settings import Settings
from fhir_facade.rendering import render_fhir
from registry import iti42_register_document_set_b as iti42
from registry import iti57_update_document_set as iti57
from registry import patients
from registry.criteria import CodeCriterion, CodePattern, Criteria, Form, LikeCriterion
from registry.patients import Source
from registry.sql import merges
from registry.store import Registry
from storage.unit_of_work import Units
from tests.audit.happenings import a_trail, kept
from tests.builders import (
    OTHER_PATIENT,
    PATIENT,
    TEST_INS,
    a_folder,
    a_reading,
    a_replacement,
    a_submission,
    a_submission_set,
    an_association,
    an_entry,
)
from xds.datatypes import CX, Code
from xds.errors import ErrorCode, Rejected
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet

FEED = Source(transaction="ITI-8", caller=OPEN_CALLER, message="42")
THIRD = CX(f"160057800608436^^^&{TEST_INS}&ISO")
TABLES = ("patient", "identity", "registry_object", "object_value", "outbox")


@pytest.fixture
def registry(units: Units) -> Registry:
    made = Registry(units, domain=affinity_domain(Settings()), render_fhir=render_fhir, now=lambda: "20260310100000")
    known(made, PATIENT, OTHER_PATIENT, THIRD)
    return made


def known(registry: Registry, *patient_ids: CX) -> int:
    return registry.units.write(lambda unit: patients.make_known(registry, unit, patient_ids, FEED))


def merge(registry: Registry, subsumed: CX = OTHER_PATIENT, surviving: CX = PATIENT) -> patients.Merged:
    return registry.units.write(
        lambda unit: patients.merge(registry, unit, subsumed=subsumed, surviving=surviving, source=FEED)
    )


def refused(registry: Registry, subsumed: CX, surviving: CX) -> list[ErrorCode]:
    before = everything(registry)
    with pytest.raises(Rejected) as caught:
        merge(registry, subsumed, surviving)
    assert everything(registry) == before
    return [error.code for error in caught.value.errors]


def everything(registry: Registry) -> list[list[tuple[object, ...]]]:
    with registry.units.read() as connection:
        return [sorted(map(tuple, connection.execute(text(f"SELECT * FROM {name}")).all()), key=str) for name in TABLES]


def register(registry: Registry, submission: Submission) -> tuple[RegistryObject, ...]:
    return registry.units.write(lambda unit: iti42.handle(registry, unit, a_reading(submission), OPEN_CALLER))


def registered(
    registry: Registry, patient_id: CX = OTHER_PATIENT, *links: Association, **changes: object
) -> DocumentEntry:
    entry = an_entry(patient_id=patient_id, **changes)
    submission = a_submission(entry, submission_set=a_submission_set(patient_id=patient_id), associations=links)
    return next(thing for thing in register(registry, submission) if isinstance(thing, DocumentEntry))


def found(
    registry: Registry, patient_id: CX, kind: type[RegistryObject] = DocumentEntry, **criteria: object
) -> dict[str, bytes]:
    """entryUUID -> ebRIM."""
    asked = Criteria(kind=kind, patient=patient_id.key, **criteria)
    return {one.entry_uuid: one.rendering for one in registry.find(asked, EVERYTHING)}


def test_an_identifier_becomes_known_once(registry: Registry) -> None:
    new = CX(f"280057800608436^^^&{TEST_INS}&ISO")
    assert (known(registry, new), known(registry, new)) == (1, 0)
    with registry.units.read() as connection:
        assert (
            connection.execute(text("SELECT count(*) FROM patient WHERE identifier = :id"), {"id": new.id}).scalar()
            == 1
        )


def test_an_identifier_fed_by_several_at_once_becomes_known_once(registry: Registry) -> None:
    for number in range(20):
        new = CX(f"3{number:014}^^^&{TEST_INS}&ISO")
        assert sorted(map(str, race([lambda new=new: known(registry, new)] * 3))) == ["0", "0", "1"]


def test_identifiers_of_another_domain_are_refused_together(registry: Registry) -> None:
    good, foreign = CX(f"258063523804186^^^&{TEST_INS}&ISO"), CX("2^^^&1.2.3&ISO")
    long = CX(f"{'9' * 250}^^^&{TEST_INS}&ISO")
    with pytest.raises(Rejected) as caught:
        known(registry, good, foreign, long)
    assert len(caught.value.errors) == 3  # the last is no INS either
    assert patients.account_of(registry, good) is None


def test_every_object_of_the_subsumed_patient_moves_and_shows_the_surviving_identifier(registry: Registry) -> None:
    entry = an_entry(patient_id=OTHER_PATIENT)
    member = an_association(entry_uuid="M", source="Folder01", target=entry.entry_uuid)
    things = register(
        registry,
        a_submission(
            entry,
            submission_set=a_submission_set(patient_id=OTHER_PATIENT),
            folders=(a_folder(patient_id=OTHER_PATIENT),),
            associations=(member, an_association(target="M")),
        ),
    )
    own = registered(registry, PATIENT)
    assert merge(registry).objects == len(things)
    for kind in (DocumentEntry, SubmissionSet, Folder, Association):
        expected = {thing.entry_uuid for thing in things if isinstance(thing, kind)}
        after = found(registry, PATIENT, kind)
        assert expected <= after.keys()
        assert found(registry, OTHER_PATIENT, kind) == {}
        if kind is not Association:
            for entry_uuid in expected:
                assert PATIENT.text.replace("&", "&amp;").encode() in after[entry_uuid]
                assert OTHER_PATIENT.id.encode() not in after[entry_uuid]
    assert own.entry_uuid in found(registry, PATIENT)


def test_the_patient_of_the_source_stays_as_it_was(registry: Registry) -> None:
    source = CX("IPP-9^^^&1.2.250.1.999.1&ISO^PI")
    entry = registered(registry, source_patient_id=source, source_patient_info=("PID-5|OLD^NAME",))
    merge(registry)
    rendering = found(registry, PATIENT)[entry.entry_uuid]
    assert source.text.replace("&", "&amp;").encode() in rendering
    assert b"PID-5|OLD^NAME" in rendering


def test_fhir_shows_the_surviving_identifier_and_keeps_the_links(registry: Registry) -> None:
    original = registered(registry)
    newer = registered(registry, OTHER_PATIENT, a_replacement(an_entry(), original.entry_uuid))
    merge(registry)
    asked = Criteria(patient=PATIENT.key, entry_uuids=(newer.entry_uuid,))
    [one] = registry.find(asked, EVERYTHING, form=Form.FHIR)
    assert PATIENT.id.encode() in one.rendering
    assert OTHER_PATIENT.id.encode() not in one.rendering
    assert b'"replaces"' in one.rendering


@pytest.mark.parametrize("status", [None, "Original"])
def test_a_list_holds_no_association_after_a_merge_however_it_is_marked(registry: Registry, status: str | None) -> None:
    """SubmissionSetStatus is tolerated where a SubmissionSet holds a membership of a Folder. ITI TF-3: 4.2.2.1"""
    folder = a_folder(patient_id=OTHER_PATIENT)
    member = an_association(source=folder.entry_uuid, target="Document01")
    own = (member, an_association(target=member.entry_uuid, submission_set_status=status))
    entry = an_entry(patient_id=OTHER_PATIENT)
    submission = a_submission(entry, folders=(folder,), associations=own, patient_id=OTHER_PATIENT)
    registry.units.write(lambda unit: iti42.handle(registry, unit, a_reading(submission), OPEN_CALLER))
    before = _items_of_the_set(registry, OTHER_PATIENT)
    merge(registry)
    assert len(before) == 2
    assert _items_of_the_set(registry, PATIENT) == before


def _items_of_the_set(registry: Registry, patient: CX) -> list[object]:
    [found] = registry.find(Criteria(kind=SubmissionSet, patient=patient.key), EVERYTHING, form=Form.FHIR)
    return list(json.loads(found.rendering)["entry"])


def test_what_was_searchable_stays_searchable(registry: Registry) -> None:
    event = Code(code="e1", coding_scheme="2.25.1", display_name="E1")
    entry = registered(registry, event_code_list=(event,))
    merge(registry)
    codes = (CodeCriterion(attribute="event_code_list", any_of=(CodePattern(code="e1", coding_scheme="2.25.1"),)),)
    likes = (LikeCriterion(attribute="author_person", any_of=("%VILLARD%",)),)
    assert list(found(registry, PATIENT, codes=codes, likes=likes)) == [entry.entry_uuid]
    for name, value in (
        ("entry_uuids", entry.entry_uuid),
        ("unique_ids", entry.unique_id),
        ("logical_ids", entry.logical_id),
    ):
        [one] = registry.find(Criteria(**{name: (value,)}), EVERYTHING)
        assert one.entry_uuid == entry.entry_uuid


def test_a_subsumed_identifier_is_unknown_for_submissions_and_the_survivor_takes_them(registry: Registry) -> None:
    original = registered(registry)
    merge(registry)
    with pytest.raises(Rejected) as caught:
        registered(registry)
    assert [error.code for error in caught.value.errors] == [ErrorCode.UNKNOWN_PATIENT_ID]
    newer = registered(registry, PATIENT, a_replacement(an_entry(), original.entry_uuid))
    assert set(found(registry, PATIENT)) == {original.entry_uuid, newer.entry_uuid}
    assert b"Deprecated" in found(registry, PATIENT)[original.entry_uuid]


def test_chains_are_followed(registry: Registry) -> None:
    first = registered(registry, OTHER_PATIENT)
    merge(registry, OTHER_PATIENT, PATIENT)
    second = registered(registry, PATIENT)
    merge(registry, PATIENT, THIRD)
    assert set(found(registry, THIRD)) == {first.entry_uuid, second.entry_uuid}
    assert found(registry, OTHER_PATIENT) == found(registry, PATIENT) == {}
    assert all(THIRD.id.encode() in rendering for rendering in found(registry, THIRD).values())


def test_both_patients_may_hold_one_unique_id(registry: Registry) -> None:
    mine = registered(registry, PATIENT)
    theirs = registered(registry, OTHER_PATIENT, unique_id=mine.unique_id)
    twice = registered(registry, OTHER_PATIENT, unique_id=mine.unique_id)
    merge(registry)
    by_name = registry.find(Criteria(unique_ids=(str(mine.unique_id),)), EVERYTHING)
    assert {one.entry_uuid for one in by_name} == {mine.entry_uuid, theirs.entry_uuid, twice.entry_uuid}
    again = registered(registry, PATIENT, unique_id=mine.unique_id)
    assert again.entry_uuid in found(registry, PATIENT)


def test_a_unique_id_that_only_the_subsumed_patient_had_is_still_guarded(registry: Registry) -> None:
    entry = registered(registry)
    merge(registry)
    other_bytes = an_entry(patient_id=PATIENT, unique_id=entry.unique_id, hash="b" * 40, size=9)
    with pytest.raises(Rejected) as caught:
        register(registry, a_submission(other_bytes, submission_set=a_submission_set(patient_id=PATIENT)))
    assert ErrorCode.NON_IDENTICAL_HASH in [error.code for error in caught.value.errors]


def test_versions_move_with_their_document(registry: Registry) -> None:
    """A later version names its first one; both names lead to the surviving patient."""
    first = registered(registry)
    owner = a_submission_set(patient_id=OTHER_PATIENT)
    second = an_entry(
        entry_uuid="Document02",
        patient_id=OTHER_PATIENT,
        logical_id=first.entry_uuid,
        unique_id=first.unique_id,
        title="v2",
    )
    member = an_association(
        source=owner.entry_uuid, target="Document02", submission_set_status="Original", previous_version=1
    )
    update = Submission(submission_set=owner, document_entries=(second,), associations=(member,))
    registry.units.write(lambda unit: iti57.handle(registry, unit, a_reading(update), OPEN_CALLER))
    merge(registry)
    all_versions = registry.find(Criteria(logical_ids=(first.entry_uuid,), all_versions=True), EVERYTHING)
    assert len(all_versions) == 2
    assert all(PATIENT.id.encode() in one.rendering for one in all_versions)
    [current] = registry.find(Criteria(unique_ids=(str(first.unique_id),)), EVERYTHING)
    assert b"v2" in current.rendering


def test_keys_that_both_patients_use_are_given_anew(registry: Registry) -> None:
    mine, theirs = registered(registry, PATIENT), registered(registry)
    with registry.units.read() as connection:
        keys = dict(connection.execute(text("SELECT entry_uuid, object_key FROM registry_object")).all())
    clash = {"old": keys[theirs.entry_uuid], "new": keys[mine.entry_uuid]}
    registry.units.write(
        lambda unit: [
            unit.connection.execute(text(f"UPDATE {table} SET object_key = :new WHERE object_key = :old"), clash)
            for table in ("registry_object", "identity", "object_value")
        ]
    )
    merge(registry)
    assert set(found(registry, PATIENT)) == {mine.entry_uuid, theirs.entry_uuid}
    [one] = registry.find(Criteria(entry_uuids=(theirs.entry_uuid,)), EVERYTHING)
    assert one.object_key != keys[mine.entry_uuid]


def test_merges_that_make_no_sense_are_refused_and_change_nothing(registry: Registry) -> None:
    registered(registry)
    unknown, foreign = CX(f"404^^^&{TEST_INS}&ISO"), CX("1^^^&1.2.3&ISO")
    assert refused(registry, PATIENT, PATIENT) == [ErrorCode.REGISTRY]
    assert refused(registry, unknown, PATIENT) == [ErrorCode.UNKNOWN_PATIENT_ID]
    assert refused(registry, PATIENT, unknown) == [ErrorCode.UNKNOWN_PATIENT_ID]
    assert refused(registry, foreign, replace(foreign, text="2^^^&1.2.3&ISO")) == [ErrorCode.REGISTRY] * 2
    merge(registry, OTHER_PATIENT, PATIENT)
    assert refused(registry, OTHER_PATIENT, THIRD) == [ErrorCode.UNKNOWN_PATIENT_ID]
    assert refused(registry, THIRD, OTHER_PATIENT) == [ErrorCode.UNKNOWN_PATIENT_ID]
    assert refused(registry, PATIENT, OTHER_PATIENT) == [ErrorCode.UNKNOWN_PATIENT_ID]


def test_a_merged_identifier_does_not_come_back(registry: Registry) -> None:
    merge(registry)
    with pytest.raises(Rejected):
        known(registry, OTHER_PATIENT)
    assert found(registry, OTHER_PATIENT) == {}


def test_a_merge_leaves_an_audit_record_for_each_patient(registry: Registry) -> None:
    registry.recorder = a_trail(registry.units)
    merge(registry)
    assert [(str(one.action), one.patient) for one in kept(registry.units)] == [
        ("D", OTHER_PATIENT.key),
        ("U", PATIENT.key),
    ]


def test_accounts_say_what_a_patient_has(registry: Registry) -> None:
    registered(registry)
    merge(registry)
    subsumed, surviving = patients.account_of(registry, OTHER_PATIENT), patients.account_of(registry, PATIENT)
    assert subsumed is not None
    assert surviving is not None
    assert (subsumed.objects, subsumed.merged_into.key if subsumed.merged_into else "") == ({}, PATIENT.key)
    assert surviving.objects == {"DocumentEntry": 1, "SubmissionSet": 1, "Association": 1}
    assert [one.id for one, _ in patients.all_patients(registry)] == [PATIENT.id, OTHER_PATIENT.id, THIRD.id]


def race(contestants: Sequence[Callable[[], object]]) -> list[object]:
    barrier, outcomes = threading.Barrier(len(contestants)), [object()] * len(contestants)

    def run(number: int) -> None:
        barrier.wait()
        try:
            outcomes[number] = contestants[number]()
        except Rejected as rejected:
            outcomes[number] = [error.code for error in rejected.errors]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(contestants))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def a_patient(registry: Registry, number: int) -> CX:
    patient_id = CX(f"1{number:014}^^^&{TEST_INS}&ISO")
    known(registry, patient_id)
    return patient_id


def races(registry: Registry, rounds: int) -> None:
    """A submission and a merge at once: the document is moved, or refused; it never stays behind."""
    for number in range(rounds):
        subsumed, surviving = a_patient(registry, 2 * number), a_patient(registry, 2 * number + 1)
        outcomes = race(
            [
                *[lambda patient=subsumed: registered(registry, patient)] * 2,
                lambda old=subsumed, new=surviving: merge(registry, old, new),
                lambda patient=surviving: registered(registry, patient),
            ]
        )
        accepted = {one.entry_uuid for one in outcomes if isinstance(one, DocumentEntry)}
        refusals = [one for one in outcomes if isinstance(one, list)]
        assert isinstance(outcomes[2], patients.Merged), outcomes
        assert isinstance(outcomes[3], DocumentEntry), outcomes
        assert all(one == [ErrorCode.UNKNOWN_PATIENT_ID] for one in refusals), outcomes
        assert len(accepted) + len(refusals) == 3
        assert set(found(registry, surviving)) == accepted
        assert found(registry, subsumed) == {}


def test_a_submission_that_races_a_merge_is_moved_or_refused(registry: Registry) -> None:
    races(registry, 100)


@pytest.mark.long
def test_a_submission_that_races_a_merge_is_moved_or_refused_two_thousand_times(registry: Registry) -> None:
    races(registry, 2000)


def test_of_two_opposite_merges_at_once_exactly_one_wins(registry: Registry) -> None:
    for number in range(100):
        one, other = a_patient(registry, 2 * number), a_patient(registry, 2 * number + 1)
        entry = registered(registry, one)
        outcomes = race([lambda a=one, b=other: merge(registry, a, b), lambda a=one, b=other: merge(registry, b, a)])
        winners = [outcome for outcome in outcomes if isinstance(outcome, patients.Merged)]
        assert len(winners) == 1, outcomes
        assert list(found(registry, winners[0].surviving.patient_id)) == [entry.entry_uuid]


def test_a_record_larger_than_a_batch_moves_whole(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merges, "BATCH", 7)
    entries = [an_entry(entry_uuid=f"Document{number:02}", patient_id=OTHER_PATIENT) for number in range(20)]
    things = register(registry, a_submission(*entries, submission_set=a_submission_set(patient_id=OTHER_PATIENT)))
    unique_ids = {thing.unique_id for thing in things if isinstance(thing, DocumentEntry)}
    assert merge(registry).objects == 41
    asked = Criteria(unique_ids=tuple(str(one) for one in unique_ids))
    assert {one.unique_id for one in registry.find(asked, EVERYTHING)} == unique_ids
    order = [one.object_key for one in registry.find(Criteria(patient=PATIENT.key), EVERYTHING)]
    assert order == sorted(order)
