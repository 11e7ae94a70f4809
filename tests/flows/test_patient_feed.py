"""Patients by the identity feed, seen by submissions and queries: over real sockets, on every arrangement."""

import itertools
import json
import os
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from lxml import etree

from audit.dicom import read_message
from schemas import resource
from tests import messages, servers
from tests.audit_store import rows_of
from tests.builders import a_submission, a_submission_set, an_entry
from tests.certificates import a_certificate, an_authority
from tests.flows.conftest import ARRANGEMENTS
from tests.hl7v3.written import ii, v3_message
from tests.mllp import adt, connected
from tests.servers import ROOT, Server
from xds.datatypes import CX, Code
from xds.metadata import DocumentEntry

TILLEULS = "2.25.314159265358979323846"
LOINC, SNOMED = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96"
CODES = {
    "class_code": Code(code="18842-5", coding_scheme=LOINC, display_name="Discharge summary"),
    "type_code": Code(code="18842-5", coding_scheme=LOINC, display_name="Discharge summary"),
    "practice_setting_code": Code(code="394579002", coding_scheme=SNOMED, display_name="Cardiology"),
    "healthcare_facility_type_code": Code(code="22232009", coding_scheme=SNOMED, display_name="Hospital"),
}
CONTENT_TYPE = Code(code="34133-9", coding_scheme=LOINC, display_name="Summary of episode")
STATUS = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=ARRANGEMENTS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("feed")
    domain = {"domain": "ihe", "codes": str(ROOT / "examples" / "codes.xml")}
    given = {**domain, "mllp": "127.0.0.1:0"}
    if request.param == "apart":
        with servers.apart(data, servers.in_process, registry=given, repository=domain) as running:
            yield running
        return
    if request.param == "started-postgresql":
        url = request.getfixturevalue("shared_postgresql_url")
        settings = servers.settings_for(data, url, workers=2, **given)
    else:
        settings = servers.settings_for(data, **given)
    with (servers.in_process if request.param == "in-process" else servers.started)(settings) as running:
        yield running


def a_patient() -> CX:
    return CX(f"P{os.getpid()}.{next(_numbers)}^^^&{TILLEULS}&ISO")


def push(server: Server, patient: CX, **changes: object) -> tuple[DocumentEntry, messages.Answered]:
    content = b"a report"
    entry = an_entry(content=content, patient_id=patient, **(CODES | changes))
    owner = a_submission_set(patient_id=patient, content_type_code=CONTENT_TYPE)
    return entry, messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: content})


def found(server: Server, patient: CX) -> list[str]:
    """uniqueIds; every patientId shown is that of the query."""
    slots = {"$XDSDocumentEntryPatientId": f"'{patient}'", "$XDSDocumentEntryStatus": STATUS}
    answer = messages.query(server, messages.FIND_DOCUMENTS, slots)
    assert answer.status == "Success", answer.contexts
    values = [
        (str(one.get("identificationScheme")), str(one.get("value")))
        for one in answer.envelope.iter("{*}ExternalIdentifier")
    ]
    assert {value for scheme, value in values if scheme.endswith("427")} <= {str(patient)}
    return [value for scheme, value in values if scheme.endswith("42ab")]


def test_a_patient_becomes_known_by_the_feed(server: Server) -> None:
    patient = a_patient()
    _, unknown = push(server, patient)
    assert unknown.codes == ["XDSUnknownPatientId"]
    with connected(server.feed) as feed:
        assert feed.code(adt("A01", str(patient))) == "AA"
        entry, answer = push(server, patient)
        assert answer.status == "Success", answer.contexts
        assert found(server, patient) == [entry.unique_id]


def test_a_name_of_the_codes_file_stands_for_its_authority(server: Server) -> None:
    patient = a_patient()
    with connected(server.feed) as feed:
        assert feed.code(adt("A04", f"{patient.id}^^^TILLEULS")) == "AA"
    assert push(server, patient)[1].status == "Success"


def test_a_merge_moves_the_documents(server: Server) -> None:
    old, new = a_patient(), a_patient()
    with connected(server.feed) as feed:
        for patient in (old, new):
            assert feed.code(adt("A01", str(patient))) == "AA"
        entry, _ = push(server, old)
        assert feed.code(adt("A40", str(new), str(old))) == "AA"
        assert found(server, old) == []
        assert found(server, new) == [entry.unique_id]
        assert push(server, old)[1].codes == ["XDSUnknownPatientId"]
        repeated = feed.send(adt("A40", str(new), str(old), control="77"))
        assert repeated[1].startswith("MSA|AE|77|")
        assert repeated[2].startswith("ERR|MRG^1^1^204&")
    bundle = json.loads(
        server.request("GET", f"/fhir/DocumentReference?patient.identifier=urn:oid:{TILLEULS}|{new.id}").body
    )
    assert [one["resource"]["subject"]["identifier"]["value"] for one in bundle["entry"]] == [new.id]
    document = messages.retrieve(server, ("2.25.240371564212417372127236542087136485236", str(entry.unique_id)))
    assert messages.contents(document) == [b"a report"]


