"""Servers under test: in process on a thread, and started as their users start them."""

import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from carnet.address import address_of
from carnet.application import application
from carnet.audit_wiring import started_audit
from carnet.authentication import PeerCertificate
from carnet.clock import true_time
from carnet.mllp_door import Attendant, open_port
from carnet.record_opening import open_known
from carnet.record_wiring import open_records
from carnet.refused_handshakes import RefusedHandshakes
from carnet.registry_wiring import open_registry
from carnet.settings import Settings, load
from carnet.wiring import open_actors
from dmp import rights
from dmp.actor import OPERATOR
from dmp.life import Opening
from dmp.record import Channel, HolderKind
from dmp.rights import Whom
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from tests import forked, newest_schema, sts
from tests.builders import OTHER_PATIENT, PATIENT, REPOSITORY
from xds.datatypes import CX

ROOT = Path(__file__).resolve().parents[1]
ROOT_OF_CORPUS = ROOT.parent / "shared" / "corpus"
Run = Callable[[Settings], AbstractContextManager["Server"]]
START_SECONDS = 60
STOP_SECONDS = 40


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server and its settings; `pid` 0 when it runs in this process, `feed` the port of its MLLP.

    `process` is there when it may be killed, `command` when it runs as a process that ends with SIGTERM.
    """

    url: str
    settings: Settings
    pid: int = 0
    feed: int = 0
    process: "Process | None" = None
    command: forked.Command | None = None

    @property
    def databases(self) -> tuple[str, ...]:
        """URLs of what it writes to."""
        return (self.settings.database_url,)

    @property
    def registry_settings(self) -> Settings:
        return self.settings

    @property
    def repository_url(self) -> str:
        """Where /xds/repository and /xds/recipient are."""
        return self.url

    def post(self, path: str, body: bytes, content_type: str) -> "Response":
        return self.request("POST", path, body, {"Content-Type": content_type})

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> "Response":
        connection = http.client.HTTPConnection(self.settings.host, self.settings.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Response(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.getheaders()},
                body=answer.read(),
            )
        finally:
            connection.close()

    def log_with(self, words: str) -> str:
        """The log of a started server, once these words are in it: it writes them after its peer is gone.

        Raises TimeoutError after 30 s without them.
        """
        file, deadline = Path(self.settings.data) / "server.log", time.monotonic() + 30
        while words not in (log := file.read_text()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{words!r} is not in the server's log:\n{log}")
            time.sleep(0.05)
        return log


@dataclass(frozen=True, kw_only=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: pytest shows what fails."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings_for(data: Path, database: str = "", **given: object) -> Settings:
    return load(
        {
            "data": str(data),
            "database": database,
            "security": "open",
            "port": free_port(),
            "audit_reserve_mb": 0,
            # What most tests send as a document is no CDA; those that are about CDA say so.
            "cda_validity": "ignore",
            **given,
        }
    )


@dataclass(frozen=True, kw_only=True)
class Apart(Server):
    """A repository and its registry in two processes, as one server: the path says whom a request is for."""

    registry: Server

    @property
    def databases(self) -> tuple[str, ...]:
        return (self.settings.database_url, *self.registry.databases)

    @property
    def registry_settings(self) -> Settings:
        return self.registry.settings

    @property
    def repository_url(self) -> str:
        return self.settings.public_url

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Response:
        if path.startswith(("/xds/repository", "/xds/recipient")):
            return Server.request(self, method, path, body, headers)
        return self.registry.request(method, path, body, headers)


@contextmanager
def apart(
    data: Path, run: Run, *, registry: Mapping[str, object] = {}, repository: Mapping[str, object] = {}
) -> Iterator[Apart]:
    """A registry with FHIR, and a repository with a recipient; the server's settings are those of the repository."""
    port = free_port()
    keeper = f"{repository.get('repository_id', REPOSITORY)}=http://127.0.0.1:{port}"
    secret = data / "secret"
    secret.touch(mode=0o600)
    secret.write_text("a secret of two processes, forty characters".replace(" ", "-"))
    shared = {"internal_secret_file": str(secret)}
    around = {"roles": "registry,fhir", "repositories": keeper, **shared, **registry}
    with run(settings_for(data / "registry", **around)) as known:
        shared["registry_url"] = f"http://127.0.0.1:{known.settings.port}"
        given = {"roles": "repository,recipient", "port": port, **shared, **repository}
        with run(settings_for(data / "repository", **given)) as keeping:
            kept = {one.name: getattr(keeping, one.name) for one in fields(Server)}
            yield Apart(**{**kept, "url": known.url, "feed": known.feed}, registry=known)


