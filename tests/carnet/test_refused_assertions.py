"""Whoever tries the same assertion again and again fills no audit trail: it is on record once, and counted."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from access_policy.caller import Peer
from access_policy.refusals import Reason, Refused
from audit.dicom import Record, read_message
from carnet.audit_wiring import started_audit
from carnet.auditing import Auditor
from carnet.claims import Claim
from carnet.refused_handshakes import RefusedHandshakes
from carnet.repeats import MOST_KINDS, Repeats
from carnet.wiring import open_actors
from storage.unit_of_work import StorageFailed
from tests import messages, mutual_tls, servers
from tests.audit_store import rows_of

EXPIRED, UNSIGNED = list(Reason)[:2]
DOCTOR = Claim(user="899700218896", issuer="CN=doctor", transaction="ITI-18")
SOFTWARE = Peer(address="192.0.2.7", certificate="CN=software")


class Desk:
    """An auditor, and what is on record of it in the end."""

    def __init__(self, auditor: Auditor, database: str) -> None:
        self.auditor, self._database = auditor, database

    def refuse(self, times: int = 1, reason: Reason = EXPIRED, peer: Peer = SOFTWARE, claim: Claim = DOCTOR) -> None:
        for _ in range(times):
            self.auditor.refused(Refused(reason, "some detail"), peer, claim)

    def records(self) -> list[Record]:
        return [read_message(one.message) for one in rows_of(self._database) if one.event == "assertion refused"]

    @property
    def counts(self) -> list[str]:
        return [one.description.partition("some detail")[2] for one in self.records()]


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    settings = servers.settings_for(folder, audit="on", audit_reserve_mb=0)
    actors = open_actors(settings)
    audit, refusals = started_audit(settings, actors.units, actors.auditor.trail), RefusedHandshakes()
    assert audit is not None
    try:
        refusals.record_in(actors.auditor)
        yield Desk(actors.auditor, settings.database_url)
    finally:
        refusals.stop()
        audit.stop()
        actors.units.close()


def test_the_same_refusal_is_on_record_at_once_and_counted(tmp_path: Path) -> None:
    with desk(tmp_path) as opened:
        opened.refuse(50)
        assert opened.counts == [""]
    assert opened.counts == ["", "; 49 more times"]
    first, last = opened.records()
    assert (first.participants, first.type_codes) == (last.participants, last.type_codes)


@pytest.mark.parametrize(
    "other",
    [
        {"reason": UNSIGNED},
        {"claim": Claim(user="899700218896", issuer="CN=doctor", transaction="ITI-43")},
        {"claim": Claim(user="899700000000", issuer="CN=doctor", transaction="ITI-18")},
        {"peer": Peer(address="192.0.2.7", certificate="CN=other")},
        {"peer": Peer(address="192.0.2.8", certificate="CN=software")},
    ],
    ids=["check", "transaction", "user", "certificate", "address"],
)
def test_what_differs_is_on_record_by_itself(tmp_path: Path, other: dict[str, Any]) -> None:
    with desk(tmp_path) as opened:
        opened.refuse()
        opened.refuse(**other)
        assert opened.counts == ["", ""]


def test_addresses_of_one_network_of_ipv6_are_one(tmp_path: Path) -> None:
    with desk(tmp_path) as opened:
        for number in range(5):
            opened.refuse(peer=Peer(address=f"2001:db8::{number:x}"))
    assert opened.counts == ["", "; 4 more times"]


def test_who_chooses_a_new_name_each_time_is_counted_too(tmp_path: Path) -> None:
    """The names in an assertion that is refused are the sender's to choose."""
    with desk(tmp_path) as opened:
        for number in range(MOST_KINDS + 50):
            opened.refuse(claim=Claim(user=str(number), issuer="CN=doctor", transaction="ITI-18"))
    assert opened.counts == [""] * (MOST_KINDS + 1) + ["; 49 more times"]


def test_a_refusal_that_could_not_be_recorded_is_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise StorageFailed("the disk is full")

    with desk(tmp_path) as opened:
        with monkeypatch.context() as patch, suppress(StorageFailed):
            patch.setattr(Auditor, "told", fails)
            opened.refuse()
            pytest.fail("it was told nobody that nothing was recorded")
        opened.refuse()
        assert opened.counts == [""]


def test_after_a_minute_it_is_told_how_often_and_after_another_one_it_is_new() -> None:
    now = [0.0]
    repeats = Repeats[str](clock=lambda: now[0])
    assert [repeats.is_new("kind", told) for told in ("a", "b", "c")] == [True, False, False]
    now[0] = 59
    assert repeats.due() == []
    now[0] = 60
    assert repeats.due() == [("a", 2)]
    assert not repeats.is_new("kind", "d")
    now[0] = 120
    assert repeats.due() == [("a", 1)]
    now[0] = 180
    assert repeats.due() == []
    assert repeats.is_new("kind", "e")


def test_a_server_counts_a_client_that_asks_again_and_again_without_an_assertion(tmp_path: Path) -> None:
    """By both doors, in a process of its own: the second record is written when it stops."""
    pki = mutual_tls.a_pki(tmp_path / "pki")
    query = messages.envelope(messages.query_body(messages.FIND_DOCUMENTS, {}, "LeafClass"), messages.QUERY_ACTION)
    context, soap = pki.context(pki.client), {"Content-Type": messages.simple_type()}
    with mutual_tls.started(pki, tmp_path / "data") as server:
        for _ in range(3):
            mutual_tls.request(server, context, "POST", "/xds/registry", query, soap)
        for _ in range(4):
            mutual_tls.request(server, context, "GET", "/fhir/DocumentReference?status=current")
    rows = [one for one in rows_of(server.settings.database_url) if one.event == "assertion refused"]
    found = [read_message(one.message) for one in rows]
    told = sorted((one.type_codes[1].code, one.description.partition("; ")[2]) for one in found)
    assert told == [("ITI-18", ""), ("ITI-18", "2 more times"), ("ITI-67", ""), ("ITI-67", "3 more times")]
