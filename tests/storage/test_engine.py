"""Opening a database: who may read its files."""

import os
import stat
from pathlib import Path

from storage.engine import open_engine


def test_a_new_database_is_its_accounts_alone_in_a_folder_that_others_may_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(0o022)
    try:
        engine = open_engine(f"sqlite:///{tmp_path / 'carnet.sqlite'}")
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
        engine.dispose()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("carnet.sqlite", "carnet.sqlite-wal", "carnet.sqlite-shm"), 0o600)


def test_the_mode_of_a_database_that_was_there_is_its_operators(tmp_path: Path) -> None:
    file = tmp_path / "carnet.sqlite"
    file.touch()
    file.chmod(0o640)
    open_engine(f"sqlite:///{file}").dispose()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
