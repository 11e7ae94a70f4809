"""Records of persons over HTTP: what the doors, the feeds and the server itself leave in them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from access_policy.caller import PurposeOfUse
from audit.dicom import read_message
from carnet.command_line import commands
from carnet.pki import Use, issue_card, issue_structure, make_igc
from carnet.pki_folder import write_igc
from carnet.registry_wiring import open_registry
from carnet.security_settings import check_security
from carnet.settings import Settings, SettingsError
from dmp.sql import events, records, usage
from registry.hidden_documents import newest_version
from tests import messages, servers, sts
from tests.audit_store import rows_of
from tests.builders import PATIENT, REPOSITORY, a_submission, an_entry, an_oid
from tests.dmp.people import notices
from tests.dmp.test_directory import HEAD
from tests.flows.test_proved_callers import World, peer_certificate, submit
from tests.mllp import adt, connected
from tests.servers import Server
from xds.errors import Rejected
from xds.vocabulary import AvailabilityStatus

NOW = datetime.now(UTC).replace(microsecond=0)
INS = PATIENT.id
CONTENT = b"<ClinicalDocument/>"


@contextmanager
def a_world(folder: Path, **given: Any) -> Iterator[World]:
    """A server with open records that the doctor, who proves who she is, may read."""
    igc = make_igc(now=NOW - timedelta(days=1))
    write_igc(folder / "pki", igc, now=NOW - timedelta(hours=1))
    trust = str(folder / "pki" / "trust")
    settings = servers.settings_for(folder / "data", security="mtls", audit_reserve_mb=1, trust=trust, **given)
    with servers.in_process(settings, peer_certificate) as server:
        servers.know_patients(settings)
        yield World(
            server=server,
            pki=folder / "pki",
            igc=igc,
            card=issue_card(igc, sts.DOCTOR, now=NOW),
            nurse=issue_card(igc, sts.NURSE, now=NOW),
            clinic=issue_structure(igc, sts.CLINIC, now=NOW),
        )


def command(server: Server, *arguments: str) -> Result:
    return CliRunner().invoke(commands, [*arguments, "--data", server.settings.data])


def carnet(server: Server, *arguments: str) -> str:
    done = command(server, *arguments)
    assert done.exit_code == 0, done.exception
    return done.output


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with a_world(tmp_path_factory.mktemp("records")) as made:
        yield made


def feed(world: World, **changes: Any) -> str:
    """uniqueId of a document that the doctor feeds."""
    unique_id = an_oid()
    assert (
        submit(world, world.vihf(), world.card[Use.AUTHENTICATION], unique_id=unique_id, **changes).status == "Success"
    )
    return unique_id


def retrieve(world: World, unique_id: str, **claim: Any) -> messages.Answered:
    body = messages.retrieve_body((REPOSITORY, unique_id))
    card = world.card[Use.AUTHENTICATION]
    return world.post("/xds/repository", body, messages.RETRIEVE, world.vihf(**claim), card, parts=[])


@contextmanager
def registry_of(settings: Settings) -> Iterator[Any]:
    registry = open_registry(settings)
    try:
        yield registry
    finally:
        registry.units.close()


def told(settings: Settings, notice: str) -> list[dict[str, str]]:
    with registry_of(settings) as registry:
        return [one for one in notices(registry.units) if one["notice"] == notice]


def acts(settings: Settings, patient: str = PATIENT.key) -> list[str]:
    with registry_of(settings) as registry, registry.units.read() as connection:
        record = records.find(connection, patient)
        return [] if record is None else [str(one.act) for one in events.all_of(connection, record.key)]


def test_s51_an_access_by_break_glass_is_told_through_the_door(world: World) -> None:
    unique_id = feed(world)
    before = len(told(world.server.settings, "emergency access"))
    answered = retrieve(world, unique_id, purpose=PurposeOfUse.BREAK_GLASS)
    assert answered.status == "Success"
    new = told(world.server.settings, "emergency access")[before:]
    assert [(one["to"], one["professional"]) for one in new] == [("holder", sts.DOCTOR.identifier)]
    assert "break_glass" in acts(world.server.settings)


def test_s24_break_glass_is_on_record_before_what_it_opens_and_once_for_an_assertion(world: World) -> None:
    """DCM 110113 Security Alert, 110127 Emergency Override Started, with who, about whom and the purpose."""
    unique_id = feed(world)
    vihf, card = world.vihf(purpose=PurposeOfUse.BREAK_GLASS), world.card[Use.AUTHENTICATION]
    before = len(rows_of(world.server.settings.database_url))
    for _ in range(2):
        body = messages.retrieve_body((REPOSITORY, unique_id))
        assert world.post("/xds/repository", body, messages.RETRIEVE, vihf, card, parts=[]).status == "Success"
    new = [one for one in rows_of(world.server.settings.database_url)[before:] if one.caller == sts.DOCTOR.identifier]
    assert [one.event for one in new] == ["break-glass", "ITI-43", "ITI-43"]
    record = read_message(new[0].message)
    assert (record.event_id.code, record.type_codes[0].code) == ("110113", "110127")
    assert record.patient == PATIENT.key
    assert [one.code for one in record.purposes] == [str(one.code) for one in read_message(new[1].message).purposes]


def test_s55_the_holder_is_told_of_a_document_added(world: World) -> None:
    before = len(told(world.server.settings, "document added"))
    feed(world)
    assert len(told(world.server.settings, "document added")) == before + 1


def test_s36_a_normal_reading_is_counted_and_not_told(world: World) -> None:
    unique_id = feed(world)
    before = len(told(world.server.settings, "emergency access"))
    retrieve(world, unique_id)
    assert len(told(world.server.settings, "emergency access")) == before
    with registry_of(world.server.settings) as registry, registry.units.read() as connection:
        assert [number for _, number in usage.readers(connection, "profession", "0", "9")] == [1]
        assert sum(row[-1] for row in usage.fed(connection, ("actor",), "0", "9")) >= 1


def test_the_journal_of_the_holder_has_what_came_through_the_door(world: World) -> None:
    retrieve(world, feed(world))
    lines = json.loads(carnet(world.server, "record", "journal", INS, "--by", "holder", "--json"))
    assert ("ITI-43", sts.DOCTOR.identifier) in [(one["action"], one["actor"]) for one in lines]


def test_a_document_is_masked_and_unmasked_by_command(world: World) -> None:
    unique_id = feed(world)

    def codes() -> list[str]:
        with registry_of(world.server.settings) as registry:
            entry = registry.units.write(lambda unit: newest_version(registry, unit, unique_id))
            return [one.code for one in entry.confidentiality_code]

    carnet(world.server, "record", "mask", INS, unique_id, "--by", "holder")
    carnet(world.server, "record", "mask", INS, unique_id, "--by", "holder")
    assert sorted(codes()) == ["MASQUE_PS", "N"]
    carnet(world.server, "record", "unmask", INS, unique_id, "--by", "holder")
    assert codes() == ["N"]
    assert acts(world.server.settings)[-3:] == ["mask", "mask", "unmask"]


def test_a_document_is_archived_brought_back_and_deleted_by_command(world: World) -> None:
    unique_id = feed(world)

    def status() -> str:
        with registry_of(world.server.settings) as registry:
            entry = registry.units.write(lambda unit: newest_version(registry, unit, unique_id))
            return (entry.availability_status or AvailabilityStatus.APPROVED).name

    for step, after in (("archive", "ARCHIVED"), ("archive", "ARCHIVED"), ("unarchive", "APPROVED")):
        carnet(world.server, "record", step, INS, unique_id, "--by", "holder")
        assert status() == after
    carnet(world.server, "record", "delete", INS, unique_id, "--by", "holder")
    done = command(world.server, "record", "unarchive", INS, unique_id)
    assert isinstance(done.exception, Rejected)
    assert "Deleted, expected urn:asip:ci-sis:2010:StatusType:Archived" in done.exception.errors[0].context
    assert status() == "DELETED"
    assert acts(world.server.settings)[-5:] == ["archive", "archive", "unarchive", "delete", "unarchive"]


def test_a_document_of_another_person_is_not_masked(world: World) -> None:
    carnet(world.server, "record", "open", "258063523804186")
    unique_id = feed(world)
    done = command(world.server, "record", "mask", "258063523804186", unique_id)
    assert isinstance(done.exception, Rejected)
    assert "found none in the record" in done.exception.errors[0].context


def test_metrics_name_no_person(tmp_path: Path) -> None:
    with servers.in_process(servers.settings_for(tmp_path, domain="dmp")) as server:
        carnet(server, "record", "open", INS)
        answer = server.request("GET", "/metrics")
    text = answer.body.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'carnet_record_creations_total{channel="accueil"}' in text
    assert 'carnet_records{state="open"} 1' in text
    assert "carnet_ready{" in text
    assert INS not in text
    assert sts.DOCTOR.identifier not in text


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("structure,10B0000000,Clinique des Tilleuls,,,SA01,,", id="structure"),
        pytest.param("professional,899700218896,VILLARD Elise,10,SM26,,,", id="professional"),
    ],
)
@pytest.mark.parametrize(("setting", "expected"), [("refuse", 400), ("warn", 200), ("ignore", 200)])
def test_a_caller_whom_the_directory_does_not_know(tmp_path: Path, setting: str, expected: int, line: str) -> None:
    with a_world(tmp_path, directory=setting) as made:
        answered = made.find(made.vihf(), made.card[Use.AUTHENTICATION])
        assert answered.response.status == 200
        file = tmp_path / "directory.csv"
        file.write_text(f"{HEAD}\n{line}\n")
        carnet(made.server, "directory", "load", str(file))
        assert made.find(made.vihf(), made.card[Use.AUTHENTICATION]).response.status == expected


def test_a_merge_by_the_feed_merges_the_records(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path / "data", mllp="127.0.0.1:0")
    with servers.in_process(settings) as server:
        old, new = "258063523804186", INS
        for ins in (old, new):
            carnet(server, "record", "open", ins)
        carnet(server, "record", "authorise", old, "899700218896")
        cx = "{}^^^&1.2.250.1.213.1.4.10&ISO"
        with connected(server.feed) as sender:
            sender.send(adt("A40", cx.format(new), cx.format(old)))
        shown = json.loads(carnet(server, "record", "show", old, "--json"))
        assert (shown["patient"], shown["state"]) == (PATIENT.key, "open")
        assert [one["holder"] for one in shown["rights"]] == ["899700218896"]


def test_a_serving_process_runs_the_jobs(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path / "data")
    with registry_of(settings):
        pass
    with servers.in_process(settings) as server:
        carnet(server, "record", "inform", INS, "--now", "20250101")
    with servers.started(settings) as server:
        deadline = time.monotonic() + 30
        while acts(settings) != ["inform", "open"] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert acts(settings) == ["inform", "open"]


def test_a_moved_clock_is_refused_where_callers_are_asked(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path), clock="20300101", security="mtls", trust=str(tmp_path), certificate="x")
    with pytest.raises(SettingsError, match="clock"):
        check_security(settings)
    check_security(replace(settings, security="open"))
    with pytest.raises(SettingsError, match="refused on"):
        check_security(replace(settings, security="open", host="192.0.2.1"))


def test_the_clock_of_a_file_moves_while_the_server_runs(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("20300101")
    settings = servers.settings_for(tmp_path / "data", clock=f"@{clock}")
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        for day in ("20300101", "20310203"):
            clock.write_text(day)
            submission = a_submission(an_entry(content=CONTENT))
            [entry] = submission.document_entries
            assert messages.provide(server, submission, {entry.entry_uuid: CONTENT}).status == "Success"
        with registry_of(settings) as registry, registry.units.read() as connection:
            fed = [row[0] for row in connection.exec_driver_sql("SELECT fed FROM document_fed ORDER BY fed")]
        assert fed == ["20300101000000", "20310203000000"]
