"""The public kit against a registry and a repository in two processes: what goes through both, and in the long form everything."""

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
def apart(data: Path, kit: Path, run: Run, **repository: object) -> Iterator[Apart]:
    data.mkdir()
    given = {"domain": "ihe", "codes": str(kit / "environment" / "default" / "codes.xml")}
    feed = {"mllp": "127.0.0.1:0"}
    with servers.apart(data, run, registry={**given, **feed}, repository={**given, **repository}) as server:
        yield server


@pytest.mark.parametrize(
    "tests",
    [pytest.param(THROUGH_BOTH, id="both"), pytest.param((), id="everything", marks=pytest.mark.long)],
)
def test_the_kit_passes_against_two_processes(tmp_path: Path, corpus: Path, tests: tuple[str, ...]) -> None:
    kit = corpus / "nist-xds"
    with (
        apart(tmp_path / "main", kit, servers.started) as server,
        apart(tmp_path / "limited", kit, servers.in_process, limited_metadata=True) as limited,
    ):
        outcome = run_against(server, kit, tests=tests, limited=limited)
    assert {step.place: step.failures for step in outcome.steps if step.status is Status.FAILED} == {}
    assert [test.skipped for test in outcome.tests if test.skipped] == []
    assert len(outcome.tests) >= (len(tests) or 79)
