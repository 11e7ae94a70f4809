"""The client of the measurements, a process of its own: looks at answers first, then drives the closed loop."""

import http.client
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self, TypeVar

from benchmarks.bare_questions import BareQuestions
from benchmarks.bare_transaction import BareTransactions
from benchmarks.closed_loop import Call, Sample, WrongAnswer, drive
from benchmarks.plan import Sizes
from benchmarks.requests import Request, Workload
from benchmarks.shown import NOTHING, Assertions, Shown
from benchmarks.transaction import Transaction
from benchmarks.transactions import BY_KEY
from carnet.settings import Settings
from tests.mllp import connected

T = TypeVar("T")
_TIMEOUT_SECONDS = 60
_STOP_SECONDS = 10
# Answers to writes are looked at this many times, which is a whole turn of those that undo each other; of the rest
# each is held to the length of the one that is a multiple of this before it.
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
        self._bare: dict[tuple[str, str], BareTransactions] = {}
        self._questions: BareQuestions | None = None
        self._first: dict[str, int] = {}
        self._next: Counter[str] = Counter()

    def look(self, key: str, port: int, shown: Shown = NOTHING) -> int:
        """Check the answer to every different request; returns the median length of the answers."""
        transaction = BY_KEY[key]
        lengths = []
        before = transaction.before(self._workload)
        self._begin(transaction, is_prepared=bool(before))
        with asking(transaction, port, shown) as ask:
            for request in before:
                problem = transaction.problem_before(self._workload, ask(request))
                if problem:
                    raise WrongAnswer(f"{transaction.title}, before it is measured: {problem}")
            for number in self._looked_at(transaction):
                answer = ask(self._request(transaction, number, shown))
                problem = transaction.problem(self._workload, number, answer)
                if problem:
                    raise WrongAnswer(f"{transaction.title}: {problem}")
                lengths.append(len(answer))
        self._lengths[key, shown] = lengths
        return sorted(lengths)[len(lengths) // 2]

    def run(self, load: Load) -> Sample:
        calls = self._calls(BY_KEY[load.key], load)
        try:
            return drive(
                "127.0.0.1",
                load.port,
                calls,
                connections=load.connections,
                seconds=load.seconds,
                tls=load.shown.proof().context,
                by_mllp=BY_KEY[load.key].is_fed and not load.canned,
            )
        except WrongAnswer as problem:
            raise WrongAnswer(f"{BY_KEY[load.key].title}: {problem}") from problem

    def insert(self, key: str, url: str, connections: int, seconds: float) -> Sample:
        """Insert the rows of the first submission that was looked at again, without Carnet."""
        if (key, url) not in self._bare:
            entry_uuid = BY_KEY[key].stored(self._workload, self._first[key])
            self._bare[key, url] = BareTransactions(url, entry_uuid)
        return self._bare[key, url].run(connections, seconds)

    def hear(self, key: str, settings: Settings) -> bool:
        """Whether the transaction asks its database anything: learn what, for `question`."""
        transaction = BY_KEY[key]
        requests = [
            transaction.request(self._workload, number) for number in range(transaction.different(self._workload))
        ]
        self._questions = BareQuestions(settings, requests)
        return not self._questions.are_none

    def question(self, connections: int, seconds: float) -> Sample:
        """Ask what was heard last again and again, without Carnet."""
        if self._questions is None:
            raise WrongAnswer("nothing was heard yet")
        return self._questions.run(connections, seconds)

    def _begin(self, transaction: Transaction, *, is_prepared: bool) -> None:
        """Numbers begin anew with what was prepared for them in a database, else with a whole turn."""
        done = 0 if is_prepared else self._next[transaction.key]
        self._next[transaction.key] = self._first[transaction.key] = math.ceil(done / _LOOKED_AT) * _LOOKED_AT

    def _numbers(self, key: str) -> Iterator[int]:
        """Numbers that no request had before."""
        while True:
            self._next[key] += 1
            yield self._next[key] - 1

    def _looked_at(self, transaction: Transaction) -> Iterator[int]:
        if transaction.writes:
            return itertools.islice(self._numbers(transaction.key), _LOOKED_AT)
        return iter(range(transaction.different(self._workload)))

    def _calls(self, transaction: Transaction, load: Load) -> Iterator[Call]:
        lengths = [load.canned_length] if load.canned else self._lengths[transaction.key, load.shown]
        if transaction.writes:
            for number in itertools.count() if load.canned else self._numbers(transaction.key):
                request, length = self._request(transaction, number, load.shown), lengths[number % len(lengths)]
                status = 200 if load.canned else request.status
                yield Call(request.octets(path=load.canned), length, transaction.document(number), status)
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
    """The body of the answer. Raises WrongAnswer for another status than the request says."""
    headers = {"Content-Type": request.content_type} if request.content_type else {}
    if request.accept:
        headers["Accept"] = request.accept
    if request.authorization:
        headers["Authorization"] = request.authorization
    connection.request(request.method, request.path, body=request.body or None, headers=headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != request.status:
        raise WrongAnswer(f"{request.path}: found status {response.status}, expected {request.status}: {body[:300]!r}")
    return body


@contextmanager
def asking(transaction: Transaction, port: int, shown: Shown = NOTHING) -> Iterator[Callable[[Request], bytes]]:
    """What sends a request of this transaction and gives its answer. It raises WrongAnswer as `answer_to`."""
    if transaction.is_fed:
        with connected(port) as feed:
            yield lambda request: "\r".join([*feed.send(request.body), ""]).encode()
        return
    with closing(connection_to(port, shown)) as connection:
        yield partial(answer_to, connection)


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

    def hear(self, key: str, settings: Settings) -> bool:
        """Learn what the transaction asks of the database of these settings; whether it asks anything."""
        return bool(self._asked(_Client.hear, key, settings))

    def question(self, connections: int, seconds: float) -> Sample:
        """Ask that again and again, without Carnet."""
        sample: Sample = self._asked(_Client.question, connections, seconds)
        return sample

    def _asked(self, method: Callable[..., Any], *arguments: Any) -> Any:
        self._connection.send((method.__name__, arguments))
        result, problem = self._connection.recv()
        if problem is not None:
            raise WrongAnswer(problem)
        return result
