"""Where the time of one transaction goes: the application in this process, under cProfile, without HTTP.

python -m benchmarks.profiles iti18-leaf-class --entries 100000 --data bench-data
"""

import cProfile
import os
import pstats
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import structlog
from werkzeug.test import EnvironBuilder, run_wsgi_app

from benchmarks.machine import ROOT
from benchmarks.plan import Sizes
from benchmarks.requests import Request, Workload
from benchmarks.transactions import BY_KEY, TRANSACTIONS
from carnet.application import application
from carnet.server import configure_log
from carnet.settings import Settings, load
from carnet.wiring import open_actors

REQUESTS = 300
_WARM_UP = 50
_FUNCTIONS = 18
_PACKAGE = re.compile(r"/site-packages/([^/.]+)")
_Stats = dict[tuple[str, int, str], tuple[int, int, float, float, object]]


def profile(key: str, sizes: Sizes, settings: Settings, requests: int = REQUESTS) -> str:
    """Own time by package and by function, in microseconds per request. cProfile makes Python look slow."""
    transaction, workload = BY_KEY[key], Workload(sizes)
    before = [environment_of(request) for request in transaction.before(workload)]
    warm_up = min(_WARM_UP, requests)
    asked = (transaction.request(workload, number) for number in range(warm_up + requests))
    environments = [environment_of(request) for request in asked]
    with Path(os.devnull).open("wb") as nowhere:
        configure_log(nowhere)
        try:
            return _profiled(before, environments, settings, warm_up)
        finally:
            structlog.reset_defaults()


_Environments = Sequence[dict[str, object]]


def _profiled(before: _Environments, environments: _Environments, settings: Settings, warm_up: int) -> str:
    actors = open_actors(settings)
    app, profiler = application(actors), cProfile.Profile()
    try:
        for environment in before:
            run_wsgi_app(app, environment)
        for number, environment in enumerate(environments):
            if number == warm_up:
                profiler.enable()
            chunks, _, _ = run_wsgi_app(app, environment)
            b"".join(chunks)
        profiler.disable()
    finally:
        actors.units.close()
    requests = len(environments) - warm_up
    return "\n".join(_shown(pstats.Stats(profiler).stats, requests))  # type: ignore[attr-defined]


def environment_of(request: Request) -> dict[str, object]:
    """The request as the application is given it, without HTTP."""
    headers = [("Accept", request.accept)] if request.accept else []
    path, _, query = request.path.partition("?")
    builder = EnvironBuilder(
        path=path,
        query_string=query,
        method=request.method,
        content_type=request.content_type or None,
        data=request.body or None,
        headers=headers,
    )
    return builder.get_environ()


def _shown(stats: _Stats, requests: int) -> Iterator[str]:
    own = {where: figures[2] * 1e6 / requests for where, figures in stats.items()}
    whole = sum(own.values())
    packages: Counter[str] = Counter()
    for where, microseconds in own.items():
        packages[_package(where[0])] += microseconds  # type: ignore[assignment]
    yield f"{whole:8.0f} us per request under the profiler"
    for name, microseconds in packages.most_common(12):
        yield f"{microseconds:8.0f} us {microseconds / whole:5.0%}  {name}"
    yield ""
    for where, microseconds in sorted(own.items(), key=lambda item: -item[1])[:_FUNCTIONS]:
        calls = stats[where][0] / requests
        yield f"{microseconds:8.0f} us {calls:7.1f} calls  {_place(where)}"


def _package(file: str) -> str:
    if file == "~":
        return "functions in C"
    found = _PACKAGE.search(file)
    if found:
        return found[1]
    if file.startswith(str(ROOT)):
        return f"Carnet: {Path(file).relative_to(ROOT).parts[0]}"
    return "standard library"


def _place(where: tuple[str, int, str]) -> str:
    file, line, function = where
    return function if file == "~" else f"{'/'.join(file.split('/')[-2:])}:{line} {function}"


@click.command()
@click.argument("transaction", type=click.Choice([one.key for one in TRANSACTIONS if not one.is_fed]))
@click.option("--entries", default=Sizes().entries, show_default=True)
@click.option("--patients", default=0)
@click.option("--seed", default=1, show_default=True)
@click.option("--data", required=True, help="Data folder that benchmarks.dataset filled with the same sizes.")
@click.option("--database", default="", help="Its database, if it is not SQLite in that folder.")
def main(transaction: str, entries: int, patients: int, seed: int, data: str, database: str) -> None:
    """Show where the time of TRANSACTION goes."""
    settings = load({"data": data, "database": database, "security": "open"})
    click.echo(profile(transaction, Sizes(entries=entries, patients=patients, seed=seed), settings))


if __name__ == "__main__":
    sys.exit(main())