@contextmanager
def in_process(settings: Settings, peer_certificate: PeerCertificate | None = None) -> Iterator[Server]:
    """The application behind a threaded WSGI server of this process."""
    newest_schema.give(settings)
    port = open_port(settings)
    actors = open_actors(settings)
    attendant = None
    if port is not None and actors.registry is not None:
        attendant = Attendant(port, actors.registry, actors.auditor, RefusedHandshakes(), actors.counts.traffic)
    app = application(actors, peer_certificate)
    listening = make_server(settings.host, settings.port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    audit = started_audit(settings, actors.units, actors.auditor.trail)
    if attendant is not None:
        attendant.start()
    feed = 0 if port is None else port.listening.getsockname()[1]
    try:
        yield Server(url=f"http://{settings.address}", settings=settings, feed=feed)
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
        if attendant is not None:
            attendant.stop()
        if port is not None:
            port.close()
        if audit is not None:
            audit.stop()
        actors.units.close()


class Process:
    """`carnet serve` that is killed with all its processes, and started again as it was."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.start()

    def start(self) -> None:
        self._process, log = _serving(self._settings, in_session=True)
        wait(self._settings, self._process, log)

    @property
    def pid(self) -> int:
        """Of the process and of its group."""
        return self._process.pid

    def kill(self) -> None:
        """Gone with all its processes: the port is free again."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + START_SECONDS
        while _listens(self._settings) and time.monotonic() < deadline:
            time.sleep(0.01)


def _listens(settings: Settings) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((settings.host, settings.port)) == 0


@contextmanager
def killable(settings: Settings) -> Iterator[Server]:
    """`carnet serve` that tests may kill; killed in the end."""
    process = Process(settings)
    try:
        yield Server(url=f"http://{settings.address}", settings=settings, process=process)
    finally:
        process.kill()


def _serving(settings: Settings, *, in_session: bool = False) -> tuple[forked.Command, Path]:
    """The process and its log."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    log = Path(settings.data) / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    newest_schema.give(settings)
    arguments = ["serve", *_options(settings)]
    process = forked.start(arguments, output=log, environment=environment, folder=log.parent, in_session=in_session)
    return process, log


@contextmanager
def started(settings: Settings) -> Iterator[Server]:
    """`carnet serve` as a process of its own, stopped by SIGTERM."""
    process, log = _serving(settings)
    try:
        wait(settings, process, log)
        yield Server(url=settings.public_url, settings=settings, pid=process.pid, feed=_feed_port(log), command=process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _options(settings: Settings) -> list[str]:
    """The settings that are not the default, as options."""
    words: list[str] = []
    for one in fields(Settings):
        value = getattr(settings, one.name)
        option = one.name.replace("_", "-")
        if isinstance(value, bool) and value != one.default:
            words.append(f"--{option}" if value else f"--no-{option}")
        elif value != one.default:
            words += [f"--{option}", str(value)]
    return words


def _feed_port(log: Path) -> int:
    """The port of the feed, as the server announced it; 0 without a feed."""
    found = re.search(r"mllp://\S+:(\d+)", log.read_text())
    return int(found[1]) if found else 0


def wait(settings: Settings, process: "forked.Command | subprocess.Popen[bytes]", log: Path) -> None:
    """Until the process is ready."""
    deadline = time.monotonic() + START_SECONDS
    host, port = (settings.host, settings.port) if not settings.health else address_of(settings.health, "health")
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            threading.Event().wait(0.05)
        finally:
            connection.close()
    raise AssertionError(f"not ready after {START_SECONDS} s: {log.read_text()[-3000:]}")


def carnet(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that looks after documents, with the settings of their repository and beside it."""
    settings = server.settings
    options = {
        "--data": settings.data,
        "--roles": settings.roles,
        "--registry-url": settings.registry_url,
        "--internal-secret-file": settings.internal_secret_file,
    }
    words = [word for pair in options.items() for word in pair]
    words += ["--repository-id", settings.repository_id] * (arguments[0] == "fsck" and bool(settings.repository_id))
    return forked.run([*arguments, *words])


def know_patients(settings: Settings, *patients: CX) -> None:
    """Make patients known the way `carnet patient add` does, beside a running server."""
    registry = open_registry(settings)
    try:
        for patient in patients or (PATIENT, OTHER_PATIENT):
            registry.units.write(lambda unit, patient=patient: registry.add_patient(unit, patient))
        if settings.security == "mtls" and settings.domain == "dmp":
            _open_records(settings, registry, patients or (PATIENT, OTHER_PATIENT))
    finally:
        registry.units.close()


def _open_records(settings: Settings, registry: Registry, patients: Collection[CX]) -> None:
    """Open records that let those read whom tests send: the policy of the dmp domain gives nothing without one."""
    dmp, now = open_records(settings), true_time()
    opening = Opening(channel=Channel.RECEPTION, how="test")
    readers = [Whom(id=one.identifier) for one in (sts.DOCTOR, sts.NURSE)]
    readers.append(Whom(id=sts.CLINIC.identifier, kind=HolderKind.STRUCTURE))

    def work(unit: UnitOfWork) -> None:
        for patient in patients:
            open_known(registry, dmp, unit, patient.key, opening, by=OPERATOR, now=now)
            for reader in readers:
                rights.authorise(dmp, unit, patient.key, reader, by=OPERATOR, now=now)

    registry.units.write(work)
