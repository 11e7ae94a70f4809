"""The command `carnet`: exit codes, sentences, JSON, against a started server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.servers import ROOT, Server

INS = "258063523804186"
REPORTS = ROOT / "examples" / "reports"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.started(servers.settings_for(tmp_path_factory.mktemp("command"))) as running:
        yield running


def carnet(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "carnet", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**clean, **environment}, cwd=ROOT, timeout=120
    )


def test_a_developers_first_day(server: Server, tmp_path: Path) -> None:
    data = str(server.settings.data)
    unknown = carnet("push", str(REPORTS / "cr-biologie.xml"), "--url", server.url)
    assert (unknown.returncode, "XDSUnknownPatientId" in unknown.stderr) == (1, True)
    added = carnet("patient", "add", INS, "--data", data, "--json")
    assert json.loads(added.stdout) == {"patient": f"{INS}^^^&1.2.250.1.213.1.4.10&ISO", "added": True}
    assert carnet("patient", "add", INS, "--data", data).stdout == "patient was known\n"
    pushed = carnet("push", *map(str, sorted(REPORTS.glob("*.xml"))), "--url", server.url, "--json")
    assert pushed.returncode == 0, pushed.stdout
    unique_ids = {one["uniqueId"] for one in json.loads(pushed.stdout)["documents"]}
    for door in ([], ["--fhir"]):
        found = carnet("find", INS, "--url", server.url, "--json", *door)
        assert {row["uniqueId"] for row in json.loads(found.stdout)} == unique_ids
    table = carnet("find", INS, "--url", server.url, "--type", "11502-2^^2.16.840.1.113883.6.1")
    assert "Compte rendu" in table.stdout
    output = tmp_path / "report.xml"
    wanted = json.loads(pushed.stdout)["documents"][0]
    assert carnet("get", wanted["uniqueId"], "-o", str(output), "--url", server.url).returncode == 0
    assert output.read_bytes() == Path(wanted["file"]).read_bytes()


def test_getting_an_unknown_document_is_refused(server: Server) -> None:
    result = carnet("get", "2.25.404", "--url", server.url)
    assert result.returncode == 1
    assert "XDSDocumentUniqueIdError" in result.stderr


def test_an_unreachable_server_is_one_sentence() -> None:
    result = carnet("find", INS, "--url", f"http://127.0.0.1:{servers.free_port()}")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve"], "--security open"),
        (["serve", "--security", "mtls"], "--security open"),
        (["serve", "--security", "open", "--host", "0.0.0.0"], "refused on 0.0.0.0"),
        (["serve", "--security", "open", "--host", "example.org"], "refused on example.org"),
        (["serve", "--security", "open", "--workers", "2"], "SQLite has one writing process"),
        (["serve", "--security", "open", "--documents", "s3://bucket"], "expected file:///FOLDER"),
        (["serve", "--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_serve_refuses_with_one_sentence(arguments: list[str], sentence: str) -> None:
    result = carnet(*arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert sentence in result.stderr


@pytest.mark.parametrize(
    "arguments", [["serve", "--colour", "blue"], ["nonsense"], ["push"], ["find", INS, "--type", "x"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert carnet(*arguments).returncode == 2


def test_an_unknown_setting_is_an_error_wherever_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "carnet.toml"
    file.write_text("colour = 'blue'\n")
    for result in (carnet("serve", "--config", str(file)), carnet("serve", CARNET_COLOUR="blue")):
        assert result.returncode == 2
        assert "unknown setting colour" in result.stderr


def test_a_patient_of_a_foreign_authority_is_refused(server: Server) -> None:
    result = carnet("patient", "add", "1^^^&1.2.3&ISO", "--data", str(server.settings.data))
    assert result.returncode == 2
    assert "expected an assigning authority" in result.stderr


@pytest.mark.parametrize(
    "command", [[], ["serve"], ["push"], ["find"], ["get"], ["patient", "add"], ["db", "upgrade"], ["demo"]]
)
def test_every_command_has_help(command: list[str]) -> None:
    result = carnet(*command, "--help")
    assert result.returncode == 0
    assert "Usage:" in result.stdout


def test_the_database_is_brought_to_the_newest_schema(tmp_path: Path) -> None:
    for _ in range(2):
        result = carnet("db", "upgrade", "--data", str(tmp_path))
        assert (result.returncode, result.stdout) == (0, "database at revision 0001\n"), result.stderr


def test_the_demonstration_checks_itself(tmp_path: Path) -> None:
    for _ in range(2):
        result = carnet("demo", "--check", "--port", "0", "--data", str(tmp_path))
        assert result.returncode == 0, result.stdout + result.stderr
        assert "byte for byte" in result.stdout


def test_the_demonstration_fails_with_a_sentence_when_the_port_is_taken(server: Server, tmp_path: Path) -> None:
    result = carnet("demo", "--check", "--port", str(server.settings.port), "--data", str(tmp_path))
    assert result.returncode == 1
    assert "is in use" in result.stdout


def test_logs_name_no_patient(server: Server) -> None:
    carnet("find", INS, "--fhir", "--url", server.url)
    log = (Path(server.settings.data) / "server.log").read_text()
    assert '"route": "/fhir/DocumentReference"' in log
    assert INS not in log
