"""Turns that are lent, the pace of a client, the rate of its requests; values that follow their files."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from carnet.http_limits import Pace, RequestRates, Turns
from carnet.reloading import Reloading
from carnet.settings import SettingsError
from tests.mutual_tls import eventually


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_turn_is_lent_while_somebody_waits() -> None:
    turns, waits, has_worked = Turns(1), threading.Event(), threading.Event()

    def waiting() -> None:
        with turns:
            turns.lend(lambda: waits.wait(20) and None)
            has_worked.set()

    thread = threading.Thread(target=waiting)
    thread.start()
    with turns:  # there is one only: it was lent
        assert turns.lent == 1
        waits.set()
        assert not has_worked.wait(0.2)
    thread.join()
    assert (has_worked.is_set(), turns.lent) == (True, 0)


@contextmanager
def _waiting(turns: Turns, number: int) -> Iterator[None]:
    """So many requests wait, for turns that this thread has."""

    def wait() -> None:
        came.release()
        with turns:
            pass

    came, threads = threading.Semaphore(0), [threading.Thread(target=wait) for _ in range(number)]
    with turns:
        for thread in threads:
            thread.start()
            came.acquire()
        eventually(lambda: len(turns._waiting) == number)
        yield
    for thread in threads:
        thread.join()


def _take(turns: Turns, clock: Clock, seconds: float, times: int = 1) -> None:
    for _ in range(times):
        with turns:
            clock.now += seconds


def test_who_comes_next_waits_at_least_as_long_as_who_came_first() -> None:
    clock = Clock()
    turns = Turns(1, clock=clock)
    with turns:
        assert turns.expected_wait == 0
    with _waiting(turns, 2):
        clock.now += 7
        assert turns.expected_wait == 7
    assert turns.expected_wait == 0


def test_who_comes_next_waits_for_those_before_it_by_what_requests_took_lately() -> None:
    clock = Clock()
    turns = Turns(1, clock=clock)
    _take(turns, clock, 0.02, 100)
    with _waiting(turns, 9):
        assert turns.expected_wait == pytest.approx(0.2, rel=0.01)
    _take(turns, clock, 0.05, 100)
    with _waiting(turns, 9):
        assert turns.expected_wait == pytest.approx(0.5, rel=0.01)


def test_several_turns_are_waited_for_less_long() -> None:
    clock = Clock()
    turns = Turns(4, clock=clock)
    _take(turns, clock, 0.04, 100)
    with turns._turns, turns._turns, turns._turns, _waiting(turns, 5):
        assert turns.expected_wait == pytest.approx(0.06, rel=0.01)


def test_one_request_that_took_long_has_nobody_refused() -> None:
    clock = Clock()
    turns = Turns(1, clock=clock)
    _take(turns, clock, 0.02, 100)
    _take(turns, clock, 3600)
    with _waiting(turns, 5):
        assert turns.expected_wait < 0.2
    _take(turns, clock, 1, 100)
    with _waiting(turns, 1):
        assert turns.expected_wait > 1.9


def test_a_client_that_is_waited_for_does_not_make_requests_long() -> None:
    clock = Clock()
    turns = Turns(1, clock=clock)

    def stall() -> None:
        clock.now += 60

    for _ in range(100):
        with turns:
            turns.lend(stall)
            clock.now += 0.02
    with _waiting(turns, 4):
        assert turns.expected_wait == pytest.approx(0.1, rel=0.01)


def test_a_turn_comes_back_when_waiting_fails() -> None:
    turns = Turns(1)

    def fail() -> None:
        raise OSError

    with turns, pytest.raises(OSError):
        turns.lend(fail)
    with turns:
        assert turns.lent == 0


def test_a_client_has_moved_1_kb_for_each_second_it_was_waited_for() -> None:
    pace = Pace(30)
    for _ in range(100):
        pace.moved(30_000)
        pace.waited(29)
        pace.waited(1)
    with pytest.raises(TimeoutError):
        pace.waited(30)


def test_what_came_before_does_not_excuse_a_stall() -> None:
    pace = Pace(30)
    pace.moved(10**9)
    pace.waited(30)
    pace.moved(29_999)
    with pytest.raises(TimeoutError):
        pace.waited(30)


def test_twice_the_rate_at_once_then_the_rate() -> None:
    clock = Clock()
    rates = RequestRates(10, clock=clock)
    assert [rates.allows(b"a") for _ in range(21)].count(True) == 20
    assert rates.allows(b"b")
    clock.now += 0.5
    assert [rates.allows(b"a") for _ in range(10)].count(True) == 5
    assert all(RequestRates(0).allows(b"a") for _ in range(10_000))


def test_a_value_follows_its_file_and_outlives_a_broken_one(tmp_path: Path) -> None:
    file, clock = tmp_path / "value", Clock()
    file.write_text("one")

    def read() -> str:
        text = file.read_text()
        if not text:
            raise SettingsError("empty")
        return text

    value = Reloading(read, [str(file), ""], clock=clock)
    file.write_text("three")
    assert value.current == "one"
    clock.now += 3
    assert value.current == "three"
    file.write_text("")
    clock.now += 3
    assert value.current == "three"
    file.write_text("seven!")
    clock.now += 3
    assert value.current == "seven!"
