"""A process of the HTTP server that a client cannot hold up, whatever it does not send or not read.

gunicorn's worker gives every connection a thread from its first octet on, and waits in its accept loop for the end of
closed ones. Here one loop watches all connections that nobody works for: it accepts, collects heads, counts idle time
and sees connections close, and never blocks. Handshakes are done by two threads that never block either. A request
gets a thread once its head is whole; while that waits for its client it lends its turn. gunicorn's processes, signals,
parser and responses stay.
"""

import errno
import selectors
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import ThreadWorker

from access_policy.refusals import Refused
from carnet.client_stream import ClientStream
from carnet.clients import CERTIFICATE, HEALTH
from carnet.failures import log_unexpected
from carnet.handshake import shake
from carnet.http_connection import Connection, Head, Phase
from carnet.http_limits import Turns
from carnet.request_body import CLOSE_AFTERWARDS
from carnet.tls import is_refusal, reason_of

_HANDSHAKES, _ACCEPTED_AT_ONCE, _TICK_SECONDS = 2, 64, 0.25
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
_STOP_IDLE_SECONDS = 2.0
_LONGEST_REST = 64 * 1024


class HttpWorker(ThreadWorker):  # type: ignore[misc]
    """Serves the application of `app`, a server with a `front`, until told to stop."""

    def init_process(self) -> None:
        self.front = self.app.front
        limits = self.front.limits
        self.turns = Turns(limits.threads)
        self.handshakes = ThreadPoolExecutor(_HANDSHAKES, thread_name_prefix="handshake")
        self.waiting: set[Connection] = set()
        self.held: Counter[object] = Counter()
        self.requests, self.next_look = 0, 0.0
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        limits = self.front.limits
        return ThreadPoolExecutor(limits.threads + limits.queue + limits.uploads, thread_name_prefix="request")

    @classmethod
    def check_config(cls, _cfg: Any, _log: Any) -> None:
        """Nothing of gunicorn's own limits is used."""

    def run(self) -> None:
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        self.set_accept_enabled(True)
        while self.alive and self.is_parent_alive():
            self._turn()
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        self._finish()

    def _turn(self) -> None:
        self.notify()
        self.wait_for_and_dispatch_events(timeout=_TICK_SECONDS)
        now = time.monotonic()
        if now < self.next_look:
            return
        self.next_look = now + _TICK_SECONDS
        for connection in [one for one in self.waiting if one.deadline <= now]:
            self._late(connection)

    def _finish(self) -> None:
        """Requests are answered; a connection without one stays a moment, for one that may be on its way."""
        last, idle = time.monotonic() + self.cfg.graceful_timeout, time.monotonic() + _STOP_IDLE_SECONDS
        for connection in self.waiting:
            connection.deadline = min(connection.deadline, idle)
        while (self.requests or self.waiting) and time.monotonic() < last:
            self._turn()
        for connection in list(self.waiting):
            self._close(connection)
        for pool in (self.tpool, self.handshakes):
            pool.shutdown(wait=False, cancel_futures=True)
        self.poller.close()
        self.method_queue.close()

    # Connections that nobody works for

    def accept(self, listener: Any) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
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
        if address and self.held[address] >= limits.connections_per_client and not connection.is_health:
            accepted.close()
            return
        self.held[address] += 1
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
        for key in (connection.address, connection.certificate):
            if key is not None:
                self.held[key] -= 1
                if self.held[key] <= 0:
                    del self.held[key]
        connection.sock.close()

    def _late(self, connection: Connection) -> None:
        """A client that began a request is told; one that only is there is not."""
        if connection.phase is Phase.HEAD and connection.has_begun:
            self._leave(connection)
            connection.refuse(HTTPStatus.REQUEST_TIMEOUT)
            self._watch(connection)
            return
        if connection.phase is Phase.HANDSHAKE:
            self._tell_failed("no handshake in time", connection)
        self._close(connection)

    def _ready(self, connection: Connection, _sock: object) -> None:
        if connection not in self.waiting:
            return  # closed to make room, after the selector had told of it
        self._leave(connection)
        if connection.phase is Phase.HANDSHAKE:
            self._hand_over(self.handshakes, self._shake, connection, self._shaken)
        elif connection.phase is Phase.CLOSING:
            if connection.is_closed():
                self._forget(connection)
            else:
                self._watch(connection)
        elif connection.phase is Phase.UNTAKEN:
            connection.bound_unsent()
            self._admit(connection)
        else:
            self._read_head(connection)

    def _hand_over(
        self,
        pool: ThreadPoolExecutor,
        work: Callable[[Connection], Any],
        connection: Connection,
        then: Callable[[Connection, "Future[Any]"], None],
    ) -> None:
        """The loop takes the connection back when the work is done."""
        done = pool.submit(work, connection)
        done.add_done_callback(lambda future: self.method_queue.defer(then, connection, future))

    # Handshakes

    def _shake(self, connection: Connection) -> int:
        return shake(connection, self.front.tls.current)

    def _shaken(self, connection: Connection, done: "Future[int]") -> None:
        problem = done.exception()
        if problem is not None:
            self._tell_failed(reason_of(problem), connection, problem)
            connection.begin_closing()  # so that the client gets to read the alert
            self._watch(connection)
        elif done.result():
            self._watch(connection, done.result())
        elif self.held[connection.certificate] >= self.front.limits.connections_per_client:
            self.held[connection.certificate] += 1
            self._forget(connection)
        else:
            self.held[connection.certificate] += 1
            connection.phase = Phase.HEAD
            connection.deadline = time.monotonic() + self.front.limits.head_seconds
            self._read_head(connection)

    def _tell_failed(self, reason: str, connection: Connection, problem: BaseException | None = None) -> None:
        if problem is not None and not isinstance(problem, OSError | Refused):
            log_unexpected(problem)
        self.front.refused_handshakes(reason, connection.address, is_refusal=is_refusal(problem))

    # Heads and requests

    def _read_head(self, connection: Connection) -> None:
        if connection.phase is Phase.IDLE:
            connection.phase = Phase.HEAD
            connection.deadline = time.monotonic() + self.front.limits.head_seconds
        found = connection.read_head()
        if found is Head.PARTIAL:
            self._watch(connection)
        elif found is Head.GONE:
            self._forget(connection)
        elif found is Head.WHOLE:
            self._admit(connection)
        else:
            too_long = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            connection.refuse(too_long if found is Head.TOO_LONG else HTTPStatus.BAD_REQUEST)
            self._watch(connection)

    def _admit(self, connection: Connection) -> None:
        """A thread for the request, or 503 at once: too many wait for their turn or for their clients, or too long.

        Who sends requests one behind the other and takes no answer is not worked for until the answers have left.
        """
        if connection.owes_answers():
            connection.phase = Phase.UNTAKEN
            connection.deadline = time.monotonic() + self.front.limits.slow_seconds
            connection.bound_unsent(1)
            self._watch(connection, selectors.EVENT_WRITE)
            return
        if not connection.is_health and self._has_too_much_to_do():
            self.app.traffic.refused("busy")
            connection.refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            self._watch(connection)
            return
        self.requests += 1
        connection.phase = Phase.REQUEST
        self._hand_over(self.tpool, self._serve, connection, self._served)

    def _has_too_much_to_do(self) -> bool:
        limits, lent = self.front.limits, self.turns.lent
        if self.requests - lent >= limits.threads + limits.queue or lent >= limits.uploads:
            return True
        return bool(limits.queue_milliseconds) and self.turns.longest_wait * 1000 > limits.queue_milliseconds

    def _serve(self, connection: Connection) -> bool:
        """Answer one request, in a thread of its own; whether the connection is good for another one."""
        with self.turns:
            try:
                return self._answer(connection)
            except StopIteration:
                return False
            except ParseException as problem:
                too_long = isinstance(problem, LimitRequestLine | LimitRequestHeaders)
                connection.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_long else HTTPStatus.BAD_REQUEST)
            except OSError:
                pass  # the client is gone or too slow; there is nobody to tell
            except Exception as problem:  # noqa: BLE001 - a worker outlives whatever a request does
                log_unexpected(problem)
        return False

    def _answer(self, connection: Connection) -> bool:
        if connection.stream is None or connection.parser is None:
            connection.stream = ClientStream(connection.sock, self.turns, self.front.limits.slow_seconds)
            connection.parser = RequestParser(self.cfg, connection.stream, (connection.address or "unix", 0))
        parser, stream = connection.parser, connection.stream
        parser.unreader.unread(bytes(connection.head))
        connection.head.clear()
        request = next(parser)
        stream.begin(expects_continue=request._expected_100_continue)
        request._expected_100_continue = False
        request.scheme = self.front.scheme
        response, environ = wsgi.create(request, stream, (connection.address, 0), connection.server, self.cfg)
        environ |= {"wsgi.multithread": True, CERTIFICATE: connection.certificate, HEALTH: connection.is_health}
        environ[CLOSE_AFTERWARDS] = response.force_close
        self._write(response, self.wsgi(environ, response.start_response))
        if response.should_close() or not parser.finish_body(max_bytes=_LONGEST_REST):
            return False
        connection.head += parser.unreader.take_buffered()
        return True

    def _write(self, response: Any, answer: Any) -> None:
        try:
            for octets in answer:
                if not self.alive:
                    response.force_close()
                response.write(octets)
            response.close()
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def _served(self, connection: Connection, done: "Future[bool]") -> None:
        self.requests -= 1
        if done.cancelled() or done.exception() is not None or not done.result():
            if connection.phase is not Phase.CLOSING:
                connection.begin_closing()
            self._watch(connection)
            return
        connection.phase = Phase.IDLE
        idle = self.front.limits.idle_seconds if self.alive else _STOP_IDLE_SECONDS
        connection.deadline = time.monotonic() + idle
        if connection.head or _holds_octets(connection.sock):
            self._read_head(connection)
        else:
            self._watch(connection)


def _holds_octets(sock: socket.socket) -> bool:
    """Whether TLS has decrypted octets already, which a selector does not see."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
