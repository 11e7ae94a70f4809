"""Indexes over tables that have rows are built on PostgreSQL while others write."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, text

from audit import outbox
from storage import migrate, online_indexes
from storage.engine import open_engine
from storage.online_indexes import ONLINE, build_missing
from tests.mutual_tls import eventually

ROOT = Path(__file__).parents[2]
NAMES = {one.name for one in ONLINE}
_ROW = text("INSERT INTO object_value (patient_key, object_key, attribute, value) VALUES (:key, :key, 2, 'x')")


@pytest.fixture
def before(postgresql_url: str) -> Iterator[Engine]:
    """A database of the version before the indexes, with rows in its tables."""
    engine = open_engine(postgresql_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0002")
        for key in range(100):
            connection.execute(_ROW, {"key": key})
    yield engine
    engine.dispose()


def indexes(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        names = connection.scalars(text("SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid"))
        return set(names) & NAMES


def test_writing_goes_on_while_an_index_is_built(before: Engine) -> None:
    """The build waits for a transaction that has written; another one is not made to wait behind it."""
    with before.begin() as connection:
        command.upgrade(migrate._config(connection), "0003")
    assert "ix_object_value_value" not in indexes(before)
    with ThreadPoolExecutor(1) as threads, before.connect() as early:
        early.execute(_ROW, {"key": 1000})
        built: Future[list[str]] = threads.submit(build_missing, before)
        eventually(lambda: is_building(before))
        with before.begin() as late:
            late.execute(text("SET LOCAL lock_timeout = '2s'"))
            late.execute(_ROW, {"key": 1001})
        assert not built.done()
        early.commit()
        assert "ix_object_value_value" in built.result(60)


def test_audit_records_are_sealed_while_an_index_is_built(before: Engine) -> None:
    """An old process goes on serving meanwhile, and its audit records go out only when they are sealed."""
    with before.connect() as builder, before.begin() as sealer:
        online_indexes._take_lock(builder)
        assert outbox._may_seal(sealer)


def is_building(engine: Engine) -> bool:
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT count(*) FROM pg_stat_progress_create_index"))
        return bool(found)


def test_an_upgrade_leaves_every_index_built(before: Engine) -> None:
    migrate.upgrade(before)
    assert indexes(before) == NAMES


def test_what_a_dead_process_left_half_built_is_built_again(before: Engine) -> None:
    migrate.upgrade(before)
    with before.begin() as connection:
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_object_value_value'::regclass")
        )
    assert indexes(before) == NAMES - {"ix_object_value_value"}
    assert build_missing(before) == ["ix_object_value_value"]
    assert indexes(before) == NAMES
    assert build_missing(before) == []


def test_an_empty_database_has_them_from_its_migrations(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), migrate.newest())
    assert indexes(engine) == NAMES
    engine.dispose()


def test_the_page_says_of_every_migration_what_becomes_of_those_that_serve() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{4}[\d, ]*) \|", page, re.MULTILINE)
    told = sorted(number for row in rows for number in row.split(", "))
    versions = (ROOT / "storage" / "migrations" / "versions").glob("[0-9]*.py")
    assert told == sorted(one.name[:4] for one in versions if not one.name.startswith("0001"))
