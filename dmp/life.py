"""The life of a record: information, opposition, opening, suspension, closure, reactivation, erasure. DMP 13.

Each function is one act: it runs in the unit of work it is given, leaves its event, and raises RecordRefused with
nothing changed. `patient` is a CX key, `now` a DTM of 14 digits, UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from access_policy.record_facts import RecordState
from dmp import notices
from dmp.actor import Actor, ActorKind
from dmp.notices import Notice
from dmp.record import Act, Channel, Consent, Record, Representative, Wishes
from dmp.records import Records
from dmp.refusal import RecordRefused, Refusal
from dmp.rules import Regime, age_at, later
from dmp.sql import accounts, events, persons, readers, records, rights
from storage.unit_of_work import UnitOfWork
from xds.datatypes import DTM


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What an opening says. `how`: the means by which consent was collected; `territory`: health-insurance fund.

    `is_attached`: the record can be reached from *Mon espace santé*.
    """

    channel: str
    consent: Consent = Consent.GIVEN
    how: str = ""
    birth_date: str = ""
    territory: str = ""
    is_attached: bool = False
    wishes: Wishes | None = None
    representatives: Sequence[Representative] = field(default_factory=tuple)


def inform(
    dmp: Records,
    unit: UnitOfWork,
    patient: str,
    *,
    by: Actor,
    now: str,
    through: str = "email",
    birth_date: str = "",
    territory: str = "",
) -> Record:
    """Tell a person that a record will be opened: the opposition period begins. DMP 1 (S13), CSP R.1111-28

    `through` is `email` or `post`. A person who opposed is not informed again.
    """
    record = dmp.begin(unit, patient, by, now)
    if record.opposed:
        raise RecordRefused(Refusal.OPPOSED, f"{patient}: found an opposition, expected none or its withdrawal")
    return dmp.change(
        unit,
        record,
        Act.INFORM,
        by,
        now,
        informed=now,
        informed_through=through,
        due=later(now, weeks=dmp.rules.information_weeks) if dmp.rules.regime is Regime.OPT_OUT else "",
        birth_date=day_of_birth(birth_date) or record.birth_date,
        territory=territory or record.territory,
        details={"through": through},
    )


def oppose(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str, how: str = "") -> Record:
    """Refuse a record before it is opened, for oneself or a dependant; that is acknowledged. DMP 1 (S14)"""
    record = dmp.begin(unit, patient, by, now)
    dmp.check_representative(unit, record, by, now)
    if record.opposed:
        raise RecordRefused(Refusal.OPPOSED, f"{patient}: found an opposition of {record.opposed}, expected none")
    opposed = dmp.change(unit, record, Act.OPPOSE, by, now, opposed=now, due="", details={"how": how})
    notices.send(dmp, unit, opposed, Notice.OPPOSED, now=now)
    return opposed


def withdraw_opposition(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str) -> Record:
    """Take an opposition back; nothing is opened by that. DMP 1 (S17)"""
    record = dmp.found(unit, patient, by, now)
    if not record.opposed:
        raise RecordRefused(Refusal.NOT_OPPOSED, f"{patient}: found no opposition, expected one")
    return dmp.change(unit, record, Act.WITHDRAW_OPPOSITION, by, now, opposed="")


def open_record(dmp: Records, unit: UnitOfWork, patient: str, opening: Opening, *, by: Actor, now: str) -> Record:
    """Open a record. An explicit request also opens after an opposition, and reactivates a closed record.

    DMP 1 (S01 to S06, S11, S12, S17), 13
    """
    channel = _channel(opening.channel)
    record = dmp.begin(unit, patient, by, now)
    _check_consent(dmp, record, opening, channel, now)
    if record.state is RecordState.CLOSED and opening.consent is Consent.GIVEN:
        return reactivate(dmp, unit, patient, by=by, now=now, how=opening.how)
    birth_date = day_of_birth(opening.birth_date) or record.birth_date
    _name_representatives(dmp, unit, record, opening, birth_date, by, now)
    wishes = opening.wishes or record.wishes
    opened = dmp.change(
        unit,
        record,
        Act.OPEN,
        by,
        now,
        channel=str(channel),
        regime=str(dmp.rules.regime),
        consent=str(opening.consent),
        opened=now,
        opened_by=by.name,
        opened_how=opening.how,
        opposed="",
        closed="",
        erased="",
        due="",
        birth_date=birth_date,
        territory=opening.territory or record.territory,
        is_attached=opening.is_attached or channel is Channel.AUTOMATIC,
        opposes_break_glass=wishes.opposes_break_glass,
        opposes_regulation=wishes.opposes_regulation,
        masked_in_emergency=wishes.masked_in_emergency,
        occupational_consent=wishes.occupational_consent,
        details={"channel": str(channel), "consent": str(opening.consent), "how": opening.how},
    )
    events.add_creation(unit.connection, dmp.keys.new(), opened, by, age_at(birth_date, now))
    if channel is Channel.AUTOMATIC:
        notices.send(dmp, unit, opened, Notice.CREATED, now=now)
    return opened


def _channel(name: str) -> Channel:
    try:
        return Channel(name)
    except ValueError:
        expected = ", ".join(Channel)
        raise RecordRefused(Refusal.UNKNOWN_CHANNEL, f"channel: found {name!r}, expected {expected}") from None


