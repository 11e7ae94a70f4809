"""The whole public kit against a started Carnet, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.nist.outcomes import RunOutcome, Status
from tests.conformance.carnet_under_test import run_against
from tests.conftest import BOTH_DATABASES
from tests.servers import settings_for, started

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module", params=BOTH_DATABASES)
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, corpus: Path
) -> Iterator[RunOutcome]:
    """One run of everything for each database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("shared_postgresql_url")
    with started(settings_for(tmp_path_factory.mktemp("carnet"), url, domain="ihe")) as server:
        yield run_against(server, corpus / "nist-xds")


def test_x(outcome: RunOutcome) -> None:
    assert not [step.place for step in outcome.steps if step.status is Status.FAILED]
