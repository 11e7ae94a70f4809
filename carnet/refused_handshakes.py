"""Handshakes that failed: a line of log for each, an audit record for those that were refused. ITI TF-2: 3.19.6.3.

Whoever can reach the port can fail as many handshakes as he likes, and a full spool stops the service: the same reason
from the same address is on record once a minute, with how often it happened, and what comes faster than it can be
written is counted by the log alone. Of IPv6 a network of 64 bits is one address: whoever has one has all of it.
"""

import queue
import threading
import time
from dataclasses import dataclass, field

import structlog

from access_policy.caller import Caller, Peer
from audit.occurrence import Occurrence
from audit.record import Outcome
from carnet.address import network_of
from carnet.auditing import Auditor
from storage.unit_of_work import StorageFailed

_MOST_WAITING = 1_000
_QUIET_SECONDS = 60.0
_PAUSE_SECONDS = 1.0
Refusal = tuple[str, str]


@dataclass(slots=True)
class _Seen:
    """When a refusal was last on record, from which address, and how often it has happened since."""

    recorded: float
    address: str
    since: int = 0


@dataclass(slots=True, kw_only=True)
class RefusedHandshakes:
    """Told by the thread that accepts connections, which never waits for the record. One for each process."""

    quiet_seconds: float = _QUIET_SECONDS
    _waiting: "queue.Queue[Refusal | None]" = field(default_factory=lambda: queue.Queue(_MOST_WAITING))
    _seen: dict[Refusal, _Seen] = field(default_factory=dict)
    _thread: threading.Thread | None = None

    def __call__(self, reason: str, address: str, *, is_refusal: bool) -> None:
        """`reason` comes from OpenSSL or our own checks, never from the client."""
        structlog.get_logger().warning("handshake refused", reason=reason, address=address)
        if self._thread is None or not is_refusal:
            return
        try:
            self._waiting.put_nowait((reason, address))
        except queue.Full:
            structlog.get_logger().error("refused handshakes come faster than they can be recorded")

    def record_in(self, auditor: Auditor) -> None:
        """From here on there are records. Called in a worker process: threads do not survive a fork."""
        if auditor.trail is not None:
            self._thread = threading.Thread(target=self._run, args=(auditor,), name="refused handshakes", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Record what is still to be recorded."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _run(self, auditor: Auditor) -> None:
        is_stopping = False
        while not is_stopping:
            try:
                refusal = self._waiting.get(timeout=_PAUSE_SECONDS)
            except queue.Empty:
                pass
            else:
                is_stopping = refusal is None
                if refusal is not None:
                    self._count(auditor, refusal)
            self._tell_late(auditor, everything=is_stopping)

    def _count(self, auditor: Auditor, refusal: Refusal) -> None:
        reason, address = refusal
        counted = reason, network_of(address)
        known = self._seen.get(counted)
        if known is None:
            self._seen[counted] = _Seen(time.monotonic(), address)
            _record(auditor, refusal)
        else:
            known.since += 1

    def _tell_late(self, auditor: Auditor, *, everything: bool) -> None:
        """What was counted for a minute is on record; what did not happen again is forgotten."""
        last = time.monotonic() - self.quiet_seconds
        for refusal in [key for key, one in self._seen.items() if everything or one.recorded <= last]:
            told = self._seen.pop(refusal)
            if told.since:
                _record(auditor, (refusal[0], told.address), told.since)
                self._seen[refusal] = _Seen(time.monotonic(), told.address)


def _record(auditor: Auditor, refusal: Refusal, more: int = 0) -> None:
    reason, address = refusal
    description = f"{reason}; {more} more times" if more else reason
    happened = Occurrence(event="node refused", outcome=Outcome.SERIOUS, description=description)
    try:
        auditor.told(happened, Caller(name="", peer=Peer(address=address)))
    except StorageFailed:
        structlog.get_logger().error("audit record not kept", event_name="node refused")
