"""Fixtures shared by all tests: corpora, databases, registries."""

import gc
import itertools
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest
from sqlalchemy import make_url

from carnet.domains import affinity_domain
from carnet.settings import Settings
from registry.store import Registry
from storage.engine import open_engine
from storage.postgresql_units import PostgresqlUnits
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import Units
from tests import longest_first, newest_schema, postgresql
from tests.builders import OTHER_PATIENT, PATIENT
from tests.memory import folder as memory_folder
from tests.memory import place as memory_place

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
_databases = itertools.count(1)

# What a test says of time it measures itself; a busy machine is no fault of the example that was running.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


def pytest_configure() -> None:
    """Temporary folders are in memory too, where programs may be started from it: a sync of a disk takes milliseconds."""
    place = memory_place()
    if place and not os.statvfs(place).f_flag & os.ST_NOEXEC:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", place)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: it is not looked through for garbage, neither as it grows nor after."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`.ci/run` fails without the corpora; on any other machine their tests are left out."""
    if item.get_closest_marker("corpus") and not CORPUS.is_dir():
        pytest.skip("the reference corpora are not beside this checkout")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = longest_first.ordered(items)
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The reference corpora, which lie beside the checkout."""
    if not CORPUS.is_dir():
        pytest.skip("the reference corpora are not beside this checkout")
    return CORPUS


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    if postgresql.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    with postgresql.running() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[str]:
    """Name of a database at the newest schema, to be copied: a tenth of the time that the migrations take."""
    with _database(postgresql_server) as url:
        newest_schema.migrate(url)
        yield url.rpartition("/")[2]


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """An empty database of its own for each test."""
    with _database(postgresql_server) as url:
        yield url


@pytest.fixture(scope="module")
def shared_postgresql_url(postgresql_server: str, postgresql_template: str) -> Iterator[str]:
    """One database for all tests of a module, at the newest schema."""
    with _database(postgresql_server, template=postgresql_template) as url:
        yield url


@contextmanager
def _database(postgresql_server: str, *, template: str = "template1") -> Iterator[str]:
    name, server = f"test{next(_databases)}", make_url(postgresql_server).set(drivername="postgresql")
    with psycopg.connect(server.render_as_string(), autocommit=True) as administrator:
        # Copied files take half the time of copied pages, which PostgreSQL prefers from 15 on.
        copying = "STRATEGY file_copy" if administrator.info.server_version >= 150_000 else ""
        administrator.execute(f"CREATE DATABASE {name} TEMPLATE {template} {copying}".encode())
        try:
            yield postgresql_server.rpartition("/")[0] + f"/{name}"
        finally:
            administrator.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


BOTH_DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite, then PostgreSQL, without a table: the same test on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'carnet.sqlite'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(params=BOTH_DATABASES)
def units(request: pytest.FixtureRequest, memory: Path) -> Iterator[Units]:
    """A database of its own for each test, at the newest schema: SQLite, then PostgreSQL."""
    if request.param == "sqlite":
        file = shutil.copy(newest_schema.file(), memory)
        opened: Units = SqliteUnits(open_engine(f"sqlite:///{file}"))
        yield opened
        opened.close()
        return
    template = request.getfixturevalue("postgresql_template")
    with _database(request.getfixturevalue("postgresql_server"), template=template) as url:
        opened = PostgresqlUnits(open_engine(url))
        yield opened
        opened.close()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one."""
    with memory_folder() as made:
        yield made


@pytest.fixture(scope="module")
def shared_memory() -> Iterator[Path]:
    """One for all tests of a module."""
    with memory_folder() as made:
        yield made


@pytest.fixture
def registry(units: Units) -> Registry:
    """A registry of the dmp domain with two known patients; FHIR is rendered as an empty object."""
    made = Registry(
        units, domain=affinity_domain(Settings()), render_fhir=lambda *_: b"{}", now=lambda: "20260310100000"
    )
    for patient in (PATIENT, OTHER_PATIENT):
        units.write(lambda unit, patient=patient: made.add_patient(unit, patient))
    return made
