"""Times of records: UTC whatever the zone, and a clock that is set back is on record before anything seems to go back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from audit.recorder import AuditTrail
from audit.spool import Spool
from storage.unit_of_work import Units
from tests.audit.happenings import NODE, PROFESSIONAL, a_trail, asked, kept

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)


class SetClock:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def trail(units: Units, clock: SetClock) -> AuditTrail:
    committer = a_trail(units).committer
    return AuditTrail(node=NODE, committer=committer, spool=Spool(0, on_alarm=lambda *_: None), now=clock)


@pytest.mark.parametrize("hours", [-1, -24])
def test_a_step_back_is_recorded_once_before_the_records_it_concerns(
    trail: AuditTrail, units: Units, clock: SetClock, hours: int
) -> None:
    trail.keep([asked(1)], PROFESSIONAL)
    clock.now += timedelta(hours=hours)
    trail.keep([asked(2)], PROFESSIONAL)
    clock.now += timedelta(seconds=5)
    trail.keep([asked(3)], PROFESSIONAL)
    steps = [one for one in kept(units) if one.event_id.code == "110113"]
    assert [(one.type_codes[0].code, one.description) for one in steps] == [
        ("110131", f"the clock was set back by {-hours * 3600} s")
    ]
    assert len(kept(units)) == 4


def test_a_step_forward_and_the_last_millisecond_are_no_steps_back(
    trail: AuditTrail, units: Units, clock: SetClock
) -> None:
    for step in (timedelta(hours=1), timedelta(milliseconds=-900), timedelta(0)):
        clock.now += step
        trail.keep([asked(1)], PROFESSIONAL)
    assert {one.event_id.code for one in kept(units)} == {"110112"}


def test_a_time_of_another_zone_is_written_in_utc(trail: AuditTrail, units: Units, clock: SetClock) -> None:
    clock.now = datetime(2026, 3, 29, 3, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))
    trail.keep([asked(1)], PROFESSIONAL)
    assert [one.time for one in kept(units)] == ["2026-03-29T01:00:00.123Z"]
