"""A process of the HTTP server that a client cannot hold up, whatever it does not send or not read.

gunicorn's worker gives every connection a thread from its first octet on, and waits in its accept loop for the end of
closed ones. Here one loop watches all connections that nobody works for (`ConnectionLoop`), collects heads and sees
connections close, and never blocks. Handshakes are done by two threads that never block either. A request
gets a thread once its head is whole; while that waits for its client it lends its turn. gunicorn's processes, signals,
parser and responses stay.
"""

import select
import selectors
import socket
import ssl
import time
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.http.parser import RequestParser

from access_policy.refusals import Refused
from carnet.client_stream import ClientStream
from carnet.clients import CERTIFICATE, HEALTH, certificate_told
from carnet.connection_loop import STOP_IDLE_SECONDS, ConnectionLoop
from carnet.failures import log_unexpected
from carnet.handshake import shake
from carnet.http_connection import Connection, Head, Phase
from carnet.http_limits import Turns
from carnet.request_body import CLOSE_AFTERWARDS
from carnet.tls import is_refusal, reason_of

_HANDSHAKES = 2
# While others are served, requests of who sends before it has answers are begun at least so long one after the other.
_AHEAD_SECONDS = 0.1
_LONGEST_REST = 64 * 1024


class HttpWorker(ConnectionLoop):
    """Serves the application of `app`, a server with a `front`, until told to stop.

    `ahead`: connections whose clients have sent more requests before they had an answer. `in_hand`: how many requests
    of each client are worked on or wait.
    """

    def init_process(self) -> None:
        self.turns = Turns(self.app.front.limits.threads)
        self.handshakes = ThreadPoolExecutor(_HANDSHAKES, thread_name_prefix="handshake")
        self.ahead: deque[Connection] = deque()
        self.in_hand: Counter[object] = Counter()
        self.requests, self.next_ahead = 0, 0.0
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        limits = self.front.limits
        return ThreadPoolExecutor(limits.threads + limits.queue + limits.uploads, thread_name_prefix="request")

    @classmethod
    def check_config(cls, _cfg: Any, _log: Any) -> None:
        """Nothing of gunicorn's own limits is used."""

    def _is_busy(self) -> bool:
        return bool(self.ahead) or super()._is_busy()

    def _take_turn(self, now: float) -> None:
        """Who is ahead has one request begun when no other is served, or from time to time."""
        if self.ahead and (now >= self.next_ahead or self.requests <= self.turns.lent):
            self.next_ahead = now + _AHEAD_SECONDS
            self._begin(self.ahead.popleft())

    def _finish(self) -> None:
        super()._finish()
        self.handshakes.shutdown(wait=False, cancel_futures=True)

    def _late(self, connection: Connection) -> None:
        """A client that began a request is told; one that only is there is not. The next request may just have come."""
        is_between = connection.phase is Phase.IDLE or (connection.phase is Phase.HEAD and not connection.has_begun)
        if is_between and _has_come(connection.sock):
            self._leave(connection)
            connection.phase = Phase.IDLE
            self._read_head(connection)
            return
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
        elif connection.phase is Phase.DROPPING:
            self._hand_over(self.handshakes, Connection.drop, connection, self._dropped)
        else:
            self._read_head(connection)

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
        """A thread for the request, or 503 at once.

        Who sends requests one behind the other and takes no answer is not worked for until the answers have left, and
        then behind all others: neither is waiting work that somebody else could be refused for.
        """
        if connection.owes_answers():
            connection.phase = Phase.UNTAKEN
            connection.deadline = time.monotonic() + self.front.limits.slow_seconds
            connection.bound_unsent(1)
            self._watch(connection, selectors.EVENT_WRITE)
            return
        connection.client = self._client_of(connection)
        if connection.is_ahead:
            self.ahead.append(connection)
        elif not connection.is_health and self._has_too_much_to_do(connection.client):
            self._turn_away(connection)
        else:
            self._begin(connection)

    def _client_of(self, connection: Connection) -> object:
        """Whoever asks: the certificate that TLS has proved or the proxy tells, else where it comes from."""
        told = certificate_told(bytes(connection.head)) if self.front.is_behind_proxy else None
        return connection.certificate or told or connection.network

    def _begin(self, connection: Connection) -> None:
        self.requests += 1
        self.in_hand[connection.client] += 1
        connection.phase = Phase.REQUEST
        self._hand_over(self.tpool, self._serve, connection, self._served)

    def _turn_away(self, connection: Connection) -> None:
        self.app.traffic.refused("busy")
        connection.turn_away()
        if connection.phase is Phase.CLOSING:
            self._watch(connection)
            return
        if not connection.dropping:
            self._rest(connection)
            return
        connection.deadline = time.monotonic() + self.front.limits.head_seconds
        self._hand_over(self.handshakes, Connection.drop, connection, self._dropped)

    def _dropped(self, connection: Connection, done: "Future[Head]") -> None:
        if done.cancelled() or done.result() is Head.GONE:
            self._forget(connection)
        elif done.result() is Head.PARTIAL:
            self._watch(connection)
        else:
            self._rest(connection)

    def _has_too_much_to_do(self, client: object) -> bool:
        """Too many wait for their turn or for their clients, or the next one would wait too long.

        Where most of what is in hand is of one client, the others are not refused for it.
        """
        limits, lent = self.front.limits, self.turns.lent
        room, taken = limits.threads + limits.queue, self.requests - lent
        if lent >= limits.uploads or taken >= 2 * room:
            return True
        is_late = bool(limits.queue_milliseconds) and self.turns.expected_wait * 1000 > limits.queue_milliseconds
        if not is_late and taken < room:
            return False
        busiest = max(self.in_hand.values(), default=0)
        return self.in_hand[client] + 1 >= busiest or 2 * busiest <= self.requests

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
        answer = self.wsgi(environ, response.start_response)
        has_body = environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING")
        connection.is_ahead = not has_body and stream.holds_octets()
        self._write(response, answer)
        if response.should_close() or not parser.finish_body(max_bytes=_LONGEST_REST):
            return False
        connection.head += parser.unreader.take_buffered()
        connection.is_ahead = connection.is_ahead or bool(connection.head)
        return True

    def _write(self, response: Any, answer: Any) -> None:
        try:
            for octets in answer:
                if not self.alive and not response.headers_sent:
                    response.force_close()
                response.write(octets)
            response.close()
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def _served(self, connection: Connection, done: "Future[bool]") -> None:
        self.requests -= 1
        self.in_hand[connection.client] -= 1
        if not self.in_hand[connection.client]:
            del self.in_hand[connection.client]
        if done.cancelled() or done.exception() is not None or not done.result():
            if connection.phase is not Phase.CLOSING:
                connection.begin_closing()
            self._watch(connection)
            return
        self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        """Between two requests."""
        connection.phase = Phase.IDLE
        idle = self.front.limits.idle_seconds if self.alive else STOP_IDLE_SECONDS
        connection.deadline = time.monotonic() + idle
        if connection.head or _holds_octets(connection.sock):
            self._read_head(connection)
        else:
            self._watch(connection)


def _has_come(sock: socket.socket) -> bool:
    """Whether there is something to read since the selector was asked: a request that crosses the end of its time."""
    asked = select.poll()
    asked.register(sock, select.POLLIN)
    return bool(asked.poll(0))


def _holds_octets(sock: socket.socket) -> bool:
    """Whether TLS has decrypted octets already, which a selector does not see."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
