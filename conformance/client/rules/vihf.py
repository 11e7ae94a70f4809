"""The assertion of a message, attribute by attribute. DMP 6: 6.1, 6.2, 6.4; SAML Core 5.4."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from conformance.client.exchanges import Exchange, Laboratory, Problem, Problems
from conformance.client.received import SAML
from conformance.client.rules import vihf_reading as names
from conformance.client.rules.certificates import signature_certificate_problems
from conformance.client.rules.patients import INS_CX, patient_of
from conformance.client.rules.rule import Applies, Rule, among, expected, on_soap, unless
from conformance.client.rules.vihf_reading import DIRECT, DS, MODES, Vihf, signer_of, vihf_of
from conformance.nist.xml import text_of

_LIFE, _SKEW = timedelta(minutes=5), timedelta(minutes=1)
_X509_SUBJECT = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_STRUCTURE = re.compile(r"[0-4][0-9A-Z]{9,14}|[0-9]{8,}")
_NATIONAL_ID = re.compile(r"[0-9][0-9A-Z/]{8,}")
_SECTOR_SYSTEM = "1.2.250.1.71.4.2.4"
_PURPOSES = ("normal", "bris_de_glace", "centre_15")
_PURPOSE_SYSTEMS = ("1.2.250.1.213.1.1.4.248", "1.2.250.1.213.1.1.4.336")
_WEAK = ("rsa-sha1", "#sha1", "md5")
_METHODS = frozenset(SignatureMethod)
_WITHOUT_PATIENT = ("TD0.4", "TD0.5")
# First role (code, system) -> the system that the second comes from. ANS JDV_J65
_SECOND_ROLES = {
    ("10", "1.2.250.1.71.1.2.7"): "1.2.250.1.71.4.2.5",
    ("21", "1.2.250.1.71.1.2.7"): "1.2.250.1.71.4.2.6",
    ("99", "1.2.250.1.213.1.6.1.140"): "1.2.250.1.213.1.6.1.107",
}
OnVihf = Callable[[Vihf, Exchange, Laboratory], Problems]


def _has_one_assertion(exchange: Exchange, _: Laboratory) -> Problems:
    envelope = exchange.received.envelope
    count = 0 if envelope is None else len(list(envelope.iter(f"{{{SAML}}}Assertion")))
    headers = exchange.received.header
    inside = 0 if headers is None else len(headers.findall(f"{{*}}Security/{{{SAML}}}Assertion"))
    if (count, inside) != (1, 1):
        fr, en = "une assertion dans wsse:Security", "one assertion in wsse:Security"
        yield expected(f"{count} Assertion, {inside} in wsse:Security", fr, en, "/Envelope/Header/Security")


def _is_signed(vihf: Vihf, exchange: Exchange, _: Laboratory) -> Problems:
    signature, signer = vihf.element.find(f"{{{DS}}}Signature"), signer_of(exchange.received)
    if signature is None or signer is None:
        yield expected(
            "", "une signature avec son certificat", "a signature with its certificate", "/Assertion/Signature"
        )
        return
    reference = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    uri = "" if reference is None else reference.get("URI", "")
    if uri != f"#{vihf.id}":
        yield expected(uri, f"#{vihf.id}", f"#{vihf.id}", "/Assertion/Signature/SignedInfo/Reference/@URI")
    method = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}CanonicalizationMethod")
    yield from among("" if method is None else method.get("Algorithm", ""), (_EXCLUSIVE,), "CanonicalizationMethod")
    yield from _verified(vihf.element, signer[0], exchange.time)


def _verified(assertion: etree._Element, signer: x509.Certificate, time: datetime) -> Problems:
    digests = frozenset(DigestAlgorithm)
    config = SignatureConfiguration(signature_methods=_METHODS, digest_algorithms=digests, verification_time=time)
    octets = etree.tostring(assertion, encoding="UTF-8", with_tail=False)
    try:
        XMLVerifier().verify(
            octets, x509_cert=signer, id_attribute="ID", validate_schema=False, expect_config=config, require_x509=True
        )
    except (SignXMLException, InvalidInput, ValueError, etree.LxmlError) as problem:
        fr, en = "la signature n'est pas valide", "the signature is not valid"
        yield Problem(fr=fr, en=en, location="/Assertion/Signature", evidence=f"{type(problem).__name__}: {problem}")


def _is_strong(vihf: Vihf, _: Exchange, __: Laboratory) -> Problems:
    for name in ("SignatureMethod", "DigestMethod"):
        for one in vihf.element.iter(f"{{{DS}}}{name}"):
            algorithm = one.get("Algorithm", "")
            if algorithm.endswith(_WEAK):
                yield expected(algorithm, "SHA-256 ou plus", "SHA-256 or more", f"/Assertion/Signature//{name}")


def _is_issued_by_signer(vihf: Vihf, exchange: Exchange, _: Laboratory) -> Problems:
    issuer, signer = vihf.element.find(f"{{{SAML}}}Issuer"), signer_of(exchange.received)
    text = "" if issuer is None else text_of(issuer)
    if signer is not None and _parts(text) != _parts(signer[0].subject.rfc4514_string()):
        subject = signer[0].subject.rfc4514_string()
        yield expected(text, subject, subject, "/Assertion/Issuer")
    yield from among("" if issuer is None else issuer.get("Format", ""), (_X509_SUBJECT,), "/Assertion/Issuer/@Format")


def _parts(name: str) -> frozenset[tuple[str, str]] | None:
    """Attributes of a distinguished name, whatever their order; None when it cannot be read."""
    try:
        return frozenset((one.oid.dotted_string, str(one.value)) for one in x509.Name.from_rfc4514_string(name))
    except ValueError:
        return None


def _signer_is_trusted(vihf: Vihf, exchange: Exchange, laboratory: Laboratory) -> Problems:
    signer = signer_of(exchange.received)
    if signer is not None:
        place = "/Assertion/Signature/KeyInfo"
        yield from signature_certificate_problems(signer[0], laboratory, exchange.time, place)


def _is_of_now(vihf: Vihf, exchange: Exchange, _: Laboratory) -> Problems:
    issued, now = vihf.element.get("IssueInstant", ""), exchange.time
    time = _time(issued)
    if time is None or not now - _LIFE - _SKEW <= time <= now + _SKEW:
        wanted = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        yield expected(
            issued,
            f"moins de 5 minutes avant {wanted}, en UTC",
            f"within 5 minutes of {wanted}, in UTC",
            "/Assertion/@IssueInstant",
        )
    for one in vihf.element.iter(f"{{{SAML}}}Conditions"):
        begins, ends = _time(one.get("NotBefore", issued)), _time(one.get("NotOnOrAfter", ""))
        if (begins is not None and now < begins - _SKEW) or (ends is not None and now >= ends + _SKEW):
            text = f"{one.get('NotBefore')} – {one.get('NotOnOrAfter')}"
            yield expected(text, f"{now:%H:%M:%S}Z compris", f"{now:%H:%M:%S}Z within", "/Assertion/Conditions")


def _time(text: str) -> datetime | None:
    """xs:dateTime in UTC."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text.endswith("Z") else None
    except ValueError:
        return None