def _check_consent(dmp: Records, record: Record, opening: Opening, channel: Channel, now: str) -> None:
    """Silence opens a record by itself, in the regime that allows it, once the period is over."""
    is_automatic = channel is Channel.AUTOMATIC
    if is_automatic != (opening.consent is Consent.NO_OPPOSITION):
        context = f"found {opening.consent} through the channel {channel}"
        raise RecordRefused(Refusal.NO_CONSENT, f"consent: {context}, expected {Consent.NO_OPPOSITION} with auto alone")
    if not is_automatic:
        return
    if dmp.rules.regime is not Regime.OPT_OUT:
        raise RecordRefused(Refusal.REGIME, f"channel: found auto in the regime {dmp.rules.regime}, expected opt_out")
    if record.opposed:
        raise RecordRefused(Refusal.OPPOSED, f"{record.patient}: found an opposition, expected none")
    if record.state is RecordState.INFORMED and (not record.due or now < record.due):
        context = f"found {now}, expected the end of the opposition period, {record.due or 'which has none'}"
        raise RecordRefused(Refusal.TOO_EARLY, f"{record.patient}: {context}")
    if record.state in (RecordState.NONE, RecordState.ERASED):
        raise RecordRefused(Refusal.TOO_EARLY, f"{record.patient}: found nobody informed, expected the information")


def _name_representatives(
    dmp: Records, unit: UnitOfWork, record: Record, opening: Opening, birth_date: str, by: Actor, now: str
) -> None:
    """The record of a minor is linked to a legal representative. DMP 1 (S05)"""
    for one in opening.representatives:
        rights.put_representative(unit.connection, record.key, replace(one, since=now))
    dmp.check_representative(unit, replace(record, birth_date=birth_date), by, now)
    needs = dmp.rules.is_minor(birth_date, now) and by.kind is not ActorKind.SERVER
    if needs and not rights.representatives(unit.connection, record.key):
        context = "found a minor without legal representative, expected at least one"
        raise RecordRefused(Refusal.REPRESENTATIVE_MISSING, f"{record.patient}: {context}")


def day_of_birth(text: str) -> str:
    """A day of 8 digits, or nothing. Raises RecordRefused."""
    if not text:
        return ""
    try:
        day = DTM.parse(text)
    except ValueError:
        day = None
    if day is None or len(text) != 8:
        raise RecordRefused(Refusal.WRONG_DATE, f"birth date: found {len(text)} characters, expected a day YYYYMMDD")
    return text


def suspend(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str, reason: str = "") -> Record:
    """Announce the closure: it comes by itself unless somebody objects. CSP R.1111-36"""
    record = dmp.found(unit, patient, by, now)
    due = later(now, weeks=dmp.rules.suspension_weeks)
    return dmp.change(unit, record, Act.SUSPEND, by, now, suspended=now, due=due, details={"reason": reason})


def resume(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str, reason: str = "") -> Record:
    """Object to the closure that was announced."""
    record = dmp.found(unit, patient, by, now)
    return dmp.change(unit, record, Act.RESUME, by, now, suspended="", due="", details={"reason": reason})


def close(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str, reason: str = "") -> Record:
    """Close a record: nobody reads or feeds it, and it is erased once the retention is over. DMP 1 (S19)"""
    record = dmp.found(unit, patient, by, now)
    due = dmp.rules.erasable_from(now)
    changes = {"closed": now, "closing_reason": reason, "suspended": "", "due": due, "details": {"reason": reason}}
    return dmp.change(unit, record, Act.CLOSE, by, now, **changes)


def reactivate(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str, how: str = "") -> Record:
    """Open a closed or suspended record again, with everything that is in it. DMP 3 (TD1.2)"""
    record = dmp.found(unit, patient, by, now)
    cleared = dict.fromkeys(("closed", "closing_reason", "suspended", "erasure_requested", "due"), "")
    return dmp.change(unit, record, Act.REACTIVATE, by, now, **cleared, details={"how": how})


def request_erasure(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str) -> Record:
    """Ask that a closed record be erased before the retention is over: three months later at most. CSP L.1111-18"""
    record = dmp.found(unit, patient, by, now)
    due = min(record.due or later(now), later(now, months=dmp.rules.early_erasure_months))
    return dmp.change(unit, record, Act.REQUEST_ERASURE, by, now, erasure_requested=now, due=due)


def erase(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str) -> Record:
    """Forget what a closed record holds once its time has come; the journal stays. DMP 13

    Its documents are removed before, by whoever keeps them.
    """
    record = dmp.found(unit, patient, by, now)
    if record.state is RecordState.CLOSED and now < record.due:
        raise RecordRefused(Refusal.TOO_EARLY, f"{patient}: found {now}, expected {record.due} or later")
    rights.remove_all(unit.connection, record.key)
    readers.remove_all(unit.connection, record.key)
    persons.remove(unit.connection, record.key)
    accounts.remove_all(unit.connection, record.key)
    forgotten = Record(
        key=record.key,
        patient=record.patient,
        state=record.state,
        channel=record.channel,
        regime=record.regime,
        opened=record.opened,
        closed=record.closed,
    )
    records.save(unit.connection, forgotten)
    return dmp.change(unit, forgotten, Act.ERASE, by, now, erased=now)
