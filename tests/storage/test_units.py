"""Units of work, engines, keys, migrations."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import audit.outbox
import audit.retention
import dmp.sql.tables
import registry.sql.patient_resources
import registry.sql.tables
import repository.awaited
import repository.document_versions
import repository.index
import storage.assertion_uses
import storage.outbox
import subscriptions.sql
from storage import engine as storage_engine
from storage import migrate
from storage.engine import UnsafeDatabase, check_undamaged, open_engine
from storage.keys import Keys
from storage.outbox import outbox, post
from storage.postgresql_units import PostgresqlUnits
from storage.prepared import insertion
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import StorageFailed, UnitOfWork, Units

ROOT = Path(__file__).resolve().parents[2]


def keep(unit: UnitOfWork, key: int) -> int:
    post(unit.connection, record_key=key, patient_key=1, record={"number": str(key)})
    return key


def kept(units: Units) -> list[int]:
    with units.read() as connection:
        return list(connection.execute(text("SELECT record_key FROM outbox ORDER BY record_key")).scalars())


def test_a_unit_is_committed_when_it_returns(units: Units) -> None:
    assert units.write(lambda unit: keep(unit, 7)) == 7
    assert kept(units) == [7]


def added(unit: UnitOfWork, *keys: int) -> None:
    rows = [{"record_key": key, "patient_key": 1, "record": "{}"} for key in keys]
    insertion(outbox, unit.connection.dialect).write(unit.connection, rows)


def test_an_insertion_is_committed_when_it_returns_all_of_it_or_nothing(units: Units) -> None:
    units.append(lambda unit: added(unit, 7))
    units.append(lambda unit: added(unit, 8, 9))
    with pytest.raises(StorageFailed):
        units.append(lambda unit: added(unit, 10, 8, 11))
    assert kept(units) == [7, 8, 9]
    assert units.write(lambda unit: keep(unit, 12)) == 12
    with pytest.raises(LookupError):
        units.write(lambda unit: (keep(unit, 13), {}[1]))
    assert kept(units) == [7, 8, 9, 12]


def test_a_look_sees_what_is_committed_when_it_asks(units: Units) -> None:
    with units.look() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 0
    units.append(lambda unit: added(unit, 7))
    with units.look() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 1


def test_after_a_look_or_an_insertion_a_block_of_reading_is_one_state_again(units: Units) -> None:
    """They share connections with those who read."""
    with units.look() as connection:
        connection.execute(text("SELECT 1"))
    units.append(lambda unit: added(unit, 7))
    with pytest.raises(LookupError), units.look():
        raise LookupError("mine")
    with units.read() as connection:
        many = text("SELECT count(*) FROM outbox")
        before = connection.execute(many).scalar_one()
        units.append(lambda unit: added(unit, 8))
        assert connection.execute(many).scalar_one() == before == 1


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


def test_closing_answers_every_unit_that_waits(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    migrate.upgrade(engine)
    units, outcomes = SqliteUnits(engine), []
    started = threading.Barrier(9)

    def work(first: int) -> None:
        started.wait()
        for number in range(first, first + 50):
            try:
                outcomes.append(units.write(lambda unit, number=number: keep(unit, number)))
            except StorageFailed:
                outcomes.append(None)

    threads = [threading.Thread(target=work, args=(first * 50,), daemon=True) for first in range(8)]
    for thread in threads:
        thread.start()
    started.wait()
    units.close()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert len(outcomes) == 400
    units = SqliteUnits(open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}"))
    assert kept(units) == sorted(number for number in outcomes if number is not None)
    units.close()


WRITES_UNDER_A_FAILING_DISK = """
import sys
from storage.engine import open_engine
from storage.outbox import outbox, post
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import StorageFailed

units = SqliteUnits(open_engine(sys.argv[1]))
for number in range(1, 9):
    try:
        units.write(
            lambda unit: post(unit.connection, record_key=number, patient_key=1, record={"n": str(number)})
        )
        print("kept", number, flush=True)
    except StorageFailed as problem:
        print("refused", number, problem, flush=True)
