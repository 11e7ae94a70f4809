"""Everything a server is made of, put together: read this page as the architecture diagram."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import structlog

from access_policy.caller import Caller
from access_policy.visibility import claimed
from audit.recorder import NO_RECORDER
from carnet.audit_wiring import open_trail
from carnet.auditing import RECORDED_WITH_CHANGE, Auditor
from carnet.cda_acceptance import Demand as DocumentDemand
from carnet.cda_acceptance import cda_document_rules, open_rules
from carnet.clock import clock
from carnet.document_stores import open_documents
from carnet.domains import affinity_domain, repository_unique_id
from carnet.internal_calls import read_secret
from carnet.metrics import DAMAGED, LEFT_OVER, UNSETTLED, Counts
from carnet.mounted_documents import check_documents
from carnet.on_demand_documents import find_on_demand
from carnet.policy_wiring import reading_rule
from carnet.record_services import record_service
from carnet.record_wiring import accesses_of, has_records
from carnet.registry_elsewhere import RegistryElsewhere
from carnet.registry_wiring import open_units, registry_on
from carnet.roles import Role
from carnet.settings import Settings, SettingsError
from carnet.traffic import seen_in_request
from carnet.trust_folder import TrustFolder
from dmp.record_desk import RecordDesk
from registry import document_recipient, repository_questions
from registry import iti42_register_document_set_b as iti42
from registry.store import Registry
from repository import document_list
from repository.document_list import DocumentListProvider
from repository.document_rules import DocumentRules
from repository.on_demand_source import FindOnDemand, OnDemandSource
from repository.registration import InOneUnit, Registration
from repository.registration_elsewhere import Elsewhere
from repository.store import Readable, Repository, Waits, WaitsElsewhere, none_waits, none_waits_elsewhere
from repository.submission_signature import Demand, SignatureRules
from storage.unit_of_work import OnSyncLost, UnitOfWork, Units, go_on
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.errors import RegistryError

_PATIENTS = "patients of documents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actors:
    """The actors of one process, sharing one database; None for a role that another process has."""

    settings: Settings
    units: Units
    registry: Registry | None
    repository: Repository | None
    recipient: Repository | None
    registry_elsewhere: RegistryElsewhere | None
    internal_secret: str = field(repr=False)
    auditor: Auditor
    counts: Counts
    records: RecordDesk | None = None

    def together(self) -> tuple[Registry, Repository]:
        """For what needs both in one process. Raises SettingsError."""
        if self.registry is None or self.repository is None:
            found = ", ".join(sorted(self.settings.played))
            raise SettingsError(
                f"setting roles: found {found}, expected registry and repository in one process; with two, give export "
                "--repository FILE, and import --url and --registry"
            )
        return self.registry, self.repository


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reach:
    """What a repository is handed to reach its registry, which is the same for one process and for two."""

    register: Registration
    receive: Registration
    readable: Readable
    waits: Waits
    waits_elsewhere: WaitsElsewhere
    on_demand: OnDemandSource


def open_actors(
    settings: Settings, *, on_sync_lost: OnSyncLost = go_on, serves: bool = False, from_replica: bool = False
) -> Actors:
    """Open database and documents and build the actors of the roles. The database is brought to the newest schema.

    `on_sync_lost` is told that a disk failed to keep what it was told to; nothing is accepted from then on.
    `serves`: for a server, which keeps space for audit records. `from_replica`: for an export, which answers no
    transaction.
    """
    roles = settings.played
    units = open_units(settings, on_sync_lost=on_sync_lost, from_replica=from_replica)
    trail = open_trail(settings, units, serves=serves)
    recorder = trail or NO_RECORDER
    registry, elsewhere, repository, recipient = None, None, None, None
    counts = Counts()
    alerts = _Alerts(counts)
    auditor = Auditor(trail=trail, recorded_with_change=RECORDED_WITH_CHANGE - {"ITI-41"})
    if Role.REGISTRY in roles:
        registry = registry_on(settings, units, recorder)
        patients_of = partial(_patients_of, registry)
        rule_of = partial(reading_rule, registry)
        auditor = Auditor(trail=trail, patients_of=patients_of, accesses=accesses_of(settings, units), rule_of=rule_of)
        reach = _in_this_process(settings, registry)
    else:
        elsewhere = RegistryElsewhere(settings)
        auditor = replace(auditor, patients_of=elsewhere.patients_of, rule_of=elsewhere.rule_of)
        reach = _elsewhere(settings, units, elsewhere, alerts)
    if Role.REPOSITORY in roles:
        repository = _repository(settings, units, reach, alerts, on_sync_lost)
        repository = replace(repository, recorder=recorder, patients_of=auditor.patients_of)
    if Role.RECIPIENT in roles and repository is not None:
        recipient = replace(repository, registration=reach.receive)
    return Actors(
        settings=settings,
        units=units,
        registry=registry,
        repository=repository,
        recipient=recipient,
        registry_elsewhere=elsewhere,
        internal_secret=read_secret(settings),
        auditor=auditor,
        counts=counts,
        records=record_service(settings, registry) if registry is not None and has_records(settings) else None,
    )


def _in_this_process(settings: Settings, registry: Registry) -> _Reach:
    def register(unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        iti42.handle(registry, unit, reading, caller, kind=SubmissionKind.PROVIDE)
        return ()

    def receive(unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        takes_limited = settings.limited_metadata
        return document_recipient.receive(registry, unit, reading, caller, takes_limited=takes_limited)

    return _Reach(
        register=InOneUnit(registry.units, register),
        receive=InOneUnit(registry.units, receive),
        readable=partial(_readable, registry),
        waits=document_recipient.waits,
        waits_elsewhere=none_waits_elsewhere,
        on_demand=_on_demand(settings, partial(find_on_demand, registry)),
    )


def _on_demand(settings: Settings, find: FindOnDemand) -> OnDemandSource:
    return OnDemandSource(
        find=find,
        providers={document_list.NAME: DocumentListProvider(custodian=repository_unique_id(settings))},
        keeps_snapshots=settings.on_demand_snapshots,
    )


def _elsewhere(settings: Settings, units: Units, elsewhere: RegistryElsewhere, alerts: "_Alerts") -> _Reach:
    register = _registration(settings, units, elsewhere, alerts)
    kind = SubmissionKind.RECEIVE if settings.limited_metadata else SubmissionKind.PROVIDE
    return _Reach(
        register=register,
        receive=replace(register, register=elsewhere.receive, check=elsewhere.check_received, kind=kind),
        readable=elsewhere.readable,
        waits=none_waits,
        waits_elsewhere=elsewhere.waiting,
        on_demand=_on_demand(settings, elsewhere.find_on_demand),
    )


def _registration(settings: Settings, units: Units, elsewhere: RegistryElsewhere, alerts: "_Alerts") -> Elsewhere:
    """Registration by the registry of another process."""
    return Elsewhere(
        units=units,
        register=elsewhere.register,
        check=elsewhere.check,
        documents_of=elsewhere.documents_of,
        domain=affinity_domain(settings),
        on_unsettled=alerts.unsettled,
    )


def settle_awaited(settings: Settings, units: Units, *, before: float = 0.0) -> None:
    """Ask a registry elsewhere for the answers that were lost; what it has not got since before that time is given up.

    Raises RegistryNotAvailable. Where the registry is in the same process nothing is awaited.
    """
    if Role.REGISTRY not in settings.played:
        _registration(settings, units, RegistryElsewhere(settings), _Alerts(Counts())).settle_all(before=before)


def _repository(
    settings: Settings, units: Units, reach: _Reach, alerts: "_Alerts", on_sync_lost: OnSyncLost
) -> Repository:
    check_documents(settings, units, on_unreached=alerts.unreached)
    return Repository(
        unique_id=repository_unique_id(settings),
        units=units,
        blobs=open_documents(settings, on_sync_lost=on_sync_lost),
        registration=reach.register,
        readable=reach.readable,
        removable=_removable,
        waits=reach.waits,
        waits_elsewhere=reach.waits_elsewhere,
        now=clock(settings.clock),
        on_leftover=alerts.leftover,
        on_damage=alerts.damage,
        on_demand=reach.on_demand,
        signatures=_signature_rules(settings),
        document_rules=_document_rules(settings),
    )


def open_repository_beside(registry: Registry, settings: Settings) -> Repository:
    """The repository of these settings, beside its registry, which is open in this process: for an export.

    Its documents lie in a database and a store of its own. Raises SettingsError.
    """
    units = open_units(settings, from_replica=True)
    reach, alerts = _in_this_process(settings, registry), _Alerts(Counts())
    if Role.REGISTRY not in settings.played:
        elsewhere = _registration(settings, units, RegistryElsewhere(settings), alerts)
        documents_of = partial(repository_questions.documents_of, registry)
        reach = replace(reach, register=replace(elsewhere, documents_of=documents_of))
    return _repository(settings, units, reach, alerts, go_on)


def _document_rules(settings: Settings) -> DocumentRules:
    """French documents are looked at in their own domain, where nobody said otherwise."""
    return cda_document_rules(
        agreement=_demanded(settings, settings.cda_agreement),
        validity=_demanded(settings, settings.cda_validity),
        is_only_once=settings.domain == "dmp",
    )


def _demanded(settings: Settings, chosen: str) -> DocumentDemand:
    return DocumentDemand(chosen or ("warn" if settings.domain == "dmp" else "ignore"))


def open_document_rules(settings: Settings) -> None:
    """For a server that checks documents: what its processes have in common of these checks, before they begin."""
    if Role.REPOSITORY in settings.played and _demanded(settings, settings.cda_validity) is not DocumentDemand.IGNORE:
        open_rules()


def _removable(caller: Caller, unique_ids: Collection[str]) -> frozenset[str]:
    return frozenset(unique_ids) if claimed(caller).everything else frozenset()


def _signature_rules(settings: Settings) -> SignatureRules:
    """Without authorities a signature can be demanded of nobody, and nothing can be said of one."""
    trust, demand = TrustFolder(settings), Demand(settings.submission_signature)
    if not settings.trust and demand is Demand.REQUIRED:
        raise SettingsError("setting submission_signature: required needs the authorities of --trust")
    demand = demand if settings.trust else Demand.IGNORED
    return SignatureRules(demand=demand, trust=trust, now=lambda: datetime.now(UTC))


def _readable(registry: Registry, caller: Caller, ids: Collection[str]) -> Set[str]:
    """Whose documents they were found to be is what the audit record of this request names."""
    found = repository_questions.readable(registry, caller, ids)
    seen_in_request()[_PATIENTS] = {one: patient for one, patient in found.items() if patient}
    return found.keys()


def _patients_of(registry: Registry, ids: Collection[str]) -> Mapping[str, str]:
    known: Mapping[str, str] = seen_in_request().get(_PATIENTS, {})
    if known.keys() >= set(ids):
        return known
    with registry.units.look() as connection:
        return {**registry.patients_of(connection, ids), **known}


class _Alerts:
    """Tells the log, and counts."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def damage(self, key: str) -> None:
        """A document that is missing or has other octets; with how many there were since the process started."""
        number = self._counts.count(DAMAGED)
        structlog.get_logger().error("document damaged, not delivered", key=key, since_start=number)

    def leftover(self, key: str, problem: Exception) -> None:
        self._counts.count(LEFT_OVER)
        structlog.get_logger().warning("blob not deleted, to be collected", key=key, problem=type(problem).__name__)

    def unreached(self, url: str, problem: Exception) -> None:
        """The store of documents cannot be reached; metadata is served without it."""
        structlog.get_logger().error("store of documents not reached", store=url, problem=str(problem))

    def unsettled(self, submission_unique_id: str, problem: Exception) -> None:
        self._counts.count(UNSETTLED)
        structlog.get_logger().warning(
            "submission answered and not settled yet", submission=submission_unique_id, problem=type(problem).__name__
        )
