"""Who may see and do what: every cell of matrix and rights, and the rules between them by name."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from access_policy.caller import OPEN_CALLER, AuthenticationMode, Caller, PurposeOfUse, Standing
from access_policy.capacity import capacity_of
from access_policy.decide import decide
from access_policy.document_facts import Trait, document_facts
from access_policy.record_facts import Authorisation, RecordFacts, RecordState
from access_policy.rights import Action, Actor, Grade
from access_policy.tables import Tables, published
from access_policy.visibility import Purpose, visibility
from tests.access_policy import reading_model as model
from tests.access_policy.callers import (
    CONSULTATION,
    DOCTOR,
    NOW,
    NURSE,
    NURSING_AUXILIARY,
    OCCUPATIONAL,
    PODIATRIST,
    SECRETARY,
    STRUCTURE,
    SURGERY_ADMISSION,
    a_caller,
    a_document,
    a_patient,
    a_record,
    every_caller,
    every_document,
    own,
    roles_of_columns,
)
from tests.builders import PATIENT, an_author, an_entry
from xds.datatypes import XCN, Code
from xds.vocabulary import AvailabilityStatus

BREAK_GLASS, REGULATION = PurposeOfUse.BREAK_GLASS, PurposeOfUse.REGULATION
RECORDS = (
    a_record(),
    a_record(authorisation=Authorisation.NONE, occupational_consent=True),
    a_record(is_treating_doctor=True),
    a_record(masked_in_emergency=True, is_representative=True),
    a_record(opposes_break_glass=True, opposes_regulation=True, authorisation=Authorisation.EXPIRED),
)


def test_every_cell_of_the_matrix_is_read_as_it_says() -> None:
    """Profession × type × authentication × mode, each way into each column."""
    tables, record, count = published(), a_record(), 0
    for mode, purpose, (column, roles) in product(AuthenticationMode, PurposeOfUse, roles_of_columns()):
        caller = a_caller(mode=mode, purpose=purpose, roles=roles)
        assert model.column(caller) == column
        for one in tables.matrix.types:
            document = a_document(type=one.key, traits=Trait.IMAGING if one.system == "*" else Trait(0))
            for action, name in ((Action.READ, "read"), (Action.SEARCH, "search")):
                expected = model.sees(name, caller, record, document)
                found = decide(tables, action, caller, record, document)
                assert found.allowed == expected, (column, mode, purpose, one.key, found)
                count += 1
    assert count >= 9 * 108 * 2 * 19


CALLERS = [
    a_caller(mode=mode, purpose=purpose, roles=roles)
    for mode, purpose, roles in product(
        AuthenticationMode, PurposeOfUse, (DOCTOR, OCCUPATIONAL, NURSE, PODIATRIST, NURSING_AUXILIARY, SECRETARY)
    )
] + [a_patient(), a_patient(Standing.REPRESENTATIVE)]


@pytest.mark.parametrize("record", RECORDS)
def test_every_state_of_a_document_is_seen_as_the_model_says(record: RecordFacts) -> None:
    """Traits × status × authorship × type × profession × authentication × mode; predicate and decision alike."""
    tables, documents = published(), list(every_document())
    for caller in CALLERS:
        for name, purpose in (("read", Purpose.READ), ("search", Purpose.SEARCH)):
            seen = visibility(tables, caller, record, purpose)
            for document in documents:
                expected = model.sees(name, caller, record, document)
                assert seen.shows(PATIENT.key, document) == expected, (caller, document)
    for caller, document in product(CALLERS, documents[::7]):
        found = decide(tables, Action.READ, caller, record, document)
        assert found.allowed == model.sees("read", caller, record, document), (caller, document, found)


def test_every_cell_of_the_rights_is_decided_as_it_says() -> None:
    """Action × actor × mode for one's own and others' documents, of professionals and of the holder."""
    tables, record = published(), a_record()
    changes = [one for one in Action if f"{one}" in {row["action"] for row in model.rows("rights.csv")}]
    for caller, action, document in product(
        CALLERS, changes, (a_document(), own(), a_document(traits=Trait.BY_PATIENT))
    ):
        auth, actor = model.quality(caller, record)
        mode = model.MODES[caller.purpose] if caller.purpose else "any"
        scopes = ["patient_authored", "any"] if document.has(Trait.BY_PATIENT) else ["any"]
        keys = [(action, auth, actor, one, scope) for scope in scopes for one in (mode, "any")]
        cell = next((model.cells()[key] for key in keys if key in model.cells()), "deny")
        decision = decide(tables, action, caller, record, document)
        if cell in ("deny", "retired"):
            assert not decision.allowed, (caller, action, decision)
        if cell in ("allow", "reference_only") and model.sees("search", caller, record, document):
            assert decision.allowed, (caller, action, decision)
        if cell == "own_only":
            assert decision.allowed == (model.mine(caller, record, document) and actor != "cpe_holder")
        if cell == "structure_only":
            assert decision.allowed == (document == own())


def rule(caller: Caller, action: Action = Action.READ, *, document: Any = None, **facts: Any) -> tuple[bool, str]:
    found = decide(published(), action, caller, a_record(**facts), document or a_document())
    return found.allowed, found.rule


@pytest.mark.parametrize("state", [one for one in RecordState if one is not RecordState.OPEN])
def test_a_record_that_is_not_open_is_read_by_nobody_and_fed_by_nobody(state: RecordState) -> None:
    for caller, action in product((a_caller(), a_patient()), (Action.READ, Action.SEARCH, Action.FEED, Action.MASK)):
        assert rule(caller, action, document=own(), state=state) == (False, f"record.{state}")
    assert visibility(published(), a_caller(), a_record(state=state), Purpose.SEARCH).grants == ()
    assert rule(a_caller(), Action.TEST_EXISTENCE, state=state)[0]


@pytest.mark.parametrize("purpose", PurposeOfUse)
def test_who_is_blocked_gets_nothing_in_any_mode_not_even_own_documents(purpose: PurposeOfUse) -> None:
    blocked = Authorisation.BLOCKED
    for action in (Action.READ, Action.SEARCH, Action.FEED, Action.UNMASK, Action.DECLARE_SELF):
        found = rule(a_caller(purpose=purpose), action, document=own(), authorisation=blocked)
        assert found == (False, "caller.blocked")


@pytest.mark.parametrize("authorisation", [Authorisation.NONE, Authorisation.EXPIRED])
def test_reading_needs_an_authorisation_but_for_own_documents_and_feeding_none(authorisation: Authorisation) -> None:
    given: dict[str, Any] = {"authorisation": authorisation}
    assert rule(a_caller(), **given) == (False, f"authorisation.{authorisation.name.lower()}")
    assert rule(a_caller(), document=own(), **given)[0]
    assert rule(a_caller(), Action.FEED, **given)[0]
    assert not rule(a_caller(), Action.MASK, **given)[0]
    assert rule(a_caller(), Action.MASK, document=own(), **given)[0]


def test_break_glass_needs_no_authorisation_and_is_refused_after_opposition() -> None:
    caller, none = a_caller(purpose=BREAK_GLASS), Authorisation.NONE
    assert rule(caller, authorisation=none)[0]
    assert rule(caller, authorisation=none, opposes_regulation=True)[0]
    assert rule(caller, opposes_break_glass=True) == (False, "opposition.break_glass")
    assert rule(a_caller(purpose=REGULATION), opposes_regulation=True) == (False, "opposition.regulation")


@pytest.mark.parametrize("purpose", [BREAK_GLASS, REGULATION])
def test_masked_documents_are_read_in_an_emergency_only_where_the_holder_let_it(purpose: PurposeOfUse) -> None:
    masked = a_document(traits=Trait.MASKED)
    for caller in (a_caller(purpose=purpose), a_caller(purpose=purpose, roles=NURSE)):
        assert not rule(caller, document=masked)[0]
        assert rule(caller, document=masked, masked_in_emergency=True)[0]
    assert not rule(a_caller(purpose=BREAK_GLASS), document=masked, is_treating_doctor=True)[0]


def test_a_masked_document_is_read_by_its_author_and_the_treating_doctor() -> None:
    masked = a_document(traits=Trait.MASKED)
    assert not rule(a_caller(), document=masked)[0]
    assert rule(a_caller(), document=own(traits=Trait.MASKED))[0]
    assert rule(a_caller(), document=masked, is_treating_doctor=True)[0]
    assert rule(a_patient(), document=masked)[0]


def test_what_is_hidden_from_the_holder_shows_when_its_time_comes() -> None:
    hidden = a_document(traits=Trait.HIDDEN)
    late, early = (
        a_document(traits=Trait.HIDDEN, visible_from=NOW),
        a_document(traits=Trait.HIDDEN, visible_from="2027"),
    )
    for caller in (a_patient(), a_patient(Standing.REPRESENTATIVE)):
        found = [rule(caller, document=one, is_representative=True)[0] for one in (hidden, early, late)]
        assert found == [False, False, True]
    assert rule(a_caller(), document=hidden)[0]


def test_representatives_see_nothing_of_the_two_codes_and_nothing_of_strangers() -> None:
    representative = a_patient(Standing.REPRESENTATIVE)
    secret = a_document(traits=Trait.HIDDEN_FROM_REPRESENTATIVES)
    assert not rule(representative, document=secret, is_representative=True)[0]
    assert rule(a_patient(), document=secret)[0]
    assert rule(a_caller(), document=secret)[0]
    assert rule(representative) == (False, "holder.representative")


def test_air_reads_as_the_person_and_never_feeds() -> None:
    air = a_caller(mode=AuthenticationMode.AIR)
    assert rule(air)[0]
    assert not rule(air, Action.FEED)[0]
    assert not rule(a_caller(mode=AuthenticationMode.AIR, roles=SECRETARY))[0]


@pytest.mark.parametrize("action", list(Action))
def test_s44_by_air_a_structure_that_it_is_not_enabled_for_may_do_nothing(action: Action) -> None:
    assert rule(a_caller(mode=AuthenticationMode.AIR), action, may_use_air=False) == (False, "caller.air")


def test_s44_whoever_comes_by_card_is_not_asked_for_air() -> None:
    assert rule(a_caller(), may_use_air=False)[0]


@pytest.mark.parametrize(
    "caller", [a_caller(mode=AuthenticationMode.INDIRECT), a_caller(roles=SECRETARY, name="3690000014/9")]
)
def test_structures_and_employees_find_references_feed_as_the_structure_and_delete_its_documents(
    caller: Caller,
) -> None:
    found = decide(published(), Action.SEARCH, caller, a_record(), own())
    assert (found.allowed, found.grade) == (True, Grade.REFERENCE_ONLY)
    assert visibility(published(), caller, a_record(), Purpose.SEARCH).references_only
    assert decide(published(), Action.FEED, caller, a_record()).grade is Grade.AS_STRUCTURE
    assert not rule(caller, document=own())[0]
    assert rule(caller, Action.DELETE, document=own(), authorisation=Authorisation.NONE)[0]
    assert not rule(caller, Action.DELETE)[0]


def test_an_occupational_doctor_finds_and_never_reads_unless_law_and_holder_say_so() -> None:
    caller = a_caller(roles=OCCUPATIONAL)
    assert rule(caller, Action.SEARCH)[0]
    assert not rule(caller)[0]
    by_sector = a_caller(sector=Code(code="SA13", coding_scheme="1.2.250.1.71.4.2.4"))
    assert not rule(by_sector)[0]
    tables = Tables(matrix=published().matrix, rights=published().rights, occupational_reading=True)
    consented = a_record(authorisation=Authorisation.NONE, occupational_consent=True)
    assert decide(tables, Action.READ, caller, consented, a_document()).allowed
    assert not decide(tables, Action.READ, caller, a_record(), a_document()).allowed
    assert not decide(published(), Action.READ, caller, consented, a_document()).allowed


def test_s45_an_employee_of_a_pharmacy_reads_as_its_pharmacist_where_a_setting_says_so() -> None:
    """Off by default: PDT-INF-526 denies it. Not masked documents, not what the column does not open, not elsewhere."""
    office = Code(code="SECRETARIAT_MEDICAL", coding_scheme="1.2.250.1.213.1.1.4.6")
    pharmacy, clinic = (Code(code=one, coding_scheme="1.2.250.1.71.4.2.4") for one in ("SA33", "SA01"))
    employee = a_caller(roles=(office,), name="3690000014/9", sector=pharmacy)
    tables = Tables(matrix=published().matrix, rights=published().rights, pharmacy_reading=True)
    found = decide(tables, Action.READ, employee, a_record(), a_document())
    assert (found.allowed, found.grade) == (True, Grade.ALLOW)
    assert decide(tables, Action.SEARCH, employee, a_record(), a_document()).grade is Grade.ALLOW
    closed = "89233-1^^2.16.840.1.113883.6.1"
    for caller, record, document in (
        (employee, a_record(), a_document(traits=Trait.MASKED)),
        (employee, a_record(), a_document(type=closed)),
        (employee, a_record(authorisation=Authorisation.NONE), a_document()),
        (replace(employee, sector=clinic), a_record(), a_document()),
        (replace(employee, purpose=BREAK_GLASS), a_record(), a_document()),
        (replace(employee, mode=AuthenticationMode.AIR), a_record(), a_document()),
    ):
        assert not decide(tables, Action.READ, caller, record, document).allowed
        assert not visibility(tables, caller, record, Purpose.READ).shows(record.patient, document)
    seen = visibility(tables, employee, a_record(), Purpose.READ)
    assert (seen.shows(a_record().patient, a_document()), seen.references_only) == (True, False)
    assert not decide(published(), Action.READ, employee, a_record(), a_document()).allowed
    assert decide(tables, Action.FEED, employee, a_record()).grade is Grade.AS_STRUCTURE


def test_students_follow_their_parent_profession_and_the_treating_doctor_is_one() -> None:
    student = a_caller(roles=(Code(code="10", coding_scheme="1.2.250.1.71.1.2.8"),))
    for caller, facts, actor in (
        (student, a_record(), Actor.DOCTOR),
        (a_caller(), a_record(is_treating_doctor=True), Actor.TREATING_DOCTOR),
        (a_caller(purpose=REGULATION), a_record(is_treating_doctor=True), Actor.DOCTOR),
        (a_caller(roles=NURSE), a_record(is_treating_doctor=True), Actor.PROFESSIONAL),
        (a_caller(roles=NURSE, name="3690000014/9"), a_record(), Actor.PROFESSIONAL),
        (a_caller(roles=SECRETARY), a_record(), Actor.CPE_HOLDER),
        (a_caller(mode=AuthenticationMode.AIR, roles=SECRETARY), a_record(), Actor.NOT_PROFESSIONAL),
    ):
        capacity = capacity_of(caller, facts, published())
        assert capacity is not None
        assert capacity.actor is actor


def test_a_profession_in_no_column_reads_its_own_documents_alone() -> None:
    caller = a_caller(roles=NURSING_AUXILIARY)
    assert rule(caller) == (False, "matrix.no_column")
    assert rule(caller, document=own())[0]


def test_what_the_matrix_closes_is_named() -> None:
    podiatrist = a_caller(roles=PODIATRIST)
    assert rule(podiatrist, document=a_document(type=SURGERY_ADMISSION)) == (
        False,
        f"matrix:pedicure_podologue/{SURGERY_ADMISSION}",
    )
    assert rule(podiatrist) == (True, f"matrix:pedicure_podologue/{CONSULTATION}")


def test_the_signature_of_a_submission_is_seen_by_nobody() -> None:
    signature = own(type="E1762^^ASTM", traits=Trait.SIGNATURE)
    for caller in (a_caller(), a_patient()):
        assert rule(caller, document=signature) == (False, "document.signature")
        assert not visibility(published(), caller, a_record(), Purpose.CHANGE).shows(PATIENT.key, signature)


def test_holders_change_what_they_deposited_and_professionals_do_not() -> None:
    deposited = a_document(traits=Trait.BY_PATIENT)
    for action in (Action.ARCHIVE, Action.DELETE):
        assert rule(a_patient(), action, document=deposited)[0]
        assert not rule(a_patient(), action)[0]
        assert not rule(a_caller(), action, document=deposited)[0]
        assert rule(a_caller(), action, document=deposited, is_treating_doctor=True)[0]


def test_what_nobody_proved_is_denied_and_the_open_caller_is_not() -> None:
    nobody = Caller(name="somebody", patient_id=PATIENT)
    assert rule(nobody) == (False, "caller.actor")
    assert rule(a_caller(patient_id=None)) == (False, "caller.patient")
    assert rule(OPEN_CALLER, state=RecordState.NONE) == (True, "caller.open")


def test_the_facts_of_a_document_come_from_its_metadata() -> None:
    masked = Code(code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13")
    found = document_facts(an_entry(confidentiality_code=(masked,)))
    assert (found.type, found.traits, found.status) == (CONSULTATION, Trait.MASKED, AvailabilityStatus.APPROVED)
    assert found.authors == {"801234567897^1.2.250.1.71.4.2.1"}
    assert found.structures == {f"{STRUCTURE}^1.2.250.1.71.4.2.2"}
    holder = an_author(author_person=XCN(f"{PATIENT.id}^MARCHAL^LISE^^^^^^&{PATIENT.authority}&ISO^D^^^NH"))
    assert document_facts(an_entry(author=(holder,))).has(Trait.BY_PATIENT)


def test_every_caller_of_every_kind_is_denied_by_default() -> None:
    """Without a record, and of a type in no row, nobody sees anything but their own."""
    unlisted = a_document(type="unlisted^^1.2.3")
    for caller in every_caller():
        assert not rule(caller, state=RecordState.NONE)[0]
        if caller.standing is Standing.PROFESSIONAL:
            assert not rule(caller, document=unlisted)[0]
