"""Times, audiences, issuers, confirmations and reuse of assertions, at every edge. S19 to S23."""

import base64
from datetime import timedelta

import pytest
from lxml import etree

from access_policy.refusals import Reason
from access_policy.security_header import DS, SAML
from access_policy.times import write_time
from carnet.pki import Credential, Use, issue_card
from tests import sts
from tests.access_policy.altered_assertions import Element, at, find, reason, signed
from xds.xml import parse

# S19: time


def test_s19_the_window_and_its_skew_to_the_second() -> None:
    message, skew = at(life=timedelta(minutes=5)), timedelta(seconds=60)
    for offset, is_good in (
        (timedelta(minutes=5) + skew - timedelta(seconds=1), True),
        (timedelta(minutes=5) + skew, False),
        (-skew, True),
        (-skew - timedelta(seconds=1), False),
    ):
        now = sts.NOW + offset
        if is_good:
            assert sts.accepted(message, now=now)
        else:
            assert reason(message, now=now) is Reason.TIME
    assert reason(message, now=sts.NOW + timedelta(minutes=5), skew=timedelta()) is Reason.TIME


def test_s19_a_vihf_without_conditions_lives_from_its_issue() -> None:
    message = at(life=None)
    assert sts.accepted(message, now=sts.NOW + timedelta(minutes=5))
    assert reason(message, now=sts.NOW + timedelta(minutes=6)) is Reason.TIME


def test_s19_a_life_longer_than_allowed_is_refused() -> None:
    assert sts.accepted(at(life=timedelta(hours=24)))
    assert reason(at(life=timedelta(hours=24, seconds=1))) is Reason.TIME


@pytest.mark.parametrize("name", ["IssueInstant", "NotBefore", "NotOnOrAfter", "AuthnInstant"])
@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-03-10", "2026-03-10T09:30:00", "2026-03-10T09:30:60Z", "2026-13-10T09:30:00Z"),
        *("10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
        *("2026-03-10T09:30:00+99:00", "2026-03-10T24:00:00Z", "²026-03-10T09:30:00Z"),
    ],
)
def test_s19_a_time_that_is_none_is_refused(name: str, text: str) -> None:
    def change(assertion: Element) -> None:
        next(one for one in assertion.iter() if one.get(name) is not None).set(name, text)

    assert reason(sts.envelope(sts.resigned(change))) is Reason.ASSERTION


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_s19_years_at_the_ends_of_time_do_not_crash(text: str) -> None:
    for name in ("IssueInstant", "NotBefore", "NotOnOrAfter"):

        def change(assertion: Element, name: str = name) -> None:
            next(one for one in assertion.iter() if one.get(name) is not None).set(name, text)

        message = sts.envelope(sts.resigned(change))
        if (name, text[:4]) != ("NotBefore", "0001"):
            assert reason(message) is Reason.TIME


def test_s19_zones_and_fractions_are_understood() -> None:
    def change(assertion: Element) -> None:
        assertion.set("IssueInstant", "2026-03-10T10:30:00.123456789+01:00")

    assert sts.accepted(sts.envelope(sts.resigned(change)))


# S20: audience


@pytest.mark.parametrize("audience", ["https://dmp.example", "https://dmp.example/x/", "HTTPS://DMP.EXAMPLE/", "dmp"])
def test_s20_an_audience_is_compared_exactly(audience: str) -> None:
    assert sts.accepted(at(audience="https://dmp.example/"), audiences=("https://dmp.example/",))
    assert reason(at(audience=audience), audiences=("https://dmp.example/",)) is Reason.AUDIENCE


def restrict(*restrictions: tuple[str, ...]) -> bytes:
    def change(assertion: Element) -> None:
        conditions = find(assertion, "saml:Conditions")
        for audiences in restrictions:
            restriction = etree.SubElement(conditions, f"{{{SAML}}}AudienceRestriction")
            for audience in audiences:
                etree.SubElement(restriction, f"{{{SAML}}}Audience").text = audience

    return sts.envelope(sts.resigned(change))


def test_s20_restrictions_are_and_audiences_are_or() -> None:
    ours = {"audiences": ("urn:a", "urn:b")}
    assert sts.accepted(restrict(("urn:x", "urn:a")), **ours)
    assert sts.accepted(restrict(("urn:a",), ("urn:b",)), **ours)
    assert reason(restrict(("urn:a",), ("urn:x",)), **ours) is Reason.AUDIENCE


def test_s20_a_restriction_that_is_not_filled_in_is_none_for_the_dmp() -> None:
    assert sts.accepted(restrict(("",)))
    assert sts.accepted(restrict(()))


# S21: issuer


