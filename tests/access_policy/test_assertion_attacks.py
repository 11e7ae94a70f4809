"""Attacks on assertions and their signatures, row by row: each is refused, with the answer of the closed list. S09 to S27."""

import base64
import copy
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from access_policy.make_vihf import security_header, sign_assertion
from access_policy.refusals import Reason, Subcode
from access_policy.security_header import DS, SAML, WSSE, WSU
from access_policy.times import write_time
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import Expected
from carnet.pki import Credential, Use, issue, issue_card
from tests import sts
from tests.builders import TEST_INS
from xds.xml import BadXml, parse

Element = etree._Element
Change = Callable[[Element], None]
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
NAMES = {"ds": DS, "saml": SAML}


def signed(**changes: Any) -> Element:
    return sts.a_vihf(sts.a_claim(**changes))


def altered(change: Change) -> bytes:
    """The message with its assertion changed after it was signed."""
    assertion = signed()
    change(assertion)
    return sts.envelope(assertion)


def reason(message: bytes, **changes: Any) -> Reason:
    return sts.refusal(message, **changes).reason


def find(assertion: Element, path: str) -> Element:
    found = assertion.find(path, NAMES)
    assert found is not None
    return found


def sign_info(assertion: Element, key: Any = None, algorithm: Any = None) -> None:
    """Sign SignedInfo again with the trusted key: what is wrong in it is now signed."""
    key, algorithm = key or sts.card()[Use.SIGNATURE].key, algorithm or hashes.SHA256()
    info = etree.tostring(find(assertion, "ds:Signature/ds:SignedInfo"), method="c14n", exclusive=True)
    find(assertion, "ds:Signature/ds:SignatureValue").text = base64.b64encode(
        key.sign(info, padding.PKCS1v15(), algorithm)
    ).decode()


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


# S10: no signature, or one of something else


def remove_signature(assertion: Element) -> None:
    assertion.remove(find(assertion, "ds:Signature"))


def empty_signed_info(assertion: Element) -> None:
    info = find(assertion, "ds:Signature/ds:SignedInfo")
    info[:] = []


def refer(uri: str | None) -> Change:
    def change(assertion: Element) -> None:
        reference = find(assertion, ".//ds:Reference")
        if uri is None:
            del reference.attrib["URI"]
        else:
            reference.set("URI", uri)
        sign_info(assertion)

    return change


def second_reference(assertion: Element) -> None:
    reference = find(assertion, ".//ds:Reference")
    reference.addnext(copy.deepcopy(reference))
    sign_info(assertion)


def typed_reference(assertion: Element) -> None:
    find(assertion, ".//ds:Reference").set("Type", f"{DS}Manifest")
    sign_info(assertion)


def signed_object(assertion: Element) -> None:
    etree.SubElement(find(assertion, "ds:Signature"), f"{{{DS}}}Object")


STRIPPED = {
    "no signature": (remove_signature, Reason.HEADER),
    "empty SignedInfo": (empty_signed_info, Reason.SIGNATURE_SHAPE),
    "URI empty": (refer(""), Reason.SIGNATURE_SHAPE),
    "URI missing": (refer(None), Reason.SIGNATURE_SHAPE),
    "URI of another": (refer("#_other"), Reason.SIGNATURE_SHAPE),
    "xpointer": (refer("#xpointer(/)"), Reason.SIGNATURE_SHAPE),
    "two references": (second_reference, Reason.SIGNATURE_SHAPE),
    "type": (typed_reference, Reason.SIGNATURE_SHAPE),
    "object": (signed_object, Reason.SIGNATURE_SHAPE),
}


@pytest.mark.parametrize("name", STRIPPED)
def test_s10_the_signature_covers_the_assertion_and_nothing_else(name: str) -> None:
    change, expected = STRIPPED[name]
    assert reason(altered(change)) is expected


