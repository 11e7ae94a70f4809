"""What a server has kept, seen from beside it: rows of the index of documents, octets on the disk."""

import os
from pathlib import Path

from sqlalchemy import func, select, text

from carnet.settings import Settings
from repository.index import document
from storage.engine import open_engine


def documents_kept(settings: Settings) -> int:
    """Documents in the index of the repository."""
    engine = open_engine(settings.database_url)
    with engine.connect() as connection:
        found = connection.execute(select(func.count()).select_from(document)).scalar_one()
    engine.dispose()
    return int(found)


def octets_of(settings: Settings) -> int:
    """Octets that a server's folder takes, and its database where that lies elsewhere; PostgreSQL's log left out."""
    engine, elsewhere = open_engine(settings.database_url), 0
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            elsewhere = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    engine.dispose()
    return int(elsewhere) + octets_on_disk(settings.data_folder)


def octets_on_disk(folder: Path) -> int:
    """Blocks that files under a folder take, in octets; files that vanish meanwhile count for nothing."""
    whole = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                whole += (Path(place) / name).lstat().st_blocks * 512
            except OSError:
                continue
    return whole
