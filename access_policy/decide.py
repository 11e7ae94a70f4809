"""One decision: may this caller do this, on this record, to this document, and which rule says so. DMP 12.3.

Default deny. The order is that of the facts: record and caller, functional right, authorisation or opposition,
visibility codes, matrix, status. The first step that fails decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from access_policy.caller import AuthenticationMode, Caller, Standing
from access_policy.capacity import Capacity, capacity_of
from access_policy.document_facts import DocumentFacts, Trait
from access_policy.record_facts import Authorisation, RecordFacts, RecordState
from access_policy.rights import CHANGES, Action, Actor, Authentication, Grade, Mode, Right
from access_policy.tables import Tables
from xds.vocabulary import AvailabilityStatus

# They concern no record, so that an assertion need not name a person.
_OF_NO_RECORD = frozenset(
    {Action.AUTHENTICATE, Action.SEARCH_WITHOUT_INS, Action.LIST_AUTHORIZED, Action.ACQUIRE_IDENTITY, Action.WEB_ACCESS}
)
# They say whether there is a record, or concern none: also answered where it is not open, or the caller is blocked.
_BEFORE_THE_RECORD = frozenset(
    {
        *(Action.TEST_EXISTENCE, Action.AUTHENTICATE, Action.SEARCH_WITHOUT_INS, Action.LIST_AUTHORIZED),
        *(Action.ACQUIRE_IDENTITY, Action.WEB_ACCESS),
    }
)
# Several rows at once: the first that allows is the right.
_ROWS = {
    Action.READ: (Action.READ_UNMASKED,),
    Action.SEARCH: (Action.SEARCH_METADATA, Action.SEARCH_REFERENCE),
    Action.FEED: (Action.SUBMIT, Action.SUBMIT_BY_CPE),
}
_READING = (Action.READ, Action.SEARCH, Action.SEARCH_METADATA, Action.SEARCH_REFERENCE)
# What an employee of a pharmacy may as its pharmacist may, where a setting says so.
_OF_PHARMACISTS = frozenset(
    {
        *(*_READING, Action.READ_UNMASKED, Action.READ_MASKED, Action.READ_HIDDEN),
        *(Action.READ_ARCHIVED, Action.READ_OBSOLETE, Action.READ_DELETED),
    }
)
_REFUSING = (Grade.DENY, Grade.RETIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question of a decision; `rule` is its stable id, `passed` its answer."""

    rule: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`rule` is that of the step that refused, or of the last that had to pass."""

    allowed: bool
    rule: str
    grade: Grade = Grade.DENY


def decide(
    tables: Tables, action: Action, caller: Caller, facts: RecordFacts, document: DocumentFacts | None = None
) -> Decision:
    """Whether the caller may; without a document: any at all. The open caller may do everything."""
    last = Step(rule="default.deny", passed=False)
    for last in steps(tables, action, caller, facts, document):
        if not last.passed:
            break
    grade = Grade.DENY if not last.passed else granted(tables, action, caller, facts, document)
    return Decision(allowed=last.passed, rule=last.rule, grade=grade)


def steps(
    tables: Tables, action: Action, caller: Caller, facts: RecordFacts, document: DocumentFacts | None = None
) -> Iterator[Step]:
    """The questions in their order; whoever decides stops at the first that fails."""
    if caller.is_open:
        yield Step(rule="caller.open", passed=True)
        return
    yield from entry_steps(action, caller, facts)
    capacity = capacity_of(caller, facts, tables)
    yield Step(rule="caller.actor", passed=capacity is not None)
    if capacity is None:
        return
    right = right_of(tables, action, capacity, facts, document)
    yield Step(rule=right.rule, passed=allows(right, capacity, facts, document))
    if action in _READING or (action in CHANGES and not (document and is_own(capacity, document))):
        yield from _reading_steps(tables, capacity, facts, document)


def granted(
    tables: Tables, action: Action, caller: Caller, facts: RecordFacts, document: DocumentFacts | None
) -> Grade:
    """How far what was allowed goes, such as REFERENCE_ONLY."""
    capacity = None if caller.is_open else capacity_of(caller, facts, tables)
    return Grade.ALLOW if capacity is None else right_of(tables, action, capacity, facts, document).grade


def entry_steps(action: Action, caller: Caller, facts: RecordFacts) -> Iterator[Step]:
    """A record that is open, to somebody who is not blocked. A blocked professional gets nothing in any mode.

    Nor does anybody by AIR whose structure it is not enabled for. DMP 1 (S44)
    """
    if caller.mode is AuthenticationMode.AIR:
        yield Step(rule="caller.air", passed=facts.may_use_air)
    if action not in _OF_NO_RECORD:
        yield Step(rule="caller.patient", passed=caller.patient_id is not None)
        if caller.standing is Standing.REPRESENTATIVE:
            yield Step(rule=f"holder.{caller.standing}", passed=facts.is_representative)
    if action in _BEFORE_THE_RECORD:
        return
    yield Step(rule=f"record.{facts.state}", passed=facts.state is RecordState.OPEN)
    yield Step(rule="caller.blocked", passed=facts.authorisation is not Authorisation.BLOCKED)


def enters(action: Action, caller: Caller, facts: RecordFacts) -> bool:
    """Whether the record is open to the caller at all."""
    return all(one.passed for one in entry_steps(action, caller, facts))


def right_of(
    tables: Tables, action: Action, capacity: Capacity, facts: RecordFacts, document: DocumentFacts | None = None
) -> Right:
    """The row that answers; of several the first that allows, else the last."""
    by_patient = document is not None and document.has(Trait.BY_PATIENT)
    if capacity.reads_as_pharmacist and action in _OF_PHARMACISTS:
        return _of_pharmacists(tables, action, capacity)
    right = Right(grade=Grade.DENY, rule="right:absent")
    for one in _ROWS.get(action, (action,)):
        right = tables.rights.right(one, capacity.auth, capacity.actor, capacity.mode, by_patient=by_patient)
        if right.grade not in _REFUSING:
            return right
    if action in (Action.READ, Action.READ_UNMASKED) and _reads_by_consent(tables, capacity, facts):
        return Right(grade=Grade.ALLOW, rule="consent.occupational_doctor")
    return right


def _of_pharmacists(tables: Tables, action: Action, capacity: Capacity) -> Right:
    """The cell of the pharmacist, for an employee of the pharmacy; the rule says so. DMP S45"""
    row = _ROWS.get(action, (action,))[0]
    right = tables.rights.right(row, Authentication.CPS, Actor.PROFESSIONAL, capacity.mode)
    return Right(grade=right.grade, rule=f"pharmacy.{right.rule}")


def _reads_by_consent(tables: Tables, capacity: Capacity, facts: RecordFacts) -> bool:
    """CSP L.1111-17 IV"""
    is_occupational = capacity.actor is Actor.OCCUPATIONAL_DOCTOR
    return is_occupational and tables.occupational_reading and facts.occupational_consent


def allows(right: Right, capacity: Capacity, facts: RecordFacts, document: DocumentFacts | None) -> bool:
    """Whether a cell lets the caller, here."""
    match right.grade:
        case Grade.DENY | Grade.RETIRED:
            return False
        case Grade.OWN_ONLY:
            return document is None or capacity.author in document.authors
        case Grade.STRUCTURE_ONLY:
            return document is None or capacity.structure in document.structures
        case Grade.IF_PATIENT_ALLOWED:
            return facts.masked_in_emergency
        case _:
            return True


def is_own(capacity: Capacity, document: DocumentFacts) -> bool:
    """Written by the caller, or by the structure that the caller acts for."""
    if capacity.acts_for_structure:
        return capacity.structure in document.structures
    return capacity.author in document.authors


def access_step(capacity: Capacity, facts: RecordFacts, *, own: bool) -> Step:
    """Authorisation of the holder, except for what is one's own; in an emergency no opposition instead."""
    if capacity.is_patient_side:  # who represents nobody did not come as far as this
        return Step(rule=f"holder.{capacity.actor}", passed=True)
    if capacity.mode is Mode.BREAK_GLASS:
        return Step(rule="opposition.break_glass", passed=not facts.opposes_break_glass)
    if capacity.mode is Mode.REGULATION:
        return Step(rule="opposition.regulation", passed=not facts.opposes_regulation)
    if own:
        return Step(rule="document.own", passed=True)
    if capacity.actor is Actor.OCCUPATIONAL_DOCTOR and facts.occupational_consent:
        return Step(rule="consent.occupational_doctor", passed=True)
    return Step(
        rule=f"authorisation.{facts.authorisation.name.lower()}",
        passed=facts.authorisation is Authorisation.VALID,
    )


