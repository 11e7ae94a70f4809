"""Those around a record: representatives of its holder, and the identifiers of the holder. DMP 1 (S05, S06), 15.

Each function is one act, as in `dmp.life`. A record belongs to a person, not to one identifier.
"""

from dataclasses import replace

from access_policy.record_facts import RecordState
from dmp.actor import Actor
from dmp.life import day_of_birth
from dmp.record import Act, Record, Representative, Right
from dmp.records import Records, check_ins
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import accounts, events, persons, readers, records, rights
from hl7v3.person import UNKNOWN, Person
from storage.unit_of_work import UnitOfWork

_UNDECIDED = (RecordState.NONE, RecordState.INFORMED)


def add_representative(
    dmp: Records, unit: UnitOfWork, patient: str, representative: Representative, *, by: Actor, now: str
) -> Record:
    """Name a legal representative, before the opening or after; of a minor until majority. CSP R.1111-40

    Only who is one already may name another for the holder.
    """
    check_ins(representative.patient)
    record = dmp.begin(unit, patient, by, now)
    dmp.check_representative(unit, record, by, now)
    if representative.patient == record.patient:
        context = "found the holder, expected another person"
        raise RecordRefused(Refusal.NOT_REPRESENTATIVE, f"representative: {context}")
    named = replace(representative, since=now)
    rights.put_representative(unit.connection, record.key, named)
    until = named.end(dmp.rules.majority(record.birth_date))
    details = {"representative": named.patient, "relation": named.relation, "until": until}
    dmp.note(unit, record, Act.ADD_REPRESENTATIVE, by, now, details=details)
    return record


def remove_representative(
    dmp: Records, unit: UnitOfWork, patient: str, representative: str, *, by: Actor, now: str
) -> Record:
    """Somebody acts for the holder no longer."""
    record = dmp.found(unit, patient, by, now)
    if all(one.patient != representative for one in rights.representatives(unit.connection, record.key)):
        context = "found nobody of that identifier, expected a representative of the holder"
        raise RecordRefused(Refusal.NOT_REPRESENTATIVE, f"{patient}: {context}")
    rights.remove_representative(unit.connection, record.key, representative)
    dmp.note(unit, record, Act.REMOVE_REPRESENTATIVE, by, now, details={"representative": representative})
    return record


def change_person(dmp: Records, unit: UnitOfWork, patient: str, person: Person, *, by: Actor, now: str) -> Record:
    """Keep these administrative data in place of what was known of the holder. DMP 3 (TD1.3b)

    Nothing said of the person leaves what is known. Raises RecordRefused for a day of birth that is none.
    """
    record = dmp.active(unit, patient, by, now)
    birth_date = day_of_birth(person.birth_time[:8] if len(person.birth_time) >= 8 else "") or record.birth_date
    changed = dmp.edit(unit, record, Act.CHANGE_PERSON, by, now, birth_date=birth_date)
    if person != UNKNOWN:
        persons.put(unit.connection, record.key, person)
    return changed


def merge_records(dmp: Records, unit: UnitOfWork, subsumed: str, surviving: str, *, by: Actor, now: str) -> None:
    """Two identifiers were found to be of one person: one record is left, under the surviving one.

    Where only one of them has a record, it goes on. Of two, the state decided last stands; what the holder refused in
    either stays refused, what was allowed in one alone is not. Where neither has one, a row in the state NONE keeps
    both identifiers together.
    """
    first, second = sorted((subsumed, surviving))
    found = {one: records.locked(unit.connection, one) for one in (first, second)}
    old, new = found[subsumed], found[surviving]
    rights.rename_representative(unit.connection, subsumed, surviving)
    if old is None and new is None:
        new = Record(key=dmp.keys.new(), patient=surviving)
        records.add(unit.connection, new, now)
    if old is not None and new is None:
        _change_identity(dmp, unit, old, surviving, by, now)
    elif old is None and new is not None:
        records.identify(unit.connection, subsumed, new.key, now)
        records.end_identifier(unit.connection, subsumed, now)
        dmp.note(unit, new, Act.CHANGE_IDENTITY, by, now, details={"former": subsumed})
    elif old is not None and new is not None and old.key != new.key:
        _join(dmp, unit, old, new, by, now)
    left = records.find(unit.connection, surviving)
    if left is not None:  # nobody is his own representative
        rights.remove_representative(unit.connection, left.key, surviving)


