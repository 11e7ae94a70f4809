"""A JWT becomes the Caller that an assertion would be, or a refusal with its reason. IUA 3.72; RFC 9068; DMP 6.4.

Header and key first, the signature next, claims last; the issuer alone is read before, to find its keys.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

from access_policy.assertion import Assertion
from access_policy.authentication import AssertionUses, is_current, note_use
from access_policy.bearer_token import Key, Token, read_token, verify_token
from access_policy.caller import AuthenticationMode, Caller, Credentials, Kind, Standing
from access_policy.conditions import check_audience, check_times
from access_policy.findings import Finding, Problem
from access_policy.refusals import Reason, Refused
from access_policy.token_claims import ONLY_VIHF, PATIENT, PERSON, claim, scopes, token_assertion
from access_policy.vihf import claim_findings, is_patient_side, professional, raise_first
from access_policy.vihf_attributes import MODE, ROLE, SUBJECT_ID, Expected, mode_of
from access_policy.xua import xua_caller
from xds.datatypes import CX

_KEPT_CALLERS = 10_000
_NO_PATIENTS = Problem(
    english="patients are not believed from this issuer", french="patients non admis de cet émetteur"
)
_AIR = frozenset({AuthenticationMode.AIR})


class KeysOf(Protocol):
    """The keys that an issuer signs with now; `key_id` says which is looked for."""

    def __call__(self, key_id: str) -> tuple[Key, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """An authorisation server: `iss` to the letter, its keys, and what it is believed about.

    `modes`: how its professionals may be said to be authenticated. `has_patients`: it proves patients by their INS.
    """

    issuer: str
    keys: KeysOf
    audiences: tuple[str, ...] = ()
    modes: frozenset[AuthenticationMode] = _AIR
    has_patients: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """Whose tokens a server believes, and what it demands. `expected` None: callers are those of a XUA domain."""

    issuers: tuple[TokenIssuer, ...]
    audiences: Collection[str]
    expected: Expected | None
    skew: timedelta = timedelta(seconds=60)
    longest: timedelta = timedelta(hours=24)
    reuse_allowed: bool = True

    def issuer(self, name: object) -> TokenIssuer:
        """Raises Refused."""
        for one in self.issuers:
            if one.issuer == name:
                return one
        raise Refused(Reason.ISSUER, "no configured issuer of this name")


class TokenAuthenticator:
    """Turns tokens into callers by one set of rules; threads may share it."""

    def __init__(self, rules: TokenRules, uses: AssertionUses, *, now: Callable[[], datetime]) -> None:
        self._rules, self._uses, self._now = rules, uses, now
        self._callers: dict[bytes, tuple[Caller, str]] = {}

    def caller(self, text: str, client: bytes) -> Caller:
        """The caller of a token that a client showed; `client` is the SHA-256 of its certificate. Raises Refused.

        A token verified before, shown by the same client, is not verified again while it is valid and its issuer has
        the key that signed it.
        """
        rules, now, key = self._rules, self._now(), sha256(client + text.encode()).digest()
        known, key_id = self._callers.get(key, (None, ""))
        if known is not None and rules.reuse_allowed and is_current(known, now, rules.skew):
            if self._has_key(known, key_id):
                return known
            self._callers.pop(key, None)
        token = read_token(text)
        caller = identify_token(token, client, rules, now=now)
        note_use(self._uses, caller, skew=rules.skew, reuse_allowed=rules.reuse_allowed, now=now)
        if len(self._callers) >= _KEPT_CALLERS:
            self._callers.clear()
        self._callers[key] = caller, token.key_id
        return caller

    def _has_key(self, known: Caller, key_id: str) -> bool:
        """Whether the key that signed is still among those of its issuer: one that was withdrawn opens nothing."""
        proof = known.credentials
        keys = () if proof is None else self._rules.issuer(proof.issuer).keys(key_id)
        return proof is not None and any(one.thumbprint() == proof.signer for one in keys)


def identify_token(token: Token, client: bytes, rules: TokenRules, *, now: datetime) -> Caller:
    """Verify a token and read its caller, whatever uses it had. Raises Refused."""
    issuer = rules.issuer(token.claimed.get("iss"))
    claims, key = verify_token(token, issuer.keys(token.key_id))
    if claims.get("iss") != issuer.issuer:
        raise Refused(Reason.ISSUER, "the signed claims name another issuer than the one whose key signed")
    said = token_assertion(claims)
    expires = check_times(said, now=now, skew=rules.skew, longest=rules.longest, life=None)
    check_audience(said, (*rules.audiences, *issuer.audiences), required=True)
    check_client_key(claims, client)
    proof = _proof(claims, said, expires, client, key)
    if is_of_patient(claims):
        raise_first(patient_findings(claims, issuer, rules))
        return _patient(claims, said, proof, knows_representatives=rules.expected is not None)
    if rules.expected is None:
        return xua_caller(said, credentials=proof)
    raise_first(professional_findings(said, issuer, rules.expected))
    return professional(said, proof)


def check_client_key(claims: Mapping[str, Any], client: bytes) -> None:
    """A token that is bound to a certificate comes from its holder alone. Raises Refused. RFC 8705: 3.1"""
    if "cnf" not in claims:
        return
    bound = claim(claims, ("cnf", "x5t#S256"))
    if bound != urlsafe_b64encode(client).rstrip(b"=").decode():
        raise Refused(Reason.CONFIRMATION, "the token is bound to another key than that of the client certificate")


def professional_findings(said: Assertion, issuer: TokenIssuer, expected: Expected) -> Iterator[Finding]:
    """What the rules of the VIHF say of a token, and whether its issuer may say so. DMP 6.2, 6.4"""
    for one in claim_findings(said, expected):
        if one.problem is None or one.name not in ONLY_VIHF:
            yield one
    if is_patient_side(said) and not issuer.has_patients:
        yield Finding(name=ROLE, found="EXP_PATIENT", problem=_NO_PATIENTS)
    mode = mode_of(said)
    if mode is not None and mode not in issuer.modes:
        names = ", ".join(sorted(issuer.modes))
        problem = Problem(english=f"expected of this issuer: {names}", french=f"attendu de cet émetteur : {names}")
        yield Finding(name=MODE, found=mode, problem=problem)


def is_of_patient(claims: Mapping[str, Any]) -> bool:
    """Whether it names a person by INS and no profession: a patient, or somebody who acts for one. IUA 3.71"""
    roles = (claim(claims, (*PERSON[:2], "subject_role")), claims.get("SubjectRole"), claims.get("SubjectRefPro"))
    return claim(claims, PERSON) is not None and not any(roles)


def patient_findings(claims: Mapping[str, Any], issuer: TokenIssuer, rules: TokenRules) -> Iterator[Finding]:
    """The INS of the person who asks, and of the one whose record it is."""
    refusal = None if issuer.has_patients else _NO_PATIENTS
    yield Finding(
        name=".".join(PERSON), found=str(claim(claims, PERSON)), problem=refusal or _of(claims, PERSON, rules)
    )
    if claim(claims, PATIENT) is not None:
        yield Finding(name=".".join(PATIENT), found=str(claim(claims, PATIENT)), problem=_of(claims, PATIENT, rules))


def _of(claims: Mapping[str, Any], path: tuple[str, ...], rules: TokenRules) -> Problem | None:
    """What is wrong with an identifier of a patient."""
    try:
        found = CX.parse(claim(claims, path))
    except (ValueError, TypeError, AttributeError):
        return Problem(english="expected INS^^^&OID&ISO", french="attendu : INS^^^&OID&ISO")
    if rules.expected is not None and found.authority not in rules.expected.patient_authorities:
        english, french = "not identified by an authority of this domain", "autorité d'affectation inconnue du domaine"
        return Problem(english=english, french=french)
    return None


def _patient(claims: Mapping[str, Any], said: Assertion, proof: Credentials, *, knows_representatives: bool) -> Caller:
    """A person is the holder of the own record, and somebody's representative for any other. CSP R.1111-50

    Who represents whom is for the records to say: a domain without records knows holders alone. Raises Refused.
    """
    person = CX.parse(claim(claims, PERSON)).key
    about = claim(claims, PATIENT)
    record = person if about is None else CX.parse(about).key
    if person != record and not knows_representatives:
        raise Refused(Reason.AGREEMENT, "patient_id is another person than person_id")
    names = [one.text for one in said.values(SUBJECT_ID)]
    return Caller(
        name=person,
        standing=Standing.PATIENT if person == record else Standing.REPRESENTATIVE,
        display_name=" ".join(names[:1]),
        patient_id=CX(record),
        credentials=proof,
    )


def _proof(claims: Mapping[str, Any], said: Assertion, expires: datetime, client: bytes, key: Key) -> Credentials:
    return Credentials(
        kind=Kind.TOKEN,
        assertion_id=said.id,
        issuer=said.issuer.text,
        alias=said.subject.alias,
        expires=expires,
        client=client.hex(),
        signer=key.thumbprint(),
        scopes=scopes(claims),
    )
