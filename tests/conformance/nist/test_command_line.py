"""`python -m conformance nist`: options, exit codes, and one sentence for what is wrong."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from conformance.__main__ import main
from tests.conformance.fake_servers import Reply, Request, mllp_server, soap_server
from tests.conformance.kits import (
    a_plan,
    a_query_response,
    a_registry_response,
    a_step,
    a_submission,
    an_error,
    write_kit,
)

ROOT = Path(__file__).resolve().parents[3]
SUBMIT = a_step("<RegisterTransaction><MetadataFile>m.xml</MetadataFile></RegisterTransaction>")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Command(Protocol):
    def __call__(self, *arguments: object) -> Done: ...


@pytest.fixture
def conformance(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command in this process, entry point included."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["conformance", *(str(one) for one in arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Done(int(end.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    return write_kit(tmp_path / "kit", {"1": {"a": {"testplan.xml": a_plan(SUBMIT), "m.xml": a_submission()}}})


def succeed(request: Request) -> Reply:
    return Reply(body=a_query_response() if request.action.endswith("StoredQuery") else a_registry_response())


def test_a_run_that_passes_feeds_its_patient_reports_and_exits_0(
    conformance: Command, kit: Path, tmp_path: Path
) -> None:
    def acknowledge(message: bytes) -> bytes:
        return b"\x0bMSH|^~\\&\rMSA|AA|" + message.split(b"|")[9] + b"\r\x1c\r"

    with soap_server(succeed) as server, mllp_server(acknowledge) as (port, received):
        reports = ("--junit", tmp_path / "j.xml", "--html", tmp_path / "h.html", "--json", tmp_path / "r.json")
        done = conformance(
            "nist", "--kit", kit, "--tests", "1", "--registry", server.url, "--feed", f"mllp://127.0.0.1:{port}", *reports,
            "--save", tmp_path / "saved",
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "passed   1 Title of 1" in done.stdout
    assert b"2.25.7000" in received[-1]
    assert json.loads((tmp_path / "r.json").read_text())["counts"]["tests"]["passed"] == 2
    assert (tmp_path / "j.xml").is_file()
    assert (tmp_path / "h.html").is_file()
    assert (tmp_path / "saved/15817/pif/step.request").read_text().startswith("MSH|")


def test_a_run_that_fails_exits_1(conformance: Command, kit: Path) -> None:
    def fail(request: Request) -> Reply:
        return Reply(body=a_registry_response("Failure", an_error("XDSRegistryError")))

    with soap_server(fail) as server:
        done = conformance("nist", "--kit", kit, "--tests", "1", "--registry", server.url, "--no-feed", "-q")
    assert done.returncode == 1
    assert "failed 1/a/step: wrong status" in done.stdout


def test_list_needs_no_server(conformance: Command, kit: Path) -> None:
    done = conformance("nist", "--kit", kit, "--list", "--tests", "1")
    assert (done.returncode, done.stdout) == (0, "1\treg\t1 sections, 1 steps\tTitle of 1\n")


def test_patients_and_addresses_may_be_given(conformance: Command, kit: Path) -> None:
    with soap_server(succeed) as server, soap_server(succeed) as other:
        done = conformance(
            "nist", "--kit", kit, "--tests", "1", "--registry", server.url, "--iti42", other.url, "--no-feed",
            "--patient", "register=KNOWN^^^&2.25.7&ISO",
        )  # fmt: skip
    assert done.returncode == 0
    assert (len(server.requests), len(other.requests)) == (0, 1)
    assert b"KNOWN^^^&amp;2.25.7&amp;ISO" in other.requests[0].body


REGISTRY = ("--registry", "http://127.0.0.1:9/xds")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--kit", "/no/such"), "there is no kit folder /no/such"),
        (("--no-feed",), "there is no server to test"),
        (REGISTRY, "say how patients become known"),
        ((*REGISTRY, "--no-feed", "--feed", "mllp://h:1"), "in one way"),
        ((*REGISTRY, "--no-feed"), "http://127.0.0.1:9/xds cannot be reached"),
        (("--registry", "there", "--no-feed"), "the address: found there"),
        ((*REGISTRY, "--feed", "there"), "found the feed there"),
        ((*REGISTRY, "--no-feed", "--patient", "nobody=1"), "there is no patient nobody"),
        ((*REGISTRY, "--no-feed", "--patient", "sq"), "expected NAME=CX"),
        ((*REGISTRY, "--no-feed", "--tests", "77*"), "no test of the kit matches 77*"),
        ((*REGISTRY, "--no-feed", "--schemas", "/etc/ssl"), "the schema folder /etc/ssl declares no"),
        ((*REGISTRY, "--no-feed", "--skip-check", "all"), "'all' is not one of"),
        ((*REGISTRY, "--no-feed", "--tls-cert", __file__), f"TLS, {__file__}: expected a certificate and its key"),
        ((*REGISTRY, "--no-feed", "--soap-header", __file__), "the SOAP header"),
        ((*REGISTRY, "--no-feed", "--disagreements", __file__), "the list of known disagreements"),
        ((*REGISTRY, "--no-feed", "--codes", __file__), "the code table"),
    ],
)
def test_what_is_wrong_ends_in_one_sentence_and_exit_code_2(
    conformance: Command, kit: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    given = arguments if "--kit" in arguments else ("--kit", str(kit), *arguments)
    done = conformance("nist", *given)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_wrong_plan_is_found_before_anything_is_sent(conformance: Command, kit: Path) -> None:
    (kit / "testkit/tests/1/a/testplan.xml").write_text(a_plan("<Steps/>"))
    with soap_server(succeed) as server:
        done = conformance("nist", "--kit", kit, "--registry", server.url, "--no-feed")
    assert done.returncode == 2
    assert "testplan.xml, line 1, step -: found element Steps" in done.stderr
    assert server.requests == []


def test_help_shows_examples(conformance: Command) -> None:
    assert "python -m conformance nist --kit nist-xds" in conformance("nist", "--help").stdout
    assert "nist" in conformance("--help").stdout


def test_the_module_is_a_command() -> None:
    command = [sys.executable, "-m", "conformance", "nist", "--kit", "/no/such"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "conformance: there is no kit folder /no/such\n")