with units.read() as connection:
    print("read", connection.exec_driver_sql("SELECT count(*) FROM outbox").scalar_one(), units.is_accepting())
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which makes a sync fail, is not installed")
def test_after_a_sync_that_failed_nothing_is_acknowledged_until_a_restart(tmp_path: Path) -> None:
    """The kernel drops what it could not write, so a later sync that succeeds says nothing of it."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    engine = open_engine(url)
    migrate.upgrade(engine)
    engine.dispose()
    failing = ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when=4"]
    command = ["strace", "-f", "-qq", "-o", str(tmp_path / "strace"), *failing, sys.executable, "-c"]
    done = subprocess.run(
        [*command, WRITES_UNDER_A_FAILING_DISK, url], capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("kept", "refused", "read"))]
    said = [line.split()[0] for line in lines]
    assert said[0] == "kept", (lines, done.stderr)
    assert said == [*sorted(said[:-1]), "read"], lines
    assert lines[-1].endswith("False")
    assert "IOERR_FSYNC" in next(line for line in lines if line.startswith("refused"))
    assert "until a restart" in lines[-2]
    units = SqliteUnits(open_engine(url))
    assert {int(line.split()[1]) for line in lines if line.startswith("kept")} <= set(kept(units))
    units.write(lambda unit: keep(unit, 100))
    units.close()


def fill(unit: UnitOfWork) -> None:
    """The database's own word for a full disk."""
    if unit.connection.dialect.name == "postgresql":
        unit.connection.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$"))
    pages = unit.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    unit.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    try:
        post(unit.connection, record_key=1, patient_key=1, record={"big": "x" * 10**6})
    finally:
        unit.connection.exec_driver_sql("PRAGMA max_page_count=1000000000")


def test_a_full_disk_is_told_apart_and_forgotten_when_there_is_space(units: Units) -> None:
    with pytest.raises(StorageFailed) as caught:
        units.write(fill)
    assert caught.value.is_full
    assert units.write(lambda unit: keep(unit, 2)) == 2
    assert kept(units) == [2]


def test_a_broken_question_is_a_failure_of_storage(units: Units) -> None:
    with pytest.raises(StorageFailed) as caught, units.read() as connection:
        connection.execute(text("SELECT 'secret' FROM nowhere"))
    assert "secret" not in str(caught.value)
    assert not caught.value.is_full


@pytest.fixture
def postgresql_units(postgresql_url: str) -> Iterator[PostgresqlUnits]:
    engine = open_engine(postgresql_url, connections=4)
    migrate.upgrade(engine)
    units = PostgresqlUnits(engine)
    yield units
    units.close()


