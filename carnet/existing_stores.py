"""What a server has made, opened by commands that work beside it. They make nothing: a mistyped folder is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from carnet.registry_wiring import open_database, open_registry, open_units
from carnet.settings import Settings, SettingsError
from registry.store import Registry
from storage import migrate
from storage.unit_of_work import Units

_MAKES_ONE = "`carnet serve` and `carnet db upgrade` make one"


def check_database_is_there(settings: Settings) -> None:
    """Raises SettingsError where there is no database, or one without tables."""
    if settings.uses_sqlite and not settings.sqlite_file.is_file():
        raise SettingsError(
            f"settings data, database: found no {settings.sqlite_file}, expected the database of a server; {_MAKES_ONE}"
        )
    engine = open_database(settings)
    try:
        with engine.connect() as connection:
            has_tables = bool(migrate.revision(connection))
    finally:
        engine.dispose()
    if not has_tables:
        raise SettingsError(
            f"settings data, database: found an empty {engine.url.render_as_string()}, "
            f"expected the database of a server; {_MAKES_ONE}"
        )


@contextmanager
def existing_units(settings: Settings, *, from_replica: bool = False) -> Iterator[Units]:
    """The database alone; `from_replica`: for statistics and exports. Raises SettingsError where there is none."""
    check_database_is_there(settings)
    units = open_units(settings, from_replica=from_replica)
    try:
        yield units
    finally:
        units.close()


@contextmanager
def existing_registry(settings: Settings, *, from_replica: bool = False) -> Iterator[Registry]:
    """The registry alone; `from_replica`: for an export. Raises SettingsError where there is no database."""
    check_database_is_there(settings)
    registry = open_registry(settings, from_replica=from_replica)
    try:
        yield registry
    finally:
        registry.units.close()
