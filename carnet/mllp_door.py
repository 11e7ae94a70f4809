"""The identity feed of a server: its settings checked, its port bound once, its messages answered by one process.

The port is bound before worker processes are forked, so every worker inherits it; a lock on an inherited
file lets exactly one of them accept connections. When that process ends, however it ends, the system
frees the lock and the next worker goes on with the same port; connections that arrive meanwhile wait.
"""

import fcntl
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import structlog

from access_policy.caller import Caller
from carnet.address import address_of
from carnet.auditing import Auditor
from carnet.elsewhere_settings import is_loopback
from carnet.listed_clients import listed
from carnet.mllp_listener import MllpLimits, MllpListener, OnFailedHandshake
from carnet.mllp_tls import TlsPolicy, tls_policy
from carnet.reloading import Reloading
from carnet.settings import Settings, SettingsError
from carnet.traffic import Traffic, correlation_id
from registry import iti8_patient_identity_feed as iti8
from registry.hl7v2 import AcknowledgementCode, Finding, Problem, read_header
from registry.store import Registry
from storage.unit_of_work import StorageFailed

_LONGEST_QUEUE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpPort:
    """A port that listens and whose connections nobody has accepted yet."""

    settings: Settings
    listening: socket.socket
    turn: IO[bytes]
    tls: Reloading[TlsPolicy] | None

    @property
    def url(self) -> str:
        host, port = self.listening.getsockname()[:2]
        return f"mllp://[{host}]:{port}" if ":" in host else f"mllp://{host}:{port}"

    def close(self) -> None:
        self.listening.close()
        self.turn.close()


def open_port(settings: Settings) -> MllpPort | None:
    """Bind the port of the settings; None when there is to be no feed.

    Raises SettingsError when the settings forbid it, or the port cannot be had.
    """
    if not settings.mllp:
        return None
    host, port = address_of(settings.mllp, "mllp")
    tls = _tls(settings, host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_LONGEST_QUEUE)
    except OSError as problem:
        raise SettingsError(f"setting mllp: {settings.mllp} cannot be listened on: {problem.strerror}") from problem
    return MllpPort(settings=settings, listening=listening, turn=tempfile.TemporaryFile(), tls=tls)


def _tls(settings: Settings, host: str) -> Reloading[TlsPolicy] | None:
    """How the feed is secured, by its files of now. Plain only where nobody else can reach it and nobody is asked who
    they are anyway.
    """
    if not settings.mllp_certificate:
        if settings.security != "open" or not is_loopback(host):
            raise SettingsError(
                f"setting mllp: a feed without TLS is served with --security open on loopback only, found {host}: "
                "give --mllp-certificate, --mllp-key, --mllp-trust and --mllp-clients"
            )
        return None
    clients = listed(settings.mllp_clients)
    if not settings.mllp_trust or not clients:
        raise SettingsError(
            "settings mllp_trust and mllp_clients: expected the issuers of client certificates and the clients that "
            "may send, beside mllp_certificate"
        )
    files = {"certificate": settings.mllp_certificate, "key": settings.mllp_key, "trust": settings.mllp_trust}
    try:
        return Reloading(lambda: tls_policy(**files, clients=clients), files.values())
    except OSError as problem:
        raise SettingsError(f"settings mllp_certificate, mllp_key, mllp_trust: {problem}") from problem


class Attendant:
    """In one process: waits for its turn at the port, then answers messages until stopped."""

    def __init__(
        self,
        port: MllpPort,
        registry: Registry,
        auditor: Auditor,
        on_failed_handshake: OnFailedHandshake,
        traffic: Traffic,
    ) -> None:
        self._port = port
        self._listener = MllpListener(
            port.listening,
            receive=_receiver(registry, auditor, traffic, port.settings),
            refuse=_refuser(registry),
            limits=MllpLimits(
                message=port.settings.mllp_message_kb * 1000,
                connections=port.settings.mllp_connections,
                idle=port.settings.mllp_idle_seconds,
            ),
            on_failed_handshake=on_failed_handshake,
            tls=port.tls,
        )
        self._has_turn = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._attend, name="mllp", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _attend(self) -> None:
        fcntl.lockf(self._port.turn, fcntl.LOCK_EX)
        try:
            if not self._stopped:
                self._has_turn.set()
                structlog.get_logger().info("mllp listens", url=self._port.url, pid=os.getpid())
                self._listener.run()
        finally:
            fcntl.lockf(self._port.turn, fcntl.LOCK_UN)

    def stop(self) -> None:
        """Answer what is being answered and give the turn to the next process. A process without turn just leaves."""
        self._stopped = True
        self._listener.stop()
        if self._has_turn.is_set():
            self._thread.join()


def _receiver(
    registry: Registry, auditor: Auditor, traffic: Traffic, settings: Settings
) -> Callable[[bytes, Caller], bytes]:
    log, senders = structlog.get_logger(), listed(settings.mllp_senders)

    def is_allowed(application: str, facility: str) -> bool:
        return not senders or f"{application}|{facility}" in senders

    def answered(message: bytes, caller: Caller) -> iti8.Answer:
        try:
            auditor.check()
            answer = iti8.hl7v2(registry, message, caller, is_allowed=is_allowed)
            if answer.code is not AcknowledgementCode.ACCEPT:
                auditor.told(iti8.refusal(registry, message, answer), caller)
        except StorageFailed:
            return iti8.not_stored(registry, message)
        return answer

    def receive(message: bytes, caller: Caller) -> bytes:
        began = time.perf_counter()
        with traffic.message(iti8.TRANSACTION) as ended:
            try:
                answer = answered(message, caller)
            except Exception as problem:  # noqa: BLE001 - the sender gets a correlation id, the log the rest
                return _unexpected(registry, message, problem)
            ended(_status(answer))
            milliseconds = round((time.perf_counter() - began) * 1000, 1)
            log.info("mllp message", event_code=answer.event, code=answer.code, milliseconds=milliseconds)
            return answer.octets

    return receive


def _status(answer: iti8.Answer) -> int:
    """What the answer would be over HTTP, for those who count."""
    if answer.is_to_be_repeated:
        return 503
    return 200 if answer.code is AcknowledgementCode.ACCEPT else 400


def _refuser(registry: Registry) -> Callable[[bytes, str], bytes]:
    def refuse(octets: bytes, reason: str) -> bytes:
        finding = Finding(problem=Problem.SEGMENT_SEQUENCE, reason=reason)
        return iti8.answer(registry, read_header(octets), AcknowledgementCode.REJECT, [finding]).octets

    return refuse


def _unexpected(registry: Registry, message: bytes, problem: BaseException) -> bytes:
    structlog.get_logger().error("unexpected failure", exc_info=problem)
    finding = Finding(problem=Problem.INTERNAL, reason=f"unexpected failure, reported as {correlation_id()}")
    return iti8.answer(registry, read_header(message), AcknowledgementCode.ERROR, [finding]).octets
