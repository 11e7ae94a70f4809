"""Patient Identity Feed HL7 v3: the same effects and refusals as ITI-8. ITI TF-2: 3.44."""

import pytest
from lxml import etree

from access_policy.caller import OPEN_CALLER
from registry import iti44_patient_identity_feed_hl7v3 as iti44
from registry import patients
from registry.store import Registry
from storage.unit_of_work import StorageFailed
from tests.hl7v3.written import TILLEULS, ii, v3_message
from xds.affinity_domain import AffinityDomain

ADDED, REVISED, MERGED = "PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02"
GREEN = "2.25.2718281828"


@pytest.fixture
def feed(registry: Registry) -> Registry:
    registry.domain = AffinityDomain(name="ihe", assigning_authorities=frozenset({TILLEULS, GREEN}))
    return registry


def send(registry: Registry, name: str, patient: str, prior: str = "", **given: object) -> tuple[str, list[str]]:
    """typeCode and the details of the answer."""
    body = etree.fromstring(v3_message(name, patient, prior, **given))
    answer = etree.fromstring(iti44.soap(registry, body, OPEN_CALLER))
    [code] = [str(one.get("code")) for one in answer.iterfind(".//{*}acknowledgement/{*}typeCode")]
    return code, [str(one.text) for one in answer.iter("{*}text")]


def known(registry: Registry) -> set[str]:
    return {
        one.id for one, into in patients.all_patients(registry) if one.authority in (TILLEULS, GREEN) and into is None
    }


@pytest.mark.parametrize("name", [ADDED, REVISED])
def test_identifiers_of_the_domain_become_known_and_no_other(feed: Registry, name: str) -> None:
    ids = ii("P1") + ii("P2", GREEN) + ii("P3", "1.2.3") + f'<id root="{TILLEULS}"/>' + ii("P1")
    for _ in range(2):
        assert send(feed, name, ids) == ("CA", [])
    assert known(feed) == {"P1", "P2"}


def test_a_merge_subsumes_the_prior_registration(feed: Registry) -> None:
    send(feed, ADDED, ii("P1"))
    send(feed, ADDED, ii("P2"))
    assert send(feed, MERGED, ii("P1") + ii("X", "1.2.3"), ii("P2")) == ("CA", [])
    assert known(feed) == {"P1"}
    code, details = send(feed, MERGED, ii("P1"), ii("P2"))
    assert (code, "already merged" in details[0]) == ("CE", True)


@pytest.mark.parametrize(
    ("patient", "prior"),
    [
        (ii("P1"), ii("P1")),
        (ii("404"), ii("P2")),
        (ii("P1"), ii("404")),
        (ii("P1"), ii("P2", "1.2.3")),
        (ii("P1", "1.2.3"), ii("P2")),
        (ii("P1") + ii("P2"), ii("P2")),
    ],
)
def test_a_merge_that_cannot_be_is_an_error_and_changes_nothing(feed: Registry, patient: str, prior: str) -> None:
    for identifier in ("P1", "P2"):
        send(feed, ADDED, ii(identifier))
    code, details = send(feed, MERGED, patient, prior)
    assert (code, len(details), known(feed)) == ("CE", 1, {"P1", "P2"})


@pytest.mark.parametrize("name", [ADDED, REVISED])
def test_a_patient_of_other_domains_alone_is_ignored(feed: Registry, name: str) -> None:
    assert send(feed, name, ii("P1", "1.2.3") + ii("P2", "1.2.4")) == ("CA", [])
    assert known(feed) == set()


@pytest.mark.parametrize("ids", [f'<id root="{TILLEULS}"/>', ii("P1", "no OID")])
def test_a_patient_without_any_identifier_is_an_error(feed: Registry, ids: str) -> None:
    code, details = send(feed, ADDED, ids)
    assert (code, TILLEULS in details[0], known(feed)) == ("CE", True, set())


@pytest.mark.parametrize(
    "given", [{"mode": "A"}, {"ack": "NE"}, {"receivers": 2}, {"message_id": ""}, {"interaction": "X"}]
)
def test_a_message_that_is_not_of_the_exchange_is_rejected(feed: Registry, given: dict[str, object]) -> None:
    code, details = send(feed, ADDED, ii("P1"), **given)
    assert (code, len(details), known(feed)) == ("CR", 1, set())


def test_a_database_that_fails_asks_for_the_message_again(feed: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise StorageFailed("disk full")

    monkeypatch.setattr(feed.units, "write", fails)
    code, details = send(feed, ADDED, ii("P1"))
    assert (code, "send the message again" in details[0], "disk full" in details[0]) == ("CE", True, False)
