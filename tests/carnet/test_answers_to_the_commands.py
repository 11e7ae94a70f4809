"""What the client commands do with an answer that is not the one they asked for: damaged, of another, late, no SOAP."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from carnet.exchange import ClientError
from carnet.fhir_client import FhirClient
from carnet.reports import Report, read_report, with_new_identity
from carnet.xds_client import XdsClient
from tests import forked, servers
from tests.servers import ROOT, Server
from tests.ways import changing

OTHER = b"urn:uuid:00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"))
    patient = a_report().entry.patient_id
    assert patient is not None
    with servers.in_process(settings) as running:
        servers.know_patients(settings, patient)
        yield running


@pytest.fixture(scope="module")
def report(server: Server) -> Report:
    pushed = a_report()
    assert XdsClient(server.url).push([pushed]).is_success
    return pushed


def a_report() -> Report:
    content = Path(ROOT / "examples/reports/cr-consultation.xml").read_bytes()
    return with_new_identity(read_report(content, entry_uuid="Document01"))


def flipped(path: str, body: bytes) -> bytes:
    """One octet of the document is another, its length the same."""
    return body.replace(b"<ClinicalDocument", b"<clinicalDocument") if path.endswith("repository") else body


def longer(path: str, body: bytes) -> bytes:
    return body.replace(b"<ClinicalDocument", b" <ClinicalDocument") if path.endswith("repository") else body


@pytest.mark.parametrize(("change", "told"), [(flipped, "found the hash"), (longer, "octets, expected")])
def test_a_damaged_document_is_told_and_not_written(
    server: Server, report: Report, tmp_path: Path, change: object, told: str
) -> None:
    output, unique_id = tmp_path / "report.xml", str(report.entry.unique_id)
    repository = XdsClient(server.url).document_entry(unique_id).repository_unique_id or ""
    with changing(server, change) as url:  # type: ignore[arg-type]
        for more in ((), ("--repository", repository)):
            done = forked.run(["get", unique_id, "-o", str(output), "--url", url, *more])
            assert (done.returncode, output.exists()) == (1, False)
            assert "the document is damaged" in done.stderr
            assert told in done.stderr
        done = forked.run(["get", unique_id, "--url", url])
        assert (done.returncode, done.stdout) == (1, "")
    done = forked.run(["get", unique_id, "-o", str(output), "--url", server.url])
    assert (done.returncode, output.read_bytes()) == (0, report.content)


def test_a_damaged_document_is_told_over_fhir(server: Server, report: Report) -> None:
    def change(path: str, body: bytes) -> bytes:
        return body.replace(b"<ClinicalDocument", b"<clinicalDocument") if "/Binary/" in path else body

    patient = report.entry.patient_id
    assert patient is not None
    with changing(server, change) as url:
        [found] = [one for one in FhirClient(server.url).find(patient) if one["uniqueId"] == report.entry.unique_id]
        assert FhirClient(server.url).document(found) == report.content
        with pytest.raises(ClientError, match="found the hash"):
            FhirClient(url).document(found)


@pytest.mark.parametrize("command", ["find", "get", "push", "dmp"])
def test_the_answer_to_another_request_is_not_taken(
    server: Server, report: Report, tmp_path: Path, command: str
) -> None:
    """Of every command: the answers of all are read in one place."""
    file, output = tmp_path / "new.xml", tmp_path / "out.xml"
    file.write_bytes(a_report().content)
    patient = report.entry.patient_id
    assert patient is not None
    arguments = {
        "find": ["find", patient.id],
        "get": ["get", str(report.entry.unique_id), "-o", str(output)],
        "push": ["push", str(file)],
        "dmp": ["dmp", "status", str(report.entry.unique_id), "archived"],
    }[command]

    def change(path: str, body: bytes) -> bytes:
        new = re.sub(rb"(RelatesTo>)[^<]+", rb"\1" + OTHER, body)
        assert new != body
        return new

    with changing(server, change) as url:
        done = forked.run([*arguments, "--url", url])
    assert (done.returncode, done.stdout, output.exists()) == (1, "", False)
    assert f"the answer is to another request: found RelatesTo {OTHER.decode()}, expected urn:uuid:" in done.stderr


def test_an_answer_that_names_no_request_is_taken(server: Server, report: Report) -> None:
    def change(path: str, body: bytes) -> bytes:
        new = re.sub(rb"<wsa:RelatesTo>[^<]+</wsa:RelatesTo>", b"", body)
        assert new != body
        return new

    with changing(server, change) as url:
        assert XdsClient(url).get_documents(str(report.entry.unique_id)).documents


def test_a_page_of_maintenance_is_no_answer(server: Server, report: Report) -> None:
    with changing(server, lambda path, body: b"<html><body>Maintenance</body></html>") as url:
        done = forked.run(["get", str(report.entry.unique_id), "--url", url])
    assert (done.returncode, done.stdout) == (1, "")
    assert "no SOAP" in done.stderr


def test_a_silent_server_is_waited_for_as_long_as_is_said(server: Server, report: Report, tmp_path: Path) -> None:
    file = tmp_path / "new.xml"
    file.write_bytes(a_report().content)

    def late(path: str, body: bytes) -> bytes:
        time.sleep(3)
        return body

    with changing(server, late) as url:
        begun = time.monotonic()
        done = forked.run(["get", str(report.entry.unique_id), "--url", url, "--timeout", "0.5"])
        assert (done.returncode, done.stdout) == (1, "")
        assert "gave no answer: timed out" in done.stderr
        assert time.monotonic() - begun < 2.5
        for more in ((), ("--fhir",)):
            done = forked.run(["push", str(file), "--url", url, "--timeout", "0.2", *more])
            assert done.returncode == 1
            assert re.search(r"timed out; whether the submission was stored is unknown. Push it again as", done.stderr)
