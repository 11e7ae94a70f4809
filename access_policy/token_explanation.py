"""Explains a token: header, signature, times, audience, scopes, and every claim, each valid or not and why."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from access_policy.assertion import Assertion
from access_policy.bearer_token import Token, read_token, verify_token
from access_policy.conditions import check_audience, check_times
from access_policy.explanation import checked, refused_finding
from access_policy.findings import Finding, Problem
from access_policy.refusals import Refused
from access_policy.scopes import NEEDS, opens
from access_policy.times import write_time
from access_policy.token_authentication import (
    TokenIssuer,
    TokenRules,
    check_client_key,
    is_of_patient,
    patient_findings,
    professional_findings,
)
from access_policy.token_claims import PATIENT, claim, scopes, token_assertion
from access_policy.vihf_attributes import Expected


def explain_token(text: str, rules: TokenRules, *, client: bytes | None, now: datetime) -> tuple[Finding, ...]:
    """What a server by these rules thinks of a token, as far as it can be read.

    `client`: SHA-256 of the client certificate; None leaves open whether a bound token comes from its holder.
    """
    try:
        token = read_token(text)
    except Refused as refused:
        return (refused_finding("JWS", refused),)
    told = [Finding(name="alg", found=token.algorithm), Finding(name="kid", found=token.key_id)]
    issuer = _issuer(token, rules)
    told.append(checked("iss", str(token.claimed.get("iss", "")), lambda: rules.issuer(token.claimed.get("iss"))))
    if issuer is not None:
        told.append(checked("signature", token.algorithm, lambda: verify_token(token, issuer.keys(token.key_id))))
    try:
        said = token_assertion(token.claimed)
    except Refused as refused:
        return (*told, refused_finding("claims", refused))
    told += _conditions(token.claimed, said, issuer, rules, client, now)
    return (*told, *_scopes(token.claimed), *_attributes(token.claimed, said, issuer, rules))


def _issuer(token: Token, rules: TokenRules) -> TokenIssuer | None:
    try:
        return rules.issuer(token.claimed.get("iss"))
    except Refused:
        return None


def _conditions(
    claims: Mapping[str, Any],
    said: Assertion,
    issuer: TokenIssuer | None,
    rules: TokenRules,
    client: bytes | None,
    now: datetime,
) -> Iterator[Finding]:
    window = " – ".join(write_time(one) for one in (said.not_before, said.not_on_or_after) if one is not None)
    limits = {"skew": rules.skew, "longest": rules.longest}
    yield checked("nbf, iat, exp", window, lambda: check_times(said, now=now, life=None, **limits))
    known = (*rules.audiences, *(issuer.audiences if issuer is not None else ()))
    yield checked("aud", said.subject.alias, lambda: check_audience(said, known, required=True))
    yield Finding(name="jti", found=said.id)
    yield Finding(name="sub", found=said.subject.text)
    if client is not None and "cnf" in claims:
        yield checked("cnf", str(claims["cnf"]), lambda: check_client_key(claims, client))


def _scopes(claims: Mapping[str, Any]) -> Iterator[Finding]:
    """What each opens; one that opens nothing is a finding, and so is a token without any that does."""
    try:
        held = scopes(claims)
    except Refused as refused:
        yield refused_finding("scope", refused)
        return
    names_patient = claim(claims, PATIENT) is not None or is_of_patient(claims)
    opened = [one for one in NEEDS if opens(held, one, names_patient=names_patient)]
    found = f"{' '.join(held)} → {', '.join(opened)}" if opened else " ".join(held)
    problem = Problem(english="opens no transaction", french="n'ouvre aucune transaction")
    yield Finding(name="scope", found=found, problem=None if opened else problem)


def _attributes(
    claims: Mapping[str, Any], said: Assertion, issuer: TokenIssuer | None, rules: TokenRules
) -> Iterator[Finding]:
    believed = issuer or TokenIssuer(issuer="", keys=lambda key_id: ())
    if is_of_patient(claims):
        yield from patient_findings(claims, believed, rules)
        return
    yield from professional_findings(said, believed, rules.expected or Expected())
