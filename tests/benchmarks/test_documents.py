"""The submissions of a data set are ones the registry would have accepted."""

import hashlib

import pytest

from benchmarks.documents import Documents
from benchmarks.plan import Plan, Sizes
from benchmarks.report import DOCUMENT_OCTETS
from carnet.domains import affinity_domain
from carnet.reports import read_report
from carnet.settings import Settings
from xds.ebrim.attributes import SubmissionKind
from xds.metadata import Submission
from xds.submission_rules import object_rules, reference_rules
from xds.vocabulary import AssociationType

PLAN = Plan(Sizes(entries=600, patients=30, held=4))


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(PLAN)


def first_of(patient: int) -> int:
    return next(n for n, pair in enumerate(zip(PLAN.order, PLAN.turns, strict=True)) if pair == (patient, 0))


def test_any_process_makes_the_same_submission(documents: Documents) -> None:
    other = Documents(Plan(Sizes(entries=600, patients=30, held=4)))
    for number in (0, 17, 599, first_of(PLAN.held[0])):
        assert documents.submission(number) == other.submission(number)


def test_another_seed_makes_other_submissions(documents: Documents) -> None:
    other = Documents(Plan(Sizes(entries=600, patients=30, seed=2)))
    assert documents.submission(5).objects != other.submission(5).objects


def test_every_submission_obeys_the_rules_of_the_domain(documents: Documents) -> None:
    domain = affinity_domain(Settings())
    for number in range(600):
        submission = documents.submission(number)
        found = [*object_rules(submission, SubmissionKind.REGISTER, domain), *reference_rules(submission, domain)]
        assert found == [], f"submission {number}: {found[0].context}"


def test_identifiers_are_used_once(documents: Documents) -> None:
    submissions = [documents.submission(number) for number in range(600)]
    uuids = [thing.entry_uuid for submission in submissions for thing in submission.objects]
    unique_ids = [unique_id for submission in submissions for unique_id in unique_ids_of(submission)]
    assert len(set(uuids)) == len(uuids)
    assert len(set(unique_ids)) == len(unique_ids)


def unique_ids_of(submission: Submission) -> list[str | None]:
    assert submission.submission_set is not None
    return [submission.submission_set.unique_id, *(entry.unique_id for entry in submission.document_entries)]


def test_a_replacement_points_at_a_document_that_came_before(documents: Documents) -> None:
    came: set[str] = set()
    replaced = 0
    for number in range(600):
        submission = documents.submission(number)
        for association in submission.associations:
            if association.association_type is AssociationType.RPLC:
                assert association.target in came
                replaced += 1
        came.update(entry.entry_uuid for entry in submission.document_entries)
    assert replaced > 5


def test_patients_have_test_numbers_with_their_control_key(documents: Documents) -> None:
    numbers = [documents.patient(number).ins.id for number in range(30)]
    assert len(set(numbers)) == 30
    for ins in numbers:
        assert len(ins) == 15
        assert int(ins[13:]) == 97 - int(ins[:13]) % 97


def test_a_held_document_has_140_kB_and_its_metadata_are_those_of_its_header(documents: Documents) -> None:
    patient = PLAN.held[1]
    content = documents.content(patient)
    assert len(content) == DOCUMENT_OCTETS
    (entry,) = documents.submission(first_of(patient)).document_entries
    header = read_report(content, entry_uuid=entry.entry_uuid).entry
    assert (entry.unique_id, entry.patient_id, entry.title) == (header.unique_id, header.patient_id, header.title)
    assert entry.patient_id is not None
    assert entry.patient_id.id == documents.patient(patient).ins.id
    assert (entry.size, entry.hash) == (DOCUMENT_OCTETS, hashlib.sha1(content).hexdigest())
