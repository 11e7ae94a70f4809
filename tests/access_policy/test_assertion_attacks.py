"""How many assertions come and where, what comes beside them, and what they may cost. S09, S25 to S27."""

import base64
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from lxml import etree

from access_policy.make_vihf import security_header, sign_assertion
from access_policy.refusals import Reason, Subcode
from access_policy.security_header import DS, SAML, WSSE, WSU
from access_policy.times import write_time
from carnet.pki import Use, issue_card
from tests import sts
from tests.access_policy.altered_assertions import Element, altered, key_info, reason, remove_signature, signed
from xds.xml import parse

# S09: how many assertions, and where


def test_s09_exactly_one_assertion_in_exactly_one_header() -> None:
    one, two = signed(), signed()
    assert reason(sts.envelope()) is Reason.HEADER
    assert reason(sts.envelope(one, two)) is Reason.HEADER
    assert reason(sts.enveloped(b"")) is Reason.HEADER
    assert reason(sts.enveloped(security_header(one) + security_header(two))) is Reason.HEADER
    assert reason(sts.enveloped(security_header(one) + security_header())) is Reason.HEADER
    assert reason(sts.envelope(one, body=b"<q>%s</q>" % etree.tostring(two))) is Reason.HEADER
    assert reason(sts.enveloped(security_header(), b"<q>%s</q>" % etree.tostring(one))) is Reason.HEADER


def test_s09_an_assertion_of_another_namespace_or_in_advice_counts() -> None:
    assert reason(sts.envelope(signed(), body=b"<q><Assertion/></q>")) is Reason.HEADER

    def advise(assertion: Element) -> None:
        etree.SubElement(assertion, f"{{{SAML}}}Advice").append(signed())

    assert reason(sts.envelope(sts.resigned(advise))) is Reason.HEADER


def test_s09_a_header_for_another_role_is_not_ours() -> None:
    role = b'<wsse:Security xmlns:e="http://www.w3.org/2003/05/soap-envelope" e:role="urn:other" '
    header = security_header(signed()).replace(b"<wsse:Security ", role)
    assert reason(sts.enveloped(header)) is Reason.HEADER
    ours = header.replace(b"urn:other", b"http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver")
    assert sts.accepted(sts.enveloped(ours))


# S25, S26: other tokens and the header itself


@pytest.mark.parametrize(
    "token",
    [
        f'<saml2:EncryptedAssertion xmlns:saml2="{SAML}"/>',
        "<wsse:UsernameToken/>",
        "<wsse:BinarySecurityToken/>",
        '<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:1.0:assertion"/>',
        '<x:EncryptedKey xmlns:x="http://www.w3.org/2001/04/xmlenc#"/>',
    ],
)
def test_s25_other_tokens_are_not_taken(token: str) -> None:
    header = f'<wsse:Security xmlns:wsse="{WSSE}">{token}</wsse:Security>'.encode()
    assert reason(sts.enveloped(header)) is Reason.TOKEN
    beside = security_header(signed()).replace(b"</wsse:Security>", token.encode() + b"</wsse:Security>")
    assert reason(sts.enveloped(beside)).subcode in (Subcode.INVALID_SECURITY, Subcode.UNSUPPORTED_SECURITY_TOKEN)


def stamped(*stamps: str) -> bytes:
    inside = "".join(f'<u:Timestamp xmlns:u="{WSU}">{stamp}</u:Timestamp>' for stamp in stamps)
    return sts.enveloped(security_header(signed()).replace(b"</wsse:Security>", inside.encode() + b"</wsse:Security>"))


def test_s26_a_timestamp_is_checked_when_there_is_one() -> None:
    def created(minutes: int) -> str:
        return f"<u:Created>{write_time(sts.NOW + timedelta(minutes=minutes))}</u:Created>"

    def expires(minutes: int) -> str:
        return f"<u:Expires>{write_time(sts.NOW + timedelta(minutes=minutes))}</u:Expires>"

    assert sts.accepted(stamped(created(0) + expires(5)))
    assert sts.refusal(stamped(created(-9) + expires(-4))).reason.subcode is Subcode.MESSAGE_EXPIRED
    assert reason(stamped(created(5))) is Reason.HEADER
    assert reason(stamped(expires(5), expires(5))) is Reason.HEADER
    assert reason(stamped(expires(5) + expires(6))) is Reason.HEADER
    assert reason(stamped("<u:Expires>soon</u:Expires>")) is Reason.HEADER
    assert reason(stamped("<u:Expires>2026-03-10T09:40:00</u:Expires>")) is Reason.HEADER


