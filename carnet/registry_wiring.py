"""The database and the registry on it: all that most commands open, beside a running server or without one."""

from sqlalchemy import Engine

from audit.recorder import NO_RECORDER, Recorder
from carnet.audit_wiring import open_trail
from carnet.clock import clock
from carnet.domains import affinity_domain
from carnet.policy_wiring import policy_of
from carnet.record_wiring import watcher_of
from carnet.settings import Settings, SettingsError
from fhir_facade.rendering import render_fhir
from registry.store import Registry
from storage.durable_folders import make_folder
from storage.engine import check_undamaged, open_engine
from storage.migrate import upgrade
from storage.postgresql_units import PostgresqlUnits
from storage.replica import ReadingFromReplica
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import OnSyncLost, Units, go_on
from subscriptions.changes import Outbox


def open_registry(settings: Settings, *, from_replica: bool = False) -> Registry:
    """The registry alone, for commands that work beside a running server; `from_replica` for those that export."""
    units = open_units(settings, from_replica=from_replica)
    return registry_on(settings, units, open_trail(settings, units) or NO_RECORDER)


def registry_on(settings: Settings, units: Units, recorder: Recorder) -> Registry:
    """The registry of these settings on an open database."""
    return Registry(
        units,
        domain=affinity_domain(settings),
        render_fhir=render_fhir,
        now=clock(settings.clock),
        recorder=recorder,
        watcher=watcher_of(settings),
        policy=policy_of(settings),
        notifier=Outbox(),
    )


def open_units(
    settings: Settings, *, whole: bool = False, from_replica: bool = False, on_sync_lost: OnSyncLost = go_on
) -> Units:
    """The database alone, at the newest schema; `whole`: after its file was read and found undamaged.

    `from_replica`: read from the standby of the settings where there is one, for statistics and exports; nothing that a
    transaction answers may come from a standby. Raises SettingsError, NoReplica.
    """
    if settings.uses_sqlite:
        make_folder(settings.data_folder)
    engine = open_database(settings)
    if whole:
        check_undamaged(engine)
    upgrade(engine)
    if settings.uses_sqlite:
        return SqliteUnits(engine, on_sync_lost=on_sync_lost)
    units = PostgresqlUnits(engine)
    if not (from_replica and settings.replica):
        return units
    return ReadingFromReplica(units, _opened(settings, "replica", settings.replica))


def open_database(settings: Settings) -> Engine:
    """The database as it is. Raises SettingsError for a URL that names none."""
    return _opened(settings, "database", settings.database_url)


def _opened(settings: Settings, name: str, url: str) -> Engine:
    try:
        return open_engine(url, connections=settings.threads)
    except ValueError as problem:
        raise SettingsError(f"setting {name}: {problem}") from problem
