"""The audit of a server over real HTTP: every request joined with its record, whatever happens to the receiver."""

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from audit import outbox
from audit.delivery import Sender
from audit.dicom import read_message
from audit.syslog import Origin
from audit.syslog_transport import SyslogTarget, SyslogTransport, client_context
from carnet.command_line import commands
from carnet.registry_wiring import open_units
from tests import messages, servers
from tests.audit.syslog_receiver import Receiver
from tests.audit.test_delivery import QUICK, killed
from tests.audit_store import Trail, rows_of
from tests.builders import PATIENT, a_submission, an_entry
from tests.certificates import Holder, a_certificate, an_authority
from tests.servers import Server
from xds.metadata import DocumentEntry

_CLIENTS = 4
_ASKED = re.compile(rb"\('(2\.25\.[0-9]+)'\)")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Holder:
    return an_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def receiver(authority: Holder, tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(a_certificate(tmp_path, "arr", authority).file, authority.file)
    yield made
    made.kill()


def asked_for(message: bytes) -> str:
    """The uniqueId that a recorded query asks for; empty for any other record."""
    query = next((one.query for one in read_message(message).objects if one.query is not None), b"")
    found = _ASKED.search(query)
    return found[1].decode() if found else ""


def ask(server: Server, unique_id: str) -> None:
    body = messages.query_body(messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"})
    message = messages.envelope(body, messages.QUERY_ACTION)
    assert server.post("/xds/registry", message, messages.simple_type(messages.QUERY_ACTION)).status == 200


def test_1000_requests_are_joined_with_their_records_while_the_receiver_is_killed_100_times(
    tmp_path: Path, authority: Holder, receiver: Receiver
) -> None:
    settings = servers.settings_for(tmp_path / "data", audit="on", audit_reserve_mb=0)
    client = a_certificate(tmp_path, "node", authority)
    context = client_context(certificate=str(client.file), key="", trust=str(authority.file))
    target = SyslogTarget(host="127.0.0.1", port=receiver.port, context=context, origin=Origin(host="xds"))
    stopping, requested = threading.Event(), [f"2.25.{10_000 + number}" for number in range(1000)]
    with servers.in_process(settings) as server:
        units = open_units(settings)
        sender = Sender(units, SyslogTransport(target), pause=QUICK)
        sender.start()
        with ThreadPoolExecutor(_CLIENTS + 1) as threads:
            kills = threads.submit(killed, receiver, 100, stopping, 7)
            asking = [threads.submit(ask, server, one) for one in requested]
            for one in asking:
                one.result()
        sealed = _in_their_order(settings, len(requested))
        receiver.wait_for(lambda one: any(asked_for(got.message) == sealed[-1] for got in one.received[-50:]))
        sender.stop()
        units.close()
    assert kills.result() == 100
    assert sorted(sealed) == sorted(requested)
    assert list(dict.fromkeys(name for one in receiver.received if (name := asked_for(one.message)))) == sealed
    duplicates = len(receiver.received) - len({one.message for one in receiver.received})
    assert duplicates <= 100  # what the receiver had read of the portion under way: at most a record of a kill
    print(f"{len(receiver.received)} records came, {duplicates} of them twice, 100 kills")


def _in_their_order(settings: servers.Settings, count: int) -> list[str]:
    """What was asked for, in the order of the chain, once every record has its place in it."""
    deadline = time.monotonic() + 20
    while True:
        rows = [(row.sequence, name) for row in rows_of(settings.database_url) if (name := asked_for(row.message))]
        if len(rows) >= count and all(sequence for sequence, _ in rows):
            return [name for _, name in sorted(rows)]
        assert time.monotonic() < deadline, len(rows)
        time.sleep(0.2)


def test_a_server_sends_its_records_to_the_receivers_of_its_settings(
    tmp_path: Path, authority: Holder, receiver: Receiver
) -> None:
    settings = servers.settings_for(
        tmp_path / "data",
        audit="on",
        audit_reserve_mb=1,
        audit_syslog=f"127.0.0.1:{receiver.port}",
        audit_certificate=str(a_certificate(tmp_path, "node", authority).file),
        audit_trust=str(authority.file),
    )
    with servers.started(settings) as server:
        ask(server, "2.25.77")
        receiver.wait_for(lambda one: any(asked_for(got.message) == "2.25.77" for got in one.received))
    events = [row.event for row in rows_of(settings.database_url)]
    assert events[:2] == ["start", "recording started"]
    assert events[-2:] == ["recording stopped", "stop"]
    anchors = (Path(settings.data) / "audit-anchors.jsonl").read_text().splitlines()
    assert json.loads(anchors[-1])["sequence"] == len(events)


def test_a_full_spool_stops_everything_says_so_and_goes_on_without_a_restart(
    tmp_path: Path, authority: Holder, receiver: Receiver
) -> None:
    receiver.kill()
    settings = servers.settings_for(
        tmp_path / "data",
        audit="on",
        audit_reserve_mb=0,
        audit_spool_mb=1,
        audit_syslog=f"127.0.0.1:{receiver.port}",
        audit_certificate=str(a_certificate(tmp_path, "node", authority).file),
        audit_trust=str(authority.file),
    )
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        listed = ",".join(f"'2.25.{number}'" for number in range(10**20, 10**20 + 20))
        slots = {"$XDSDocumentEntryUniqueId": [f"({listed})"] * 40}
        answers = [messages.query(server, messages.GET_DOCUMENTS, slots) for _ in range(45)]
        assert {one.status for one in answers} <= {"Success", "Failure"}
        _until(server, "audit spool full")
        refused = [
            messages.query(server, messages.GET_DOCUMENTS, slots),
            messages.retrieve(server, ("1.2.3", "2.25.1")),
            messages.provide(server, a_submission(entry := an_entry(content=b"x")), {entry.entry_uuid: b"x"}),
        ]
        assert [one.status for one in refused] == ["Failure"] * 3
        assert {code for one in refused for code in one.codes} == {"XDSRegistryOutOfResources"}
        assert server.request("GET", "/fhir/DocumentReference?identifier=2.25.1").status == 503
        receiver.start()
        _until(server, "ready")
        assert messages.retrieve(server, ("1.2.3", "2.25.1")).codes == ["XDSUnknownRepositoryId"]


def _until(server: Server, words: str) -> None:
    deadline = time.monotonic() + 40
    while words not in (said := server.request("GET", "/health/ready").body.decode()):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


@pytest.fixture
def used(tmp_path: Path) -> tuple[servers.Settings, DocumentEntry]:
    """A database that a server has left, with a submission, a query, and a retrieval that failed."""
    settings = servers.settings_for(tmp_path / "data", audit="on", audit_reserve_mb=0)
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        entry = an_entry(content=b"x")
        messages.provide(server, a_submission(entry), {entry.entry_uuid: b"x"})
        ask(server, "2.25.5")
        messages.retrieve(server, ("1.2.3", "2.25.6"))
    return settings, entry


def run(settings: servers.Settings, *words: str) -> "tuple[int, str]":
    given = ["--data", settings.data, "--security", "open", "--audit", "on"]
    result = CliRunner().invoke(commands, ["audit", *words, *given])
    return result.exit_code, result.stdout


def test_verify_says_that_all_is_whole_and_names_the_first_break(used: tuple[servers.Settings, DocumentEntry]) -> None:
    settings, _ = used
    code, said = run(settings, "verify", "--json")
    assert (code, json.loads(said)["broken"]) == (0, None)
    assert json.loads(said)["verified"] == len(rows_of(settings.database_url))
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit_record SET message = message || ' ' WHERE sequence = 4"))
    engine.dispose()
    code, said = run(settings, "verify")
    assert code == 1
    assert said.startswith("broken at sequence 4")


@pytest.mark.parametrize("form", ["json", "csv", "xml"])
def test_an_export_has_every_trace_of_one_and_is_itself_on_record(
    used: tuple[servers.Settings, DocumentEntry], form: str, tmp_path: Path
) -> None:
    settings, _ = used
    code, said = run(settings, "export", "--professional", "127.0.0.1", "--format", form, "--from", "2020-01-01")
    assert code == 0
    assert [said.count(name) for name in ("ITI-41", "ITI-43")] != [0, 0]
    assert "ITI-18" in said
    last = rows_of(settings.database_url)[-1]
    assert (last.event, last.outcome, last.caller) == ("log used", 0, "operator")
    details = [detail.value for one in read_message(last.message).objects for detail in one.details]
    assert details[0] == b"127.0.0.1"


def test_an_export_by_patient_has_that_patient_alone_and_a_period_bounds_it(
    used: tuple[servers.Settings, DocumentEntry],
) -> None:
    settings, _ = used
    _, said = run(settings, "export", "--patient", PATIENT.key)
    assert [one["transaction"] for one in json.loads(said)] == ["ITI-41", "export"]
    _, said = run(settings, "export", "--patient", PATIENT.key, "--to", "2020-01-01")
    assert json.loads(said) == []
    _, said = run(settings, "export", "--patient", "199999999999999")
    assert [one["transaction"] for one in json.loads(said)] == ["export"]


_OF_X = ("export", "--professional", "x")


@pytest.mark.parametrize(
    "words",
    [
        ("export",),
        (*_OF_X, "--from", "yesterday"),
        (*_OF_X, "--to", "9999-12-31"),
        (*_OF_X, "--from", "2026-03-02", "--to", "2026-03-01"),
    ],
    ids=["nobody", "no date", "a day without end", "an end before the begin"],
)
def test_a_question_that_is_none_is_a_usage_error(
    used: tuple[servers.Settings, DocumentEntry], words: tuple[str, ...]
) -> None:
    settings, _ = used
    before = len(rows_of(settings.database_url))
    assert run(settings, *words)[0] == 2
    assert len(rows_of(settings.database_url)) == before


def test_status_counts(used: tuple[servers.Settings, DocumentEntry]) -> None:
    settings, _ = used
    code, said = run(settings, "status", "--json")
    found = json.loads(said)
    assert (code, found["sealed"], found["unsealed"]) == (0, len(rows_of(settings.database_url)), 0)


def test_without_audit_nothing_is_recorded(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path / "data")
    with servers.in_process(settings) as server:
        trail = Trail(server, with_node=True)
        ask(server, "2.25.5")
        assert trail.messages() == []


@pytest.mark.parametrize("path", ["/xds/registry"])
def test_a_request_whose_transaction_breaks_is_on_record(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise LookupError("seeded")

    monkeypatch.setattr("carnet.xds_door.iti18.soap", broken)
    settings = servers.settings_for(tmp_path / "data", audit="on", audit_reserve_mb=0)
    with servers.in_process(settings) as server:
        trail = Trail(server)
        body = messages.query_body(messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": "('2.25.9')"})
        server.post(path, messages.envelope(body, messages.QUERY_ACTION), messages.simple_type(messages.QUERY_ACTION))
        (record,) = trail.records()
    assert (int(record.outcome), record.description, record.type_codes[0].code) == (12, "LookupError", "ITI-18")


def test_a_cut_end_shows_by_a_signed_anchor_and_a_forged_anchor_is_told(
    used: tuple[servers.Settings, DocumentEntry], tmp_path: Path, authority: Holder
) -> None:
    settings, _ = used
    node = a_certificate(tmp_path, "signer", authority)
    signs = ["--audit-signing-certificate", str(node.file)]
    code, line = run(settings, "anchor", *signs)
    assert code == 0
    elsewhere = tmp_path / "anchors.jsonl"
    elsewhere.write_text(line)
    code, said = run(settings, "verify", "--anchors", str(elsewhere), *signs, "--json")
    assert (code, json.loads(said)["anchors"], json.loads(said)["signed"]) == (0, 1, 1)
    other = a_certificate(tmp_path, "other", authority)
    code, _ = run(settings, "verify", "--anchors", str(elsewhere), "--signed-by", str(other.file))
    assert code == 2
    anchor = json.loads(line)
    anchor["sequence"] -= 1
    (tmp_path / "forged.jsonl").write_text(json.dumps(anchor))
    assert run(settings, "verify", "--anchors", str(tmp_path / "forged.jsonl"), *signs)[0] == 2
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_record WHERE sequence >= 5"))
    engine.dispose()
    (tmp_path / "none").touch()
    assert run(settings, "verify", *signs, "--anchors", str(tmp_path / "none"))[0] == 0
    assert run(settings, "verify", *signs, "--anchors", str(tmp_path / "mistyped"))[0] == 2
    code, said = run(settings, "verify", "--anchors", str(elsewhere), *signs)
    assert (code, "removed from its end" in said) == (1, True)


def test_two_anchors_of_one_sequence_that_disagree_are_told(
    used: tuple[servers.Settings, DocumentEntry], tmp_path: Path
) -> None:
    """So that an unsigned line cannot take the place of a signed one."""
    settings, _ = used
    _, line = run(settings, "anchor")
    other = json.dumps(json.loads(line) | {"seal": "00" * 32})
    (tmp_path / "anchors.jsonl").write_text(f"{line}{other}\n")
    assert run(settings, "verify", "--anchors", str(tmp_path / "anchors.jsonl"))[0] == 2


def test_a_purge_is_told_first_held_up_by_a_hold_recorded_and_verified(
    used: tuple[servers.Settings, DocumentEntry], tmp_path: Path, authority: Holder
) -> None:
    settings, _ = used
    signs = ["--audit-signing-certificate", str(a_certificate(tmp_path, "signer", authority).file)]
    assert run(settings, "purge", "--before", "2026-01-01")[0] == 2  # within the retention time
    old = int(datetime(2001, 1, 1, tzinfo=UTC).timestamp()) * 10**6
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit_record SET recorded = :old, sequence = NULL"), {"old": old})
    engine.dispose()
    _seal(settings)
    code, said = run(settings, "purge", "--json")
    count = len(rows_of(settings.database_url))
    assert (code, json.loads(said)["records"], json.loads(said)["done"]) == (0, count - 1, False)
    assert len(rows_of(settings.database_url)) == count
    assert run(settings, "hold", "--patient", PATIENT.key, "--reason", "case 7")[0] == 0
    assert "case 7" in run(settings, "holds")[1]
    about = {row.record_key for row in rows_of(settings.database_url) if row.patient == PATIENT.key}
    code, said = run(settings, "purge", "--yes", *signs)
    assert code == 0
    left = rows_of(settings.database_url)
    assert about <= {row.record_key for row in left}
    told = [read_message(row.message) for row in left if row.event == "configuration"]
    assert [one.description for one in told][:2] == ["legal hold", "audit purge"]
    assert told[0].patient == PATIENT.key
    _seal(settings)
    (Path(settings.data) / "audit-anchors.jsonl").unlink()  # of the chain before this test aged it
    code, said = run(settings, "verify", "--json", *signs)
    assert (code, json.loads(said)["broken"]) == (0, None), said
    assert json.loads(said)["purged"] > 0
    assert run(settings, "release", "--patient", PATIENT.key)[0] == 0
    assert run(settings, "release", "--patient", PATIENT.key)[0] == 1


def _seal(settings: servers.Settings) -> None:
    units = open_units(settings)
    units.write(lambda unit: outbox.seal(unit.connection))
    units.close()
