"""The HTTP server: gunicorn with threads, configured here and nowhere else."""

import gc
import logging
import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import flask
import orjson
import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from access_policy.authentication import NO_OTHERS, VerifiedCallers
from carnet.address import check_address
from carnet.application import application
from carnet.audit_wiring import RunningAudit, open_transports, started_audit
from carnet.clients import client_certificate, known_clients
from carnet.connection_shares import Shares
from carnet.dated_work import Scheduler, started_scheduler
from carnet.disk_failure import DiskFailure
from carnet.freed_memory import keep_freed_memory
from carnet.front import Front, open_front
from carnet.http_limits import RequestRates
from carnet.http_worker import HttpWorker
from carnet.mllp_door import Attendant, MllpPort, open_port
from carnet.refused_handshakes import RefusedHandshakes
from carnet.registry_wiring import open_units
from carnet.scrubbing import Scrubber, started_scrubber
from carnet.security_settings import check_security
from carnet.settings import Settings
from carnet.shared_callers import SharedCallers
from carnet.subscription_wiring import notification_targets, sender_of, started_dispatcher
from carnet.traces import Traces, open_traces
from carnet.traffic import observed
from carnet.wiring import Actors, open_actors, open_document_rules
from storage.only_server import only_server
from storage.unit_of_work import StorageFailed
from subscriptions.delivery import Dispatcher
from xds.ebrim.schema import open_explainer

_STOP_SECONDS = 30
_OTHER_DESCRIPTORS = 1000
# New objects, then collections of the generation below; those of Python are 700, 10, 10.
_COLLECTED_AFTER = (2000, 10, 25)
_DISK_FAILED = "a disk did not keep what was written, so the server stopped: see to the disk, then start it again"
# A proxy of another account opens the socket through its group.
_SOCKET_UMASK = 0o117


class _Processes(Arbiter):  # type: ignore[misc]
    """The worker processes. SIGHUP ends nothing: changed certificates and lists are read without being told."""

    def handle_hup(self) -> None:
        self.log.debug("SIGHUP: changed files are read as they change")


