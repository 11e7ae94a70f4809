"""Handshakes that failed: a line of log for each, an audit record for those that were refused. ITI TF-2: 3.19.6.3.

Whoever can reach the port can fail as many handshakes as he likes, and a full spool stops the service: the same reason
from the same address is on record once a minute, with how often it happened, and what comes faster than it can be
written is counted by the log alone. Of IPv6 a network of 64 bits is one address: whoever has one has all of it.

Refused assertions, which doors put on record themselves, are counted the same way and told from here.
"""

import queue
import threading
from dataclasses import dataclass, field

import structlog

from access_policy.caller import Caller, Peer
from audit.occurrence import Occurrence
from audit.record import Outcome
from carnet.address import network_of
from carnet.auditing import Auditor
from carnet.repeats import Repeats, repeated
from storage.unit_of_work import StorageFailed

_MOST_WAITING = 1_000
_PAUSE_SECONDS = 1.0
Refusal = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class RefusedHandshakes:
    """Told by the thread that accepts connections, which never waits for the record. One for each process."""

    _waiting: "queue.Queue[Refusal | None]" = field(default_factory=lambda: queue.Queue(_MOST_WAITING))
    _repeats: Repeats[Refusal] = field(default_factory=Repeats)
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
                if refusal is not None and self._repeats.is_new((refusal[0], network_of(refusal[1])), refusal):
                    _record(auditor, refusal)
            for told, more in self._repeats.due(everything=is_stopping):
                _record(auditor, told, more)
            auditor.tell_repeated(everything=is_stopping)


def _record(auditor: Auditor, refusal: Refusal, more: int = 0) -> None:
    reason, address = refusal
    description = repeated(reason, more) if more else reason
    happened = Occurrence(event="node refused", outcome=Outcome.SERIOUS, description=description)
    try:
        auditor.told(happened, Caller(name="", peer=Peer(address=address)))
    except StorageFailed:
        structlog.get_logger().error("audit record not kept", event_name="node refused")
