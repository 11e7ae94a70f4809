"""The command `carnet`: exit codes, sentences, JSON, against a started server."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from carnet.command_line import commands, main
from storage import migrate
from tests import forked, servers
from tests.command_tree import leaves
from tests.servers import ROOT, Server

INS = "258063523804186"
Refusal = Callable[..., tuple[int, str]]
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


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a command that ends before it serves, run in this process."""
    monkeypatch.setattr(sys, "argv", ["carnet", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    code = end.value.code
    assert isinstance(code, int)
    return code, capsys.readouterr().err


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refusal:
    for name in [name for name in os.environ if name.startswith("CARNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CARNET_DATA", str(tmp_path))
    return partial(refused, monkeypatch, capsys)


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


def test_a_server_that_speaks_another_protocol_is_one_sentence(refusal: Refusal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        stranger = threading.Thread(target=_greet_once, args=(other,))
        stranger.start()
        code, told = refusal("find", INS, "--url", f"http://127.0.0.1:{other.getsockname()[1]}")
        stranger.join()
    assert (code, len(told.splitlines())) == (1, 1), told


def _greet_once(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    connection.sendall(b"220 smtp.example.org ready\r\n")
    connection.close()


def test_an_unreachable_server_is_one_sentence(refusal: Refusal) -> None:
    code, told = refusal("find", INS, "--url", f"http://127.0.0.1:{servers.free_port()}")
    assert (code, len(told.splitlines())) == (1, 1), told
    assert "cannot be reached" in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve"], "--security open"),
        (["serve", "--security", "mtls"], "--security open"),
        (["serve", "--security", "open", "--host", "0.0.0.0"], "refused on 0.0.0.0"),
        (["serve", "--security", "open", "--host", "example.org"], "refused on example.org"),
        (["serve", "--security", "open", "--workers", "2"], "SQLite has one writing process"),
        (["serve", "--security", "open", "--documents", "ftp://bucket"], "expected file:///FOLDER"),
        (["serve", "--config", "nowhere.toml"], "nowhere.toml"),
        (["serve", "--security", "open", "--database", "mysql://x/y"], "expected sqlite:///FILE"),
        (["serve", "--security", "open", "--database", "nonsense"], "expected sqlite:///FILE"),
        (["serve", "--security", "open", "--database", "sqlite://"], "expected sqlite:///FILE"),
    ],
)
def test_serve_refuses_with_one_sentence(refusal: Refusal, arguments: list[str], sentence: str) -> None:
    code, told = refusal(*arguments)
    assert (code, len(told.splitlines())) == (2, 1), told
    assert sentence in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "/proc/nothing"], "/proc/nothing"),
        (["--data", "/dev/null"], "/dev/null"),
        (["--documents", "file:///proc/nothing"], "/proc/nothing"),
        (["--database", "sqlite:////proc/nothing/x"], "/proc/nothing"),
        (["--database", "postgresql+psycopg://carnet:secret@127.0.0.1:1/x"], "the database cannot be used"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(refusal: Refusal, arguments: list[str], sentence: str) -> None:
    code, told = refusal("serve", "--security", "open", "--port", "0", *arguments)
    assert (code, len(told.splitlines())) == (1, 1), told
    assert sentence in told
    assert "secret" not in told


def test_a_port_in_use_is_one_sentence(refusal: Refusal, server: Server) -> None:
    code, told = refusal("serve", "--security", "open", "--port", str(server.settings.port))
    assert (code, len(told.splitlines())) == (1, 1), told
    assert "Address already in use" in told


def test_a_second_server_on_one_sqlite_database_is_refused(refusal: Refusal, server: Server) -> None:
    code, told = refusal("serve", "--security", "open", "--port", "0", "--data", str(server.settings.data))
    assert (code, len(told.splitlines())) == (2, 1), told
    assert "another server has" in told


def test_a_settings_file_that_is_no_text_is_one_sentence(refusal: Refusal, tmp_path: Path) -> None:
    file = tmp_path / "carnet.toml"
    file.write_bytes(b"\xff\xfe")
    code, told = refusal("serve", "--config", str(file))
    assert (code, len(told.splitlines())) == (2, 1), told


@pytest.mark.parametrize(
    "arguments", [["serve", "--colour", "blue"], ["nonsense"], ["push"], ["find", INS, "--type", "x"]]
)
def test_wrong_usage_is_exit_code_2(refusal: Refusal, arguments: list[str]) -> None:
    assert refusal(*arguments)[0] == 2


def test_an_unknown_setting_is_an_error_wherever_it_stands(
    refusal: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "carnet.toml"
    file.write_text("colour = 'blue'\n")
    told = [refusal("serve", "--config", str(file))]
    monkeypatch.setenv("CARNET_COLOUR", "blue")
    told.append(refusal("serve"))
    assert [code for code, _ in told] == [2, 2]
    assert all("unknown setting colour" in sentence for _, sentence in told)


def test_a_patient_of_a_foreign_authority_is_refused(refusal: Refusal) -> None:
    CliRunner().invoke(commands, ["db", "upgrade"])
    code, told = refusal("patient", "add", "1^^^&1.2.3&ISO")
    assert code == 2
    assert "expected an assigning authority" in told


@pytest.mark.parametrize("command", [(), *(words for words, _ in leaves(commands))], ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(commands, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert f"\n  carnet {' '.join(command)}" in result.output


@pytest.mark.parametrize(
    "command", [["fsck"], ["gc"], ["backup", "copy"], ["documents", "move", "--to", "file:///proc/never"]], ids=" ".join
)
def test_a_folder_without_database_is_no_repository_and_stays_as_it_is(
    refusal: Refusal, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    code, told = refusal(*command, "--data", str(tmp_path / "mistyped"))
    assert (code, len(told.splitlines())) == (2, 1), told
    assert f"found no {tmp_path / 'mistyped' / 'carnet.sqlite'}, expected the database of a server" in told
    assert not (tmp_path / "mistyped").exists()
    assert list((tmp_path / "here").iterdir()) == []


def test_a_report_that_cannot_be_read_is_named(refusal: Refusal, tmp_path: Path) -> None:
    (tmp_path / "noise.xml").write_text("noise")
    (tmp_path / "empty.xml").write_text('<ClinicalDocument xmlns="urn:hl7-org:v3"/>')
    good = str(REPORTS / "cr-biologie.xml")
    for name in ("noise.xml", "empty.xml"):
        code, told = refusal("push", good, str(tmp_path / name), "--url", "http://127.0.0.1:1")
        assert code == 1
        assert all(str(tmp_path / name) in line for line in told.splitlines()), told


def test_the_database_is_brought_to_the_newest_schema(tmp_path: Path) -> None:
    for _ in range(2):
        result = forked.run(["db", "upgrade", "--data", str(tmp_path)])
        assert (result.returncode, result.stdout) == (
            0,
            f"database at revision {migrate.newest()}\n",
        ), result.stderr


def test_the_demonstration_checks_itself(tmp_path: Path) -> None:
    for _ in range(2):
        result = carnet("demo", "--check", "--port", "0", "--data", str(tmp_path))
        assert result.returncode == 0, result.stdout + result.stderr
        assert "byte for byte" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_whatever_ends_the_demonstration_ends_its_server(number: signal.Signals, tmp_path: Path) -> None:
    port = servers.free_port()
    command = [sys.executable, "-m", "carnet", "demo", "--port", str(port), "--data", str(tmp_path)]
    demonstration = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert demonstration.stdout is not None
    for line in demonstration.stdout:
        if "keeps running" in line:
            break
    demonstration.send_signal(number)
    assert demonstration.wait(timeout=40) == 0
    demonstration.stdout.close()
    deadline = time.monotonic() + 10
    while _listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_demonstration_fails_with_a_sentence_when_the_port_is_taken(server: Server, tmp_path: Path) -> None:
    result = carnet("demo", "--check", "--port", str(server.settings.port), "--data", str(tmp_path))
    assert result.returncode == 1
    assert "is in use" in result.stdout


def test_logs_name_no_patient(server: Server) -> None:
    carnet("find", INS, "--fhir", "--url", server.url)
    log = server.log_with('"route":"/fhir/DocumentReference"')
    assert INS not in log
