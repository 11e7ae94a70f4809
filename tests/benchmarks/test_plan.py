"""The shape of a data set follows from its sizes alone."""

import pytest

from benchmarks.plan import QUERIED_ENTRIES, Plan, Sizes, UnusablePlan

SIZES = Sizes(entries=3_000, patients=150, seed=7)


def test_the_same_sizes_give_the_same_plan() -> None:
    one, other = Plan(SIZES), Plan(SIZES)
    assert (one.counts, one.order, one.turns) == (other.counts, other.order, other.turns)


def test_another_seed_gives_another_plan() -> None:
    one, other = Plan(SIZES), Plan(Sizes(entries=3_000, patients=150, seed=8))
    assert one.order != other.order
    assert one.counts != other.counts


@pytest.mark.parametrize(
    ("entries", "patients"), [(21, 2), (100, 4), (3_000, 150), (2_000, 100), (10_000, 9), (1_000, 900)]
)
def test_every_entry_belongs_to_a_patient(entries: int, patients: int) -> None:
    plan = Plan(Sizes(entries=entries, patients=patients))
    assert sum(plan.counts) == entries == len(plan.order)
    assert len(plan.counts) == patients
    assert [plan.order.count(patient) for patient in range(patients)] == plan.counts


def test_queried_patients_have_twenty_documents_and_none_is_replaced() -> None:
    plan = Plan(SIZES)
    assert len(plan.queried) == 30
    for patient in plan.queried:
        assert plan.counts[patient] == QUERIED_ENTRIES
        assert not any(plan.replaces(patient, turn) for turn in range(QUERIED_ENTRIES + 1))


def test_some_patients_have_many_documents_and_many_have_few() -> None:
    plan = Plan(Sizes(entries=20_000, patients=1_000))
    counts = sorted(plan.counts[patient] for patient in plan.others)
    assert counts[len(counts) // 2] < 10
    assert counts[-1] > 200


def test_documents_of_a_patient_are_scattered_over_the_whole_time() -> None:
    plan = Plan(SIZES)
    places = [number for number, patient in enumerate(plan.order) if patient == plan.queried[0]]
    assert max(places) - min(places) > len(plan.order) // 2


def test_turns_count_the_documents_of_each_patient() -> None:
    plan = Plan(SIZES)
    pairs = set(zip(plan.order, plan.turns, strict=True))
    assert pairs == {(patient, turn) for patient, count in enumerate(plan.counts) for turn in range(count)}


def test_some_documents_replace_the_one_before() -> None:
    plan = Plan(SIZES)
    replacing = [pair for pair in zip(plan.order, plan.turns, strict=True) if plan.replaces(*pair)]
    assert 0.02 < len(replacing) / len(plan.order) < 0.07
    assert all(turn > 0 for _, turn in replacing)


def test_only_the_first_document_of_a_queried_patient_is_held() -> None:
    plan = Plan(Sizes(entries=3_000, patients=150, held=10))
    held = [pair for pair in zip(plan.order, plan.turns, strict=True) if plan.is_held(*pair)]
    assert sorted(held) == [(patient, 0) for patient in plan.queried[:10]]


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        (Sizes(entries=20), "entries: found 20"),
        (Sizes(entries=100, patients=1), "patients: found 1"),
        (Sizes(entries=100, patients=1_000_001), "patients: found 1000001"),
        (Sizes(entries=100, held=0), "held documents: found 0"),
    ],
)
def test_sizes_that_no_data_set_can_have_are_refused(sizes: Sizes, found: str) -> None:
    with pytest.raises(UnusablePlan, match=found):
        Plan(sizes)
