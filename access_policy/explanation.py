"""Explains a VIHF: signature, times, and every attribute, each valid or not and why."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from cryptography import x509
from lxml import etree

from access_policy.assertion import Assertion, read_assertion
from access_policy.authentication import Rules, signer_of
from access_policy.conditions import check_audience, check_times
from access_policy.findings import Finding, Problem
from access_policy.refusals import Reason, Refused
from access_policy.security_header import find_assertion
from access_policy.signature_profile import certificates_of
from access_policy.signed_assertion import Unverified, read_unverified, verify
from access_policy.times import write_time
from access_policy.trust import load_certificate
from access_policy.vihf import VihfRules, findings


def explain(
    message: etree._Element, rules: Rules, *, client: x509.Certificate | None, now: datetime, is_chain_checked: bool
) -> tuple[Finding, ...]:
    """What a server by these rules thinks of the assertion of a message, as far as it can be read.

    `is_chain_checked` False: only that the signature is that of the certificate in the message.
    """
    vihf = rules.vihf or VihfRules()
    try:
        found = find_assertion(message, now=now, skew=rules.skew, loose_id=True)
        unverified = read_unverified(found)
    except Refused as refused:
        return (refused_finding("wsse:Security", refused),)
    told = list(_signature(unverified, rules, vihf, now, is_chain_checked=is_chain_checked))
    signed = _signed(unverified, now)
    if signed is None:
        return tuple(told)
    signer, assertion = signed
    told += _conditions(assertion, rules, vihf, now)
    try:
        told += findings(assertion, vihf, signer, client)
    except Refused as refused:
        told.append(refused_finding("Signature", refused))
    return tuple(told)


def _signature(
    unverified: Unverified, rules: Rules, vihf: VihfRules, now: datetime, *, is_chain_checked: bool
) -> Iterator[Finding]:
    method = unverified.profile.signature_method.name
    yield checked("Signature", method, lambda: verify(unverified, _embedded(unverified), now=now))
    if is_chain_checked:
        subject = _subject(unverified)
        yield checked("X509Certificate", subject, lambda: signer_of(unverified, rules, vihf, now=now))


def _conditions(assertion: Assertion, rules: Rules, vihf: VihfRules, now: datetime) -> Iterator[Finding]:
    end = assertion.not_on_or_after or assertion.issue_instant + vihf.life
    window = f"{write_time(assertion.issue_instant)} – {write_time(end)}"
    limits = {"skew": rules.skew, "longest": rules.longest}
    yield checked("Conditions", window, lambda: check_times(assertion, now=now, life=vihf.life, **limits))
    audiences = ", ".join(one for each in assertion.audiences for one in each)
    if audiences:
        yield checked("Audience", audiences, lambda: check_audience(assertion, rules.audiences, required=False))


def _signed(unverified: Unverified, now: datetime) -> tuple[x509.Certificate, Assertion] | None:
    try:
        signer = _embedded(unverified)
        return signer, read_assertion(verify(unverified, signer, now=now))
    except Refused:
        return None


def _embedded(unverified: Unverified) -> x509.Certificate:
    """The certificate of the message, whoever issued it: to explain, never to believe. Raises Refused."""
    octets = next(certificates_of(unverified.profile.key_info), None)
    if octets is None:
        raise Refused(Reason.KEY, "KeyInfo holds no X509Certificate")
    return load_certificate(octets)


def _subject(unverified: Unverified) -> str:
    try:
        return _embedded(unverified).subject.rfc4514_string()
    except Refused:
        return ""


def checked(name: str, found: str, check: Callable[[], object]) -> Finding:
    """What a check that raises Refused says of what was found."""
    try:
        check()
    except Refused as refused:
        return replace(refused_finding(name, refused), found=found)
    return Finding(name=name, found=found)


def refused_finding(name: str, refused: Refused) -> Finding:
    """A refusal as a finding."""
    reason, detail = refused.reason, f" ({refused.detail})" if refused.detail else ""
    problem = Problem(english=reason.english + detail, french=reason.french + detail, reason=reason)
    return Finding(name=name, found="", problem=problem)