def _change_identity(dmp: Records, unit: UnitOfWork, record: Record, patient: str, by: Actor, now: str) -> None:
    """The record goes on under another identifier of its person; the former one still leads to it."""
    records.end_identifier(unit.connection, record.patient, now)
    records.identify(unit.connection, patient, record.key, now)
    dmp.edit(unit, record, Act.CHANGE_IDENTITY, by, now, patient=patient, details={"former": record.patient})


def _join(dmp: Records, unit: UnitOfWork, old: Record, new: Record, by: Actor, now: str) -> None:
    _join_lists(unit, old, new)
    events.hand_over(unit.connection, old.key, new.key)
    readers.hand_over(unit.connection, old.key, new.key)
    persons.hand_over(unit.connection, old.key, new.key)
    accounts.remove_all(unit.connection, old.key)
    records.lead_elsewhere(unit.connection, old.key, new.key, now)
    records.remove(unit.connection, old.key)
    joined = _joined(old, new)
    if joined.state is RecordState.CLOSED and not joined.due:
        joined = replace(joined, due=dmp.rules.erasable_from(joined.closed))
    if joined.treating_doctor in _blocked(unit, new.key):
        joined = replace(joined, treating_doctor="", treating_doctor_from="", treating_doctor_since="")
    records.save(unit.connection, joined)
    details = {"former": old.patient, "former_state": str(old.state)}
    dmp.note(unit, joined, Act.MERGE, by, now, before=new.state, details=details)


def _joined(old: Record, new: Record) -> Record:
    """The record of one person out of two."""
    stands = _decided_last(old, new)
    doctor = new if new.treating_doctor else old
    return replace(
        stands,
        key=new.key,
        patient=new.patient,
        treating_doctor=doctor.treating_doctor,
        treating_doctor_from=doctor.treating_doctor_from,
        treating_doctor_since=doctor.treating_doctor_since,
        opposes_break_glass=old.opposes_break_glass or new.opposes_break_glass,
        opposes_regulation=old.opposes_regulation or new.opposes_regulation,
        masked_in_emergency=old.masked_in_emergency and new.masked_in_emergency,
        occupational_consent=old.occupational_consent and new.occupational_consent,
        birth_date=new.birth_date or old.birth_date,
        territory=new.territory or old.territory,
        is_attached=old.is_attached or new.is_attached,
    )


def _decided_last(old: Record, new: Record) -> Record:
    """Whose state stands: that of the later decision, an undecided one never, in doubt the surviving one's.

    An opposition is a decision; against a record that is already open it is a request to close it. That one was erased
    says nothing about the documents that the other still has.
    """
    kept = [one for one in (new, old) if one.state not in (*_UNDECIDED, RecordState.ERASED)]
    if len(kept) == 1 and RecordState.ERASED in (old.state, new.state):
        return kept[0]
    decided = [one for one in (new, old) if one.state not in _UNDECIDED or one.opposed]
    if len(decided) < 2:
        return decided[0] if decided else _furthest(old, new)
    last = old if old.since > new.since else new
    other = new if last is old else old
    if last.opposed and other.state not in _UNDECIDED:
        return _closed_by_opposition(other, last)
    return last


def _furthest(old: Record, new: Record) -> Record:
    return old if old.state is RecordState.INFORMED and new.state is RecordState.NONE else new


def _closed_by_opposition(record: Record, opposition: Record) -> Record:
    if not record.is_active:
        return record
    return replace(
        record,
        state=RecordState.CLOSED,
        since=opposition.since,
        closed=opposition.opposed,
        closing_reason="opposition",
        suspended="",
        due="",
    )


def _join_lists(unit: UnitOfWork, old: Record, new: Record) -> None:
    """Blocks of either stay; of two authorisations the longer one."""
    held = {(one.kind, one.holder): one for one in rights.all_of(unit.connection, new.key)}
    for right in rights.all_of(unit.connection, old.key):
        mine = held.get((right.kind, right.holder))
        rights.put(unit.connection, new.key, right if mine is None else max(right, mine, key=_weight))
    named = {one.patient for one in rights.representatives(unit.connection, new.key)}
    for one in rights.representatives(unit.connection, old.key):
        if one.patient not in named | {new.patient}:
            rights.put_representative(unit.connection, new.key, one)
    rights.remove_all(unit.connection, old.key)


def _weight(right: Right) -> tuple[bool, bool, str]:
    return right.is_block, right.until == "", right.until


def _blocked(unit: UnitOfWork, key: int) -> set[str]:
    return {one.holder for one in rights.all_of(unit.connection, key) if one.is_block}