def test_codes_outside_the_file_are_refused(server: Server) -> None:
    patient = a_patient()
    with connected(server.feed) as feed:
        feed.send(adt("A01", str(patient)))
    _, answer = push(server, patient, mime_type="image/tiff")
    assert answer.codes == ["XDSRegistryMetadataError"]
    assert "image/tiff" in answer.contexts[0]


def test_pushes_and_a_merge_at_once_lose_nothing(server: Server) -> None:
    old, new = a_patient(), a_patient()
    accepted: list[str] = []
    with connected(server.feed) as feed:
        for patient in (old, new):
            feed.send(adt("A01", str(patient)))

        def pushes() -> None:
            for _ in range(6):
                entry, answer = push(server, old)
                assert answer.status == "Success" or answer.codes == ["XDSUnknownPatientId"], answer.contexts
                if answer.status == "Success":
                    accepted.append(str(entry.unique_id))

        threads = [threading.Thread(target=pushes) for _ in range(3)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while not accepted and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert feed.code(adt("A40", str(new), str(old))) == "AA"
        for thread in threads:
            thread.join()
    assert sorted(found(server, new)) == sorted(accepted)
    assert found(server, old) == []


@pytest.mark.parametrize("path", ["/xds/patients", "/xds/registry"])
def test_the_feed_in_xml_does_the_same(server: Server, path: str) -> None:
    old, new = a_patient(), a_patient()

    def send(name: str, patient: str, prior: str = "") -> str:
        action = f"urn:hl7-org:v3:{name}"
        message = messages.envelope(v3_message(name, patient, prior), action)
        answer = messages.read(server.post(path, message, messages.simple_type(action)))
        assert answer.action == "urn:hl7-org:v3:MCCI_IN000002UV01"
        etree.XMLSchema(etree.parse(resource("xsd/hl7v3.xsd"))).assertValid(
            etree.fromstring(etree.tostring(answer.body))
        )
        return str(answer.body.find("{*}acknowledgement/{*}typeCode").get("code"))

    assert send("PRPA_IN201301UV02", ii(old.id)) == "CA"
    assert send("PRPA_IN201302UV02", ii(new.id)) == "CA"
    entry, answer = push(server, old)
    assert answer.status == "Success", answer.contexts
    assert send("PRPA_IN201304UV02", ii(new.id), ii(old.id)) == "CA"
    assert (found(server, old), found(server, new)) == ([], [entry.unique_id])
    assert send("PRPA_IN201304UV02", ii(new.id), ii(old.id)) == "CE"


@pytest.mark.postgresql
def test_another_process_takes_over_when_the_one_that_listens_dies(postgresql_url: str, tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path, postgresql_url, workers=2, domain="ihe", mllp="127.0.0.1:0")
    with servers.started(settings) as server:
        log = tmp_path / "server.log"

        def listeners() -> list[int]:
            lines = [json.loads(line) for line in log.read_text().splitlines() if '"mllp listens"' in line]
            return [line["pid"] for line in lines]

        for number in range(1, 4):
            patient = a_patient()
            with connected(server.feed) as feed:
                assert feed.code(adt("A01", str(patient))) == "AA"
            assert len(listeners()) == number, "exactly one process listens at a time"
            os.kill(listeners()[-1], signal.SIGKILL)


def test_a_started_server_takes_the_feed_over_tls_from_an_allowed_client_only(tmp_path: Path) -> None:
    authority = an_authority(tmp_path)
    certificates = {name: a_certificate(tmp_path, name, authority) for name in ("server", "mpi", "guest")}
    tls = {
        "mllp_certificate": str(certificates["server"].file),
        "mllp_trust": str(authority.file),
        "mllp_clients": f"CN=nobody,O=Tilleuls,C=FR; {certificates['mpi'].fingerprint}",
    }
    settings = servers.settings_for(
        tmp_path / "data", domain="ihe", mllp="127.0.0.1:0", audit="on", audit_reserve_mb=0, **tls
    )

    def context(name: str) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(authority.file))
        if name:
            made.load_cert_chain(str(certificates[name].file))
        return made

    patient = a_patient()
    with servers.started(settings) as server:
        with connected(server.feed, context("mpi")) as feed:
            assert feed.code(adt("A01", str(patient))) == "AA"
        with suppress(OSError), connected(server.feed, context("guest")) as feed:
            assert feed.send(adt("A40", str(patient), str(a_patient()))) == []
        with suppress(OSError), connected(server.feed, context("")) as feed:
            assert feed.send(adt("A40", str(patient), str(a_patient()))) == []
        log = server.log_with("certificate not allowed")
        server.log_with("peer did not return a certificate")
    assert patient.id not in log
    refused = [read_message(row.message) for row in rows_of(settings.database_url) if row.event == "node refused"]
    assert [(one.description, one.outcome) for one in refused] == [
        ("certificate not allowed", 8),
        ("peer did not return a certificate", 8),
    ]
    assert {one.participants[1].network for one in refused} == {"127.0.0.1"}


def test_a_server_stops_with_its_feed_and_answers_first(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path, domain="ihe", mllp="127.0.0.1:0")
    with servers.started(settings) as server, connected(server.feed) as feed:
        assert feed.code(adt("A01", str(a_patient()))) == "AA"
        began = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        assert feed.answer() == []
        assert time.monotonic() - began < 20
