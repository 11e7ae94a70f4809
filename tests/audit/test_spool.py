"""A spool that fills: alarms, nothing served, recovery without a restart; and the reserve on a full disk."""

from pathlib import Path

import pytest

from audit import outbox
from audit.committer import GroupCommitter
from audit.recorder import AuditTrail
from audit.reserve import Reserve
from audit.sealer import Sealer
from audit.spool import Spool
from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from tests.audit.happenings import NODE, PROFESSIONAL, a_trail, asked


def test_alarms_at_half_and_at_four_fifths_each_once() -> None:
    alarms: list[tuple[int, int]] = []
    spool = Spool(1000, on_alarm=lambda *one: alarms.append(one))
    for octets in (0, 499, 500, 700, 800, 900, 1000, 1200, 850, 100):
        spool.told(octets)
    assert alarms == [(50, 50), (80, 80), (100, 100), (85, 80), (10, 0)]


def test_a_full_spool_serves_nothing_until_a_receiver_has_caught_up(units: Units) -> None:
    spool = Spool(20_000, on_alarm=lambda *_: None)
    trail = AuditTrail.of(NODE, units, spool)
    sealer = Sealer(units, spool, ["syslog://arr:6514"], on_anchor=lambda _: None)
    units.write(lambda unit: outbox.know_receiver(unit.connection, "syslog://arr:6514"))
    number = 0
    while not spool.is_full:
        number += 1
        trail.keep([asked(number)], PROFESSIONAL)
        sealer.step()
    with pytest.raises(StorageFailed, match="spool is full"):
        trail.keep([asked(0)], PROFESSIONAL)
    with pytest.raises(StorageFailed):
        units.write(lambda unit: trail.record(unit, [asked(0)], PROFESSIONAL))
    units.write(lambda unit: outbox.confirm(unit.connection, "syslog://arr:6514", number))
    sealer.step()
    trail.keep([asked(number + 1)], PROFESSIONAL)
    assert spool.percent == 0


def test_a_full_spool_that_was_told_to_serve_serves(units: Units) -> None:
    spool = Spool(1, on_alarm=lambda *_: None, fails_closed=False)
    trail = AuditTrail.of(NODE, units, spool)
    spool.told(100)
    trail.keep([asked(1)], PROFESSIONAL)


class FullDisk:
    """Units that say the disk is full until so many pieces of the reserve were given up."""

    def __init__(self, units: Units, reserve: Reserve, left: int) -> None:
        self._units, self._reserve, self._left = units, reserve, left

    def append(self, insertion: object) -> None:
        if self._reserve.left > self._left:
            raise StorageFailed("full", is_full=True)
        self._units.append(insertion)  # type: ignore[arg-type]


def test_a_full_disk_takes_records_with_the_reserve_and_refuses_changes(units: Units, tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", 10 * 2**20)
    assert reserve.left == 10 * 2**20
    full = FullDisk(units, reserve, 6 * 2**20)
    trail = AuditTrail(
        node=NODE,
        committer=GroupCommitter(full, reserve),  # type: ignore[arg-type]
        spool=Spool(0, on_alarm=lambda *_: None),
        reserve=reserve,
    )
    trail.keep([asked(1)], PROFESSIONAL)
    assert reserve.left == 6 * 2**20

    def change(unit: UnitOfWork) -> None:
        trail.record(unit, [asked(2)], PROFESSIONAL)

    with pytest.raises(StorageFailed) as caught:
        units.write(change)
    assert caught.value.is_full
    reserve.restore()
    units.write(change)
    with units.read() as connection:
        assert outbox.unsealed(connection) == 2


def test_a_reserve_that_is_used_up_fails_closed(units: Units, tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", 2**20)
    committer = GroupCommitter(FullDisk(units, reserve, -1), reserve)  # type: ignore[arg-type]
    trail = AuditTrail(node=NODE, committer=committer, spool=a_trail(units).spool, reserve=reserve)
    with pytest.raises(StorageFailed):
        trail.keep([asked(1)], PROFESSIONAL)
    assert reserve.left == 0
