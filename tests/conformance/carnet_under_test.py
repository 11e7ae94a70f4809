"""A Carnet to test, and the kit run against it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from conformance.nist.configuration import Configuration, open_session, open_system
from conformance.nist.kit import read_kit
from conformance.nist.outcomes import RunOutcome
from conformance.nist.patient_feed import Feed, FeedExchange
from conformance.nist.run import Observer, run_kit
from conformance.nist.run_order import plan_run, select
from tests.servers import Server, know_patients
from xds.datatypes import CX


def feed_of(server: Server) -> Feed:
    """Makes patients known the way `carnet patient add` does, beside the running server."""

    def feed(patient_id: str) -> FeedExchange:
        know_patients(server.settings, CX(patient_id))
        return FeedExchange(address="carnet patient add", request=patient_id)

    return feed


def run_against(
    server: Server, kit_folder: Path, *, tests: Sequence[str] = (), url: str = "", **options: object
) -> RunOutcome:
    """Run tests of a kit; `url` is used instead of the server's own, for a proxy before it."""
    kit, base = read_kit(kit_folder), url or server.url
    configuration = Configuration(
        registry=f"{base}/xds/registry",
        repository=f"{base}/xds/repository",
        is_without_feed=True,
        **options,  # type: ignore[arg-type]
    )
    do_not_wait: Callable[[float], None] = lambda seconds: None  # noqa: E731 - its type is what matters
    system = replace(open_system(configuration), feed=feed_of(server), wait=do_not_wait)
    return run_kit(kit, plan_run(kit, select(kit, tests)), system, open_session(configuration, kit), Observer())
