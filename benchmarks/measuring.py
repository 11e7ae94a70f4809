"""Measuring one transaction: Carnet and what stands beside it in turn, each first in every other round."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks import process_times
from benchmarks.canned import PATH
from benchmarks.client import ClientProcess, Load
from benchmarks.closed_loop import Sample
from benchmarks.databases import Database
from benchmarks.floors import Floor
from benchmarks.load.kept import documents_kept, octets_of
from benchmarks.load.machine_use import MemoryWatch
from benchmarks.outcome import Measured, Round, Run
from benchmarks.servers import Server
from benchmarks.transaction import Transaction

_WARM_UP_SECONDS = 1.0
# A question to a large registry may take this many times as long as to a small one.
LARGEST_GROWTH = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How to measure; `profiled` requests are looked at closely where a target is missed."""

    connections: int
    rounds: int
    seconds: float
    profiled: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A running Carnet with a data set in its database, and the client that asks it."""

    server: Server
    database: Database
    client: ClientProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that are compared: runs for some seconds; processes whose time is told, 0 for none."""

    run: Callable[[float], Sample]
    server: int = 0
    database: int = 0

    def measured(self, seconds: float) -> Run:
        before = _times(self.server), _times(self.database)
        sample = self.run(seconds)
        after = _times(self.server), _times(self.database)
        server_seconds, database_seconds = (
            None if one is None or other is None else other - one for one, other in zip(before, after, strict=True)
        )
        return Run(sample=sample, server_seconds=server_seconds, database_seconds=database_seconds)


def measure(registry: Registry, canned: Server, transaction: Transaction, method: Method) -> Measured:
    """Beside the floor of the transaction. Raises WrongAnswer."""
    length = _looked_at(registry, transaction)
    load = _load(registry, transaction, method)
    load = replace(load, port=canned.port, canned=f"{PATH}{length}", canned_length=length)
    bytes_alone = Side(run=lambda seconds: registry.client.run(replace(load, seconds=seconds)), server=canned.process)
    bare, work = _bare(registry, transaction, method)
    is_canned = transaction.floor is Floor.CANNED or work is None
    floor, other = (bytes_alone, work) if is_canned else (work, bytes_alone)
    rounds = _in_turn(_asking(registry, transaction, method), floor, method, other=other)
    return replace(_measured(transaction, length, rounds), other=bare if is_canned else Floor.CANNED)


def _bare(registry: Registry, transaction: Transaction, method: Method) -> tuple[Floor, Side | None]:
    """The bare work of the database, None where nothing of it can be done again: changes of what is stored."""
    if transaction.stored is not None:
        return Floor.TRANSACTION, _inserting(registry, transaction, method)
    if transaction.writes or not registry.client.hear(transaction.key, registry.database.settings):
        return Floor.QUESTIONS, None
    return Floor.QUESTIONS, _questioning(registry, method)


def measure_growth(large: Registry, small: Registry, transaction: Transaction, method: Method) -> Measured:
    """Beside the same transaction in a smaller registry. Raises WrongAnswer."""
    transaction = replace(transaction, floor=Floor.SMALLER, target=1 / LARGEST_GROWTH)
    length, _ = _looked_at(large, transaction), _looked_at(small, transaction)
    rounds = _in_turn(_asking(large, transaction, method), _asking(small, transaction, method), method)
    return _measured(transaction, length, rounds)


def with_footprint(registry: Registry, one: Callable[[], Measured], *, brings: bool) -> Measured:
    """A measurement, with the memory of the server meanwhile, and the disk that each document takes that it brought.

    What stands beside a transaction that brings documents writes into no database, so the growth is that of Carnet.
    """
    settings = registry.database.settings
    documents, octets = (documents_kept(settings), octets_of(settings)) if brings else (0, 0)
    with MemoryWatch(registry.server.process) as watch:
        measured = replace(one(), memory=watch.most or None)
    if not brings:
        return measured
    documents, octets = documents_kept(settings) - documents, octets_of(settings) - octets
    return replace(measured, disk=octets // documents)


def _measured(transaction: Transaction, length: int, rounds: tuple[Round, ...]) -> Measured:
    return Measured(
        key=transaction.key,
        title=transaction.title,
        floor=transaction.floor,
        target=transaction.target,
        answer_length=length,
        rounds=rounds,
    )


def _in_turn(own: Side, floor: Side, method: Method, *, other: Side | None = None) -> tuple[Round, ...]:
    """Carnet stands between the two others, so that it is measured directly before or after each."""
    sides = {"floor": floor, "carnet": own} | ({} if other is None else {"other": other})
    for side in sides.values():
        side.run(min(_WARM_UP_SECONDS, method.seconds))
    rounds = []
    for number in range(method.rounds):
        order = list(sides.items())
        runs = {name: side.measured(method.seconds) for name, side in (order if number % 2 else reversed(order))}
        rounds.append(Round(**runs))
    return tuple(rounds)


def _load(registry: Registry, transaction: Transaction, method: Method) -> Load:
    port = _port(registry, transaction)
    return Load(key=transaction.key, port=port, connections=method.connections, seconds=method.seconds)


def _looked_at(registry: Registry, transaction: Transaction) -> int:
    return registry.client.look(transaction.key, _port(registry, transaction))


def _port(registry: Registry, transaction: Transaction) -> int:
    return registry.server.feed if transaction.is_fed else registry.server.port


def _asking(registry: Registry, transaction: Transaction, method: Method) -> Side:
    load = _load(registry, transaction, method)
    return Side(
        run=lambda seconds: registry.client.run(replace(load, seconds=seconds)),
        server=registry.server.process,
        database=registry.database.process,
    )


def _inserting(registry: Registry, transaction: Transaction, method: Method) -> Side:
    url = registry.database.settings.database_url
    return Side(
        run=lambda seconds: registry.client.insert(transaction.key, url, method.connections, seconds),
        database=registry.database.process,
    )


def _questioning(registry: Registry, method: Method) -> Side:
    return Side(
        run=lambda seconds: registry.client.question(method.connections, seconds),
        database=registry.database.process,
    )


def _times(process: int) -> float | None:
    return process_times.processor_seconds(process) if process and process_times.is_known() else None
