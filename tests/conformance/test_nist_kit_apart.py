"""The public kit against a registry and a repository in two processes: what goes through both, and in the long form everything.

On SQLite each; in the long form on PostgreSQL too, a database each.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.nist.outcomes import Status
from tests import servers
from tests.conformance.carnet_under_test import run_against
from tests.servers import Apart, Run

pytestmark = pytest.mark.corpus
# Provide and Register, Retrieve, XDR with and without limited metadata, Remove Documents.
THROUGH_BOTH = ("11966", "11979", "11981", "11986", "12369", "12373", "12375", "12376", "50000", "50001", "50002")


@contextmanager
def apart(
    data: Path, kit: Path, run: Run, *, databases: tuple[str, str] = ("", ""), **repository: object
) -> Iterator[Apart]:
    data.mkdir()
    given = {"domain": "ihe", "codes": str(kit / "environment" / "default" / "codes.xml")}
    of_registry, of_repository = ({"database": url} if url else {} for url in databases)
    registry = {**given, **of_registry, "mllp": "127.0.0.1:0"}
    with servers.apart(data, run, registry=registry, repository={**given, **of_repository, **repository}) as server:
        yield server


LONG = (pytest.mark.long, pytest.mark.postgresql)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=LONG)])
def databases(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A database of its own for each process; empty is SQLite in its data folder."""
    if request.param == "sqlite":
        return "", ""
    return request.getfixturevalue("shared_postgresql_url"), request.getfixturevalue("postgresql_url")


@pytest.mark.parametrize(
    "tests",
    [pytest.param(THROUGH_BOTH, id="both"), pytest.param((), id="everything", marks=pytest.mark.long)],
)
def test_the_kit_passes_against_two_processes(
    tmp_path: Path, corpus: Path, databases: tuple[str, str], tests: tuple[str, ...]
) -> None:
    kit = corpus / "nist-xds"
    with (
        apart(tmp_path / "main", kit, servers.started, databases=databases) as server,
        apart(tmp_path / "limited", kit, servers.in_process, limited_metadata=True) as limited,
    ):
        outcome = run_against(server, kit, tests=tests, limited=limited)
    assert {step.place: step.failures for step in outcome.steps if step.status is Status.FAILED} == {}
    assert [test.skipped for test in outcome.tests if test.skipped] == []
    assert len(outcome.tests) >= (len(tests) or 79)
