"""The memory of used assertions, on both databases."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from storage.assertion_uses import StoredAssertionUses, assertion_use
from storage.unit_of_work import StorageFailed, Units

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)


def use(
    uses: StoredAssertionUses, client: str, *, issuer: str = "CN=a", id: str = "_1", now: datetime = NOW
) -> str | None:
    until = now + timedelta(minutes=6)
    return uses.first_client(issuer=issuer, assertion_id=id, client=client, until=until, now=now)


def test_the_first_client_is_remembered_by_every_process(units: Units) -> None:
    first, second = StoredAssertionUses(units), StoredAssertionUses(units)
    assert use(first, "a") is None
    assert use(first, "a") == "a"
    assert use(second, "b") == "a"


def test_issuer_and_id_are_never_mixed_up(units: Units) -> None:
    uses = StoredAssertionUses(units)
    assert use(uses, "a", issuer="CN=a", id="_1") is None
    assert use(uses, "b", issuer="CN=a_", id="1") is None
    assert use(uses, "c", issuer="CN=b", id="_1") is None


def test_what_has_ended_is_swept(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    uses = StoredAssertionUses(units)
    use(uses, "a", id="_old")
    monkeypatch.setattr(uses, "_next_sweep", 0.0)
    use(uses, "a", id="_new", now=NOW + timedelta(minutes=10))
    with units.read() as connection:
        assert connection.execute(select(func.count()).select_from(assertion_use)).scalar_one() == 1


def test_of_many_at_once_exactly_one_is_first(units: Units) -> None:
    uses, answers = StoredAssertionUses(units), []

    def run(client: str) -> None:
        answers.append(use(uses, client))

    threads = [threading.Thread(target=run, args=(f"client {number}",)) for number in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers.count(None) == 1
    assert len({one for one in answers if one is not None}) == 1


def test_a_use_that_cannot_be_noted_is_none(units: Units) -> None:
    units.write(lambda unit: assertion_use.drop(unit.connection))
    with pytest.raises(StorageFailed):
        use(StoredAssertionUses(units), "a")
