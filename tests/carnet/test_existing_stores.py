"""Commands that work beside a server make nothing where there is none: a mistyped --data is told."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from carnet.command_line import commands
from carnet.settings import SettingsError
from storage.engine import open_engine
from tests.command_tree import leaves

INS, DOCTOR, FOLDER = "258063523804186", "899700218896", "examples/reports"
WORDS = {
    "audit anchor": [],
    "audit export": ["--patient", INS],
    "audit hold": ["--patient", INS, "--reason", "case 2026/117"],
    "audit holds": [],
    "audit purge": ["--certificate", "tests/carnet/no.pem"],
    "audit release": ["--patient", INS],
    "audit status": [],
    "audit verify": [],
    "backup": ["copy"],
    "db check": [],
    "db rerender": [],
    "directory load": ["README.md"],
    "documents move": ["--to", "file:///nowhere"],
    "export": [INS, "--xdm", "record.zip"],
    "fsck": [],
    "gc": [],
    "import": [FOLDER],
    "jobs run": [],
    "notices list": [],
    "notices retry": [],
    "on-demand add": [INS],
    "patient add": [INS],
    "patient list": [],
    "patient merge": [INS, "258063523804187"],
    "patient show": [INS],
    "recipient list": [],
    "recipient match": ["2.25.1", INS],
    "record allow": [INS],
    "record account": [INS, "renew"],
    "record archive": [INS, "2.25.1"],
    "record authorise": [INS, DOCTOR],
    "record authorised": [DOCTOR],
    "record block": [INS, DOCTOR],
    "record change": [INS, "--city", "TOULOUSE"],
    "record close": [INS],
    "record delete": [INS, "2.25.1"],
    "record inform": [INS],
    "record journal": [INS],
    "record mask": [INS, "2.25.1"],
    "record open": [INS],
    "record oppose": [INS],
    "record reactivate": [INS],
    "record represent": [INS, "258063523804187"],
    "record request-erasure": [INS],
    "record resume": [INS],
    "record search": ["MARCHAL"],
    "record show": [INS],
    "record show-to-patient": [INS, "2.25.1"],
    "record suspend": [INS],
    "record treating-doctor": [INS],
    "record treating-doctors": ["tests/carnet/treating_doctors.csv"],
    "record unarchive": [INS, "2.25.1"],
    "record unblock": [INS, DOCTOR],
    "record unmask": [INS, "2.25.1"],
    "stats": [],
    "subscriptions dead": [],
    "subscriptions list": [],
    "subscriptions retry": [],
    "policy explain": ["--as", "patient", "--patient", INS],
}
MAKES_ONE = {"db upgrade", "demo", "restore", "serve"}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CARNET_DATA", "CARNET_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "mistyped"


def run(command: str, *words: str) -> Result:
    return CliRunner().invoke(commands, [*command.split(), *WORDS.get(command, []), *words])


def test_every_command_on_stores_is_held_to_it() -> None:
    assert isinstance(commands, click.Group)
    on_stores = {
        " ".join(words) for words, command in leaves(commands) if any(one.name == "data" for one in command.params)
    }
    assert on_stores == WORDS.keys() | MAKES_ONE


@pytest.mark.parametrize("command", WORDS)
def test_a_mistyped_folder_is_told_and_not_made(nowhere: Path, command: str) -> None:
    result = run(command, "--data", str(nowhere))
    assert isinstance(result.exception, SettingsError), result.output
    assert f"found no {nowhere}/carnet.sqlite, expected the database of a server" in str(result.exception)
    assert list(nowhere.parent.iterdir()) == []


@pytest.mark.postgresql
@pytest.mark.parametrize("command", ["patient list", "fsck", "export", "backup"])
def test_an_empty_database_is_told_and_stays_empty(nowhere: Path, postgresql_url: str, command: str) -> None:
    words = ("--data", str(nowhere), "--database", postgresql_url)
    result = run(command, *words)
    assert isinstance(result.exception, SettingsError), result.output
    assert "expected the database of a server" in str(result.exception)
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").scalar() == 0
    engine.dispose()


def test_an_empty_file_is_no_database(nowhere: Path) -> None:
    nowhere.mkdir()
    (nowhere / "carnet.sqlite").touch()
    told = str(run("patient list", "--data", str(nowhere)).exception)
    assert f"found an empty sqlite:///{nowhere}/carnet.sqlite, expected the database of a server" in told


def test_db_upgrade_makes_one(nowhere: Path) -> None:
    assert run("db upgrade", "--data", str(nowhere)).exit_code == 0
    assert run("patient add", "--data", str(nowhere)).output == "patient added\n"
