"""The example clients and a zeep client written from the WSDL alone, against a started server."""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zeep

from carnet.reports import read_report
from tests import servers
from tests.servers import ROOT, Server

INS = "258063523804186"
PATIENT = f"{INS}^^^&1.2.250.1.213.1.4.10&ISO"
REPORT = ROOT / "examples" / "reports" / "cr-consultation.xml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.started(servers.settings_for(tmp_path_factory.mktemp("clients"))) as running:
        patient = read_report(REPORT.read_bytes(), entry_uuid="Document01").entry.patient_id
        assert patient is not None
        servers.know_patients(running.settings, patient)
        yield running


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT.parent)


def test_the_examples_push_a_report_and_find_it(server: Server, tmp_path: Path) -> None:
    pushed = run("push_report.py", str(REPORT), "--url", f"{server.url}/xds/repository")
    assert (pushed.returncode, pushed.stdout.split()) == (0, ["Success"]), pushed.stderr
    found = run("find_documents.py", INS, "--url", f"{server.url}/fhir", "--save", str(tmp_path))
    assert found.returncode == 0, found.stderr
    assert found.stdout.endswith("1 document(s)\n")
    [saved] = tmp_path.iterdir()
    assert saved.read_bytes() == REPORT.read_bytes()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_example_over_mutual_tls_goes_from_nothing_to_a_document_read_back(tmp_path: Path) -> None:
    """As the README tells: a test IGC, a server, a VIHF, a signed submission, both doors, and the audit of it all."""
    script, path = str(ROOT / "examples" / "mutual_tls.sh"), f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["sh", script, str(_two_free_ports()), str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env={"PATH": path})
    assert done.returncode == 0, done.stderr + done.stdout
    assert "pushed 1 document(s)" in done.stdout
    assert '"total":1' in done.stdout
    assert re.search(r"[1-9]\d* records are whole and in their order, \d+ anchors agree", done.stdout)
    assert not done.stderr
    assert sorted(one.name for one in (tmp_path / "kept" / "pki" / "issued").glob("*.pem"))


def _two_free_ports() -> int:
    """A port that is free, and the one after it too: the script has its health checks there.

    Below those that the system gives to whoever connects, who might have it when the server is there.
    """
    while True:
        port = random.randrange(20_000, 32_000, 2)
        both = (("127.0.0.1", port), ("127.0.0.1", port + 1))
        with suppress(OSError), socket.create_server(both[0]), socket.create_server(both[1]):
            return port


def test_the_push_example_tells_why_it_was_refused(server: Server, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.xml"
    stranger.write_bytes(REPORT.read_bytes().replace(INS.encode(), b"258063523804999"))
    pushed = run("push_report.py", str(stranger), "--url", f"{server.url}/xds/repository")
    assert pushed.returncode == 1
    assert "XDSUnknownPatientId" in pushed.stdout


def test_a_zeep_client_written_from_the_wsdl_alone_queries(server: Server) -> None:
    run("push_report.py", str(REPORT), "--url", f"{server.url}/xds/repository")
    client = zeep.Client(f"{server.url}/xds/registry?wsdl")
    answer = client.service["DocumentRegistry_RegistryStoredQuery"](
        ResponseOption={"returnType": "ObjectRef", "returnComposedObjects": True},
        AdhocQuery={
            "id": "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
            "Slot": [
                {"name": "$XDSDocumentEntryPatientId", "ValueList": {"Value": [f"'{PATIENT}'"]}},
                {
                    "name": "$XDSDocumentEntryStatus",
                    "ValueList": {"Value": ["('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"]},
                },
            ],
        },
    )
    client.transport.session.close()
    assert answer["status"].endswith(":Success")


def test_the_examples_print_help_without_a_server() -> None:
    for program in ("push_report.py", "find_documents.py"):
        shown = run(program, "--help")
        assert shown.returncode == 0
        assert "--url" in shown.stdout
