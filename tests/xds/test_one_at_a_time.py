"""Objects that one thread at a time may use."""

import threading

import pytest

from xds.one_at_a_time import OneAtATime


def test_one_that_came_back_is_lent_again() -> None:
    made: list[object] = []
    objects = OneAtATime(lambda: made.append(object()) or made[-1])
    with objects.lent() as first:
        pass
    with objects.lent() as second:
        pass
    assert first is second
    assert len(made) == 1


def test_two_users_at_once_never_have_the_same_one() -> None:
    objects, both, found = OneAtATime(object), threading.Barrier(2, timeout=20), []

    def use() -> None:
        with objects.lent() as one:
            both.wait()
            found.append(one)

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is not found[1]


def test_a_failure_gives_it_back() -> None:
    objects = OneAtATime(object)
    with pytest.raises(ValueError), objects.lent() as one:
        raise ValueError
    with objects.lent() as again:
        assert again is one