class HttpServer(BaseApplication):  # type: ignore[misc]
    """Runs the application in `settings.workers` processes until SIGTERM or SIGINT, then finishes requests."""

    def __init__(
        self, settings: Settings, front: Front, on_ready: Callable[[str], None], *, feed: MllpPort | None = None
    ) -> None:
        """`on_ready` is told the URLs once the server listens."""
        self.disk_failure, self.shares = DiskFailure(), Shares()
        self._verified: VerifiedCallers = SharedCallers() if settings.workers > 1 else NO_OTHERS
        self._settings, self.front, self._on_ready, self._feed = settings, front, on_ready, feed
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        for name, value in {
            "bind": [settings.address, *([settings.health] if settings.health else [])],
            "umask": _SOCKET_UMASK,
            "workers": settings.workers,
            "worker_class": HttpWorker,
            "threads": settings.threads,
            "keepalive": settings.idle_seconds,
            "graceful_timeout": _STOP_SECONDS,
            "timeout": 0,
            "control_socket_disable": True,
            "limit_request_line": 8190,
            "limit_request_fields": 100,
            "limit_request_field_size": 16380,
            "http_parser": "python",
            "sendfile": False,
            # No header of a client says how it reached us, whom it speaks for, or where the application lies.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
            "loglevel": "warning",
            "proc_name": "carnet",
            "when_ready": self._announce,
            "worker_exit": _close,
            "child_exit": self._ended,
        }.items():
            self.cfg.set(name, value)

    def open(self) -> Actors:
        """What the doors of one process serve."""
        return open_actors(self._settings, on_sync_lost=self.disk_failure, serves=True)

    def load(self) -> flask.Flask:
        """Called in each worker: database connections and threads do not survive a fork."""
        configure_log()
        actors = self.open()
        proves = self._settings.security == "mtls"
        app = application(actors, client_certificate if proves else None, self._verified)
        rates = RequestRates(self._settings.requests_per_second)
        app.wsgi_app = known_clients(app.wsgi_app, rates, behind_proxy=self._settings.is_behind_proxy)  # type: ignore[method-assign, assignment]
        self.traffic = actors.counts.traffic
        traces = open_traces(self._settings.traces)
        trace = None if traces is None else traces.tell
        app.wsgi_app = observed(app.wsgi_app, self.traffic, client_certificate, trace)  # type: ignore[method-assign, assignment]
        feed, registry = self._feed, actors.registry
        attendant = None
        if feed is not None and registry is not None:
            attendant = Attendant(feed, registry, actors.auditor, self.front.refused_handshakes, self.traffic)
        audit = started_audit(self._settings, actors.units, actors.auditor.trail)
        self.front.refused_handshakes.record_in(actors.auditor)
        app.extensions["carnet"] = _Opened(
            actors=actors,
            attendant=attendant,
            scrubber=started_scrubber(actors),
            audit=audit,
            scheduler=started_scheduler(actors),
            dispatcher=started_dispatcher(actors),
            refused_handshakes=self.front.refused_handshakes,
            traces=traces,
        )
        if attendant is not None:
            attendant.start()
        _keep_from_collection()
        keep_freed_memory()
        return app

    def run(self) -> None:
        _Processes(self).run()

    def _ended(self, _arbiter: Any, worker: Any) -> None:
        self.shares.ended(worker.age)

    def _announce(self, _arbiter: Any) -> None:
        address = self._settings.address
        url = address if self._settings.is_behind_proxy else f"{self.front.scheme}://{address}"
        urls = [url, *([] if self._feed is None else [self._feed.url])]
        self._on_ready(" and ".join(urls))


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve until told to stop. Raises SettingsError before anything is opened when the settings forbid it.

    What a worker opens is opened and closed first, in a process of its own, since clients of an object store have
    threads and these survive no fork: what is wrong ends in an exception here, not in the death of a worker. Raises
    StorageFailed when the server had to stop because a disk failed to keep something.
    """
    check_security(settings)
    _allow_descriptors(settings)
    front, feed = open_front(settings), open_port(settings)
    with only_server(settings.database_url):
        check_address(settings)
        open_units(settings, whole=True).close()
        _in_a_child(partial(_open_and_close, settings), meanwhile=partial(_open_rules, settings))
        open_transports(settings)
        sender_of(settings)
        notification_targets(settings)
        server = HttpServer(settings, front, on_ready, feed=feed)
        gc.freeze()  # what is imported by now is shared with the workers, none of which has to look through it
        try:
            server.run()
        except SystemExit:
            if server.disk_failure.has_happened:
                raise StorageFailed(_DISK_FAILED) from None
            raise


def _open_rules(settings: Settings) -> None:
    """What nothing changes and all processes share, so that a new one is as fast as one that has served for long."""
    open_explainer()
    open_document_rules(settings)


def _in_a_child(work: Callable[[], None], *, meanwhile: Callable[[], None]) -> None:
    """Done by a process that ends with it, while this one does something else. What it raises is raised here."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as children:
        done = children.submit(work)
        meanwhile()
        done.result()


def _open_and_close(settings: Settings) -> None:
    configure_log()
    actors = open_actors(settings)
    try:
        application(actors, client_certificate if settings.security == "mtls" else None)
    finally:
        actors.units.close()


def _allow_descriptors(settings: Settings) -> None:
    """As many as the connections need, where the system lets us; a shell often allows 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections + settings.uploads + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _keep_from_collection() -> None:
    """What is there at the start stays: no garbage collection walks through it again, which halts every request.

    A request leaves hardly anything to collect, so that three times as many objects are made between two of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)


def configure_log(stream: BinaryIO | None = None) -> None:
    """Structured lines on standard error, or another stream."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(file=stream or sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def _close(_arbiter: Any, worker: Any) -> None:
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["carnet"].close()


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a worker has opened."""

    actors: Actors
    attendant: Attendant | None
    scrubber: Scrubber | None
    audit: RunningAudit | None
    scheduler: Scheduler | None
    dispatcher: Dispatcher | None
    refused_handshakes: RefusedHandshakes
    traces: Traces | None

    def close(self) -> None:
        """Finish what was accepted, the feed first: it writes to the database."""
        if self.attendant is not None:
            self.attendant.stop()
        if self.scrubber is not None:
            self.scrubber.stop()
        if self.scheduler is not None:
            self.scheduler.stop()
        if self.dispatcher is not None:
            self.dispatcher.stop()
        self.refused_handshakes.stop()
        if self.audit is not None:
            self.audit.stop()
        if self.traces is not None:
            self.traces.stop()
        self.actors.units.close()