def end_all_connections(url: str) -> None:
    """What a restart of the server does to the connections that wait in the pool."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    other = open_engine(url)
    with other.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))
        deadline = time.monotonic() + 10
        while connection.execute(text(f"SELECT count(*) {others}")).scalar_one() and time.monotonic() < deadline:
            continue
    other.dispose()


@pytest.mark.postgresql
def test_a_restarted_postgresql_is_not_noticed(postgresql_units: PostgresqlUnits, postgresql_url: str) -> None:
    for number in range(1, 4):
        assert postgresql_units.write(lambda unit, number=number: keep(unit, number)) == number
        end_all_connections(postgresql_url)
        assert kept(postgresql_units) == list(range(1, number + 1))
        end_all_connections(postgresql_url)


@pytest.mark.postgresql
def test_what_the_database_has_prepared_outlives_a_read(postgresql_units: PostgresqlUnits) -> None:
    """psycopg prepares what comes more than five times, and forgets all of it at a rollback."""
    asked, prepared = text("SELECT record_key FROM outbox"), text("SELECT count(*) FROM pg_prepared_statements")
    for _ in range(8):
        with postgresql_units.read() as connection:
            connection.execute(asked)
    with postgresql_units.read() as connection:
        assert connection.execute(prepared).scalar_one() > 0


@pytest.mark.postgresql
def test_a_unit_whose_connection_is_lost_runs_again(postgresql_units: PostgresqlUnits) -> None:
    runs = []

    def work(unit: UnitOfWork) -> int:
        runs.append(1)
        if len(runs) == 1:
            unit.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return keep(unit, 1)

    assert postgresql_units.write(work) == 1
    assert (len(runs), kept(postgresql_units)) == (2, [1])


@pytest.mark.postgresql
def test_a_unit_whose_connection_is_lost_in_the_commit_never_runs_again(postgresql_units: PostgresqlUnits) -> None:
    """Whether it was committed is not known."""
    postgresql_units.write(
        lambda unit: unit.connection.execute(
            text(
                "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
                "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION die()"
            )
        )
    )
    runs = []

    def work(unit: UnitOfWork) -> None:
        runs.append(1)
        keep(unit, 1)

    with pytest.raises(StorageFailed):
        postgresql_units.write(work)
    assert (len(runs), kept(postgresql_units)) == (1, [])


def test_upgrades_at_the_same_time_wait_for_each_other(database_url: str) -> None:
    found, started = [], threading.Barrier(4)

    def upgrade() -> None:
        engine = open_engine(database_url)
        started.wait()
        found.append(migrate.upgrade(engine))
        engine.dispose()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [migrate.newest()] * 4


def test_an_upgrade_that_fails_changes_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(Path(migrate.__file__).parent / "migrations", folder)
    (folder / "versions" / "9999_broken.py").write_text(
        f'revision = "9999"\ndown_revision = "{migrate.newest()}"\n\ndef upgrade():\n    raise LookupError("broken")\n'
    )
    engine = open_engine(database_url)
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "_folder", lambda: folder)
        with pytest.raises(LookupError):
            migrate.upgrade(engine)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    assert migrate.upgrade(engine) == migrate.newest()
    engine.dispose()


def test_migrations_make_exactly_the_declared_tables(database_url: str) -> None:
    engine = open_engine(database_url)
    assert migrate.upgrade(engine) == migrate.newest()
    with engine.connect() as connection:
        differences = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}),
            [
                registry.sql.tables.metadata,
                repository.index.metadata,
                storage.outbox.metadata,
                audit.outbox.metadata,
                dmp.sql.tables.metadata,
                storage.assertion_uses.metadata,
                subscriptions.sql.metadata,
            ],
        )
    engine.dispose()
    assert [one for one in differences if "alembic_version" not in str(one)] == []


def test_the_newest_revision_is_the_head_of_the_migrations() -> None:
    assert migrate.newest() == ScriptDirectory(str(Path(migrate.__file__).parent / "migrations")).get_current_head()


def test_a_database_of_a_newer_version_is_refused_and_stays_as_it_is(database_url: str) -> None:
    engine = open_engine(database_url)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999_later'")
    with pytest.raises(migrate.NewerDatabase, match=f"revision 9999_later, .* up to {migrate.newest()}"):
        migrate.upgrade(engine)
    with engine.connect() as connection:
        assert migrate.revision(connection) == "9999_later"
    engine.dispose()


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


UNSAFE_POSTGRESQL = {
    "off": ("synchronous_commit", "off"),
    "local": ("synchronous_commit is local while synchronous_standby_names", "local"),
}


@pytest.mark.postgresql
@pytest.mark.parametrize("value", UNSAFE_POSTGRESQL)
def test_a_commit_that_postgresql_does_not_wait_for_is_refused(
    postgresql_url: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set for the role, where the file of the server looks safe."""
    words, setting = UNSAFE_POSTGRESQL[value]
    shown = storage_engine._shown
    standby = {"synchronous_standby_names": "standby"} if value == "local" else {}
    monkeypatch.setattr(storage_engine, "_shown", lambda connection, name: standby.get(name) or shown(connection, name))
    url = f"{postgresql_url}?options=-csynchronous_commit%3D{setting}"
    with pytest.raises(UnsafeDatabase, match=words):
        open_engine(url)


@pytest.mark.postgresql
@pytest.mark.parametrize("setting", [("fsync", "off"), ("full_page_writes", "off"), ("data_sync_retry", "on")])
def test_a_postgresql_that_may_lose_what_it_wrote_is_refused(
    shared_postgresql_url: str, setting: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, value = setting
    shown = storage_engine._shown
    monkeypatch.setattr(storage_engine, "_shown", lambda of, one: value if one == name else shown(of, one))
    with pytest.raises(UnsafeDatabase, match=f"PostgreSQL {name} is {value}, must be "):
        open_engine(shared_postgresql_url)


@pytest.mark.postgresql
def test_the_settings_of_postgresql_that_are_checked_exist(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        for name, safe in storage_engine.POSTGRESQL_SAFE.items():
            assert storage_engine._shown(connection, name) in safe
    engine.dispose()


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


def damaged(file: Path) -> None:
    engine = open_engine(f"sqlite:///{file}")
    migrate.upgrade(engine)
    engine.dispose()
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    file.write_bytes(content)


def test_a_large_file_is_read_at_the_start_after_it_was_not_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.sqlite"
    damaged(file)
    monkeypatch.setattr(storage_engine, "_READ_AT_EVERY_START", 1000)
    engine = open_engine(f"sqlite:///{file}")
    check_undamaged(engine)
    (tmp_path / "x.sqlite-wal").write_bytes(b"left by a crash")
    with pytest.raises(UnsafeDatabase, match="damaged"):
        check_undamaged(engine)
    engine.dispose()


def test_a_reader_that_is_lent_again_sees_what_was_committed_since(units: Units) -> None:
    assert kept(units) == []
    units.write(lambda unit: keep(unit, 1))
    assert kept(units) == [1]


def test_a_reader_that_failed_is_not_lent_again(units: Units) -> None:
    with pytest.raises(StorageFailed), units.read() as connection:
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