@pytest.mark.parametrize("format", ["", "urn:oasis:names:tc:SAML:2.0:nameid-format:entity", "urn:other"])
def test_s21_an_issuer_nobody_knows_is_refused(format: str) -> None:
    def change(assertion: Element) -> None:
        issuer = find(assertion, "saml:Issuer")
        issuer.text = "https://sts.example/"
        issuer.set("Format", format)

    assert reason(sts.envelope(sts.resigned(change))) is Reason.ISSUER


# S22: subject confirmation


def confirm(method: str, data: str = "") -> bytes:
    text = (
        f'<saml2:SubjectConfirmation xmlns:saml2="{SAML}" xmlns:ds="{DS}" Method="urn:oasis:names:tc:SAML:2.0:cm:{method}">'
        f"{data}</saml2:SubjectConfirmation>"
    )

    def change(assertion: Element) -> None:
        find(assertion, "saml:Subject").append(etree.fromstring(text))

    return sts.envelope(sts.resigned(change))


def held(credential: Credential) -> str:
    certificate = base64.b64encode(credential.der).decode()
    inside = (
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    )
    return f"<saml2:SubjectConfirmationData>{inside}</saml2:SubjectConfirmationData>"


def test_s22_bearer_and_the_holder_of_the_key_are_confirmed_nobody_else() -> None:
    client, stranger = sts.card()[Use.AUTHENTICATION], sts.card(sts.NURSE)[Use.AUTHENTICATION]
    assert sts.accepted(confirm("bearer"))
    assert sts.accepted(confirm("holder-of-key", held(client)))
    assert reason(confirm("holder-of-key", held(stranger))) is Reason.CONFIRMATION
    assert reason(confirm("holder-of-key")) is Reason.CONFIRMATION
    assert reason(confirm("sender-vouches")) is Reason.CONFIRMATION


def test_s22_the_recipient_is_our_endpoint_exactly() -> None:
    ours = ("https://dmp.example/xds/registry",)
    message = confirm("bearer", f'<saml2:SubjectConfirmationData Recipient="{ours[0]}"/>')
    assert sts.accepted(message, recipients=ours)
    assert reason(message, recipients=("https://dmp.example/xds/registry/",)) is Reason.CONFIRMATION


def test_s22_a_confirmation_has_its_own_window() -> None:
    past, future = (write_time(sts.NOW + timedelta(minutes=minutes)) for minutes in (-2, 2))
    data = '<saml2:SubjectConfirmationData {}="{}"/>'
    assert reason(confirm("bearer", data.format("NotOnOrAfter", past))) is Reason.CONFIRMATION
    assert reason(confirm("bearer", data.format("NotBefore", future))) is Reason.CONFIRMATION


# S23: replay


def test_s23_another_client_may_not_use_an_assertion_again() -> None:
    renewed = issue_card(sts.igc(), sts.DOCTOR, now=sts.NOW)[Use.AUTHENTICATION]
    authenticator, message = sts.authenticator(), parse(sts.envelope(signed()))
    assert authenticator.caller(message, sts.card()[Use.AUTHENTICATION].der)
    assert authenticator.caller(message, sts.card()[Use.AUTHENTICATION].der)
    with pytest.raises(sts.Refused) as refused:
        authenticator.caller(message, renewed.der)
    assert refused.value.reason is Reason.REPLAY


def test_s23_two_assertions_of_one_id_are_one_use() -> None:
    authenticator, renewed = sts.authenticator(), issue_card(sts.igc(), sts.DOCTOR, now=sts.NOW)[Use.AUTHENTICATION]
    first, second = (parse(sts.envelope(signed(id="_same", version=version))) for version in ("3.0", "4.0"))
    assert authenticator.caller(first, sts.card()[Use.AUTHENTICATION].der)
    with pytest.raises(sts.Refused):
        authenticator.caller(second, renewed.der)


def test_s23_no_reuse_where_it_is_off() -> None:
    authenticator, message = sts.authenticator(reuse_allowed=False), parse(sts.envelope(signed()))
    assert authenticator.caller(message, sts.card()[Use.AUTHENTICATION].der)
    with pytest.raises(sts.Refused) as refused:
        authenticator.caller(message, sts.card()[Use.AUTHENTICATION].der)
    assert refused.value.reason is Reason.REPLAY


def test_s23_a_kept_caller_ends_with_its_assertion() -> None:
    times = iter([sts.NOW, sts.NOW + timedelta(minutes=5), sts.NOW + timedelta(minutes=6)])
    authenticator, message = sts.authenticator(lambda: next(times)), parse(sts.envelope(signed()))
    client = sts.card()[Use.AUTHENTICATION].der
    assert authenticator.caller(message, client) is authenticator.caller(message, client)
    with pytest.raises(sts.Refused) as refused:
        authenticator.caller(message, client)
    assert refused.value.reason is Reason.TIME