@pytest.mark.parametrize("attribute", ["ID", "Id", "id", "AssertionID", "xml:id", "wsu:Id"])
def test_s10_the_id_stands_once_in_the_message_in_any_spelling(attribute: str) -> None:
    assertion = signed()
    name = attribute.replace("wsu:", f"{{{WSU}}}").replace("xml:", "{http://www.w3.org/XML/1998/namespace}")
    decoy = etree.Element("q")
    decoy.set(name, str(assertion.get("ID")))
    assert reason(sts.envelope(assertion, body=etree.tostring(decoy))) is Reason.DUPLICATE_ID


@pytest.mark.parametrize("identifier", ["", "a b", "a#b", "#", "x" * 300])
def test_s10_a_malformed_id_is_refused(identifier: str) -> None:
    def change(assertion: Element) -> None:
        assertion.set("ID", identifier)

    assert reason(altered(change)) is Reason.DUPLICATE_ID


# S11, S12: which key


def key_info(octets: bytes) -> Change:
    """Put other children in KeyInfo, which no signature covers."""

    def change(assertion: Element) -> None:
        info = find(assertion, "ds:Signature/ds:KeyInfo")
        info[:] = list(etree.fromstring(b'<k xmlns:ds="%s">%s</k>' % (DS.encode(), octets)))

    return change


def certificates(*holders: Credential) -> bytes:
    inside = b"".join(b"<ds:X509Certificate>%s</ds:X509Certificate>" % base64.b64encode(one.der) for one in holders)
    return b"<ds:X509Data>%s</ds:X509Data>" % inside


def test_s11_a_certificate_of_ones_own_with_the_same_name_is_refused() -> None:
    twin = issue_card(sts.other_igc(), sts.DOCTOR, now=sts.NOW)[Use.SIGNATURE]
    assert reason(sts.envelope(sts.a_vihf(signer=twin))) is Reason.CHAIN
    own_root = sts.other_igc().root
    forged = issue(own_root, sts.DOCTOR.subject, Use.SIGNATURE, now=sts.NOW)
    assert reason(sts.envelope(sts.a_vihf(signer=forged))) is Reason.CHAIN


