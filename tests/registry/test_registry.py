"""Register and find, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from access_policy.caller import OPEN_CALLER, Caller
from access_policy.visibility import EVERYTHING, NOTHING, Visibility, claimed
from registry import iti18_registry_stored_query as iti18
from registry import iti42_register_document_set_b as iti42
from registry.criteria import CodeCriterion, CodePattern, Criteria, Form, LikeCriterion, Order, Page, TimeCriterion
from registry.iti18_registry_stored_query import ResultLimits
from registry.store import Registry
from tests.audit.happenings import a_trail, kept
from tests.builders import (
    OTHER_PATIENT,
    PATIENT,
    a_folder,
    a_reading,
    a_replacement,
    a_submission,
    a_submission_set,
    an_association,
    an_author,
    an_entry,
)
from xds.datatypes import CX, DTM, XCN, Code
from xds.errors import ErrorCode, Rejected
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.query_grammar import AdhocQuery, read_query
from xds.stored_queries import FIND_DOCUMENTS, GET_ALL, GET_DOCUMENTS
from xds.vocabulary import AssociationType, AvailabilityStatus

APPROVED = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
BOTH = APPROVED[:-1] + ",'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')"
TABLES = ("registry_object", "identity", "object_value", "outbox")


def register(registry: Registry, submission: Submission) -> tuple[RegistryObject, ...]:
    return registry.units.write(lambda unit: iti42.handle(registry, unit, a_reading(submission), OPEN_CALLER))


def registered(registry: Registry, *associations: Association, **changes: Any) -> DocumentEntry:
    """One entry, as stored."""
    entry = an_entry(**changes)
    things = register(registry, a_submission(entry, associations=associations))
    return next(thing for thing in things if isinstance(thing, DocumentEntry))


def refused(registry: Registry, submission: Submission) -> list[ErrorCode]:
    before = rows(registry)
    with pytest.raises(Rejected) as caught:
        register(registry, submission)
    assert rows(registry) == before
    return [error.code for error in caught.value.errors]


def rows(registry: Registry) -> list[int]:
    with registry.units.read() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES]


def found(registry: Registry, criteria: Criteria, page: Page = Page()) -> list[str | None]:  # noqa: B008
    return [one.unique_id for one in registry.find(criteria, EVERYTHING, page, Form.REFERENCE)]


def query(
    registry: Registry, query_id: str, *slots: tuple[str, str], kind: str = "ObjectRef", **given: Any
) -> list[str]:
    request = AdhocQuery(id=query_id, return_type=kind, slots=tuple((name, (value,)) for name, value in slots))
    return [one.entry_uuid for one in iti18.handle(registry, read_query(request), OPEN_CALLER, **given)]


def of_patient(**changes: Any) -> Criteria:
    return Criteria(patient=PATIENT.key, **changes)


def test_what_is_registered_is_approved_current_and_of_version_1(registry: Registry) -> None:
    entry = registered(registry, entry_uuid="Document01")
    assert entry.entry_uuid.startswith("urn:uuid:")
    assert entry.logical_id == entry.entry_uuid
    assert (entry.version, entry.availability_status) == (1, AvailabilityStatus.APPROVED)
    [one] = registry.find(Criteria(entry_uuids=(entry.entry_uuid,)), EVERYTHING)
    assert b'versionName="1"' in one.rendering
    assert f'lid="{entry.entry_uuid}"'.encode() in one.rendering


def test_a_uuid_given_by_the_sender_is_kept(registry: Registry) -> None:
    uuid = "urn:uuid:33333333-3333-4333-8333-333333333333"
    assert registered(registry, entry_uuid=uuid).entry_uuid == uuid


def test_nobody_but_the_open_caller_sees_anything_without_proof(registry: Registry) -> None:
    registered(registry)
    stranger = claimed(Caller(name="stranger"))
    assert stranger == NOTHING
    assert registry.find(of_patient(), stranger) == ()
    with registry.snapshot(stranger) as snapshot:
        assert snapshot.count(of_patient()) == 0


def test_a_caller_bound_to_one_patient_sees_and_counts_nothing_of_another(registry: Registry) -> None:
    mine = registered(registry)
    things = register(registry, a_submission(an_entry(patient_id=OTHER_PATIENT), patient_id=OTHER_PATIENT))
    theirs = next(thing for thing in things if isinstance(thing, DocumentEntry))
    bound = Visibility(everything=False, patient=PATIENT.key)
    by_ids = Criteria(entry_uuids=(mine.entry_uuid, theirs.entry_uuid))
    of_both = Criteria(patients=(PATIENT.key, OTHER_PATIENT.key))
    every = Criteria(across_patients=True, codes=of_patient().codes)
    for criteria in (by_ids, of_both, every, of_patient()):
        assert [one.entry_uuid for one in registry.find(criteria, bound)] == [mine.entry_uuid]
        with registry.snapshot(bound) as snapshot:
            assert snapshot.count(criteria) == 1
    other = Criteria(patient=OTHER_PATIENT.key)
    assert registry.find(other, bound) == ()
    assert [one.entry_uuid for one in registry.find(other, EVERYTHING)] == [theirs.entry_uuid]


def code(text_: str) -> CodePattern:
    value = Code.parse(text_)
    return CodePattern(code=value.code, coding_scheme=value.coding_scheme)


EVENT = Code(code="e1", coding_scheme="2.25.1", display_name="E1")
EVENT2 = Code(code="e2", coding_scheme="2.25.1", display_name="E2")
MATCHES: list[tuple[str, Criteria, bool]] = [
    ("type", of_patient(codes=(CodeCriterion(attribute="type_code", any_of=(code("11488-4^^2.16.840.1.113883.6.1"),)),)), True),
    ("type of other scheme", of_patient(codes=(CodeCriterion(attribute="type_code", any_of=(code("11488-4^^1.2.3"),)),)), False),
    ("code without scheme", of_patient(codes=(CodeCriterion(attribute="type_code", any_of=(CodePattern(code="11488-4", coding_scheme=None),)),)), True),
    ("scheme without code", of_patient(codes=(CodeCriterion(attribute="type_code", any_of=(CodePattern(code=None, coding_scheme="2.16.840.1.113883.6.1"),)),)), True),
    ("one of several", of_patient(codes=(CodeCriterion(attribute="event_code_list", any_of=(code("x^^2.25.1"), code("e2^^2.25.1"))),)), True),
    ("both of several", of_patient(codes=tuple(CodeCriterion(attribute="event_code_list", any_of=(code(c),)) for c in ("e1^^2.25.1", "e2^^2.25.1"))), True),
    ("one of them missing", of_patient(codes=tuple(CodeCriterion(attribute="event_code_list", any_of=(code(c),)) for c in ("e1^^2.25.1", "e3^^2.25.1"))), False),
    ("created in range", of_patient(times=(TimeCriterion(attribute="creation_time", start="20260310093000", stop="20260310093001"),)), True),
    ("created at the excluded end", of_patient(times=(TimeCriterion(attribute="creation_time", stop="20260310093000"),)), False),
    ("created before the range", of_patient(times=(TimeCriterion(attribute="creation_time", start="20260310093001"),)), False),
    ("no stop time excludes nothing", of_patient(times=(TimeCriterion(attribute="service_stop_time", start="2099"),)), True),
    ("author", of_patient(likes=(LikeCriterion(attribute="author_person", any_of=("%VILLARD%",)),)), True),
    ("author by one character", of_patient(likes=(LikeCriterion(attribute="author_person", any_of=("%VILLAR_^%",)),)), True),
    ("author in another case", of_patient(likes=(LikeCriterion(attribute="author_person", any_of=("%villard%",)),)), False),
    ("author without wildcard", of_patient(likes=(LikeCriterion(attribute="author_person", any_of=("VILLARD",)),)), False),
    ("a backslash is a character", of_patient(likes=(LikeCriterion(attribute="author_person", any_of=("%O\\T\\N%",)),)), True),
    ("deprecated only", of_patient(statuses=(AvailabilityStatus.DEPRECATED,)), False),
    ("on demand only", of_patient(stable=False, on_demand=True), False),
    ("neither stable nor on demand", of_patient(stable=False, on_demand=False), False),
    ("another patient", Criteria(patient=OTHER_PATIENT.key), False),
    ("an unknown patient", Criteria(patient=CX.parse("0^^^&1.2.250.1.213.1.4.10&ISO").key), False),
    ("nothing asked for", Criteria(), False),
]  # fmt: skip


@pytest.mark.parametrize(("criteria", "is_found"), [one[1:] for one in MATCHES], ids=[one[0] for one in MATCHES])
def test_criteria_find_what_fits(registry: Registry, criteria: Criteria, *, is_found: bool) -> None:
    second = an_author(author_person=XCN("7^O\\T\\N"))
    entry = registered(registry, event_code_list=(EVENT, EVENT2), author=(an_author(), second))
    assert (entry.unique_id in found(registry, criteria)) is is_found


def test_pages_follow_each_other_in_both_orders(registry: Registry) -> None:
    unique_ids = [registered(registry).unique_id for _ in range(5)]
    for order, expected in ((Order.REGISTERED, unique_ids), (Order.NEWEST, unique_ids[::-1])):
        seen: list[str | None] = []
        after = None
        while page := registry.find(of_patient(), EVERYTHING, Page(size=2, after=after, order=order), Form.REFERENCE):
            seen += [one.unique_id for one in page]
            after = page[-1].object_key
        assert seen == expected


def test_a_replacement_deprecates_the_original_and_recursively_its_addenda(registry: Registry) -> None:
    original = registered(registry)
    addendum = chained(registry, original, AssociationType.APND)
    of_addendum = chained(registry, addendum, AssociationType.XFRM)
    other = registered(registry)
    newer = chained(registry, original, AssociationType.RPLC)
    assert set(found(registry, of_patient(statuses=(AvailabilityStatus.APPROVED,)))) == {
        other.unique_id,
        newer.unique_id,
    }
    assert set(found(registry, of_patient(statuses=(AvailabilityStatus.DEPRECATED,)))) == {
        original.unique_id,
        addendum.unique_id,
        of_addendum.unique_id,
    }
    [one] = registry.find(Criteria(entry_uuids=(original.entry_uuid,)), EVERYTHING)
    assert b"StatusType:Deprecated" in one.rendering


def chained(registry: Registry, target: DocumentEntry, kind: AssociationType) -> DocumentEntry:
    return registered(registry, a_replacement(an_entry(), target.entry_uuid, kind))


@pytest.mark.parametrize("kind", [AssociationType.APND, AssociationType.XFRM, AssociationType.SIGNS])
def test_other_relationships_leave_the_target_approved(registry: Registry, kind: AssociationType) -> None:
    original = registered(registry)
    chained(registry, original, kind)
    assert original.unique_id in found(registry, of_patient(statuses=(AvailabilityStatus.APPROVED,)))


def test_refusals_store_nothing(registry: Registry) -> None:
    original = registered(registry, hash="a" * 40, size=7)
    chained(registry, original, AssociationType.RPLC)
    entry = an_entry()
    deprecated = a_replacement(entry, original.entry_uuid)
    assert refused(registry, a_submission(entry, associations=(deprecated,))) == [
        ErrorCode.REGISTRY_DEPRECATED_DOCUMENT
    ]
    same = an_entry(unique_id=original.unique_id, hash="b" * 40, size=8)
    assert refused(registry, a_submission(same)) == [ErrorCode.NON_IDENTICAL_HASH, ErrorCode.NON_IDENTICAL_SIZE]
    stranger = CX("9^^^&1.2.250.1.213.1.4.10&ISO^NH")
    unknown = a_submission(an_entry(patient_id=stranger), submission_set=a_submission_set(patient_id=stranger))
    assert refused(registry, unknown) == [ErrorCode.UNKNOWN_PATIENT_ID]


def test_an_association_to_a_document_of_another_patient_is_refused(registry: Registry) -> None:
    original = registered(registry)
    entry = an_entry(patient_id=OTHER_PATIENT)
    submission = a_submission(
        entry,
        submission_set=a_submission_set(patient_id=OTHER_PATIENT),
        associations=(a_replacement(entry, original.entry_uuid),),
    )
    assert refused(registry, submission) == [ErrorCode.PATIENT_ID_DOES_NOT_MATCH]


def test_a_submission_is_registered_once(registry: Registry) -> None:
    submission = a_submission()
    register(registry, submission)
    again = replace(submission, document_entries=(an_entry(),))
    assert refused(registry, again) == [ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY]


def test_the_same_document_is_registered_again_under_its_own_uuid(registry: Registry) -> None:
    first = registered(registry)
    second = registered(registry, unique_id=first.unique_id)
    assert first.entry_uuid != second.entry_uuid
    slots = (("$XDSDocumentEntryUniqueId", f"('{first.unique_id}')"),)
    assert query(registry, GET_DOCUMENTS.id, *slots) == [first.entry_uuid, second.entry_uuid]


def test_get_documents_by_each_of_its_ids(registry: Registry) -> None:
    entry = registered(registry)
    for name, value in (
        ("EntryUUID", entry.entry_uuid),
        ("UniqueId", entry.unique_id),
        ("LogicalID", entry.logical_id),
    ):
        assert query(registry, GET_DOCUMENTS.id, (f"$XDSDocumentEntry{name}", f"('{value}')")) == [entry.entry_uuid]
    assert query(registry, GET_DOCUMENTS.id, ("$XDSDocumentEntryUniqueId", "('2.25.404')")) == []


def test_leaf_class_never_mixes_patients(registry: Registry) -> None:
    mine = registered(registry)
    entry = an_entry(patient_id=OTHER_PATIENT)
    register(registry, a_submission(entry, submission_set=a_submission_set(patient_id=OTHER_PATIENT)))
    slot = ("$XDSDocumentEntryUniqueId", f"('{mine.unique_id}','{entry.unique_id}')")
    assert len(query(registry, GET_DOCUMENTS.id, slot)) == 2
    with pytest.raises(Rejected) as caught:
        query(registry, GET_DOCUMENTS.id, slot, kind="LeafClass")
    assert [error.code for error in caught.value.errors] == [ErrorCode.RESULT_NOT_SINGLE_PATIENT]


def test_get_all_brings_the_objects_and_their_associations(registry: Registry) -> None:
    member = an_association(entry_uuid="FolderMember", source="Folder01", target="Document01")
    held = an_association(target="FolderMember")
    things = register(registry, a_submission(an_entry(), folders=(a_folder(),), associations=(member, held)))
    slots = (
        ("$patientId", f"'{PATIENT.key}'"),
        *((f"$XDS{kind}Status", APPROVED) for kind in ("DocumentEntry", "SubmissionSet", "Folder")),
    )
    assert set(query(registry, GET_ALL.id, *slots)) == {thing.entry_uuid for thing in things}
    kinds = {type(thing) for thing in things}
    assert kinds == {DocumentEntry, SubmissionSet, Folder, Association}
    filtered = query(registry, GET_ALL.id, *slots, ("$XDSDocumentEntryFormatCode", "('x^^y')"))
    assert not {thing.entry_uuid for thing in things if isinstance(thing, DocumentEntry)} & set(filtered)


def test_too_many_results_are_refused(registry: Registry) -> None:
    for _ in range(3):
        registered(registry)
    slots = (("$XDSDocumentEntryPatientId", f"'{PATIENT.key}'"), ("$XDSDocumentEntryStatus", BOTH))
    assert len(query(registry, FIND_DOCUMENTS.id, *slots, limits=ResultLimits(object_ref=3))) == 3
    with pytest.raises(Rejected) as caught:
        query(registry, FIND_DOCUMENTS.id, *slots, limits=ResultLimits(object_ref=2))
    assert [error.code for error in caught.value.errors] == [ErrorCode.TOO_MANY_RESULTS]


def test_statuses_that_are_not_understood_are_ignored_until_none_is_left(registry: Registry) -> None:
    registered(registry)
    patient = ("$XDSDocumentEntryPatientId", f"'{PATIENT.key}'")
    assert query(registry, FIND_DOCUMENTS.id, patient, ("$XDSDocumentEntryStatus", APPROVED[:-1] + ",'x')"))
    with pytest.raises(Rejected) as caught:
        query(registry, FIND_DOCUMENTS.id, patient, ("$XDSDocumentEntryStatus", "('x')"))
    assert [error.code for error in caught.value.errors] == [ErrorCode.STORED_QUERY_MISSING_PARAM]


def test_very_many_ids_in_one_question_are_answered(registry: Registry) -> None:
    entry = registered(registry)
    uuids = tuple(f"urn:uuid:00000000-0000-4000-8000-{number:012}" for number in range(70_000))
    assert found(registry, Criteria(entry_uuids=(*uuids, entry.entry_uuid))) == [entry.unique_id]
    associations = Criteria(kind=Association, patient=PATIENT.key, touching=(*uuids, entry.entry_uuid))
    assert len(registry.find(associations, EVERYTHING)) == 1


def test_records_commit_with_the_submission_they_tell_about(registry: Registry) -> None:
    registry.recorder = a_trail(registry.units)
    submission = a_submission()
    register(registry, submission)
    with pytest.raises(Rejected):
        register(registry, submission)
    (record,) = kept(registry.units)
    assert (record.type_codes[0].code, record.patient) == ("ITI-42", PATIENT.key)


def test_a_folder_gets_its_time_from_the_registry(registry: Registry) -> None:
    submission = a_submission(an_entry(), folders=(a_folder(last_update_time=DTM("19990101")),))
    folder = next(thing for thing in register(registry, submission) if isinstance(thing, Folder))
    assert folder.last_update_time == DTM("20260310100000")


def race(contestants: Sequence[Callable[[], object]]) -> list[object]:
    """Run all at once; what each returned or raised."""
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


def test_of_two_replacements_at_once_exactly_one_wins(registry: Registry) -> None:
    for _ in range(25):
        original = registered(registry)
        outcomes = race([lambda original=original: chained(registry, original, AssociationType.RPLC)] * 3)
        winners = [one for one in outcomes if isinstance(one, DocumentEntry)]
        losers = [one for one in outcomes if one == [ErrorCode.REGISTRY_DEPRECATED_DOCUMENT]]
        assert (len(winners), len(losers)) == (1, 2), outcomes


def test_of_two_submissions_with_one_unique_id_exactly_one_wins(registry: Registry) -> None:
    for _ in range(15):
        owner = a_submission_set()
        contestants = [
            lambda owner=owner: register(registry, a_submission(an_entry(), submission_set=owner)) for _ in range(2)
        ]
        outcomes = race(contestants)
        assert sorted(isinstance(one, tuple) for one in outcomes) == [False, True], outcomes
        assert [ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY] in outcomes
