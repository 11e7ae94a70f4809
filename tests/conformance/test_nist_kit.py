"""The whole public kit against a started Carnet, on SQLite and on PostgreSQL with two workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.nist.outcomes import RunOutcome, Status
from tests.conformance.carnet_under_test import kit_settings, run_against
from tests.conftest import BOTH_DATABASES
from tests.servers import in_process, started

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module", params=BOTH_DATABASES)
def outcome(request: pytest.FixtureRequest, shared_memory: Path, corpus: Path) -> Iterator[RunOutcome]:
    """One run of everything for each database."""
    kit, data = corpus / "nist-xds", shared_memory
    is_sqlite = request.param == "sqlite"
    database = "" if is_sqlite else request.getfixturevalue("shared_postgresql_url")
    main = kit_settings(data / "main", kit, database, workers=1 if is_sqlite else 2)
    with started(main) as server, in_process(kit_settings(data / "limited", kit, limited_metadata=True)) as limited:
        yield run_against(server, kit, limited=limited)


def test_every_test_of_the_kit_passes(outcome: RunOutcome) -> None:
    failed = {step.test: f"{step.place}: {step.failures[0]}" for step in outcome.steps if step.status is Status.FAILED}
    assert failed == {}


def test_every_test_of_the_kit_is_run(outcome: RunOutcome) -> None:
    assert len(outcome.tests) == 79
    assert [test.skipped for test in outcome.tests if test.skipped] == []


def test_the_kit_and_the_standard_disagree_on_one_section_only(outcome: RunOutcome) -> None:
    found = {(step.test, step.section) for step in outcome.steps if step.status is Status.DISAGREEMENT}
    assert found == {("20000d", "query_for_ss_assoc")}