def _names_its_subject(vihf: Vihf, exchange: Exchange, _: Laboratory) -> Problems:
    element = vihf.element.find(f"{{{SAML}}}Subject/{{{SAML}}}NameID")
    found = "" if element is None else text_of(element)
    if not (_NATIONAL_ID.fullmatch(found) if vihf.mode == DIRECT else found):
        yield expected(
            found, "l'identifiant de l'utilisateur", "the identifier of the user", "/Assertion/Subject/NameID"
        )


def _is_one_of(name: str, *allowed: str) -> OnVihf:
    def check(vihf: Vihf, _: Exchange, __: Laboratory) -> Problems:
        yield from among(vihf.text(name), allowed, f"Attribute[@Name='{name}']")

    return check


def _has_structure(vihf: Vihf, _: Exchange, __: Laboratory) -> Problems:
    found = vihf.text(names.STRUCTURE)
    if not _STRUCTURE.fullmatch(found):
        yield expected(found, "un Struct_IdNat", "a Struct_IdNat", "Attribute[@Name='Identifiant_Structure']")


def _has_sector(vihf: Vihf, _: Exchange, laboratory: Laboratory) -> Problems:
    found = vihf.text("Secteur_Activite")
    code, _caret, system = found.partition("^")
    if (code, system) not in laboratory.codes("JDV_J61"):
        wanted = f"SAxx^{_SECTOR_SYSTEM} (JDV_J61)"
        yield expected(found, wanted, wanted, "Attribute[@Name='Secteur_Activite']")


def _has_profession(vihf: Vihf, _: Exchange, laboratory: Laboratory) -> Problems:
    known = {(one["code"], one["system"]) for one in laboratory.rows("JDV_J65") if one["vihf_occurrence"] == "1"}
    found = (vihf.codes(names.ROLE) or [("", "")])[0]
    if found not in known:
        yield expected(
            "^".join(found), "une profession de JDV_J65", "a profession of JDV_J65", f"Attribute[@Name='{names.ROLE}']"
        )


def _has_second_role(vihf: Vihf, _: Exchange, laboratory: Laboratory) -> Problems:
    roles = vihf.codes(names.ROLE) or [("", "")]
    system = _SECOND_ROLES.get(roles[0])
    known = {(one["code"], one["system"]) for one in laboratory.rows("JDV_J65") if one["vihf_occurrence"] == "2"}
    if system and not any(one in known and one[1] == system for one in roles[1:]):
        shown = ", ".join("^".join(one) for one in roles[1:])
        yield expected(shown, f"un code de {system}", f"a code of {system}", f"Attribute[@Name='{names.ROLE}'][2]")


