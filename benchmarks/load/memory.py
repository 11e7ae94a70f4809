"""Memory of the whole server with many connections open, some of them all busy at once.

python -m benchmarks.load.memory
python -m benchmarks.load.memory --database SQLite --idle 1000 --active 200 --document
"""

import json
import multiprocessing
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import databases, machine, servers
from benchmarks.load.counted import Counted
from benchmarks.load.generator import GeneratorFailed
from benchmarks.load.machine_use import MemoryWatch, proportional_memory
from benchmarks.load.measurement import Measurement, fill, generators_of, prepared, secured
from benchmarks.load.profiles import BY_NAME
from benchmarks.page import show
from benchmarks.plan import Sizes
from benchmarks.servers import Server, ServerFailed
from tests import mutual_tls
from tests.mutual_tls import Pki
from tests.slow_clients import connect_to

RESULTS, PAGE = machine.ROOT / "benchmarks" / "results", machine.ROOT / "docs" / "load.md"
LIMIT_MB = 600
_REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
_BODY = b"alive\n"
_SAMPLE_SECONDS = 0.5
# All connections are those of one client here; they stay as long as the measurement takes, and all that the active
# ones ask is taken, however long it waits for its turn.
_HELD: dict[str, Any] = {"connections_per_client": 4000, "idle_seconds": 3600, "queue_milliseconds": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Megabytes of all processes of the server, what they share counted once: after the start, with the idle
    connections, and the most while the active ones asked; `database` is the most of PostgreSQL meanwhile, 0 without it.
    """

    database_name: str
    workers: int
    idle_connections: int
    active_connections: int
    started: float
    idle: float
    active: float
    database: float
    answered: int

    @property
    def is_held(self) -> bool:
        return self.active <= LIMIT_MB


@contextmanager
def idle_connections(server: Server, pki: Pki, count: int) -> Iterator[None]:
    """So many connections over mutual TLS, each of which has asked once, held by a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ready, stop = spawn.Event(), spawn.Event()
    arguments = (server.port, str(pki.client), str(pki.trust / "root.pem"), count, ready, stop)
    process = spawn.Process(target=_hold, args=arguments, daemon=True)
    process.start()
    try:
        while not ready.wait(1):
            if not process.is_alive():
                raise ServerFailed(f"{count} connections could not be opened")
        yield
        if not process.is_alive():
            raise ServerFailed("the server has closed idle connections")
    finally:
        stop.set()
        process.join()


def _hold(port: int, client: str, root: str, count: int, ready: Any, stop: Any) -> None:
    context = ssl.create_default_context(cafile=root)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(client)
    connect = connect_to("127.0.0.1", port, context)
    held = [_asked(connect(True)) for _ in range(count)]
    ready.set()
    stop.wait()
    for one in held:  # raises where the server has closed it meanwhile
        _asked(one)
        one.close()


def _asked(one: socket.socket) -> socket.socket:
    one.sendall(_REQUEST)
    answer = one.recv(65536)
    while not answer.endswith(_BODY) and (more := one.recv(65536)):
        answer += more
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise ServerFailed(f"found {answer[:60]!r}, expected 200")
    return one


def measure(plan: Measurement, folder: Path, idle: int, console: Console) -> Memory:
    """Raises ServerFailed, GeneratorFailed."""
    with ExitStack() as stack:
        database = stack.enter_context(databases.opened(plan.database, folder, threads=16, workers=plan.workers))
        fill(plan.sizes, database, console.print)
        pki = mutual_tls.a_pki(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carnet-memory-pki-"))))
        settings = secured(database.settings, pki, {**_HELD, **plan.settings})
        server = stack.enter_context(servers.carnet(settings))
        [generator] = stack.enter_context(generators_of(plan, server, pki))
        console.print(prepared([generator]))
        started = proportional_memory(server.process)
        stack.enter_context(idle_connections(server, pki, idle))
        beside = proportional_memory(server.process)
        console.print(f"{idle} connections are idle; {plan.connections} ask ...")
        with (
            MemoryWatch(server.process, seconds=_SAMPLE_SECONDS) as memory,
            MemoryWatch(database.process, seconds=_SAMPLE_SECONDS) as of_database,
        ):
            generator.ask("run_at_once")
            counted: Counted = generator.wait()
        if counted.problems:
            commonest = "; ".join(f"{many} × {text[:300]}" for text, many in counted.problems.most_common(3))
            raise GeneratorFailed(f"{counted.problems.total()} requests failed: {commonest}")
        return Memory(
            database_name=plan.database,
            workers=settings.workers,
            idle_connections=idle,
            active_connections=plan.connections,
            started=started / 1e6,
            idle=beside / 1e6,
            active=memory.most / 1e6,
            database=of_database.most / 1e6 if database.process else 0.0,
            answered=counted.sent,
        )


def markdown(found: Memory, made: str) -> str:
    """The table."""
    verdict = "held" if found.is_held else "**missed**"
    others = f" PostgreSQL beside it: {found.database:.0f} MB at most." if found.database else ""
    return (
        f"| the server, MB | |\n|---|--:|\n"
        f"| after its start, {found.workers} process(es) and their parent | {found.started:.0f} |\n"
        f"| with {found.idle_connections} idle connections over mutual TLS | {found.idle:.0f} |\n"
        f"| at most, while {found.active_connections} more asked all at once | {found.active:.0f} |\n\n"
        f"Goal {LIMIT_MB} MB: {verdict}. {found.answered} requests of a mixed load were answered.{others} "
        f"Measured {made}, commit `{machine.commit()}`."
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--database", type=click.Choice(["PostgreSQL", "SQLite"]), default="PostgreSQL", show_default=True)
@click.option("--idle", default=1000, show_default=True, help="Connections that are open and ask nothing.")
@click.option("--active", default=200, show_default=True, help="Connections that ask without a pause.")
@click.option("--requests", default=3000, show_default=True, help="How many they ask in all.")
@click.option("--entries", default=10_000, show_default=True, help="DocumentEntries in the registry before.")
@click.option("--workers", default=0, help="Server processes.  [default: 2 on PostgreSQL, 1 on SQLite]")
@click.option("--results", default=str(RESULTS), help="Folder of the result.  [default: benchmarks/results]")
@click.option("--document", is_flag=True, help="Show the result in docs/load.md too.")
def main(
    database: str, idle: int, active: int, requests: int, entries: int, workers: int, results: str, document: bool
) -> None:
    """Measure the memory of the whole server (PSS of all its processes) with everything of security on.

    The active connections ask what a region asks in a day, ITI-41 of 140 kB to ITI-68. Exit code 0: at most 600 MB;
    3: more; 1: nothing was measured.

    \b
    python -m benchmarks.load.memory
    python -m benchmarks.load.memory --database SQLite --document
    """
    plan = Measurement(
        profile=BY_NAME["mixed"],
        sizes=Sizes(entries=entries),
        database=database,
        rate=requests / 60,
        seconds=60,
        warm_up=0,
        connections=active,
        workers=workers or (2 if database == "PostgreSQL" else 1),
    )
    try:
        with tempfile.TemporaryDirectory(prefix="carnet-memory-") as folder:
            Path(folder).chmod(0o755)  # the database server may run as another user
            found = measure(plan, Path(folder), idle, Console(stderr=True, highlight=False))
    except (ServerFailed, GeneratorFailed, OSError) as problem:
        click.echo(f"memory: {problem}", err=True)
        sys.exit(1)
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    text, name = markdown(found, made), f"{made[:10]}-memory-{database}"
    Path(results).mkdir(parents=True, exist_ok=True)
    plain = {"made": made, "commit": machine.commit(), "machine": machine.machine(), "MB": asdict(found)}
    (Path(results) / f"{name}.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    if document:
        show(PAGE, name, text, place=f"memory {database}")
    click.echo(text)
    sys.exit(0 if found.is_held else 3)


if __name__ == "__main__":
    main()