def _reading_steps(
    tables: Tables, capacity: Capacity, facts: RecordFacts, document: DocumentFacts | None
) -> Iterator[Step]:
    own = document is not None and is_own(capacity, document)
    yield access_step(capacity, facts, own=own)
    if document is None:
        return
    yield Step(rule="document.signature", passed=not document.has(Trait.SIGNATURE))
    for action in _of_codes(document, capacity, facts):
        yield _state_step(tables, action, capacity, facts, document)
    if capacity.is_under_matrix and not own:
        yield _matrix_step(tables, capacity, document)
    for action in _of_status(document):
        yield _state_step(tables, action, capacity, facts, document)


def _state_step(
    tables: Tables, action: Action, capacity: Capacity, facts: RecordFacts, document: DocumentFacts
) -> Step:
    """A document in several states needs the right to each."""
    right = right_of(tables, action, capacity, facts, document)
    return Step(rule=right.rule, passed=allows(right, capacity, facts, document))


def _of_codes(document: DocumentFacts, capacity: Capacity, facts: RecordFacts) -> Iterator[Action]:
    if document.has(Trait.MASKED):
        yield Action.READ_MASKED
    if document.is_hidden_at(facts.now):
        yield Action.READ_HIDDEN
    if document.has(Trait.HIDDEN_FROM_REPRESENTATIVES) and capacity.is_patient_side:
        yield Action.READ_HIDDEN_FROM_REPRESENTATIVES


def _of_status(document: DocumentFacts) -> Iterator[Action]:
    if document.status is AvailabilityStatus.ARCHIVED:
        yield Action.READ_ARCHIVED
    if document.status is AvailabilityStatus.DEPRECATED:
        yield Action.READ_OBSOLETE
    if document.has(Trait.DELETED):
        yield Action.READ_DELETED


def _matrix_step(tables: Tables, capacity: Capacity, document: DocumentFacts) -> Step:
    if capacity.column is None:
        return Step(rule="matrix.no_column", passed=False)
    column = capacity.column.id
    may = tables.matrix.permits(column, document.type, is_imaging=document.has(Trait.IMAGING))
    return Step(rule=f"matrix:{column}/{document.type}", passed=may)
