"""Each process takes no more connections than the others have."""

import os

from carnet.connection_shares import Shares


def test_who_has_more_than_another_has_the_largest_share() -> None:
    shares = Shares()
    first, second = shares.of(1), shares.of(2)
    assert not first.is_the_largest()
    first.grew(1)
    assert (first.is_the_largest(), second.is_the_largest()) == (True, False)
    second.grew(1)
    assert not first.is_the_largest()
    first.grew(-1)
    assert (first.is_the_largest(), second.is_the_largest()) == (False, True)


def test_one_that_is_alone_never_has_too_many() -> None:
    shares = Shares()
    only, other = shares.of(1), shares.of(2)
    only.grew(100)
    assert only.is_the_largest()
    shares.ended(2)
    assert not only.is_the_largest()
    other = shares.of(66)  # a later process in the place of one that ended
    assert (only.is_the_largest(), other.is_the_largest()) == (True, False)


def test_nobody_waits_for_one_that_stops() -> None:
    shares = Shares()
    first, second = shares.of(1), shares.of(2)
    first.grew(3)
    second.grew(1)
    second.leave()
    assert not first.is_the_largest()
    second.grew(-1)
    assert not first.is_the_largest()


def test_a_process_sees_what_another_has() -> None:
    shares = Shares()
    own = shares.of(1)
    own.grew(1)
    child = os.fork()
    if not child:
        shares.of(2).grew(5)
        os._exit(0)
    os.waitpid(child, 0)
    assert not own.is_the_largest()
    own.grew(5)
    assert own.is_the_largest()