def _names_the_patient(vihf: Vihf, exchange: Exchange, _: Laboratory) -> Problems:
    found = vihf.text(names.RESOURCE)
    place = f"Attribute[@Name='{names.RESOURCE}']"
    if not INS_CX.fullmatch(found):
        yield expected(found, "INS^^^&OID&ISO^NH", "INS^^^&OID&ISO^NH", place)
    elif exchange.transaction != "ITI-18":
        wanted = patient_of(exchange)
        if wanted and vihf.patient != wanted:
            fr, en = f"{wanted}, le patient du message", f"{wanted}, the patient of the message"
            yield expected(vihf.patient, fr, en, place)


def _says_why(vihf: Vihf, _: Exchange, __: Laboratory) -> Problems:
    found = (vihf.codes(names.PURPOSE) or [("", "")])[0]
    if found[0] not in _PURPOSES or found[1] not in _PURPOSE_SYSTEMS:
        wanted = f"{', '.join(_PURPOSES)} ({_PURPOSE_SYSTEMS[0]})"
        yield expected("^".join(found), wanted, wanted, f"Attribute[@Name='{names.PURPOSE}']")


def _names_the_software(vihf: Vihf, _: Exchange, __: Laboratory) -> Problems:
    for name in ("LPS_Nom", "LPS_Version", "LPS_ID_HOMOLOGATION_DMP"):
        yield from unless(bool(vihf.text(name)), f"{name} est vide", f"{name} is empty", f"Attribute[@Name='{name}']")


def _names_the_user(vihf: Vihf, _: Exchange, __: Laboratory) -> Problems:
    place = f"Attribute[@Name='{names.SUBJECT}']"
    yield from unless(bool(vihf.text(names.SUBJECT)), "subject-id est vide", "subject-id is empty", place)


def _says_how_one_logged_in(vihf: Vihf, _: Exchange, __: Laboratory) -> Problems:
    statement = vihf.element.find(f"{{{SAML}}}AuthnStatement")
    instant = "" if statement is None else statement.get("AuthnInstant", "")
    if _time(instant) is None:
        yield expected(instant, "une heure UTC", "a time in UTC", "/Assertion/AuthnStatement/@AuthnInstant")
    found = next(vihf.element.iter(f"{{{SAML}}}AuthnContextClassRef"), None)
    text = "" if found is None else text_of(found)
    if not text.startswith("urn:oasis:names:tc:SAML:"):
        yield expected(text, "une classe SAML", "a SAML class", "/Assertion/AuthnStatement//AuthnContextClassRef")


def _structure_is_the_signers(vihf: Vihf, exchange: Exchange, _: Laboratory) -> Problems:
    signer = signer_of(exchange.received)
    if signer is None:
        return
    units = [str(one.value) for one in signer[0].subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)]
    yield from among(vihf.text(names.STRUCTURE), units or ("OU",), "Attribute[@Name='Identifiant_Structure']")


def _has_vihf(exchange: Exchange) -> bool:
    return exchange.received.assertion is not None


def _is_indirect(exchange: Exchange) -> bool:
    vihf = vihf_of(exchange.received)
    return vihf is not None and vihf.mode in MODES and vihf.mode != DIRECT


def _has_patient(exchange: Exchange) -> bool:
    return _has_vihf(exchange) and exchange.transaction not in _WITHOUT_PATIENT


def _rule(number: int, check: OnVihf, applies: Applies = _has_vihf) -> Rule:
    def checked(exchange: Exchange, laboratory: Laboratory) -> Problems:
        vihf = vihf_of(exchange.received)
        if vihf is not None:
            yield from check(vihf, exchange, laboratory)

    return Rule(requirement=f"CLIENT-VIHF-{number:02}", applies=applies, check=checked)


# CLIENT-VIHF-06 is about several messages.
RULES = (
    Rule(requirement="CLIENT-VIHF-01", applies=on_soap, check=_has_one_assertion),
    _rule(2, _is_signed),
    _rule(3, _is_strong),
    _rule(4, _is_issued_by_signer),
    _rule(5, _signer_is_trusted),
    _rule(7, _is_of_now),
    _rule(8, _names_its_subject),
    _rule(9, _is_one_of("VIHF_Version", "3.0", "4.0")),
    _rule(10, _has_structure),
    _rule(11, _has_sector),
    _rule(12, _is_one_of("Authentification_mode", *MODES)),
    _rule(13, _has_profession),
    _rule(14, _has_second_role),
    _rule(15, _names_the_patient, _has_patient),
    _rule(16, _is_one_of("Ressource_URN", "urn:dmp")),
    _rule(17, _says_why),
    _rule(18, _names_the_software),
    _rule(19, _names_the_user, _is_indirect),
    _rule(20, _says_how_one_logged_in),
    _rule(21, _structure_is_the_signers, _is_indirect),
)
