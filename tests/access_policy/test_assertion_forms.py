"""One text that two readers understand differently: transforms, canonical forms, comments, base64. S14 to S18."""

import base64
import copy

import pytest
from cryptography.hazmat.primitives import hashes
from lxml import etree

from access_policy.refusals import Reason
from access_policy.security_header import DS, SAML
from tests import sts
from tests.access_policy.altered_assertions import EXCLUSIVE, Change, Element, altered, find, reason, sign_info, signed
from xds.xml import BadXml, parse

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
