"""A Carnet set up as the kit wants it, and the kit run against it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from carnet.settings import Settings
from conformance.nist.configuration import Configuration, open_session, open_system
from conformance.nist.kit import read_kit
from conformance.nist.mllp_client import MllpClient
from conformance.nist.outcomes import RunOutcome
from conformance.nist.patient_feed import Feed, FeedExchange, feed_by_mllp
from conformance.nist.run import Observer, run_kit
from conformance.nist.run_order import plan_run, select
from tests.servers import Server, settings_for


def kit_settings(data: Path, kit_folder: Path, database: str = "", **given: object) -> Settings:
    """The affinity domain of the kit: its codes and authorities, patients known by the feed."""
    codes = str(kit_folder / "environment" / "default" / "codes.xml")
    return settings_for(data, database, domain="ihe", codes=codes, mllp="127.0.0.1:0", **given)


def feed_all(*servers: Server) -> Feed:
    """Makes a patient known to several servers; the first refusal counts."""
    feeds = [feed_by_mllp(MllpClient(host="127.0.0.1", port=server.feed)) for server in servers]

    def feed(patient_id: str) -> FeedExchange:
        exchanges = [one(patient_id) for one in feeds]
        return next((one for one in exchanges if one.problem), exchanges[0])

    return feed


def run_against(
    server: Server,
    kit_folder: Path,
    *,
    tests: Sequence[str] = (),
    url: str = "",
    limited: Server | None = None,
) -> RunOutcome:
    """Run tests of a kit, all by default; `url` is used instead of the server's own, for a proxy before it.

    `limited` is a second server that accepts limited metadata from XDR sources. The waits of the plans are left out:
    what must differ after them has to differ at once.
    """
    kit = read_kit(kit_folder)
    recipients = {} if limited is None else {"xdr": server.repository_url, "xdr_limited": limited.repository_url}
    configuration = Configuration(
        registry=f"{url or server.url}/xds/registry",
        repository=f"{url or server.repository_url}/xds/repository",
        addresses={name: f"{address}/xds/recipient" for name, address in recipients.items()},
        is_without_feed=True,
    )
    feed = feed_all(*(one for one in (server, limited) if one is not None))
    system = replace(open_system(configuration), feed=feed, wait=lambda seconds: None)
    return run_kit(kit, plan_run(kit, select(kit, tests)), system, open_session(configuration, kit), Observer())
