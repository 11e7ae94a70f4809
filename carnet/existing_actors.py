"""The actors of a server, opened by commands that work beside it and make nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from carnet.existing_stores import check_database_is_there
from carnet.settings import Settings
from carnet.wiring import Actors, open_actors


@contextmanager
def existing_actors(settings: Settings, *, from_replica: bool = False) -> Iterator[Actors]:
    """The actors of the settings' roles; `from_replica`: for an export. Raises SettingsError without a database."""
    check_database_is_there(settings)
    actors = open_actors(settings, from_replica=from_replica)
    try:
        yield actors
    finally:
        actors.units.close()
