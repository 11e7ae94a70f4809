"""What a record must be, written from the facts and not from the program: one person as a bag of plain values.

`reference/dmp.md` §1 (S01 to S19, S47, S51), §3 (TD0.2, TD0.3), §13.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

SIX_WEEKS = timedelta(weeks=6)


class Refused(Exception):
    """The facts do not let this happen."""


def demand(holds: bool) -> None:
    if not holds:
        raise Refused


def months_after(moment: datetime, months: int) -> datetime:
    """The same day so many months later; the last day of the month where there is none."""
    index = moment.year * 12 + moment.month - 1 + months
    for day in range(moment.day, 27, -1):
        try:
            return moment.replace(year=index // 12, month=index % 12 + 1, day=day)
        except ValueError:
            continue
    return moment.replace(year=index // 12, month=index % 12 + 1)


@dataclass
class Person:
    """A person and the record, if there is one; `until` of an authorisation, None for a block."""

    state: str = "none"
    has_row: bool = False
    since: datetime | None = None
    opposed: bool = False
    due: datetime | None = None
    closed: datetime | None = None
    attached: bool = False
    authorised: dict[str, datetime] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    doctor: str = ""
    wishes: set[str] = field(default_factory=set)
    birth: datetime | None = None
    representatives: dict[str, datetime] = field(default_factory=dict)  # since when

    @property
    def active(self) -> bool:
        return self.state in ("open", "suspended")

    def is_minor(self, now: datetime) -> bool:
        return self.birth is not None and now < months_after(self.birth, 18 * 12)

    def _enter(self, state: str, now: datetime, due: datetime | None = None) -> None:
        self.state, self.since, self.due, self.has_row = state, now, due, True

    # --- life ----------------------------------------------------------------------------------

    def inform(self, now: datetime, birth: datetime | None) -> None:
        demand(self.state == "none" and not self.opposed)
        self.birth = birth or self.birth
        self._enter("informed", now, now + SIX_WEEKS)

    def oppose(self, now: datetime) -> None:
        demand(self.state in ("none", "informed") and not self.opposed)
        self._enter("none", now)
        self.opposed = True

    def withdraw(self, now: datetime) -> None:
        demand(self.opposed)
        self._enter("none", now)
        self.opposed = False

    def open(self, now: datetime) -> None:
        """With consent: also after an opposition, a closure, an erasure; of a minor with a representative."""
        demand(not self.active)
        if self.state != "closed":
            demand(not self.is_minor(now) or bool(self.representatives))
            self.attached = False
        self._enter("open", now)
        self.opposed, self.closed = False, None

    def open_by_itself(self, now: datetime) -> None:
        """With *Mon espace santé*, from which it is reached. CSP R.1111-40"""
        demand(self.state == "informed" and self.due is not None and self.due <= now)
        self._enter("open", now)
        self.attached = True

    def suspend(self, now: datetime) -> None:
        demand(self.state == "open")
        self._enter("suspended", now, now + SIX_WEEKS)

    def resume(self, now: datetime) -> None:
        demand(self.state == "suspended")
        self._enter("open", now)

    def close(self, now: datetime) -> None:
        demand(self.active)
        self._enter("closed", now, months_after(now, 120))
        self.closed = now

    def reactivate(self, now: datetime) -> None:
        demand(self.state in ("closed", "suspended"))
        self._enter("open", now)
        self.closed = None

    def request_erasure(self, now: datetime) -> None:
        demand(self.state == "closed")
        assert self.due is not None
        self._enter("closed", now, min(self.due, months_after(now, 3)))

    def erase(self, now: datetime) -> None:
        demand(self.state == "closed" and self.due is not None and self.due <= now)
        self.__init__()  # type: ignore[misc]  # nothing is left
        self._enter("erased", now)

    def pass_time(self, now: datetime) -> None:
        """What jobs do."""
        if self.due is None or now < self.due:
            return
        {"informed": self.open_by_itself, "suspended": self.close, "closed": self.erase}[self.state](now)

    # --- rights --------------------------------------------------------------------------------

    def authorise(self, now: datetime, who: str) -> None:
        demand(self.active and who not in self.blocked)
        self.authorised[who] = months_after(now, 12)

    def remove_authorisation(self, _now: datetime, who: str) -> None:
        demand(self.active and who in self.authorised)
        del self.authorised[who]

    def block(self, _now: datetime, who: str) -> None:
        demand(self.active)
        self.authorised.pop(who, None)
        self.blocked.add(who)
        self.doctor = "" if self.doctor == who else self.doctor

    def unblock(self, _now: datetime, who: str) -> None:
        demand(self.active and who in self.blocked)
        self.blocked.remove(who)

    def declare_doctor(self, _now: datetime, who: str) -> None:
        demand(self.active and who not in self.blocked)
        self.doctor = who

    def drop_doctor(self, _now: datetime) -> None:
        demand(self.active and self.doctor != "")
        self.doctor = ""

    def wish(self, _now: datetime, name: str, value: bool) -> None:
        demand(self.active)
        (self.wishes.add if value else self.wishes.discard)(name)

    # --- others --------------------------------------------------------------------------------

    def name_representative(self, now: datetime, other: str, own: set[str]) -> None:
        demand(other not in own)
        self.has_row = True
        self.representatives[other] = now

    def may_act(self, other: str, now: datetime) -> bool:
        """Who was named for a minor acts until majority, whenever the day of birth came to be known. CSP R.1111-40"""
        since = self.representatives.get(other)
        majority = None if self.birth is None else months_after(self.birth, 18 * 12)
        return since is not None and (majority is None or majority <= since or now < majority)

    def authorisation(self, now: datetime, names: tuple[str, str]) -> str:
        """TD0.2 for a professional and the structure acted for."""
        if any(one in self.blocked for one in names):
            return "INTERDIT"
        ends = [self.authorised[one] for one in names if one in self.authorised]
        if (self.doctor and self.doctor == names[0]) or any(now < end for end in ends):
            return "VALIDE"
        return "EXPIRE" if ends else "NON_EXISTE"


def joined(old: Person, new: Person) -> Person:
    """Two identifiers turn out to be one person: the later decision stands, refusals of either stay."""
    if not new.has_row or not old.has_row:
        return old if old.has_row else new
    decided = [one for one in (new, old) if one.opposed or one.state not in ("none", "informed")]
    kept = [one for one in (new, old) if one.state not in ("none", "informed", "erased")]
    if len(kept) == 1 and "erased" in (old.state, new.state):
        stands = kept[0]
    elif len(decided) == 2 and old.since is not None and new.since is not None:
        stands = old if old.since > new.since else new
    elif decided:
        stands = decided[0]
    else:
        stands = old if (old.state, new.state) == ("informed", "none") else new
    made = Person(
        state=stands.state,
        since=stands.since,
        opposed=stands.opposed,
        due=stands.due,
        closed=stands.closed,
        attached=old.attached or new.attached,
        has_row=True,
    )
    other = old if stands is new else new
    if stands.opposed and other.state not in ("none", "informed"):
        made.state, made.since, made.due, made.closed = other.state, other.since, other.due, other.closed
        made.opposed = False
        if other.active:
            assert stands.since is not None
            made.state, made.since, made.closed = "closed", stands.since, stands.since
            made.due = months_after(stands.since, 120)
    made.blocked = old.blocked | new.blocked
    ends = {
        who: max(one.authorised[who] for one in (old, new) if who in one.authorised)
        for who in {*old.authorised, *new.authorised}
    }
    made.authorised = {who: end for who, end in ends.items() if who not in made.blocked}
    doctor = new.doctor or old.doctor
    made.doctor = "" if doctor in made.blocked else doctor
    refusals = {"opposes_break_glass", "opposes_regulation"}
    made.wishes = ((old.wishes | new.wishes) & refusals) | (old.wishes & new.wishes)
    made.birth = new.birth or old.birth
    made.representatives = old.representatives | new.representatives
    return made
