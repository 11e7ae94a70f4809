"""Statistics and exports read from a streaming standby, and nothing else does."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from storage.engine import open_engine
from storage.postgresql_units import PostgresqlUnits
from storage.replica import NoReplica, ReadingFromReplica
from storage.unit_of_work import StorageFailed
from tests import memory, messages, postgresql, servers, standby
from tests.builders import PATIENT, a_submission, an_entry
from tests.carnet.test_media_commands import carnet
from tests.servers import Server

pytestmark = pytest.mark.postgresql
_SPOKEN = {"log_statement": "all"}
CONTENT = b"<d>1</d>"


@dataclass(frozen=True)
class Pair:
    """A primary and its standby, each with a log of all that it is asked."""

    ports: tuple[int, int]
    logs: tuple[Path, Path]

    @property
    def primary(self) -> str:
        return f"postgresql+psycopg://carnet@127.0.0.1:{self.ports[0]}/postgres"

    @property
    def replica(self) -> str:
        return f"postgresql+psycopg://carnet@127.0.0.1:{self.ports[1]}/postgres"

    def asked(self, before: tuple[str, str] = ("", "")) -> tuple[str, str]:
        """What each has logged, since `before` was logged."""
        primary, replica = (log.read_text() for log in self.logs)
        return primary[len(before[0]) :], replica[len(before[1]) :]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    if postgresql.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    with ExitStack() as stack:
        home = stack.enter_context(memory.folder())
        home.chmod(0o755)
        ports = servers.free_port(), servers.free_port()
        settings = {**standby.PRIMARY, **_SPOKEN}
        stack.enter_context(postgresql.running(keep_in=home / "primary", settings=settings, port=ports[0]))
        stack.enter_context(standby.following(*ports, home / "standby", settings=_SPOKEN))
        yield Pair(ports, (home / "primary" / "log", home / "standby" / "log"))


@pytest.fixture(scope="module")
def server(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that has a document, and the setting."""
    settings = servers.settings_for(tmp_path_factory.mktemp("replica"), pair.primary, audit="on", replica=pair.replica)
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        entry = an_entry(content=CONTENT)
        assert messages.provide(running, a_submission(entry), {entry.entry_uuid: CONTENT}).status == "Success"
        yield running


COMMANDS = {
    "stats": (("stats", "--json"), "FROM document_fed"),
    "export": (("export", PATIENT.id, "--authority", PATIENT.authority, "--xdm", "RECORD"), "FROM registry_object"),
    "audit export": (
        ("audit", "export", "--patient", PATIENT.id, "--authority", PATIENT.authority),
        "audit_record.patient =",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_statistics_and_exports_ask_the_standby_alone(name: str, server: Server, pair: Pair, tmp_path: Path) -> None:
    words, question = COMMANDS[name]
    given = (str(tmp_path / "record.zip") if word == "RECORD" else word for word in words)
    stores = ("--database", pair.primary, "--data", server.settings.data)
    before = pair.asked()
    done = carnet(*given, *stores, "--replica", pair.replica)
    assert done.code == 0, done
    primary, replica = pair.asked(before)
    assert question in replica
    assert question not in primary


def test_without_the_setting_they_ask_the_database_itself(server: Server, pair: Pair) -> None:
    before = pair.asked()
    assert carnet("stats", "--json", "--database", pair.primary).code == 0
    primary, replica = pair.asked(before)
    assert "FROM document_fed" in primary
    assert "document_fed" not in replica


def test_no_transaction_asks_the_standby(server: Server, pair: Pair) -> None:
    before = pair.asked()
    entry = an_entry(content=CONTENT)
    assert messages.provide(server, a_submission(entry), {entry.entry_uuid: CONTENT}).status == "Success"
    slots = {
        "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    }
    assert messages.query(server, messages.FIND_DOCUMENTS, slots).status == "Success"
    path = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}&status=current"
    assert server.request("GET", path).status == 200
    primary, replica = pair.asked(before)
    assert "registry_object" in primary
    assert "SELECT" not in replica


def test_what_was_committed_before_is_exported_however_far_the_standby_is_behind(
    server: Server, pair: Pair, tmp_path: Path
) -> None:
    standby.said(pair.ports[1], "SELECT pg_wal_replay_pause()")
    entry = an_entry(content=CONTENT)
    assert messages.provide(server, a_submission(entry), {entry.entry_uuid: CONTENT}).status == "Success"
    asked = pair.asked()
    goes_on = threading.Thread(target=_goes_on_when_asked_for, args=(pair, asked))
    goes_on.start()
    record = tmp_path / "record.zip"
    words = ("export", PATIENT.id, "--authority", PATIENT.authority, "--xdm", record, "--json")
    done = carnet(*words, "--database", pair.primary, "--data", server.settings.data, "--replica", pair.replica)
    goes_on.join()
    assert done.code == 0, done
    assert entry.unique_id in json.dumps(
        carnet("import", record, "--data", server.settings.data, "--database", pair.primary, "--json").json
    )


def _goes_on_when_asked_for(pair: Pair, before: tuple[str, str]) -> None:
    """Lets the standby go on once somebody waits for it."""
    deadline = time.monotonic() + 30
    while "pg_last_wal_replay_lsn" not in pair.asked(before)[1] and time.monotonic() < deadline:
        time.sleep(0.02)
    standby.said(pair.ports[1], "SELECT pg_wal_replay_resume()")


def test_a_standby_that_does_not_follow_is_told_after_a_while(pair: Pair) -> None:
    units = ReadingFromReplica(PostgresqlUnits(open_engine(pair.primary)), open_engine(pair.replica), wait_seconds=0.1)
    standby.said(pair.ports[1], "SELECT pg_wal_replay_pause()")
    try:
        units.write(lambda unit: unit.connection.execute(text("CREATE TABLE IF NOT EXISTS behind (n integer)")))
        with pytest.raises(StorageFailed, match="has not caught up"), units.read():
            pass
    finally:
        standby.said(pair.ports[1], "SELECT pg_wal_replay_resume()")
        units.close()


def test_writes_go_to_the_database_itself_and_are_read_at_once(pair: Pair) -> None:
    units = ReadingFromReplica(PostgresqlUnits(open_engine(pair.primary)), open_engine(pair.replica))
    try:
        units.write(lambda unit: unit.connection.execute(text("CREATE TABLE IF NOT EXISTS written (n integer)")))
        for number in range(20):
            units.append(lambda unit, number=number: _insert(unit.connection, number))
            with units.read() as connection:
                assert connection.execute(text("SELECT max(n) FROM written")).scalar_one() == number
                assert connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()
    finally:
        units.close()


def _insert(connection: Connection, number: int) -> None:
    connection.execute(text("INSERT INTO written VALUES (:n)"), {"n": number})


def test_another_database_is_no_replica(pair: Pair, postgresql_url: str) -> None:
    units = PostgresqlUnits(open_engine(pair.primary))
    with pytest.raises(NoReplica, match="expected a standby of postgres"):
        ReadingFromReplica(units, open_engine(postgresql_url))
    units.close()


def test_sqlite_has_no_replica(tmp_path: Path) -> None:
    done = carnet("stats", "--data", tmp_path, "--replica", "postgresql+psycopg://carnet@127.0.0.1/postgres")
    assert done.code == 2
    assert "setting replica: found one beside SQLite" in done.err
