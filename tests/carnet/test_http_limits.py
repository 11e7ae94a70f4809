"""Turns that are lent, the pace of a client, the rate of its requests; values that follow their files."""

import threading
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


def test_the_longest_wait_is_that_of_the_request_that_came_first() -> None:
    turns, came = Turns(1), threading.Semaphore(0)

    def wait() -> None:
        came.release()
        with turns:
            pass

    threads = [threading.Thread(target=wait) for _ in range(2)]
    with turns:
        assert turns.longest_wait == 0
        for thread in threads:
            thread.start()
            came.acquire()
        eventually(lambda: turns.longest_wait > 0.1)
    for thread in threads:
        thread.join()
    assert turns.longest_wait == 0


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
