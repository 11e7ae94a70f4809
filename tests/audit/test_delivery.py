"""Delivery to receivers that die, stall, refuse, or are not there: nothing lost, nothing out of order."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit import outbox
from audit.delivery import Sender
from audit.recorder import AuditTrail
from audit.sealer import Sealer
from audit.syslog import Origin
from audit.syslog_transport import SyslogTarget, SyslogTransport, client_context
from storage.unit_of_work import Units
from tests.audit.happenings import PROFESSIONAL, a_trail, asked, number_of
from tests.audit.syslog_receiver import Receiver
from tests.certificates import Holder, a_certificate, an_authority

QUICK = (0.02, 0.1)


@dataclass(frozen=True)
class Certificates:
    authority: Holder
    receiver: Holder
    client: Holder


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority = an_authority(folder)
    return Certificates(authority, a_certificate(folder, "arr", authority), a_certificate(folder, "node", authority))


class Line:
    """A trail, its sealer, and a sender to one receiver."""

    def __init__(self, units: Units, certificates: Certificates, port: int, *, alive_seconds: float = 30.0) -> None:
        self.units, self.trail = units, a_trail(units)
        context = client_context(
            certificate=str(certificates.client.file), key="", trust=str(certificates.authority.file)
        )
        target = SyslogTarget(host="127.0.0.1", port=port, context=context, origin=Origin(host="xds.example.org"))
        self.receiver = target.name
        self.sealer = Sealer(units, self.trail.spool, [target.name], on_anchor=lambda _: None)
        self.sender = Sender(units, SyslogTransport(target, alive_seconds=alive_seconds), pause=QUICK)
        self.sealer.start()
        self.sender.start()

    def ask(self, number: int) -> None:
        self.trail.keep([asked(number)], PROFESSIONAL)

    def confirmed(self) -> int:
        with self.units.read() as connection:
            return outbox.confirmed(connection, self.receiver) or 0

    def wait_until_confirmed(self, sequence: int, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while self.confirmed() < sequence:
            assert time.monotonic() < deadline, self.confirmed()
            time.sleep(0.02)

    def stop(self) -> None:
        self.sender.stop()
        self.sealer.stop()


@pytest.fixture
def receiver(certificates: Certificates) -> Iterator[Receiver]:
    made = Receiver(certificates.receiver.file, certificates.authority.file)
    yield made
    made.kill()


@pytest.fixture
def line(units: Units, certificates: Certificates, receiver: Receiver) -> Iterator[Line]:
    made = Line(units, certificates, receiver.port)
    yield made
    made.stop()


def numbers(receiver: Receiver) -> list[int]:
    """Each number once, in the order in which they came first."""
    return list(dict.fromkeys(number_of(one.message) for one in receiver.received))


def test_records_arrive_in_their_order_octet_for_octet(line: Line, receiver: Receiver) -> None:
    for number in range(1, 301):
        line.ask(number)
    line.wait_until_confirmed(300)
    assert numbers(receiver) == list(range(1, 301))
    with line.units.read() as connection:
        kept = [one.message for one in outbox.all_links(connection)]
    assert [one.message for one in receiver.received] == kept
    assert {(one.pri, one.message_id, one.host) for one in receiver.received} == {
        (85, "IHE+RFC-3881", "xds.example.org")
    }


def test_a_receiver_that_was_down_gets_everything_when_it_is_back(line: Line, receiver: Receiver) -> None:
    receiver.kill()
    for number in range(1, 51):
        line.ask(number)
    assert line.confirmed() == 0
    receiver.start()
    line.wait_until_confirmed(50)
    assert numbers(receiver) == list(range(1, 51))


def test_a_receiver_that_does_not_trust_us_gets_nothing_and_nothing_is_lost(
    units: Units, certificates: Certificates, tmp_path: Path
) -> None:
    stranger = an_authority(tmp_path, "Stranger")
    other = Receiver(certificates.receiver.file, stranger.file)
    # After so many refusals the connection may stay open, and the record counts once it has been alive for a while.
    line = Line(units, certificates, other.port, alive_seconds=3)
    try:
        line.ask(1)
        other.wait_for(lambda one: len(one.problems) > 3)
        assert (line.confirmed(), other.received) == (0, [])
        with units.read() as connection:
            assert outbox.quarantined(connection, line.receiver) == []
        other.context.load_verify_locations(certificates.authority.file)
        line.wait_until_confirmed(1)
        assert numbers(other) == [1]
    finally:
        line.stop()
        other.kill()


def test_a_receiver_with_a_certificate_of_somebody_else_gets_nothing(
    units: Units, certificates: Certificates, tmp_path: Path
) -> None:
    stranger = an_authority(tmp_path, "Stranger")
    other = Receiver(a_certificate(tmp_path, "arr", stranger).file, certificates.authority.file)
    line = Line(units, certificates, other.port)
    try:
        line.ask(1)
        other.wait_for(lambda one: len(one.problems) > 2)
        assert (line.confirmed(), other.received) == (0, [])
    finally:
        line.stop()
        other.kill()


def test_a_receiver_that_reads_octet_by_octet_gets_whole_records(units: Units, certificates: Certificates) -> None:
    slow = Receiver(certificates.receiver.file, certificates.authority.file, chunk=1)
    line = Line(units, certificates, slow.port)
    try:
        line.trail.keep([asked(1, "é\N{GRINNING FACE}" * 20_000), asked(2)], PROFESSIONAL)
        line.wait_until_confirmed(2)
        assert numbers(slow) == [1, 2]
    finally:
        line.stop()
        slow.kill()


def test_without_close_notify_a_record_counts_once_the_connection_has_outlived_it(
    units: Units, certificates: Certificates
) -> None:
    silent = Receiver(certificates.receiver.file, certificates.authority.file, closes_orderly=False)
    line = Line(units, certificates, silent.port, alive_seconds=0.5)
    try:
        for number in range(1, 11):
            line.ask(number)
        line.wait_until_confirmed(10)
        assert numbers(silent) == list(range(1, 11))
    finally:
        line.stop()
        silent.kill()


def test_a_record_that_the_receiver_closes_on_is_passed_over_and_kept(units: Units, certificates: Certificates) -> None:
    picky = Receiver(
        certificates.receiver.file, certificates.authority.file, refuses=lambda one: number_of(one) in (5, 6)
    )
    line = Line(units, certificates, picky.port)
    try:
        for number in range(1, 10):
            line.ask(number)
        line.wait_until_confirmed(9)
        assert numbers(picky) == [1, 2, 3, 4, 7, 8, 9]
        with units.read() as connection:
            assert outbox.quarantined(connection, line.receiver) == [5, 6]
            assert number_of(outbox.links(connection, after=4, limit=1)[0].message) == 5
    finally:
        line.stop()
        picky.kill()


def test_one_receiver_that_is_down_delays_no_other(units: Units, certificates: Certificates) -> None:
    dead = Receiver(certificates.receiver.file, certificates.authority.file)
    dead.kill()
    alive = Receiver(certificates.receiver.file, certificates.authority.file)
    first, second = Line(units, certificates, dead.port), Line(units, certificates, alive.port)
    try:
        for number in range(1, 21):
            second.ask(number)
        second.wait_until_confirmed(20)
        assert (first.confirmed(), numbers(alive)) == (0, list(range(1, 21)))
    finally:
        first.stop()
        second.stop()
        alive.kill()


def test_a_sender_that_starts_again_goes_on_where_it_was(
    units: Units, certificates: Certificates, receiver: Receiver
) -> None:
    first = Line(units, certificates, receiver.port)
    first.ask(1)
    first.wait_until_confirmed(1)
    first.stop()
    second = Line(units, certificates, receiver.port)
    second.ask(2)
    second.wait_until_confirmed(2)
    second.stop()
    assert [number_of(one.message) for one in receiver.received] == [1, 2]


def killed(receiver: Receiver, kills: int, stopping: threading.Event, seed: int) -> int:
    """Kill and start again, at moments that the seed decides; returns how often."""
    chance, done = random.Random(seed), 0
    while done < kills and not stopping.is_set():
        before = len(receiver.received)
        deadline = time.monotonic() + chance.uniform(0.0, 0.08)
        while len(receiver.received) == before and time.monotonic() < deadline:
            time.sleep(0.001)
        receiver.kill()
        time.sleep(chance.uniform(0.0, 0.02))
        receiver.start()
        done += 1
    return done


@pytest.mark.parametrize(
    ("requests", "kills"), [(300, 30), pytest.param(20_000, 1_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_no_record_is_lost_or_out_of_order_while_its_receiver_is_killed(
    line: Line, receiver: Receiver, requests: int, kills: int
) -> None:
    stopping, done = threading.Event(), [0]
    killer = threading.Thread(target=lambda: done.__setitem__(0, killed(receiver, kills, stopping, seed=kills)))
    killer.start()
    number = 0
    while number < requests or killer.is_alive():
        number += 1
        line.ask(number)
        time.sleep(0.002)
    killer.join()
    line.wait_until_confirmed(number, seconds=120)
    assert done == [kills]
    assert numbers(receiver) == list(range(1, number + 1))
    duplicates = len(receiver.received) - number
    # What the receiver had read of portions under way: they begin with one record, and a machine with much else to do
    # has more of them under way.
    assert duplicates <= 3 * kills
    print(f"{number} records, {kills} kills, {duplicates} duplicates, none lost")


def test_a_trail_of_many_threads_keeps_every_record(units: Units) -> None:
    trail: AuditTrail = a_trail(units)

    def ask(first: int) -> None:
        for number in range(first, first + 25):
            trail.keep([asked(number)], PROFESSIONAL)

    threads = [threading.Thread(target=ask, args=(1 + 25 * one,)) for one in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Sealer(units, trail.spool, [], on_anchor=lambda _: None).step()
    with units.read() as connection:
        kept = [number_of(one.message) for one in outbox.all_links(connection)]
    assert sorted(kept) == list(range(1, 301))
