"""Whoever knocks fills no audit trail: the same refusal is on record once, and counted. ITI TF-2: 3.19.6.3"""

from pathlib import Path

import pytest

from audit.dicom import read_message
from carnet.address import network_of
from carnet.audit_wiring import started_audit
from carnet.refused_handshakes import RefusedHandshakes
from carnet.wiring import open_actors
from tests import servers
from tests.audit_store import rows_of


def test_all_addresses_of_one_network_of_ipv6_are_one(tmp_path: Path) -> None:
    """A client has 2^64 of them at will: each would be a record."""
    settings = servers.settings_for(tmp_path, audit="on", audit_reserve_mb=0)
    actors = open_actors(settings)
    audit = started_audit(settings, actors.units, actors.auditor.trail)
    assert audit is not None
    refused = RefusedHandshakes()
    try:
        refused.record_in(actors.auditor)
        for number in range(50):
            refused("certificate required", f"2001:db8::{number:x}", is_refusal=True)
        refused("certificate required", "2001:db8:0:1::1", is_refusal=True)
    finally:
        refused.stop()
        audit.stop()
        actors.units.close()
    told = [read_message(one.message) for one in rows_of(settings.database_url) if one.event == "node refused"]
    assert [one.description.partition("; ")[2] for one in told] == ["", "", "49 more times"]
    assert "2001:db8::" in str(told[0].participants)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("", ""),
    ],
)
def test_what_one_who_knocks_has_at_will(address: str, network: str) -> None:
    assert network_of(address) == network
