"""The client of the measurements, a process of its own: looks at answers first, then drives the closed loop."""

import http.client
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self, TypeVar

from benchmarks.bare_transaction import BareTransactions
from benchmarks.closed_loop import Call, Sample, WrongAnswer, drive
from benchmarks.plan import Sizes
from benchmarks.requests import Request, Workload
from benchmarks.shown import NOTHING, Assertions, Shown
from benchmarks.transactions import BY_KEY, Transaction

T = TypeVar("T")
_TIMEOUT_SECONDS = 60
_STOP_SECONDS = 10
# Answers to writes are looked at this many times; the rest is held to the same length.
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run of the closed loop.

    `canned` is the path asked instead of the transaction's own, if any; `shown` what proves who asks.
    """

    key: str
    port: int
    connections: int
    seconds: float
    canned: str = ""
    canned_length: int = 0
    shown: Shown = NOTHING


class _Client:
    """What runs in the process."""

    def __init__(self, sizes: Sizes) -> None:
        self._workload = Workload(sizes)
        self._assertions: dict[str, Assertions] = {}
        self._lengths: dict[tuple[str, Shown], list[int]] = {}
        self._octets: dict[tuple[str, str, Shown], list[bytes]] = {}
        self._bare: dict[str, BareTransactions] = {}
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)

    def look(self, key: str, port: int, shown: Shown = NOTHING) -> int:
        """Check the answer to every different request; returns the median length of the answers."""
        transaction = BY_KEY[key]
        lengths = []
        connection = connection_to(port, shown)
        for request in transaction.before(self._workload):
            problem = transaction.problem(self._workload, 0, answer_to(connection, request))
            if problem:
                raise WrongAnswer(f"{transaction.title}, before it is measured: {problem}")
        for number in self._looked_at(transaction):
            answer = answer_to(connection, self._request(transaction, number, shown))
            problem = transaction.problem(self._workload, number, answer)
            if problem:
                raise WrongAnswer(f"{transaction.title}: {problem}")
            lengths.append(len(answer))
        connection.close()
        self._lengths[key, shown] = lengths
        return sorted(lengths)[len(lengths) // 2]

    def run(self, load: Load) -> Sample:
        calls = self._calls(BY_KEY[load.key], load)
        try:
            tls = load.shown.proof().context
            return drive("127.0.0.1", load.port, calls, connections=load.connections, seconds=load.seconds, tls=tls)
        except WrongAnswer as problem:
            raise WrongAnswer(f"{BY_KEY[load.key].title}: {problem}") from problem

    def insert(self, key: str, url: str, connections: int, seconds: float) -> Sample:
        """Insert the rows of the first submission of a transaction again, without Carnet."""
        if key not in self._bare:
            entry_uuid = BY_KEY[key].stored(self._workload, 0)
            self._bare[key] = BareTransactions(url, entry_uuid)
        return self._bare[key].run(connections, seconds)

    def _looked_at(self, transaction: Transaction) -> Iterator[int]:
        if transaction.writes:
            return itertools.islice(self._numbers[transaction.key], _LOOKED_AT)
        return iter(range(transaction.different(self._workload)))

    def _calls(self, transaction: Transaction, load: Load) -> Iterator[Call]:
        lengths = [load.canned_length] if load.canned else self._lengths[transaction.key, load.shown]
        if transaction.writes:
            for number in itertools.count() if load.canned else self._numbers[transaction.key]:
                octets = self._request(transaction, number, load.shown).octets(path=load.canned)
                yield Call(octets, lengths[0], transaction.document(number))
        octets_of = self._prepared(transaction, load)
        for number in itertools.count():
            yield Call(octets_of[number % len(octets_of)], lengths[number % len(lengths)])

    def _prepared(self, transaction: Transaction, load: Load) -> list[bytes]:
        """The requests of a transaction that changes nothing, made once."""
        kept = transaction.key, load.canned, load.shown
        if kept not in self._octets:
            numbers = range(transaction.different(self._workload))
            requests = (self._request(transaction, number, load.shown) for number in numbers)
            self._octets[kept] = [request.octets(path=load.canned) for request in requests]
        return self._octets[kept]

    def _request(self, transaction: Transaction, number: int, shown: Shown) -> Request:
        """The request with a number, with the assertion about its patient where one is shown."""
        request = transaction.request(self._workload, number)
        if not shown.signer:
            return request
        assertions = self._assertions.setdefault(shown.signer, Assertions(shown.signer))
        patient = self._workload.documents.patient(transaction.patient(self._workload, number))
        return assertions.in_message(request, patient.ins)


def connection_to(port: int, shown: Shown) -> http.client.HTTPConnection:
    """A connection of Python's own client, for what is not measured."""
    tls = shown.proof().context
    if tls is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS, context=tls)


def answer_to(connection: http.client.HTTPConnection, request: Request) -> bytes:
    """The body of the answer. Raises WrongAnswer for another status than 200."""
    headers = {"Content-Type": request.content_type} if request.content_type else {}
    if request.accept:
        headers["Accept"] = request.accept
    connection.request(request.method, request.path, body=request.body or None, headers=headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise WrongAnswer(f"{request.path}: found status {response.status}, expected 200: {body[:300]!r}")
    return body


def _serve(sizes: Sizes, connection: Connection) -> None:
    client = _Client(sizes)
    while (asked := connection.recv()) is not None:
        name, arguments = asked
        try:
            connection.send((getattr(client, name)(*arguments), None))
        except (WrongAnswer, OSError) as problem:
            connection.send((None, str(problem)))


class ClientProcess:
    """The client, seen from the process that measures. Raises WrongAnswer."""

    def __init__(self, sizes: Sizes) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(sizes, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.is_alive():
            self._connection.send(None)
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.terminate()

    def look(self, key: str, port: int, shown: Shown = NOTHING) -> int:
        """Check the answer to every different request; returns the median length of the answers."""
        return int(self._asked(_Client.look, key, port, shown))

    def run(self, load: Load) -> Sample:
        sample: Sample = self._asked(_Client.run, load)
        return sample

    def insert(self, key: str, url: str, connections: int, seconds: float) -> Sample:
        """Insert the rows of the first submission of a transaction again and again, without Carnet."""
        sample: Sample = self._asked(_Client.insert, key, url, connections, seconds)
        return sample

    def _asked(self, method: Callable[..., Any], *arguments: Any) -> Any:
        self._connection.send((method.__name__, arguments))
        result, problem = self._connection.recv()
        if problem is not None:
            raise WrongAnswer(problem)
        return result