def test_s11_a_key_value_alone_is_no_key() -> None:
    numbers = sts.card()[Use.SIGNATURE].key.public_key().public_numbers()
    modulus, exponent = (base64.b64encode(one.to_bytes((one.bit_length() + 7) // 8)) for one in (numbers.n, numbers.e))
    value = b"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>%s</ds:Modulus><ds:Exponent>%s</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
    assert reason(altered(key_info(value % (modulus, exponent)))) is Reason.KEY
    both = certificates(sts.card()[Use.SIGNATURE]) + value % (modulus, exponent)
    assert sts.accepted(altered(key_info(both)))
    other = certificates(sts.card()[Use.SIGNATURE]) + value % (base64.b64encode(b"\x01" * 256), exponent)
    assert reason(altered(key_info(other))) is Reason.SIGNATURE


def test_s11_certificates_swapped_or_of_another_trusted_holder_are_refused() -> None:
    own, nurse = sts.card()[Use.SIGNATURE], sts.card(sts.NURSE)[Use.SIGNATURE]
    assert reason(altered(key_info(certificates(nurse, own)))) is Reason.SIGNATURE
    assert reason(altered(key_info(certificates(sts.igc().persons, own)))) is Reason.SIGNER_USAGE
    assert sts.accepted(altered(key_info(certificates(own, sts.igc().persons))))


def test_s11_expired_revoked_or_wrong_certificates_are_refused() -> None:
    expired = issue(sts.igc().persons, sts.DOCTOR.subject, Use.SIGNATURE, now=sts.NOW - timedelta(days=20), days=10)
    assert reason(sts.envelope(sts.a_vihf(signer=expired))) is Reason.CHAIN
    future = issue(sts.igc().persons, sts.DOCTOR.subject, Use.SIGNATURE, now=sts.NOW + timedelta(days=1))
    assert reason(sts.envelope(sts.a_vihf(signer=future))) is Reason.CHAIN
    serial = sts.card()[Use.SIGNATURE].certificate.serial_number
    assert reason(sts.envelope(signed()), trust=sts.trust(serial)) is Reason.REVOKED
    authority = sts.igc().persons.certificate.serial_number
    assert reason(sts.envelope(signed()), trust=sts.trust(authority)) is Reason.REVOKED
    server = issue(sts.igc().persons, sts.DOCTOR.subject, Use.SERVER, now=sts.NOW)
    assert reason(sts.envelope(sts.a_vihf(signer=server))) is Reason.SIGNER_USAGE


@pytest.mark.parametrize(
    "octets",
    [
        b'<ds:RetrievalMethod URI="http://127.0.0.1:1/"/>',
        b'<ds:RetrievalMethod URI="file:///etc/passwd"/>',
        b"<ds:KeyName>/etc/passwd</ds:KeyName>",
        b"<ds:X509Data><ds:X509SubjectName>CN=x</ds:X509SubjectName></ds:X509Data>",
        b'<ds:KeyInfoReference URI="#k"/>',
        b"",
    ],
)
def test_s12_no_key_is_fetched_or_looked_up(octets: bytes) -> None:
    assert reason(altered(key_info(octets))) is Reason.KEY
    before = certificates(sts.card()[Use.SIGNATURE])
    if octets and b"X509" not in octets:
        assert reason(altered(key_info(octets + before))) is Reason.KEY


# S13: algorithms


def method(uri: str) -> Change:
    def change(assertion: Element) -> None:
        find(assertion, ".//ds:SignatureMethod").set("Algorithm", uri)
        sign_info(assertion)

    return change


WEAK = [
    f"{DS}rsa-sha1",
    f"{DS}dsa-sha1",
    f"{DS}hmac-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-ripemd160",
    "urn:unknown",
    "",
]


@pytest.mark.parametrize("uri", WEAK)
def test_s13_weak_or_foreign_algorithms_are_refused(uri: str) -> None:
    assert sts.refusal(altered(method(uri))).reason.subcode is Subcode.UNSUPPORTED_ALGORITHM


@pytest.mark.parametrize("length", ["0", "8", "160"])
def test_s13_hmac_with_the_public_key_and_a_truncation_is_refused(length: str) -> None:
    def change(assertion: Element) -> None:
        element = find(assertion, ".//ds:SignatureMethod")
        element.set("Algorithm", f"{DS}hmac-sha1")
        etree.SubElement(element, f"{{{DS}}}HMACOutputLength").text = length
        info = etree.tostring(find(assertion, "ds:Signature/ds:SignedInfo"), method="c14n", exclusive=True)
        made = hmac.HMAC(sts.card()[Use.SIGNATURE].certificate_pem, hashes.SHA1())  # the classic confusion
        made.update(info)
        find(assertion, ".//ds:SignatureValue").text = base64.b64encode(made.finalize()).decode()

    assert reason(altered(change)) is Reason.ALGORITHM


def test_s13_an_ecdsa_signature_of_zeroes_is_refused() -> None:
    def change(assertion: Element) -> None:
        find(assertion, ".//ds:SignatureMethod").set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
        find(assertion, ".//ds:SignatureValue").text = base64.b64encode(bytes(64)).decode()

    assert reason(altered(change)) is Reason.SIGNATURE


def sha1(assertion: Element) -> None:
    """RSA-SHA1 and SHA-1, well signed: as messages of 2019 have it."""
    bare = copy.deepcopy(assertion)
    bare.remove(find(bare, "ds:Signature"))
    digest = hashes.Hash(hashes.SHA1())
    digest.update(etree.tostring(bare, method="c14n", exclusive=True))
    find(assertion, ".//ds:DigestMethod").set("Algorithm", f"{DS}sha1")
    find(assertion, ".//ds:DigestValue").text = base64.b64encode(digest.finalize()).decode()
    find(assertion, ".//ds:SignatureMethod").set("Algorithm", f"{DS}rsa-sha1")
    sign_info(assertion, algorithm=hashes.SHA1())


def test_s13_sha1_is_refused_unless_its_anchor_allows_it_and_then_it_is_told() -> None:
    assert reason(altered(sha1)) is Reason.ALGORITHM
    anchor = sts.igc().root.certificate.fingerprint(hashes.SHA256())
    expected = Expected(patient_authorities=frozenset({TEST_INS}))
    caller = sts.accepted(altered(sha1), vihf=VihfRules(expected=expected, sha1_anchors=frozenset({anchor})))
    assert caller.credentials is not None
    assert caller.credentials.signed_with_sha1


# S14, S15: transforms and canonicalisation


def transforms(*uris: str) -> Change:
    def change(assertion: Element) -> None:
        found = find(assertion, ".//ds:Transforms")
        found[:] = [etree.Element(f"{{{DS}}}Transform", Algorithm=uri) for uri in uris]
        sign_info(assertion)

    return change


ENVELOPED = f"{DS}enveloped-signature"
FOREIGN = [
    (ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
    (ENVELOPED, "http://www.w3.org/TR/1999/REC-xpath-19991116"),
    (ENVELOPED, "http://www.w3.org/2002/06/xmldsig-filter2"),
    (ENVELOPED, f"{DS}base64"),
    (ENVELOPED, "urn:unknown"),
    (ENVELOPED, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
    (ENVELOPED, f"{EXCLUSIVE}WithComments"),
    (EXCLUSIVE, ENVELOPED),
    (ENVELOPED,),
    (EXCLUSIVE,),
    (ENVELOPED, EXCLUSIVE, EXCLUSIVE),
    (ENVELOPED, *[EXCLUSIVE] * 1000),
    (),
]


@pytest.mark.parametrize("uris", FOREIGN, ids=lambda uris: f"{len(uris)}-{uris[-1][-12:] if uris else ''}")
def test_s14_other_transforms_are_refused(uris: tuple[str, ...]) -> None:
    assert sts.refusal(altered(transforms(*uris))).reason in (Reason.ALGORITHM, Reason.SIZE)


def test_s14_inclusive_namespaces_are_taken_within_bounds() -> None:
    """Common SAML stacks write PrefixList="xs"; the prefix may be declared on the envelope alone."""

    def prefixes(names: str) -> bytes:
        assertion = signed()
        element = etree.SubElement(
            find(assertion, ".//ds:Transforms/ds:Transform[2]"),
            f"{{{EXCLUSIVE}}}InclusiveNamespaces",
            {},
            {"ec": EXCLUSIVE},
        )
        element.set("PrefixList", names)
        whole = parse(sts.envelope(assertion).replace(b"<e:Envelope ", b'<e:Envelope xmlns:xs="urn:xs" '))
        inside = next(whole.iter(f"{{{SAML}}}Assertion"))
        bare = copy.deepcopy(whole)
        body = next(bare.iter(f"{{{SAML}}}Assertion"))
        body.remove(find(body, "ds:Signature"))
        digest = hashes.Hash(hashes.SHA256())
        digest.update(
            etree.tostring(
                body, method="c14n", exclusive=True, inclusive_ns_prefixes=[one for one in names.split(" ") if one]
            )
        )
        find(inside, ".//ds:DigestValue").text = base64.b64encode(digest.finalize()).decode()
        sign_info(inside)
        return etree.tostring(whole)

    assert sts.accepted(prefixes("xs"))
    assert reason(prefixes(" ".join(["xs"] * 17))) is Reason.SIGNATURE_SHAPE
    assert reason(prefixes("#default xs")) is Reason.SIGNATURE_SHAPE


def test_s15_nothing_is_never_what_was_signed() -> None:
    """A relative namespace breaks canonicalisation; the digest of nothing must not become the answer."""
    empty = hashes.Hash(hashes.SHA256()).finalize()

    def void(assertion: Element) -> None:
        find(assertion, ".//ds:DigestValue").text = base64.b64encode(empty).decode()
        sign_info(assertion)

    assert reason(altered(void)) is Reason.SIGNATURE_SHAPE
    relative = sts.envelope(signed()).replace(b"<saml2:Subject>", b'<saml2:Subject xmlns:x="1">')
    assert reason(relative) is Reason.SIGNATURE


# S16, S17: two readers of one text


def test_s16_a_document_type_never_reaches_a_verifier() -> None:
    with pytest.raises(BadXml):
        parse(b"<!DOCTYPE e [<!ATTLIST a ID ID #IMPLIED>]>" + sts.envelope(signed()))


def test_s16_cdata_and_declared_prefixes_read_the_same_everywhere() -> None:
    message = sts.envelope(signed())
    quoted = message.replace(b">801234567897</saml2:NameID>", b"><![CDATA[801234567897]]></saml2:NameID>")
    assert quoted != message
    assert sts.accepted(quoted).name == "801234567897"
    moved = message.replace(b"<saml2:NameID>", b'<saml2:NameID xmlns:saml2="urn:other">', 1)
    assert reason(moved) in (Reason.SIGNATURE, Reason.ASSERTION)


def test_s17_comments_in_the_signature_are_refused() -> None:
    message = sts.envelope(signed())
    for tag in (b"<ds:DigestValue>", b"<ds:SignatureValue>", b"<ds:SignedInfo>", b"<ds:X509Certificate>"):
        start = message.index(tag[:-1])
        end = message.index(b">", start) + 1
        assert reason(message[:end] + b"<!--x-->" + message[end:]) is Reason.SIGNATURE_SHAPE


def test_s17_a_second_signed_info_is_refused() -> None:
    def change(assertion: Element) -> None:
        info = find(assertion, "ds:Signature/ds:SignedInfo")
        info.addnext(copy.deepcopy(info))

    assert reason(altered(change)) is Reason.SIGNATURE_SHAPE


@pytest.mark.parametrize("text", ["@@@@", "AAAA====", "é", "A"])
def test_s17_base64_is_read_strictly(text: str) -> None:
    def change(assertion: Element) -> None:
        value = find(assertion, ".//ds:SignatureValue")
        value.text = (value.text or "") + text

    assert reason(altered(change)) is Reason.SIGNATURE_SHAPE


def test_s17_blanks_in_base64_are_only_blanks() -> None:
    def change(assertion: Element) -> None:
        value = find(assertion, ".//ds:SignatureValue")
        text = value.text or ""
        value.text = "\n" + "\n".join(text[start : start + 64] for start in range(0, len(text), 64)) + "\n"

    assert sts.accepted(altered(change))


# S18: an identity is never cut


def test_s18_a_comment_in_a_value_cuts_nothing() -> None:
    """The signature stays good; the whole text is read."""
    message = sts.envelope(signed())
    for before, after in (
        (b">801234567897</saml2:NameID>", b">8012<!---->34567897</saml2:NameID>"),
        (b">279035121518989^^^", b">27903<!-- x -->5121518989^^^"),
    ):
        assert before in message
        caller = sts.accepted(message.replace(before, after))
        assert (caller.name, caller.patient_id) == ("801234567897", sts.a_claim().patient_id)


def test_s18_a_comment_in_the_issuer_is_refused() -> None:
    message = sts.envelope(signed())
    assert reason(message.replace(b"O=CARNET TEST", b"O=CARNET<!----> TEST", 1)) is Reason.ASSERTION


def test_s18_an_instruction_in_a_value_is_refused() -> None:
    message = sts.envelope(signed()).replace(b">801234567897</saml2:NameID>", b">8012<?x?>34567897</saml2:NameID>")
    assert reason(message) is Reason.SIGNATURE

    def change(assertion: Element) -> None:
        name = find(assertion, ".//saml:NameID")
        name.text = "8012"
        instruction = etree.ProcessingInstruction("x")
        instruction.tail = "34567897"
        name.append(instruction)

    assert reason(sts.envelope(sts.resigned(change))) is Reason.ASSERTION


# S19: time


def at(**changes: Any) -> bytes:
    return sts.envelope(signed(**changes))


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
