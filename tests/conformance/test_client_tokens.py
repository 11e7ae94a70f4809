"""What a JWT says is compared with the message it comes with: time, server, patient, author."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conformance.client.exchanges import Exchange, Laboratory
from conformance.client.http_reading import Connection
from conformance.client.received import Received
from conformance.client.rules.tokens import RULES, claims_of
from conformance.client.scenarios import read_people, steps_of
from tests.conformance.faults_of_fhir import jwt
from tests.conformance.fhir_software import fed as bundle_of
from tests.conformance.vendor_software import a_report

HOST = "lab.example.org:8443"
LABORATORY = Laboratory(people=read_people(), authorities=())
SEARCH = "DocumentReference?patient.identifier=urn:oid:1.2.250.1.213.1.4.10%7C258063523804186&status=current"


def found(token: str, *, fed: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """Where the token disagrees with a search, or with what is fed, and what was found."""
    line, body = (f"GET /fhir/{SEARCH}", b"") if fed is None else ("POST /fhir", json.dumps(fed).encode())
    head = f"{line} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/fhir+json\r\nAuthorization: Bearer {token}"
    exchange = Exchange(
        id="1",
        time=datetime.now(UTC),
        step=steps_of(["fhir"])[0],
        connection=Connection(address="127.0.0.1"),
        received=Received.of(head.encode() + b"\r\n\r\n" + body),
        answered=Received.of(b"HTTP/1.1 401 Unauthorized\r\n\r\n"),
    )
    [rule] = RULES
    assert rule.applies(exchange)
    return [(one.location, one.evidence) for one in rule.check(exchange, LABORATORY)]


def test_a_token_that_agrees_is_right() -> None:
    assert found(jwt(HOST)) == []
    assert found(jwt(HOST), fed=bundle_of(a_report())) == []


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"patient": "179046912305541"}, "extensions.ihe_bppc.patient_id"),
        ({"life": -timedelta(minutes=5)}, "exp"),
        ({"audience": "https://other.example.org/fhir"}, "aud"),
    ],
)
def test_a_token_of_something_else_is_seen(told: dict[str, Any], where: str) -> None:
    for fed in (None, bundle_of(a_report())):
        assert [place for place, _ in found(jwt(HOST, **told), fed=fed)] == [where]


def test_who_feeds_for_somebody_else_is_seen() -> None:
    """The structure may: an employee feeds what its doctor wrote."""
    fed = bundle_of(a_report())
    assert found(jwt(HOST, subject="3350999033/00042"), fed=fed) == []
    stranger = jwt(HOST, subject="899700218896", structure="1420780652")
    assert found(stranger, fed=fed) == [("sub", "1420780652, 899700218896")]


@pytest.mark.parametrize("part", ["!", "e30", "WzFd", "é"])
def test_a_token_that_says_nothing_agrees_with_nothing(part: str) -> None:
    assert claims_of(f"Bearer e30.{part}.c2ln") == {}
    assert claims_of("Bearer PHhtbD4") is None
