"""The competitors of a race, in a module of its own that a new process can import."""

from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

from access_policy.caller import OPEN_CALLER
from carnet.domains import affinity_domain
from carnet.settings import Settings
from registry.store import Registry
from storage.engine import open_engine
from storage.postgresql_units import PostgresqlUnits
from storage.unit_of_work import Units
from tests.builders import a_reading
from xds.errors import Rejected
from xds.metadata import Submission

Outcome = frozenset[str]
WON: Outcome = frozenset()


def attempt(registry: Registry, submission: Submission, handle: Callable[..., Any]) -> Outcome:
    """The codes with which a submission was refused, none when it won."""
    try:
        registry.units.write(lambda unit: handle(registry, unit, a_reading(submission), OPEN_CALLER))
    except Rejected as rejected:
        return frozenset(str(error.code) for error in rejected.errors)
    return WON


def a_registry(url: str) -> tuple[Registry, Units]:
    units = PostgresqlUnits(open_engine(url, connections=2))
    domain = affinity_domain(Settings())
    return Registry(units, domain=domain, render_fhir=lambda *_: b"{}", now=lambda: "20260310100000"), units


def compete(url: str, handle: Any, start: Barrier, submissions: Any, outcomes: Any) -> None:
    """One process: a submission at a time, each at the same moment as the other process."""
    registry, units = a_registry(url)
    while (submission := submissions.get()) is not None:
        start.wait()
        outcomes.put(attempt(registry, submission, handle))
    units.close()
