"""decide, the predicate and the filter in SQL say the same, on both databases; what stands beside documents."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import insert, select

from access_policy.caller import OPEN_CALLER, AuthenticationMode, Caller, PurposeOfUse, Standing
from access_policy.decide import decide
from access_policy.document_facts import DocumentFacts, Trait
from access_policy.record_facts import Authorisation, RecordFacts, RecordState
from access_policy.rights import Action, Grade, Rights
from access_policy.tables import Tables, published
from access_policy.visibility import Purpose, Visibility, visibility
from registry import iti42_register_document_set_b as iti42
from registry.criteria import Criteria, Form
from registry.sql import visible
from registry.sql.tables import KINDS, STATUSES, VALUE_ATTRIBUTES, object_value, registry_object
from registry.store import Registry
from storage.prepared import Prepared
from tests.access_policy.callers import (
    CONSULTATION,
    NOW,
    NURSE,
    NURSING_AUXILIARY,
    OCCUPATIONAL,
    PERSON,
    SECRETARY,
    STRUCTURE,
    SURGERY_ADMISSION,
    a_caller,
    a_patient,
    a_record,
    roles_of_columns,
)
from tests.builders import PATIENT, a_folder, a_reading, a_submission, an_association, an_author, an_entry
from xds.datatypes import Code
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import AvailabilityStatus

TRIPLES, DOCUMENTS = 120_000, 1_500
ACTIONS = {Purpose.READ: Action.READ, Purpose.SEARCH: Action.SEARCH, Purpose.METADATA: Action.SEARCH_METADATA}
WRITERS = {
    "": (),
    "person": (("author", f"{PERSON}^1.2.250.1.71.4.2.1"),),
    "structure": (("structure", f"{STRUCTURE}^1.2.250.1.71.4.2.2"),),
    "both": (("author", f"{PERSON}^1.2.250.1.71.4.2.1"), ("structure", f"{STRUCTURE}^1.2.250.1.71.4.2.2")),
    "other": (("author", "899700218896^1.2.250.1.71.4.2.1"), ("structure", "1750000018^1.2.250.1.71.4.2.2")),
}


def a_random_document(draw: random.Random) -> DocumentFacts:
    status = draw.choice([AvailabilityStatus.APPROVED, *AvailabilityStatus])
    traits = Trait(sum(trait for trait in Trait if draw.random() < 0.2))
    traits = traits | Trait.DELETED if status is AvailabilityStatus.DELETED else traits & ~Trait.DELETED
    written = WRITERS[draw.choice(list(WRITERS))]
    types = [one.key for one in published().matrix.types]
    return DocumentFacts(
        type=draw.choice([*types, "unlisted^^1.2.3", CONSULTATION, SURGERY_ADMISSION]),
        status=status,
        traits=traits,
        visible_from=draw.choice(["", NOW, "20260310093001", "20250101000000"]),
        authors=frozenset(one for kind, one in written if kind == "author"),
        structures=frozenset(one for kind, one in written if kind == "structure"),
    )


def a_random_caller(draw: random.Random) -> Caller:
    if draw.random() < 0.1:
        return a_patient(draw.choice([Standing.PATIENT, Standing.REPRESENTATIVE]))
    roles = [one for _, one in roles_of_columns()] + [NURSE, OCCUPATIONAL, NURSING_AUXILIARY, SECRETARY]
    return a_caller(
        roles=draw.choice(roles),
        mode=draw.choice([AuthenticationMode.DIRECT, *AuthenticationMode]),
        purpose=draw.choice(list(PurposeOfUse)),
        name=draw.choice([PERSON, "3690000014/9"]),
        organisations=draw.choice([(STRUCTURE,), ()]),
    )


def a_random_record(draw: random.Random) -> RecordFacts:
    flags = ("is_treating_doctor", "opposes_break_glass", "opposes_regulation", "masked_in_emergency")
    flags += ("occupational_consent", "is_representative")
    return a_record(
        state=draw.choice([RecordState.OPEN] * 8 + list(RecordState)),
        authorisation=draw.choice([Authorisation.VALID] * 4 + list(Authorisation)),
        may_use_air=draw.random() < 0.8,
        **{name: draw.random() < 0.4 for name in flags},
    )


def some_tables(draw: random.Random) -> Tables:
    """The published ones, and now and then ones in which cells of reading say something else."""
    tables = published()
    if draw.random() < 0.7:
        return tables
    grades = (Grade.ALLOW, Grade.DENY, Grade.OWN_ONLY, Grade.IF_PATIENT_ALLOWED)
    cells = {
        key: draw.choice(grades) if key[0].startswith("document.read") and draw.random() < 0.5 else grade
        for key, grade in tables.rights.cells.items()
    }
    rights = Rights(version="drawn", source="drawn", cells=cells)
    occupational, pharmacy = (draw.random() < 0.5 for _ in range(2))
    return Tables(matrix=tables.matrix, rights=rights, occupational_reading=occupational, pharmacy_reading=pharmacy)


def put(registry: Registry, documents: list[DocumentFacts]) -> dict[str, DocumentFacts]:
    """Rows with just what decides, of the patient of the tests; by entryUUID."""
    [patient] = [registry.units.write(lambda unit: registry.lock(unit, PATIENT, ()))]
    plain = dict.fromkeys(registry_object.c.keys()) | {
        "patient_key": patient,
        "kind": KINDS[DocumentEntry],
        "is_current": True,
        "is_on_demand": False,
        "is_offline": False,
        "version": 1,
        "submission_key": 1,
        "ebrim": b"",
        "attributes": "{}",
    }
    rows, values = [], []
    for number, one in enumerate(documents):
        name = f"urn:uuid:{number}"
        rows.append(
            plain
            | {"object_key": number, "entry_uuid": name, "logical_id": name, "type_code": one.type}
            | {"status": STATUSES[one.status], "traits": int(one.traits), "visible_from": one.visible_from or None}
        )
        for kind, ids in (("author_id", one.authors), ("structure_id", one.structures)):
            keys = {"patient_key": patient, "object_key": number, "attribute": VALUE_ATTRIBUTES[kind]}
            values += [{**keys, "value": value} for value in ids]
    registry.units.write(lambda unit: unit.connection.execute(insert(registry_object), rows))
    registry.units.write(lambda unit: unit.connection.execute(insert(object_value), values))
    return {row["entry_uuid"]: one for row, one in zip(rows, documents, strict=True)}


def found(registry: Registry, seen: Visibility) -> set[str]:
    """By the kept statement and by the others: the same."""
    with registry.snapshot(seen) as snapshot:
        kept = {one.entry_uuid for one in snapshot.find(Criteria(patient=PATIENT.key), form=Form.REFERENCE)}
        built = snapshot.find(Criteria(patient=PATIENT.key, patients=(PATIENT.key,)), form=Form.REFERENCE)
        assert kept == {one.entry_uuid for one in built}
        assert snapshot.count(Criteria(patient=PATIENT.key)) == len(kept)
    return kept


def questions(draw: random.Random) -> Iterator[tuple[Tables, Caller, RecordFacts, Purpose]]:
    while True:
        yield some_tables(draw), a_random_caller(draw), a_random_record(draw), draw.choice(list(Purpose))


def test_decision_predicate_and_sql_agree_on_random_triples(registry: Registry) -> None:
    """At least 100,000 (record, document, caller)."""
    draw = random.Random(20260310)
    documents = put(registry, [a_random_document(draw) for _ in range(DOCUMENTS)])
    shown = 0
    for tables, caller, record, purpose in islice(questions(draw), TRIPLES // DOCUMENTS):
        seen = visibility(tables, caller, record, purpose)
        by_sql = found(registry, seen)
        by_predicate = {name for name, one in documents.items() if seen.shows(PATIENT.key, one)}
        assert by_sql == by_predicate, (caller, record, purpose)
        action = ACTIONS.get(purpose)
        if action is not None:
            by_decision = {
                name for name, one in documents.items() if decide(tables, action, caller, record, one).allowed
            }
            assert by_decision == by_predicate, (caller, record, purpose)
        shown += len(by_sql)
    assert 0.05 < shown / TRIPLES < 0.95


def register(registry: Registry, *entries: DocumentEntry, **given: Any) -> tuple[RegistryObject, ...]:
    submission = a_submission(*entries, **given)
    return registry.units.write(lambda unit: iti42.handle(registry, unit, a_reading(submission), OPEN_CALLER))


def seen_kinds(registry: Registry, caller: Caller, **facts: Any) -> dict[str, int]:
    seen = visibility(published(), caller, a_record(**facts), Purpose.SEARCH)
    counted = {}
    for kind in (DocumentEntry, SubmissionSet, Folder, Association):
        criteria = Criteria(kind=kind, patient=PATIENT.key, all_versions=True)
        with registry.snapshot(seen) as snapshot:
            objects = snapshot.find(criteria, form=Form.REFERENCE)
            assert snapshot.count(criteria) == len(objects)
            by_id = snapshot.find(
                Criteria(kind=kind, entry_uuids=tuple(one.entry_uuid for one in objects), all_versions=True)
            )
            assert len(by_id) == len(objects)
        with registry.units.read() as connection:
            known = visible.among(connection, seen, [one.entry_uuid for one in objects])
        assert known == {one.entry_uuid for one in objects}
        counted[kind.__name__] = len(objects)
    return counted


def masked(**changes: Any) -> DocumentEntry:
    codes = (
        Code(code="N", coding_scheme="2.16.840.1.113883.5.25"),
        Code(code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13"),
    )
    return an_entry(confidentiality_code=codes, **changes)


def test_a_submission_set_is_seen_by_one_of_its_documents_and_an_association_by_both_ends(registry: Registry) -> None:
    register(registry, an_entry(), masked(entry_uuid="Document02"))
    register(registry, masked())
    assert seen_kinds(registry, a_caller(roles=NURSE, name="8000")) == {
        "DocumentEntry": 1,
        "SubmissionSet": 1,
        "Folder": 0,
        "Association": 1,
    }
    assert seen_kinds(registry, a_caller(name="8000"), is_treating_doctor=True)["Association"] == 3


def test_a_folder_is_seen_by_one_of_its_documents_or_when_it_is_empty(registry: Registry) -> None:
    register(registry, folders=(a_folder(),))
    full = a_folder(entry_uuid="Folder02")
    entry = masked()
    member = an_association(source="Folder02", target=entry.entry_uuid)
    held = an_association(target=member.entry_uuid)
    register(registry, entry, folders=(full,), associations=(member, held))
    nurse = seen_kinds(registry, a_caller(roles=NURSE, name="8000"))
    assert (nurse["Folder"], nurse["DocumentEntry"]) == (1, 1)
    # set → document and set → folder of the first submission alone
    assert nurse["Association"] == 2
    author = seen_kinds(registry, a_caller())
    assert (author["Folder"], author["DocumentEntry"], author["Association"]) == (2, 2, 6)


def test_ids_of_authors_and_structures_are_values_of_documents_alone(registry: Registry) -> None:
    register(registry, an_entry(author=(an_author(),)))
    values = object_value.c
    statement = select(values.attribute, values.value).where(values.attribute >= VALUE_ATTRIBUTES["author_id"])
    with registry.units.read() as connection:
        rows = {(row.attribute, row.value) for row in connection.execute(statement)}
    assert rows == {(6, f"{PERSON}^1.2.250.1.71.4.2.1"), (7, f"{STRUCTURE}^1.2.250.1.71.4.2.2")}


@pytest.mark.parametrize("name", ["entry_uuids", "unique_ids", "logical_ids"])
def test_what_may_not_be_seen_and_what_is_unknown_are_asked_for_alike(
    registry: Registry, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same statements with other values: neither the answer nor its time tells them apart."""
    stored = next(one for one in register(registry, masked()) if isinstance(one, DocumentEntry))
    hidden = {"entry_uuids": stored.entry_uuid, "unique_ids": stored.unique_id, "logical_ids": stored.logical_id}[name]
    seen = visibility(published(), a_caller(roles=NURSE, name="8000"), a_record(), Purpose.READ)
    statements: dict[str, list[str]] = {}
    rows = Prepared.rows
    told: list[str] = []

    def listened(self: Prepared, *given: Any, **values: Any) -> Any:
        told.append(self.text)
        return rows(self, *given, **values)

    monkeypatch.setattr(Prepared, "rows", listened)
    for asked in (str(hidden), "urn:uuid:00000000-0000-4000-8000-000000000000"):
        told = statements.setdefault(asked, [])
        with registry.snapshot(seen) as snapshot:
            assert snapshot.find(Criteria(**{name: (asked,)}), form=Form.REFERENCE) == ()
    first, second = statements.values()
    assert first == second
    assert len(first) == 2


def test_former_versions_are_seen_as_the_newest_is(registry: Registry) -> None:
    """A restriction of the newest version is one of all."""
    stored = next(one for one in register(registry, an_entry()) if isinstance(one, DocumentEntry))
    later = masked(entry_uuid="urn:uuid:00000000-0000-4000-8000-000000000001", logical_id=stored.entry_uuid, version=2)

    def add(unit: Any) -> None:
        key = registry.lock(unit, PATIENT, ())
        assert key is not None
        submission = a_submission(later)
        registry.add(unit, key, (later, submission.submission_set))  # type: ignore[arg-type]

    registry.units.write(add)
    with registry.units.read() as connection:
        rows = connection.execute(select(registry_object.c.traits).where(registry_object.c.kind == 1)).scalars().all()
    assert rows == [int(Trait.MASKED)] * 2
