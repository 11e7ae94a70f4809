"""What 200 stalled connections cost the others: ITI-18 over mutual TLS, direct and behind nginx, with and without them.

python -m benchmarks.slow_clients
python -m benchmarks.slow_clients --rounds 9 --requests 4000 --document
"""

import contextlib
import http.client
import json
import multiprocessing
import ssl
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks import machine
from tests import mutual_tls, nginx, servers, slow_clients
from tests.mutual_tls import Pki
from tests.servers import Server

RESULT = machine.ROOT / "benchmarks" / "results" / "slow-clients.json"
PAGE = machine.ROOT / "docs" / "deployment.md"
_BEGIN, _END = "<!-- slow clients -->", "<!-- /slow clients -->"
_CLIENTS = 4
_TENTH = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Milliseconds of one request in a closed loop of four clients."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """So many connections that stall, of these kinds by turns."""

    count: int
    kinds: tuple[str, ...]


def percentiles(found: list[float]) -> Percentiles:
    ordered = sorted(found)
    p50, p95, p99 = (ordered[int(len(ordered) * share) - 1] for share in (0.5, 0.95, 0.99))
    return Percentiles(p50=p50, p95=p95, p99=p99)


@click.command()
@click.option("--stalled", default=200, show_default=True, help="Stalled connections, the kinds by turns.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(list(slow_clients.KINDS)),
    help="Only this kind, repeatable.  [default: all]",
)
@click.option("--rounds", default=5, show_default=True, help="Rounds; each measures without and with them.")
@click.option("--requests", default=2000, show_default=True, help="Requests of a measurement.")
@click.option("--document", is_flag=True, help="Write the table to docs/deployment.md and keep the result.")
def main(stalled: int, kinds: tuple[str, ...], rounds: int, requests: int, document: bool) -> None:
    """Measure the 99th percentile of the others beside stalled connections.

    \b
    python -m benchmarks.slow_clients
    python -m benchmarks.slow_clients --rounds 9 --requests 4000 --document
    python -m benchmarks.slow_clients --kind silent --kind "dripping octets"
    python -m benchmarks.slow_clients --kind "answers never read"
    """
    stalls = Stalls(count=stalled, kinds=kinds or tuple(slow_clients.KINDS))
    found: dict[str, list[tuple[Percentiles, Percentiles]]] = {}
    load = machine.load_average()
    with tempfile.TemporaryDirectory() as folder:
        pki = mutual_tls.a_pki(Path(folder) / "pki")
        for name, server in _arrangements(pki, Path(folder)):
            servers.know_patients(server.settings)
            measured(server, pki, requests)  # warms up
            found[name] = [_round(server, pki, stalls, requests, number) for number in range(rounds)]
            click.echo(f"{name}: measured", err=True)
    table = _table(found, stalls, rounds, requests, load)
    click.echo(table)
    if document:
        _keep(found, table, stalls)


def _arrangements(pki: Pki, folder: Path) -> Iterator[tuple[str, Server]]:
    with mutual_tls.started(pki, folder / "direct", requests_per_second=0) as server:
        yield "direct", server
    if nginx.binary() is None:
        click.echo("behind nginx: not measured, nginx is not installed (Debian package nginx-light)", err=True)
        return
    with nginx.in_front(pki, folder / "nginx", requests_per_second=0) as (server, _):
        yield "behind nginx", server


def _round(server: Server, pki: Pki, stalls: Stalls, requests: int, number: int) -> tuple[Percentiles, Percentiles]:
    """Without and with the stalled connections; every other round the other way round."""

    def alone() -> Percentiles:
        return measured(server, pki, requests)

    def beside() -> Percentiles:
        with _stalling(server, pki, stalls):
            return measured(server, pki, requests)

    if number % 2:
        second = beside()
        return alone(), second
    return alone(), beside()


@contextmanager
def _stalling(server: Server, pki: Pki, stalls: Stalls) -> Iterator[None]:
    """In a process of its own, so that they take nothing from the clients that are measured."""
    spawn = multiprocessing.get_context("spawn")
    ready, stop = spawn.Event(), spawn.Event()
    address = (server.settings.host, server.settings.port)
    process = spawn.Process(target=_stall, args=(*address, str(pki.client), str(pki.trust), stalls, ready, stop))
    process.start()
    if not ready.wait(180):
        raise click.ClickException("the stalled connections were not open within 180 s")
    try:
        yield
    finally:
        stop.set()
        process.join()


def _stall(host: str, port: int, client: str, trust: str, stalls: Stalls, ready: Any, stop: Any) -> None:
    context = ssl.create_default_context(cafile=f"{trust}/root.pem")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(client)
    with slow_clients.stalling(slow_clients.connect_to(host, port, context), stalls.count, stalls.kinds):
        ready.set()
        stop.wait()


def measured(server: Server, pki: Pki, requests: int) -> Percentiles:
    """ITI-18 with an assertion, on four connections that stay open."""
    context, started = pki.context(pki.client), threading.Barrier(_CLIENTS)
    message, headers = mutual_tls.a_query(pki)

    def client(_: int) -> list[float]:
        kept = http.client.HTTPSConnection("localhost", server.settings.port, timeout=60, context=context)
        with contextlib.closing(kept):
            started.wait()
            return [_milliseconds(kept, message, headers) for _ in range(requests // _CLIENTS)]

    with ThreadPoolExecutor(_CLIENTS) as clients:
        return percentiles([one for some in clients.map(client, range(_CLIENTS)) for one in some])


def _milliseconds(kept: http.client.HTTPSConnection, message: bytes, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    kept.request("POST", "/xds/registry", message, headers)
    answer = kept.getresponse()
    body = answer.read()
    milliseconds = (time.perf_counter() - began) * 1000
    if answer.status != 200 or b"ResponseStatusType:Success" not in body:
        raise click.ClickException(f"a wrong answer: {answer.status} {body[:300]!r}")
    return milliseconds


def _table(
    found: dict[str, list[tuple[Percentiles, Percentiles]]], stalls: Stalls, rounds: int, requests: int, load: float
) -> str:
    lines = [
        f"| arrangement | p50 alone / beside {stalls.count} | p95 | p99 | p99 beside : alone, median (least–most) |",
        "|---|---|---|---|---|",
    ]
    for name, pairs in found.items():
        cells = [
            " / ".join(f"{statistics.median(getattr(pair[which], key) for pair in pairs):.1f} ms" for which in (0, 1))
            for key in ("p50", "p95", "p99")
        ]
        ratios = sorted(beside.p99 / alone.p99 for alone, beside in pairs)
        verdict = "" if statistics.median(ratios) <= _TENTH else ", more than a tenth"
        cells.append(f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}){verdict}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    where = machine.machine()
    lines += [
        "",
        f"Of the {stalls.count} by turns: {', '.join(stalls.kinds)}.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {rounds} rounds of {requests} ITI-18 requests by {_CLIENTS} clients; "
        f"{where['cores']} cores, {where.get('processor', 'processor unknown')}; load average before: {load:.1f}; "
        f"commit {machine.commit()}",
    ]
    return "\n".join(lines)


def _keep(found: dict[str, list[tuple[Percentiles, Percentiles]]], table: str, stalls: Stalls) -> None:
    rounds = {
        name: [{"alone": _as_dict(alone), "beside": _as_dict(beside)} for alone, beside in pairs]
        for name, pairs in found.items()
    }
    RESULT.write_text(
        json.dumps({"stalled": stalls.count, "kinds": stalls.kinds, "arrangements": rounds}, indent=1) + "\n",
        encoding="utf-8",
    )
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    PAGE.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{rest.partition(_END)[2]}", encoding="utf-8")


def _as_dict(one: Percentiles) -> dict[str, float]:
    return {"p50": round(one.p50, 2), "p95": round(one.p95, 2), "p99": round(one.p99, 2)}


if __name__ == "__main__":
    main()
