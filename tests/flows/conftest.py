"""The servers that every flow runs against: in process, started on SQLite, started on PostgreSQL with two workers."""

from collections.abc import Iterator

import pytest

from tests import servers
from tests.servers import Server

ARRANGEMENTS = [
    "in-process",
    "started",
    pytest.param("started-postgresql", marks=pytest.mark.postgresql),
]


@pytest.fixture(scope="module", params=ARRANGEMENTS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("carnet")
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
