"""VIHF: the assertion by which a professional or a structure calls the DMP. DMP 6."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography import x509

from access_policy import vihf_attributes as rows
from access_policy.assertion import Assertion
from access_policy.caller import AuthenticationMode, Caller, Credentials, Kind, PurposeOfUse, Software, Standing
from access_policy.conditions import CONTEXT_CLASSES, SMARTCARD_PKI
from access_policy.distinguished_names import is_same_name, name_of, parse_name
from access_policy.findings import Finding, Problem, missing
from access_policy.refusals import Reason, Refused
from access_policy.trust import Holder, holder_of
from access_policy.vihf_attributes import Expected, attribute_findings, mode_of
from xds.datatypes import CX, Code

_BY_STRUCTURE = (AuthenticationMode.INDIRECT, AuthenticationMode.AIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class VihfRules:
    """What the server demands of a VIHF. `life`: validity from IssueInstant where NotOnOrAfter is absent.

    `sha1_anchors`: SHA-256 fingerprints of anchors under which RSA-SHA1 is still taken, for a migration. `portals`:
    Struct_IdNat of those whose seal may speak for patients and their representatives; others never do.
    """

    expected: Expected = field(default_factory=Expected)
    life: timedelta = timedelta(minutes=5)
    sha1_anchors: frozenset[bytes] = frozenset()
    portals: frozenset[str] = frozenset()


def findings(
    assertion: Assertion, rules: VihfRules, signer: x509.Certificate, client: x509.Certificate | None
) -> Iterator[Finding]:
    """Everything a VIHF says, each valid or not. Signature, chain, time and reuse are checked elsewhere.

    `client` is the certificate of the TLS client; None leaves its agreement open, for an explanation.
    """
    yield _issuer(assertion, signer)
    yield from claim_findings(assertion, rules.expected)
    if is_patient_side(assertion):
        claimed = _first(assertion, rows.STRUCTURE)
        yield _agrees(
            rows.STRUCTURE, claimed, claimed in rules.portals, "a portal of patients", "un portail de patients"
        )
    mode = mode_of(assertion)
    yield from _context(assertion, mode)
    if mode is not None:
        yield from _agreement(assertion, mode, holder_of(signer), None if client is None else holder_of(client))


def claim_findings(assertion: Assertion, expected: Expected) -> Iterator[Finding]:
    """The attributes, and of who comes for the patient that the NameID is an INS. DMP 6.2, 8.5"""
    yield from attribute_findings(assertion, expected)
    if not is_patient_side(assertion):
        return
    person = _person_of(assertion)
    if person is None or person.authority not in expected.patient_authorities:
        english, french = "expected INS^^^&OID&ISO^NH of a person", "attendu : INS^^^&OID&ISO^NH d'une personne"
        yield Finding(name="NameID", found=assertion.subject.text, problem=Problem(english=english, french=french))
    if not assertion.values(rows.PATIENT):
        yield missing(rows.PATIENT)
    if any(one.code != PurposeOfUse.NORMAL for one in _codes(assertion, rows.PURPOSE)):
        english, french = "expected normal for EXP_PATIENT", "attendu : normal pour EXP_PATIENT"
        yield Finding(name=rows.PURPOSE, found="", problem=Problem(english=english, french=french))


def is_patient_side(assertion: Assertion) -> bool:
    """Whether the patient asks, or a representative."""
    roles = _codes(assertion, rows.ROLE)
    return bool(roles) and (roles[0].code, roles[0].coding_scheme) == rows.PATIENT_SIDE


def _person_of(assertion: Assertion) -> CX | None:
    try:
        return CX.parse(assertion.subject.text)
    except ValueError:
        return None


def _issuer(assertion: Assertion, signer: x509.Certificate) -> Finding:
    """The Issuer is the subject of the signing certificate, in whichever notation. DMP W21"""
    issuer = assertion.issuer
    try:
        is_signer = is_same_name(parse_name(issuer.text), name_of(signer.subject))
    except ValueError:
        is_signer = False
    problem = Problem(
        english="is not the subject of the signing certificate",
        french="n'est pas le sujet du certificat de signature",
        reason=Reason.ISSUER,
    )
    return Finding(name="Issuer", found=issuer.text, problem=None if is_signer else problem)


def _context(assertion: Assertion, mode: AuthenticationMode | None) -> Iterator[Finding]:
    """How the user was authenticated. DMP 6.1"""
    if not assertion.contexts:
        yield missing("AuthnStatement")
        return
    context = assertion.contexts[0]
    allowed = (SMARTCARD_PKI,) if mode is AuthenticationMode.DIRECT else CONTEXT_CLASSES
    expected = SMARTCARD_PKI if mode is AuthenticationMode.DIRECT else "urn:oasis:names:tc:SAML:2.0:ac:classes:…"
    problem = None
    if context.class_reference not in allowed:
        problem = Problem(english=f"expected {expected}", french=f"attendu : {expected}")
    yield Finding(name="AuthnContextClassRef", found=context.class_reference, problem=problem)
    if mode is AuthenticationMode.AIR and not context.declaration:
        yield missing("AuthnContextDecl")
    elif context.declaration:
        yield Finding(name="AuthnContextDecl", found=context.declaration)


def _agreement(
    assertion: Assertion, mode: AuthenticationMode, signer: Holder, client: Holder | None
) -> Iterator[Finding]:
    """Signer, TLS client, user and structure belong together. DMP 6.4"""
    claimed = "".join(one.text for one in assertion.values(rows.STRUCTURE)[:1])
    by_structure = mode in _BY_STRUCTURE
    yield _agrees(
        "Signer", signer.identifier, signer.is_person != by_structure, f"signed for {mode}", f"signé en mode {mode}"
    )
    if by_structure:
        same = signer.identifier == claimed
        yield _agrees(rows.STRUCTURE, claimed, same, "the structure of the seal", "la structure du cachet")
    else:
        same = assertion.subject.text == signer.identifier
        yield _agrees("NameID", assertion.subject.text, same, "the holder of the card", "le titulaire de la carte")
        if signer.structure:
            same = signer.structure == claimed
            yield _agrees(rows.STRUCTURE, claimed, same, "the structure of the card", "la structure de la carte")
    if client is not None:
        same = (client.is_person, client.identifier) == (signer.is_person, signer.identifier)
        yield _agrees("TLS", client.identifier, same, "the signer", "le signataire")


def _agrees(name: str, found: str, agrees: bool, english: str, french: str) -> Finding:
    problem = Problem(english=f"is not {english}", french=f"n'est pas {french}", reason=Reason.AGREEMENT)
    return Finding(name=name, found=found, problem=None if agrees else problem)


def vihf_caller(
    assertion: Assertion,
    rules: VihfRules,
    *,
    signer: x509.Certificate,
    client: x509.Certificate,
    credentials: Credentials,
) -> Caller:
    """The caller a VIHF proves. Raises Refused naming the first thing that is wrong."""
    raise_first(findings(assertion, rules, signer, client))
    return professional(assertion, credentials)


def told_caller(assertion: Assertion, rules: VihfRules) -> Caller:
    """The caller a VIHF names, whoever signed it and when: for a server that asks nobody for proof. Raises Refused."""
    raise_first(claim_findings(assertion, rules.expected))
    told = Credentials(
        kind=Kind.VIHF,
        version=version_of(assertion),
        assertion_id=assertion.id,
        issuer=assertion.issuer.text,
        expires=assertion.not_on_or_after or assertion.issue_instant + rules.life,
        client="",
        signer="",
    )
    return professional(assertion, told)


def raise_first(findings: Iterable[Finding]) -> None:
    """Raises Refused for the first thing that is wrong."""
    for finding in findings:
        if finding.problem is not None:
            raise Refused(finding.problem.reason, f"{finding.name} {finding.problem.english}")


def professional(assertion: Assertion, credentials: Credentials) -> Caller:
    """The professional or structure that attributes name which were found right."""
    patient, sector = _texts(assertion, rows.PATIENT), _texts(assertion, rows.SECTOR)
    purposes = _codes(assertion, rows.PURPOSE)
    name, standing = _name_and_standing(assertion, patient)
    return Caller(
        name=name,
        standing=standing,
        display_name=_first(assertion, rows.SUBJECT_ID),
        roles=_codes(assertion, rows.ROLE),
        organisations=_texts(assertion, rows.STRUCTURE),
        sector=rows.code_of(sector[0]),
        mode=mode_of(assertion),
        purpose=PurposeOfUse(purposes[0].code),
        purposes=purposes,
        reason=_first(assertion, rows.REASON),
        patient_id=CX.parse(patient[0]) if patient else None,
        is_secret_connection=bool(assertion.values(rows.CONFIDENTIALITY)),
        software=_software(assertion),
        credentials=credentials,
    )


def _name_and_standing(assertion: Assertion, patient: Sequence[str]) -> tuple[str, Standing]:
    """Of the patient side the CX key of who asks: of her own record the patient, of another a representative."""
    person = _person_of(assertion) if is_patient_side(assertion) else None
    if person is None:
        return assertion.subject.text, Standing.PROFESSIONAL
    is_own = [CX.parse(one).key for one in patient] == [person.key]
    return person.key, Standing.PATIENT if is_own else Standing.REPRESENTATIVE


def version_of(assertion: Assertion) -> str:
    return _first(assertion, rows.VERSION)


def _software(assertion: Assertion) -> Software:
    return Software(
        name=_first(assertion, rows.LPS_NAME),
        version=_first(assertion, rows.LPS_VERSION),
        installation=_first(assertion, rows.LPS_ID),
        homologation=_first(assertion, rows.LPS_HOMOLOGATION),
    )


def _first(assertion: Assertion, name: str) -> str:
    texts = _texts(assertion, name)
    return texts[0] if texts else ""


def _texts(assertion: Assertion, name: str) -> tuple[str, ...]:
    return tuple(one.text for one in assertion.values(name))


def _codes(assertion: Assertion, name: str) -> tuple[Code, ...]:
    return tuple(one.code for one in assertion.values(name) if one.code is not None)
