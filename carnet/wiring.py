"""Everything a server is made of, put together: read this page as the architecture diagram."""

import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from access_policy.caller import Caller
from access_policy.visibility import visibility
from carnet.document_stores import open_documents
from carnet.domains import affinity_domain, repository_unique_id
from carnet.settings import Settings, SettingsError
from fhir_facade.document_reference import to_document_reference
from registry import document_recipient
from registry import iti42_register_document_set_b as iti42
from registry.criteria import Criteria, Form
from registry.store import Registry
from repository.store import Repository
from storage.engine import check_undamaged, open_engine
from storage.migrate import upgrade
from storage.postgresql_units import PostgresqlUnits
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import UnitOfWork, Units
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.errors import RegistryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Actors:
    """The actors of one process, sharing one database."""

    settings: Settings
    units: Units
    registry: Registry
    repository: Repository
    recipient: Repository


def open_actors(settings: Settings) -> Actors:
    """Open database and documents and build the actors. The database is brought to the newest schema."""
    registry = open_registry(settings)
    units = registry.units

    def register(unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        iti42.handle(registry, unit, reading, caller, kind=SubmissionKind.PROVIDE)
        return ()

    def receive(unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        takes_limited = settings.limited_metadata
        return document_recipient.receive(registry, unit, reading, caller, takes_limited=takes_limited)

    def readable(caller: Caller, unique_ids: Collection[str]) -> frozenset[str]:
        criteria = Criteria(unique_ids=tuple(sorted(unique_ids)), on_demand=True)
        found = registry.find(criteria, visibility(caller), form=Form.REFERENCE) if unique_ids else ()
        return frozenset(one.unique_id for one in found if one.unique_id)

    def removable(caller: Caller, unique_ids: Collection[str]) -> frozenset[str]:
        return frozenset(unique_ids) if visibility(caller).everything else frozenset()

    repository = Repository(
        unique_id=repository_unique_id(settings),
        units=units,
        blobs=open_documents(settings),
        register=register,
        readable=readable,
        removable=removable,
        now=now,
        on_leftover=_log_leftover,
        on_damage=_DamageLog(),
    )
    recipient = replace(repository, register=receive)
    return Actors(settings=settings, units=units, registry=registry, repository=repository, recipient=recipient)


def open_registry(settings: Settings) -> Registry:
    """The registry alone, for commands that work beside a running server."""
    return Registry(open_units(settings), domain=affinity_domain(settings), render_fhir=to_document_reference, now=now)


def open_units(settings: Settings, *, whole: bool = False) -> Units:
    """The database alone, at the newest schema; `whole`: after its file was read and found undamaged."""
    if settings.uses_sqlite:
        settings.data_folder.mkdir(parents=True, exist_ok=True)
    try:
        engine = open_engine(settings.database_url, connections=settings.threads)
    except ValueError as problem:
        raise SettingsError(f"setting database: {problem}") from problem
    if whole:
        check_undamaged(engine)
    upgrade(engine)
    return SqliteUnits(engine) if settings.uses_sqlite else PostgresqlUnits(engine)


def _log_leftover(key: str, problem: Exception) -> None:
    structlog.get_logger().warning("blob not deleted, to be collected", key=key, problem=type(problem).__name__)


class _DamageLog:
    """Tells the log of each damaged document, with how many there were since the process started."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self, key: str) -> None:
        structlog.get_logger().error("document damaged, not delivered", key=key, since_start=next(self._count))


def now() -> str:
    """The time as DTM to the second, UTC."""
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S")
