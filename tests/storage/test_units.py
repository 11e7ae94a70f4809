"""Units of work, engines, keys, migrations."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

import registry.sql.tables
import repository.index
import storage.outbox
from storage import engine as storage_engine
from storage import migrate
from storage.engine import UnsafeDatabase, check_undamaged, open_engine
from storage.keys import Keys
from storage.outbox import Topic, post
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import StorageFailed, UnitOfWork, Units


def keep(unit: UnitOfWork, key: int) -> int:
    post(unit.connection, Topic.AUDIT, record_key=key, patient_key=1, record={"number": str(key)})
    return key


def kept(units: Units) -> list[int]:
    with units.read() as connection:
        return list(connection.execute(text("SELECT record_key FROM outbox ORDER BY record_key")).scalars())


def test_a_unit_is_committed_when_it_returns(units: Units) -> None:
    assert units.write(lambda unit: keep(unit, 7)) == 7
    assert kept(units) == [7]


def test_a_unit_that_fails_leaves_nothing_and_raises_its_own_exception(units: Units) -> None:
    def fail(unit: UnitOfWork) -> None:
        keep(unit, 1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        units.write(fail)
    assert kept(units) == []
    units.write(lambda unit: keep(unit, 2))
    assert kept(units) == [2]


def test_units_of_many_threads_all_commit_but_the_failing_ones(units: Units) -> None:
    def work(number: int) -> None:
        def unit(unit: UnitOfWork) -> int:
            keep(unit, number)
            if number % 10 == 3:
                raise LookupError(number)
            return number

        try:
            assert units.write(unit) == number
        except LookupError as problem:
            assert problem.args == (number,)

    threads = [
        threading.Thread(target=lambda first=first: [work(first * 50 + n) for n in range(50)]) for first in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept(units) == [number for number in range(400) if number % 10 != 3]


def test_a_broken_statement_is_a_failure_of_storage(units: Units) -> None:
    with pytest.raises(StorageFailed):
        units.write(lambda unit: unit.connection.execute(text("SELECT * FROM nowhere")))
    assert units.write(lambda unit: keep(unit, 1)) == 1


def test_a_reader_sees_one_state_while_others_write(units: Units) -> None:
    with units.read() as connection:
        before = connection.execute(text("SELECT count(*) FROM outbox")).scalar_one()
        units.write(lambda unit: keep(unit, 1))
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == before
    assert kept(units) == [1]


def test_a_closed_sqlite_database_takes_nothing_more(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    migrate.upgrade(engine)
    units = SqliteUnits(engine)
    units.close()
    with pytest.raises(StorageFailed):
        units.write(lambda unit: keep(unit, 1))


def test_migrations_make_exactly_the_declared_tables(database_url: str) -> None:
    engine = open_engine(database_url)
    assert migrate.upgrade(engine) == migrate.newest()
    with engine.connect() as connection:
        differences = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}),
            [registry.sql.tables.metadata, repository.index.metadata, storage.outbox.metadata],
        )
    engine.dispose()
    assert [one for one in differences if "alembic_version" not in str(one)] == []


def test_an_upgrade_is_harmless_when_repeated(database_url: str) -> None:
    engine = open_engine(database_url)
    assert [migrate.upgrade(engine), migrate.upgrade(engine)] == [migrate.newest()] * 2
    engine.dispose()


def test_an_unsafe_sqlite_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_engine, "SQLITE_PRAGMAS", {**storage_engine.SQLITE_PRAGMAS, "synchronous": "2"})
    monkeypatch.setattr(
        storage_engine, "_set_pragmas", lambda connection, _: connection.execute("PRAGMA synchronous=1")
    )
    with pytest.raises(UnsafeDatabase, match="must be"):
        open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")


def test_a_damaged_sqlite_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    engine = open_engine(f"sqlite:///{file}")
    migrate.upgrade(engine)
    check_undamaged(engine)
    engine.dispose()
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    file.write_bytes(content)
    engine = open_engine(f"sqlite:///{file}")
    with pytest.raises(UnsafeDatabase, match="damaged"):
        check_undamaged(engine)
    engine.dispose()


def test_a_reader_that_is_lent_again_sees_what_was_committed_since(units: Units) -> None:
    assert kept(units) == []
    units.write(lambda unit: keep(unit, 1))
    assert kept(units) == [1]


def test_a_reader_that_failed_is_not_lent_again(units: Units) -> None:
    with pytest.raises(SQLAlchemyError), units.read() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))
    assert kept(units) == []


def test_readers_inside_each_other_have_connections_of_their_own(units: Units) -> None:
    with units.read() as outer, units.read() as inner:
        assert outer is not inner
        assert [list(one.execute(text("SELECT count(*) FROM outbox")).scalars()) for one in (outer, inner)] == [[0]] * 2


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="expected sqlite"):
        open_engine("mysql://localhost/x")


def test_sqlite_syncs_every_commit(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


def test_keys_grow_and_never_repeat() -> None:
    keys = Keys()
    made = [keys.new() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert all(0 < key < 2**63 for key in made)
    milliseconds = [key >> 22 for key in made]
    assert milliseconds == sorted(milliseconds)
