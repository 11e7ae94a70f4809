"""Folders that are made: durable by name, and for nobody else to look into."""

import os
import stat
from pathlib import Path

from storage.durable_folders import make_folder


def test_a_folder_that_is_made_is_for_its_account_alone(tmp_path: Path) -> None:
    """Databases and documents of patients lie in it, whatever the umask of who starts a server."""
    before = os.umask(0o022)
    try:
        make_folder(tmp_path / "data" / "documents")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / one).stat().st_mode) for one in ("data", "data/documents")] == [0o700, 0o700]


def test_a_folder_that_is_there_stays_as_its_operator_made_it(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    make_folder(tmp_path / "shared")
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o750
