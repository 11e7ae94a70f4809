"""The loop of a process of the HTTP server: it accepts, watches connections that nobody works for, counts idle time.

It never blocks. What is done with a connection that has something to read is for who makes a server of it.
"""

import errno
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from carnet.http_connection import Connection, Phase

_ACCEPTED_AT_ONCE, _TICK_SECONDS = 64, 0.25
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
STOP_IDLE_SECONDS = 2.0
# How long a process that has more connections than another leaves a new one to it.
_STEP_BACK_SECONDS = 0.02


class ConnectionLoop(ThreadWorker):  # type: ignore[misc]
    """`waiting`: the connections it watches, `away`: how many are in the hands of threads.

    `held`: how many there are of each network and certificate.
    """

    def init_process(self) -> None:
        self.front = self.app.front
        self.waiting: set[Connection] = set()
        self.away = 0
        self.held: Counter[object] = Counter()
        self.share = self.app.shares.of(self.age)
        self.next_look, self.accepts_from, self.has_stepped_back = 0.0, 0.0, False
        super().init_process()

    def _ready(self, connection: Connection, _sock: object) -> None:
        """The event has come that a connection was watched for."""
        raise NotImplementedError

    def _late(self, connection: Connection) -> None:
        """The deadline of a watched connection is over."""
        raise NotImplementedError

    def _take_turn(self, now: float) -> None:
        """Something or nothing happened; `now` is monotonic."""
        raise NotImplementedError

    def _is_busy(self) -> bool:
        """Whether there is work for connections that are not watched."""
        return bool(self.away)

    def run(self) -> None:
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        self.set_accept_enabled(True)
        while self.alive and self.is_parent_alive():
            self._turn()
        self.set_accept_enabled(False)
        self.share.leave()
        for listener in self.sockets:
            self.accept(listener)  # closing it would cut off who has connected already
            listener.close()
        self._finish()

    def _turn(self) -> None:
        self.notify()
        steps_back = self.alive and not self._accepting
        self.wait_for_and_dispatch_events(timeout=_STEP_BACK_SECONDS if steps_back else _TICK_SECONDS)
        now = time.monotonic()
        if steps_back and now >= self.accepts_from:
            self.set_accept_enabled(self.alive)
            self.has_stepped_back = True
        self._take_turn(now)
        if now < self.next_look:
            return
        self.next_look = now + _TICK_SECONDS
        for connection in [one for one in self.waiting if one.deadline <= now]:
            self._late(connection)

    def _finish(self) -> None:
        """Requests are answered; a connection without one stays a moment, for one that may be on its way."""
        last, idle = time.monotonic() + self.cfg.graceful_timeout, time.monotonic() + STOP_IDLE_SECONDS
        for connection in self.waiting:
            connection.deadline = min(connection.deadline, idle)
        while (self.waiting or self._is_busy()) and time.monotonic() < last:
            self._turn()
        for connection in list(self.waiting):
            self._close(connection)
        self.tpool.shutdown(wait=False, cancel_futures=True)
        self.poller.close()
        self.method_queue.close()

    def accept(self, listener: Any) -> None:
        """Take what has come, and no more than the other processes have: connections stay where they were taken.

        Who has more leaves new ones to the others for a moment, then takes one after all, for they may be busy.
        """
        for _ in range(_ACCEPTED_AT_ONCE):
            if self.alive and self.share.is_the_largest() and not self.has_stepped_back:
                self.accepts_from = time.monotonic() + _STEP_BACK_SECONDS
                self.set_accept_enabled(False)
                return
            self.has_stepped_back = False
            try:
                accepted, address = listener.accept()
            except OSError as problem:
                if problem.errno in _NO_DESCRIPTOR:
                    self._make_room()
                return
            self._welcome(accepted, address[0] if isinstance(address, tuple) else "", listener.getsockname())

    def _welcome(self, accepted: socket.socket, address: str, server: object) -> None:
        limits = self.front.limits
        accepted.setblocking(False)
        connection = Connection(
            sock=accepted,
            address=address,
            server=server,
            phase=Phase.HEAD,
            deadline=time.monotonic() + limits.head_seconds,
            is_health=self.front.is_health(server),
        )
        network = connection.network
        if network and self.held[network] >= limits.connections_per_client and not connection.is_health:
            accepted.close()
            return
        self.held[network] += 1
        self.share.grew(1)
        connection.bound_unsent()
        if self.front.tls is not None and not connection.is_health:
            connection.phase = Phase.HANDSHAKE
            connection.deadline = time.monotonic() + limits.handshake_seconds
        self._watch(connection)
        if len(self.waiting) > limits.connections:
            self._make_room()

    def _make_room(self) -> None:
        """Close the connection nearest to its deadline; without it the loop would be woken again at once."""
        if self.waiting:
            self._close(min(self.waiting, key=lambda one: one.deadline))

    def _watch(self, connection: Connection, event: int = selectors.EVENT_READ) -> None:
        try:
            self.poller.register(connection.sock, event, partial(self._ready, connection))
            self.waiting.add(connection)
        except (OSError, ValueError, KeyError):
            self._forget(connection)

    def _leave(self, connection: Connection) -> None:
        self.waiting.discard(connection)
        with suppress(OSError, ValueError, KeyError):  # closed by its client meanwhile
            self.poller.unregister(connection.sock)

    def _close(self, connection: Connection) -> None:
        self._leave(connection)
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        for key in (connection.network, connection.certificate):
            if key is not None:
                self.held[key] -= 1
                if self.held[key] <= 0:
                    del self.held[key]
        self.share.grew(-1)
        connection.sock.close()

    def _hand_over(
        self,
        pool: ThreadPoolExecutor,
        work: Callable[[Connection], Any],
        connection: Connection,
        then: Callable[[Connection, "Future[Any]"], None],
    ) -> None:
        """The loop takes the connection back when the work is done."""

        def back(future: "Future[Any]") -> None:
            self.away -= 1
            then(connection, future)

        self.away += 1
        done = pool.submit(work, connection)
        done.add_done_callback(lambda future: self.method_queue.defer(back, future))
