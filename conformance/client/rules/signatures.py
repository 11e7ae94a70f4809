"""The signature of a submission: entry, manifest, XAdES. DMP 8.3; ITI TF-3: 5.5 (DSG)."""

import base64
import hashlib
from collections.abc import Iterator, Mapping

from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from conformance.client.exchanges import Exchange, Laboratory, Problem, Problems, parsed
from conformance.client.rules.certificates import signature_certificate_problems
from conformance.client.rules.metadata_reading import (
    SIGNS,
    Metadata,
    associations,
    entries,
    signature_entries,
    submission_sets,
)
from conformance.client.rules.rule import Rule, expected, on
from conformance.client.rules.vihf_reading import DS, certificate_in

# What the codes of the entry are; the order of confidentiality codes is free.
_FIXED: Mapping[str, set[tuple[str, str]]] = {
    "classCode": {("urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", "URN")},
    "formatCode": {("http://www.w3.org/2000/09/xmldsig#", "URN")},
    "eventCodeList": {("1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12")},
    "confidentialityCode": {
        ("N", "2.16.840.1.113883.5.25"),
        ("MASQUE_PS", "1.2.250.1.213.1.1.4.13"),
        ("INVISIBLE_PATIENT", "1.2.250.1.213.1.1.4.13"),
    },
}
_DIGESTS = {one.value: f"sha{bits}" for bits in (1, 256, 384, 512) if (one := getattr(DigestAlgorithm, f"SHA{bits}"))}


def _has_its_entry(exchange: Exchange, _: Laboratory) -> Problems:
    signatures, sets = signature_entries(exchange), submission_sets(exchange)
    if len(signatures) != 1:
        yield expected(f"{len(signatures)}", "une fiche de signature", "one signature entry", "ExtrinsicObject")
        return
    links = {(one.get("sourceObject"), one.get("targetObject")) for one in associations(exchange, SIGNS)}
    if sets and (signatures[0].object.id, sets[0].object.id) not in links:
        fr, en = "une association signs vers le lot", "an association signs to the submission"
        yield expected("", fr, en, signatures[0].place)


def _has_fixed_codes(exchange: Exchange, _: Laboratory) -> Problems:
    for entry in signature_entries(exchange):
        for name, wanted in _FIXED.items():
            found = set(entry.codes(name))
            if found != wanted:
                yield expected(_shown(found), _shown(wanted), _shown(wanted), f"{entry.place}/{name}")


def _shown(codes: set[tuple[str, str]]) -> str:
    return ", ".join(sorted("^^".join(one) for one in codes))


def _signatures(exchange: Exchange) -> Iterator[tuple[Metadata, etree._Element]]:
    """Signature documents that are XML, with their entries."""
    for entry in signature_entries(exchange):
        root = parsed(exchange.documents.get(entry.object.id, b""))
        if root is not None:
            yield entry, root


def _manifest_names_everything(exchange: Exchange, _: Laboratory) -> Problems:
    for entry, root in _signatures(exchange):
        found = {one.get("URI", ""): one for one in root.iterfind(f".//{{{DS}}}Manifest/{{{DS}}}Reference")}
        wanted = {f"urn:oid:{one.identifier('uniqueId')}": one for one in entries(exchange)}
        sets = [f"urn:oid:{one.identifier('uniqueId')}" for one in submission_sets(exchange)]
        for uri in sorted({*wanted, *sets} ^ set(found)):
            yield expected(uri if uri in found else "", _NAMED[0], _NAMED[1], f"{entry.place} Manifest {uri}")
        for uri in wanted.keys() & found.keys():
            content = exchange.documents.get(wanted[uri].object.id, b"")
            yield from _digest_problems(found[uri], content, is_xml=wanted[uri].mime_type.endswith("xml"))


_NAMED = ("le lot et chacun de ses documents, rien d'autre", "the submission and each of its documents, nothing else")


def _digest_problems(reference: etree._Element, content: bytes, *, is_xml: bool) -> Problems:
    method, value = reference.find(f"{{{DS}}}DigestMethod"), reference.find(f"{{{DS}}}DigestValue")
    name = "" if method is None else _DIGESTS.get(method.get("Algorithm", ""), "")
    root = parsed(content) if is_xml else None
    octets = content if root is None else etree.tostring(root.getroottree(), method="c14n", with_comments=True)
    wanted = base64.b64encode(hashlib.new(name, octets).digest()).decode() if name else "SHA-1, SHA-256"
    found = "" if value is None else "".join((value.text or "").split())
    if found != wanted:
        yield expected(found, wanted, wanted, f"Manifest {reference.get('URI', '')}")


def _is_valid(exchange: Exchange, _: Laboratory) -> Problems:
    for entry, root in _signatures(exchange):
        signer = certificate_in(root)
        if signer is None:
            yield expected("", "un certificat dans KeyInfo", "a certificate in KeyInfo", entry.place)
            continue
        config = SignatureConfiguration(
            location="./",
            expect_references=2,
            signature_methods=frozenset(SignatureMethod),
            digest_algorithms=frozenset(DigestAlgorithm),
            verification_time=exchange.time,
            default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
        )
        octets = exchange.documents[entry.object.id]
        try:
            XMLVerifier().verify(
                octets, x509_cert=signer[0], id_attribute="Id", validate_schema=False, expect_config=config
            )
        except (SignXMLException, InvalidInput, ValueError, etree.LxmlError) as problem:
            fr, en = "la signature n'est pas valide", "the signature is not valid"
            yield Problem(fr=fr, en=en, location=entry.place, evidence=f"{type(problem).__name__}: {problem}")


def _signer_is_trusted(exchange: Exchange, laboratory: Laboratory) -> Problems:
    for entry, root in _signatures(exchange):
        signer = certificate_in(root)
        if signer is not None:
            yield from signature_certificate_problems(signer[0], laboratory, exchange.time, entry.place)


def _is_signed(exchange: Exchange) -> bool:
    return exchange.transaction == "ITI-41" and any(_signatures(exchange))


RULES = (
    Rule(requirement="CLIENT-SIGN-01", applies=on("ITI-41"), check=_has_its_entry),
    Rule(requirement="CLIENT-SIGN-02", applies=_is_signed, check=_has_fixed_codes),
    Rule(requirement="CLIENT-SIGN-03", applies=_is_signed, check=_manifest_names_everything),
    Rule(requirement="CLIENT-SIGN-04", applies=_is_signed, check=_is_valid),
    Rule(requirement="CLIENT-SIGN-05", applies=_is_signed, check=_signer_is_trusted),
)
