"""The FHIR kit against a started Carnet: the public request Bundles and TestScripts, in both formats."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from conformance.fhir.client import JSON, XML, Client
from conformance.fhir.command_line import run
from conformance.fhir.outcomes import CaseOutcome, Status
from conformance.fhir.path_expressions import Unsupported, evaluate
from tests import servers
from tests.servers import ROOT, Server

# Where a TestScript asks for what this server refuses on purpose.
DISAGREEMENTS = {
    "CRUD/resource-type-case-sensitivity/correctly-cased resource type routes successfully": (
        "Patient is searched by identifier only: nobody is shown a list of all patients"
    ),
    **dict.fromkeys(
        (
            "Bundles/batch/Batch processes every entry independently; a failing entry does not abort the others",
            "Bundles/batch/No rollback: resources from before and after the failing entry both persist",
        ),
        "one part makes a Patient by PUT with an id of the client's, which is 405: ids are the server's",
    ),
    "Bundles/transaction/urn:uuid fullUrl references are resolved to the server-assigned id": (
        "its transaction has an Observation, of which this server has none"
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.in_process(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe")) as running:
        yield running


@pytest.fixture(scope="module", params=[JSON, XML])
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> list[CaseOutcome]:
    """A server for each format: scripts cannot delete the patients they made."""
    with servers.in_process(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe")) as server:
        return run(Client(base=f"{server.url}/fhir", content_type=request.param), corpus / "mhd")


@pytest.mark.corpus
def test_every_request_bundle_passes(cases: list[CaseOutcome]) -> None:
    bundles = [one for one in cases if one.suite == "Provide Document Bundle"]
    assert len(bundles) == 31
    assert {one.name: one.failures for one in bundles if one.status is not Status.PASSED} == {}
    assert [one.remarks for one in bundles if one.remarks] == []


@pytest.mark.corpus
def test_every_script_that_the_server_declares_passes(cases: list[CaseOutcome]) -> None:
    scripts = [one for one in cases if one.suite != "Provide Document Bundle"]
    failed = {one.name: one.failures for one in scripts if one.status is Status.FAILED}
    assert failed.keys() == DISAGREEMENTS.keys(), failed
    assert all(one.skipped for one in scripts if one.status is Status.SKIPPED)
    assert len([one for one in scripts if one.status is Status.PASSED]) >= 17


@pytest.mark.corpus
def test_a_server_that_answers_wrongly_is_found_out(server: Server, corpus: Path, tmp_path: Path) -> None:
    """A base that is no FHIR server: the run cannot start, and says why in one sentence."""
    command = [sys.executable, "-m", "conformance", "fhir", "--base", server.url, "--kit", str(corpus / "mhd")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "POST Patient: found 404" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.corpus
def test_the_command_writes_both_reports(server: Server, corpus: Path, tmp_path: Path) -> None:
    junit, page = tmp_path / "junit.xml", tmp_path / "report.html"
    command = [
        sys.executable,
        "-m",
        "conformance",
        "fhir",
        "--base",
        f"{server.url}/fhir",
        "--kit",
        str(corpus / "mhd"),
    ]
    command += ["--tests", "minimal/", "--junit", str(junit), "--html", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "13 passed" in done.stdout
    suite = etree.parse(str(junit)).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("13", "0")
    assert page.read_text("utf-8").count("Case minimal/") == 13
    assert '<details id="SERVER-MHD-02" class="requirement" data-verdict="passed">' in page.read_text("utf-8")


RESOURCE = {
    "resourceType": "Bundle",
    "total": 2,
    "entry": [{"resource": {"id": "a", "valueString": "x"}}, {"resource": {"id": "b", "active": True}}],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Bundle.total", [2]),
        ("entry.resource.id", ["a", "b"]),
        ("entry[1].resource.id", ["b"]),
        ("entry.where(resource.id = 'a').exists()", [True]),
        ("entry.where(resource.id='c').exists()", [False]),
        ("entry.count() = 2", [True]),
        ("entry.resource.value", ["x"]),
        ("entry.where(resource.active = true).resource.id", ["b"]),
        ("(total = 3) or (total = 2)", [True]),
        ("total = 2 and entry.empty()", [False]),
        ("nothing = 'x'", []),
        ("entry.exists(resource.id = 'b')", [True]),
        ("entry.exists().not()", [False]),
        ("entry.count() > 1", [True]),
        ("entry.count() <= 1", [False]),
        ("entry.all(resource.id.startsWith('a'))", [False]),
        ("entry[0].resource.id.startsWith('a')", [True]),
    ],
)
def test_expressions_of_test_scripts(expression: str, expected: list[object]) -> None:
    assert evaluate(expression, RESOURCE) == expected


def test_an_expression_that_is_not_known_says_so() -> None:
    with pytest.raises(Unsupported):
        evaluate("entry.repeat(item)", RESOURCE)
