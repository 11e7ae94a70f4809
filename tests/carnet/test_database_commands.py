"""`carnet db check`: a sound database and a damaged one, on both kinds."""

from pathlib import Path

from click.testing import CliRunner, Result

from carnet.database_commands import db
from storage import migrate
from storage.engine import UnsafeDatabase, open_engine


def check(*options: str) -> Result:
    return CliRunner().invoke(db, ["check", *options])


def made(url: str) -> None:
    engine = open_engine(url)
    migrate.upgrade(engine)
    engine.dispose()


def test_a_sound_database_is_told_so(tmp_path: Path) -> None:
    made(f"sqlite:///{tmp_path / 'carnet.sqlite'}")
    done = check("--data", str(tmp_path))
    assert (done.exit_code, done.stdout) == (0, "no damage found\n")


def test_damage_is_told(tmp_path: Path) -> None:
    file = tmp_path / "carnet.sqlite"
    made(f"sqlite:///{file}")
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    file.write_bytes(content)
    done = check("--data", str(tmp_path))
    assert isinstance(done.exception, UnsafeDatabase) and "integrity_check" in str(done.exception)


def test_postgresql_says_whether_it_checks(postgresql_url: str) -> None:
    made(postgresql_url)
    done = check("--database", postgresql_url)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("PostgreSQL checks pages as they are read: data_checksums is o")
