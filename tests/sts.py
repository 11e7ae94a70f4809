"""The authorities, cards, structures and security token service that tests trust, and messages signed by them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from lxml import etree

from access_policy.authentication import Authenticator, Rules
from access_policy.caller import AuthenticationMode, Caller
from access_policy.make_vihf import Vihf, make_vihf, security_header, sign_assertion
from access_policy.refusals import Refused
from access_policy.security_header import DS
from access_policy.trust import Trust
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import Expected
from carnet.pki import Card, Credential, Igc, Structure, Use, issue_card, issue_structure, make_igc, revocation_list
from tests.builders import PATIENT, TEST_INS
from xds.datatypes import Code
from xds.xml import parse

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
DOCTOR = Card(identifier="801234567897", family="VILLARD", given="ÉLISE")
NURSE = Card(identifier="899700218896", family="KERGOAT", given="MAËL", title="Infirmier")
CLINIC = Structure(identifier="1690000014", name="Clinique des Tilleuls, Lyon")
OTHER_CLINIC = Structure(identifier="1750000018", name="Hôpital du Parc")
PROFESSION = Code(code="10", coding_scheme="1.2.250.1.71.1.2.7", display_name="Médecin")
CARDIOLOGY = Code(code="SM04", coding_scheme="1.2.250.1.71.4.2.5", display_name="Cardiologie")
NURSING = Code(code="60", coding_scheme="1.2.250.1.71.1.2.7", display_name="Infirmier")
AUTOMATE = Code(code="AUTOMATE", coding_scheme="1.2.250.1.213.1.1.4.6")


@cache
def igc() -> Igc:
    return make_igc(now=NOW - timedelta(days=30))


@cache
def other_igc() -> Igc:
    """Authorities of the same names that nobody trusts."""
    return make_igc(now=NOW - timedelta(days=30))


@cache
def card(holder: Card = DOCTOR) -> dict[Use, Credential]:
    return issue_card(igc(), holder, now=NOW - timedelta(days=1))


@cache
def structure(holder: Structure = CLINIC) -> dict[Use, Credential]:
    return issue_structure(igc(), holder, now=NOW - timedelta(days=1))


def revocations(*serials: int, days: int = 365) -> list[x509.CertificateRevocationList]:
    """The lists of all authorities; the serial numbers are revoked on each."""
    since = NOW - timedelta(hours=1)
    return [revocation_list(one, serials, now=since, days=days) for one in igc().authorities]


@cache
def trust(*revoked: int) -> Trust:
    authorities = igc()
    return Trust(
        [authorities.root.certificate],
        [authorities.persons.certificate, authorities.organisations.certificate],
        revocations(*revoked),
    )


@dataclass
class RememberedUses:
    """The first client of every assertion, in memory."""

    first: dict[tuple[str, str], str] = field(default_factory=dict)

    def first_client(
        self, *, issuer: str, assertion_id: str, client: str, until: datetime, now: datetime
    ) -> str | None:
        known = self.first.get((issuer, assertion_id))
        self.first.setdefault((issuer, assertion_id), client)
        return known


def rules(**changes: Any) -> Rules:
    vihf = VihfRules(expected=Expected(patient_authorities=frozenset({TEST_INS})))
    return replace(Rules(trust=trust(), vihf=vihf), **changes)


def authenticator(now: Callable[[], datetime] = lambda: NOW, **changes: Any) -> Authenticator:
    return Authenticator(rules(**changes), RememberedUses(), now=now)


def a_claim(**changes: Any) -> Vihf:
    """A cardiologist with her card, about the patient of the tests."""
    defaults: dict[str, Any] = {
        "subject": DOCTOR.identifier,
        "structure": CLINIC.identifier,
        "roles": (PROFESSION, CARDIOLOGY),
        "patient_id": PATIENT,
    }
    return Vihf(**(defaults | changes))


def an_indirect_claim(**changes: Any) -> Vihf:
    """The same doctor, logged in to the system of her clinic."""
    defaults: dict[str, Any] = {
        "subject": "3690000014/evillard",
        "display_name": "ÉLISE VILLARD",
        "mode": AuthenticationMode.INDIRECT,
    }
    return a_claim(**(defaults | changes))


def a_vihf(claim: Vihf | None = None, *, signer: Credential | None = None, now: datetime = NOW) -> etree._Element:
    """Signed by the card in direct mode, else by the seal of the clinic."""
    claim = claim or a_claim()
    if signer is None:
        signer = card()[Use.SIGNATURE] if claim.mode is AuthenticationMode.DIRECT else structure()[Use.SEAL]
    return make_vihf(claim, signer.certificate, signer.key, now=now)


def envelope(*assertions: etree._Element, body: bytes = b"<q/>") -> bytes:
    return enveloped(security_header(*assertions), body)


def enveloped(header: bytes, body: bytes = b"<q/>") -> bytes:
    return (
        b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Header>%s</e:Header><e:Body>%s</e:Body></e:Envelope>'
        % (
            header,
            body,
        )
    )


def refusal(message: bytes, client: Credential | None = None, *, now: datetime = NOW, **changes: Any) -> Refused:
    """Why a message is refused; by the card of the doctor unless another client is given."""
    client = client or card()[Use.AUTHENTICATION]
    try:
        caller = authenticator(lambda: now, **changes).caller(parse(message), client.der)
    except Refused as refused:
        return refused
    raise AssertionError(f"accepted as {caller}")


def accepted(message: bytes, client: Credential | None = None, *, now: datetime = NOW, **changes: Any) -> Caller:
    client = client or card()[Use.AUTHENTICATION]
    return authenticator(lambda: now, **changes).caller(parse(message), client.der)


def resigned(change: Callable[[etree._Element], None], claim: Vihf | None = None) -> etree._Element:
    """A VIHF changed before it was signed: the signature is good, what it signs is not."""
    assertion = a_vihf(claim)
    signature = assertion.find(f"{{{DS}}}Signature")
    assert signature is not None
    assertion.remove(signature)
    change(assertion)
    signer = card()[Use.SIGNATURE]
    return sign_assertion(assertion, signer.certificate, signer.key)
