"""Fixtures shared by all tests: corpora, databases, registries."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import create_engine, text

from carnet.domains import affinity_domain
from carnet.settings import Settings
from registry.store import Registry
from storage.engine import open_engine
from storage.migrate import upgrade
from storage.postgresql_units import PostgresqlUnits
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import Units
from tests import postgresql
from tests.builders import OTHER_PATIENT, PATIENT

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
_databases = itertools.count(1)

# What a test says of time it measures itself; a busy machine is no fault of the example that was running.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`.ci/run` fails without the corpora; on any other machine their tests are left out."""
    if item.get_closest_marker("corpus") and not CORPUS.is_dir():
        pytest.skip("the reference corpora are not beside this checkout")


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


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A database of its own for each test."""
    yield from _database(postgresql_server)


@pytest.fixture(scope="module")
def shared_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """One database for all tests of a module."""
    yield from _database(postgresql_server)


def _database(postgresql_server: str) -> Iterator[str]:
    name = f"test{next(_databases)}"
    engine = create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgresql_server.rpartition("/")[0] + f"/{name}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


BOTH_DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite, then PostgreSQL: the same test on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'carnet.sqlite'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def units(database_url: str) -> Iterator[Units]:
    engine = open_engine(database_url)
    upgrade(engine)
    opened: Units = SqliteUnits(engine) if database_url.startswith("sqlite") else PostgresqlUnits(engine)
    yield opened
    opened.close()


@pytest.fixture
def registry(units: Units) -> Registry:
    """A registry of the dmp domain with two known patients; FHIR is rendered as an empty object."""
    made = Registry(
        units, domain=affinity_domain(Settings()), render_fhir=lambda *_: b"{}", now=lambda: "20260310100000"
    )
    for patient in (PATIENT, OTHER_PATIENT):
        units.write(lambda unit, patient=patient: made.add_patient(unit, patient))
    return made
