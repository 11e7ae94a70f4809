"""The servers that every flow runs against: in process, started on SQLite, on PostgreSQL with two workers, and apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import memory, servers
from tests.servers import Server

ARRANGEMENTS = [
    "in-process",
    "started",
    pytest.param("started-postgresql", marks=pytest.mark.postgresql),
    "apart",
]


@pytest.fixture(scope="module", params=ARRANGEMENTS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with memory.folder() as data, _arranged(request, data) as running:
        yield running


@contextmanager
def _arranged(request: pytest.FixtureRequest, data: Path) -> Iterator[Server]:
    if request.param == "apart":
        with servers.apart(data, servers.in_process) as running:
            servers.know_patients(running.registry.settings)
            yield running
        return
    if request.param == "in-process":
        settings, run = servers.settings_for(data), servers.in_process
    elif request.param == "started":
        settings, run = servers.settings_for(data), servers.started
    else:
        url = request.getfixturevalue("shared_postgresql_url")
        settings, run = servers.settings_for(data, url, workers=2), servers.started
    with run(settings) as running:
        servers.know_patients(settings)
        yield running


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> str:
    """The setting of either database, for flows whose server has settings of its own."""
    return str(request.getfixturevalue("shared_postgresql_url")) if request.param == "postgresql" else ""


@pytest.fixture(scope="module")
def fhir_server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the domain ihe, whose patients are fed by FHIR."""
    data: Path = tmp_path_factory.mktemp("carnet")
    with servers.in_process(servers.settings_for(data, database, domain="ihe", audit="on")) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of one process does not exist for the arrangement of two."""
    items[:] = [one for one in items if not (one.get_closest_marker("one_process") and _is_apart(one))]


def _is_apart(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and str(item.callspec.params.get("server")).startswith("apart")