def test_s26_an_element_nobody_knows_is_refused() -> None:
    header = security_header(signed()).replace(b"</wsse:Security>", b"<x/></wsse:Security>")
    assert reason(sts.enveloped(header)) is Reason.HEADER


# S27: what a message may cost


def bombs() -> dict[str, Callable[[], bytes]]:
    def many(inside: bytes, count: int) -> Callable[[], bytes]:
        def make() -> bytes:
            return sts.envelope(signed()).replace(b"</saml2:Assertion>", inside * count + b"</saml2:Assertion>")

        return make

    return {
        "7 MB of text": many(b"<saml2:Advice>%s</saml2:Advice>" % (b"x" * 7_000_000), 1),
        "10^4 attributes": many(b'<saml2:Attribute Name="x"/>', 10_000),
        "10^4 certificates": many(
            b"<ds:X509Certificate xmlns:ds='%s'>%s</ds:X509Certificate>" % (DS.encode(), b"MIID" * 10), 10_000
        ),
        "10^3 references": many(b"<ds:Reference xmlns:ds='%s'/>" % DS.encode(), 1_000),
        "namespaces": many(b"<x %s/>" % b" ".join(b"xmlns:p%d='u:%d'" % (n, n) for n in range(60)), 40),
    }


@pytest.mark.parametrize("name", bombs())
def test_s27_a_bomb_is_refused_quickly(name: str) -> None:
    message, authenticator = parse(bombs()[name]()), sts.authenticator()
    client = sts.card()[Use.AUTHENTICATION].der
    began = time.process_time()
    with pytest.raises(sts.Refused) as refused:
        authenticator.caller(message, client)
    assert time.process_time() - began < 0.2
    assert refused.value.reason in (Reason.SIZE, Reason.HEADER, Reason.SIGNATURE)


def test_s27_a_huge_key_is_refused_before_it_is_used() -> None:
    huge = load_huge()
    began = time.process_time()
    assert (
        reason(altered(key_info(b"<ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data>" % huge)))
        is Reason.KEY
    )
    assert time.process_time() - began < 0.5


def load_huge() -> bytes:
    """A certificate with a public key of 16,384 bits; its own signature does not matter."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding

    modulus = (1 << 16383) | 1
    key = rsa.RSAPublicNumbers(e=65537, n=modulus).public_key()
    issuer = sts.igc().persons
    builder = (
        x509.CertificateBuilder(
            issuer_name=issuer.certificate.subject, subject_name=sts.DOCTOR.subject, public_key=key, serial_number=7
        )
        .not_valid_before(sts.NOW - timedelta(days=1))
        .not_valid_after(sts.NOW + timedelta(days=1))
    )
    return base64.b64encode(builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER))


def test_the_client_certificate_is_checked_as_well() -> None:
    message = parse(sts.envelope(signed()))
    authenticator = sts.authenticator()
    for octets, expected in (
        (None, Reason.NO_CERTIFICATE),
        (b"nothing", Reason.KEY),
        (issue_card(sts.other_igc(), sts.DOCTOR, now=sts.NOW)[Use.AUTHENTICATION].der, Reason.CHAIN),
    ):
        with pytest.raises(sts.Refused) as refused:
            authenticator.caller(message, octets)
        assert refused.value.reason is expected


def test_signing_again_changes_nothing_of_the_rules() -> None:
    """The tests' own signer makes good signatures: what they refuse is refused for what it says."""
    signer = sts.card()[Use.SIGNATURE]
    again = sts.resigned(lambda _assertion: None)
    assert sts.accepted(sts.envelope(again)).name == sts.DOCTOR.identifier
    assertion = signed()
    remove_signature(assertion)
    assert sts.accepted(sts.envelope(sign_assertion(assertion, signer.certificate, signer.key)))
