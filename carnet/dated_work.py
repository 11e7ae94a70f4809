"""The jobs of a server, put together with registry and repository, and the thread that runs them while it serves."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial

import structlog

from access_policy.caller import Caller
from carnet.clock import Clock, true_time
from carnet.failures import log_unexpected
from carnet.notice_senders import sender_of
from carnet.record_opening import open_known
from carnet.record_wiring import HIDDEN, has_records, open_records
from carnet.settings import SettingsError
from carnet.wiring import Actors
from jobs.dated_work import Job, Ran
from jobs.folded_counters import folded_counters
from jobs.hidden_documents import Hidden, announcements, lifted_visibility
from jobs.purged_notifications import purged_notifications
from jobs.record_jobs import automatic_opening, closing_after_suspension, erasing_after_retention
from jobs.sent_notices import sent_notices
from registry.erasure import contents_of, erase_metadata
from registry.hidden_documents import hidden_until, newest_version
from registry.metadata_versions import restricted, write_version
from registry.store import Registry
from repository import iti86_remove_documents as iti86
from repository.document_request import DocumentRequest
from repository.store import Repository
from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from xds.errors import Rejected

SERVER_CALLER = Caller(name="carnet", is_open=True)
_TURN = "jobs"
_MINUTE = 60.0


def jobs_of(actors: Actors) -> tuple[Job, ...]:
    """In the order in which they run: those of records, where there are any, and those of subscriptions.

    Raises SettingsError without a registry, or where records have not both actors in this process.
    """
    if actors.registry is None:
        raise SettingsError("setting roles: expected the registry, whose jobs these are")
    of_records = _jobs_of_records(actors) if has_records(actors.settings) else ()
    return (*of_records, _purging(actors))


def _purging(actors: Actors) -> Job:
    return purged_notifications(actors.units, days=actors.settings.notification_days)


def _jobs_of_records(actors: Actors) -> tuple[Job, ...]:
    """Raises SettingsError where there are not both actors."""
    registry, repository = actors.together()
    dmp, units = open_records(actors.settings), actors.units

    def hidden(moment: str) -> Iterator[Hidden]:
        return (Hidden(**asdict(one)) for one in hidden_until(registry, moment))

    def lift(unit: UnitOfWork, one: Hidden) -> None:
        opened = restricted(newest_version(registry, unit, one.entry_uuid), remove=[HIDDEN])
        if opened is not None:
            write_version(registry, unit, opened, SERVER_CALLER)

    send = sender_of(actors.settings, units)
    return (
        automatic_opening(dmp, units, partial(open_known, registry)),
        closing_after_suspension(dmp, units),
        announcements(dmp, units, hidden),
        lifted_visibility(dmp, units, hidden, lift),
        erasing_after_retention(dmp, units, lambda patient: remove_all(registry, repository, patient)),
        folded_counters(dmp, units),
        *([] if send is None else [sent_notices(units, send)]),
    )


def remove_all(registry: Registry, repository: Repository, patient: str) -> None:
    """Documents, then metadata, of one patient. What is removed already is no error: a run may have been stopped.

    Raises Rejected with what could not be removed.
    """
    found = contents_of(registry, patient)
    held = repository.held(SERVER_CALLER, found.documents) if found.documents else {}
    requests = [
        DocumentRequest(repository_unique_id=repository.unique_id, document_unique_id=one) for one in sorted(held)
    ]
    removal = iti86.handle(repository, requests, SERVER_CALLER) if requests else None
    if removal is not None and removal.errors:
        raise Rejected(removal.errors)
    registry.units.write(lambda unit: erase_metadata(registry, unit, found, SERVER_CALLER))


def run_all(jobs: Iterable[Job], units: Units, now: str) -> tuple[Ran, ...]:
    """Every job once; nothing when another process of this database is at it. Raises StorageFailed."""
    with units.turn(_TURN) as is_mine:
        return tuple(job.run(now) for job in jobs) if is_mine else ()


class Scheduler(threading.Thread):
    """Runs the jobs of a serving process, at its start and then again and again."""

    def __init__(self, jobs: tuple[Job, ...], units: Units, *, minutes: int, clock: Clock = true_time) -> None:
        super().__init__(name="jobs", daemon=True)
        self._jobs, self._units, self._seconds, self._clock = jobs, units, minutes * _MINUTE, clock
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._run_once()
            self._stopping.wait(self._seconds)

    def stop(self) -> None:
        """Ask it to stop, and wait for the job that it is at."""
        self._stopping.set()
        if self.is_alive():
            self.join()

    def _run_once(self) -> None:
        log = structlog.get_logger()
        try:
            for ran in run_all(self._jobs, self._units, self._clock()):
                if ran.done or ran.left:
                    log.info("job done", job=ran.job, done=ran.done, left=len(ran.left))
        except StorageFailed as problem:
            log.warning("jobs interrupted", problem=type(problem).__name__)
        except Exception as problem:  # noqa: BLE001 - the thread lives on: the next run tries again
            log_unexpected(problem)


def started_scheduler(actors: Actors) -> Scheduler | None:
    """A running one; none where the settings want none, a test moves the clock, or the registry is elsewhere.

    With registry and repository apart, the jobs of records are for a command that has both.
    """
    settings = actors.settings
    if not settings.jobs_minutes or settings.clock or actors.registry is None:
        return None
    is_apart = has_records(settings) and actors.repository is None
    jobs = (_purging(actors),) if is_apart else jobs_of(actors)
    scheduler = Scheduler(jobs, actors.units, minutes=settings.jobs_minutes)
    scheduler.start()
    return scheduler
