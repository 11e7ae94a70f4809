"""An empty SQLite database at the newest schema, made once in a process and copied: the migrations take 0.3 s.

What they do to every older schema is tested in tests/storage and tests/carnet/test_database_commands.py.
"""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from carnet.settings import Settings
from storage.durable_folders import make_folder, sync_folder
from storage.engine import open_engine
from storage.migrate import upgrade
from tests import memory


def migrate(url: str) -> None:
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


@cache
def file() -> Path:
    """To be copied, never opened."""
    folder = tempfile.mkdtemp(prefix="carnet-schema-", dir=memory.place())
    atexit.register(shutil.rmtree, folder)
    made = Path(folder) / "carnet.sqlite"
    migrate(f"sqlite:///{made}")
    return made


def give(settings: Settings) -> None:
    """To a server that would begin with making it: one on SQLite whose folder holds no database yet.

    As durable as one that SQLite made: tests cut the power of the device it lies on.
    """
    if settings.uses_sqlite and not settings.sqlite_file.exists():
        make_folder(settings.sqlite_file.parent)
        with file().open("rb") as made, settings.sqlite_file.open("wb") as given:
            shutil.copyfileobj(made, given)
            given.flush()
            os.fsync(given.fileno())
        sync_folder(settings.sqlite_file.parent)
