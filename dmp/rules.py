"""What the law and the operator fix about records: durations and regime. DMP 13

Every value is a setting. Dates are DTM of 14 digits, UTC.
"""

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

_FORM = "%Y%m%d%H%M%S"
_MONTHS = 12


class Regime(StrEnum):
    """How records come to be opened. DMP 1 (S11, S12)"""

    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"


class NoticeTarget(StrEnum):
    """Who is told that a hidden document waits for its announcement. DMP 13 (sensitive document)"""

    PATIENT = "patient"
    TREATING_DOCTOR = "treating_doctor"


class AirStructures(StrEnum):
    """Which structures may come by AIR: any, or those that the directory enables. DMP 1 (S44)"""

    ANY = "any"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one server; the defaults are the law's. CSP R.1111-28 to R.1111-53

    A duration counts from the act that starts it: one changed later holds for what starts later.
    """

    regime: Regime = Regime.OPT_OUT
    information_weeks: int = 6
    suspension_weeks: int = 6
    retention_years: int = 10
    early_erasure_months: int = 3
    authorisation_months: int = 12
    announcement_days: int = 14
    announcement_target: NoticeTarget = NoticeTarget.PATIENT
    visible_after_days: int = 0
    visible_after_months: int = 1
    journal_days: int = 365
    journal_lines: int = 100
    majority_age: int = 18
    air_structures: AirStructures = AirStructures.ANY

    def visible_from(self, deposited: str) -> str:
        """When a document hidden from its patient opens by itself. CSP R.1111-53"""
        return later(later(deposited, months=self.visible_after_months), days=self.visible_after_days)

    def announced_at(self, visible_from: str) -> str:
        """When somebody is told of a document that opens at this time and is still hidden."""
        deposited = later(later(visible_from, days=-self.visible_after_days), months=-self.visible_after_months)
        return later(deposited, days=self.announcement_days)

    def erasable_from(self, closed: str) -> str:
        """When the retention of a closed record is over. CSP L.1111-18"""
        return later(closed, months=_MONTHS * self.retention_years)

    def majority(self, birth_date: str) -> str:
        """The day on which somebody born on this day (8 digits) comes of age, as DTM; empty where it is not known."""
        return later(f"{birth_date}000000", months=_MONTHS * self.majority_age) if birth_date else ""

    def is_minor(self, birth_date: str, now: str) -> bool:
        return now < self.majority(birth_date)


# The founding deck of 2020, in place of current law. DMP 13
DECK_2020 = Rules(
    announcement_days=15,
    announcement_target=NoticeTarget.TREATING_DOCTOR,
    visible_after_days=21,
    visible_after_months=0,
)


def later(moment: str, *, months: int = 0, weeks: int = 0, days: int = 0, minutes: int = 0) -> str:
    """A DTM moved; the 31st of a month that has fewer days is its last."""
    moved = timedelta(weeks=weeks, days=days, minutes=minutes)
    found = datetime.strptime(moment, _FORM) + moved  # noqa: DTZ007 - UTC by contract
    number = found.year * _MONTHS + found.month - 1 + months
    year, month = number // _MONTHS, number % _MONTHS + 1
    day = min(found.day, calendar.monthrange(year, month)[1])
    return found.replace(year=year, month=month, day=day).strftime(_FORM)


def age_at(birth_date: str, now: str) -> int:
    """Full years; -1 where the day of birth is not known."""
    if not birth_date:
        return -1
    return int(now[:4]) - int(birth_date[:4]) - (now[4:8] < birth_date[4:8])
