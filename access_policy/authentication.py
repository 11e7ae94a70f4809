"""A client certificate and a message become a Caller, or a refusal with its reason. ITI TF-2: 3.40.4.1.3; DMP 6.

The order is cheap and structural first, cryptography next, claims last; nothing of an assertion but Issuer and
KeyInfo is read before its signature is verified.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

from cryptography import x509
from lxml import etree

from access_policy.assertion import Assertion, read_assertion
from access_policy.caller import Caller, Credentials, Kind
from access_policy.conditions import check_audience, check_confirmation, check_times
from access_policy.refusals import Reason, Refused
from access_policy.security_header import find_assertion
from access_policy.signature_profile import certificates_of
from access_policy.signed_assertion import Unverified, read_unverified, verify
from access_policy.trust import (
    Trust,
    check_client_usage,
    check_signature_usage,
    fingerprint_of,
    load_certificate,
)
from access_policy.vihf import VihfRules, version_of, vihf_caller
from access_policy.xua import IdentityProvider, check_pinned, xua_caller

_X509_SUBJECT_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_KEPT_CALLERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Whom a server believes, and what it demands.

    `vihf` None: no VIHF is taken, only assertions of the identity providers. `recipients` are the server's own
    endpoint URIs, `audiences` what an AudienceRestriction may name.
    """

    trust: Trust
    vihf: VihfRules | None = None
    providers: tuple[IdentityProvider, ...] = ()
    audiences: Collection[str] = ()
    recipients: Collection[str] = ()
    skew: timedelta = timedelta(seconds=60)
    longest: timedelta = timedelta(hours=24)
    reuse_allowed: bool = True

    def provider(self, issuer: str) -> IdentityProvider | None:
        return next((one for one in self.providers if one.issuer == issuer), None)

    def fingerprint(self) -> bytes:
        """SHA-256 of what is read from files that change; all else is the same in every process of a server."""
        found = sha256(self.trust.fingerprint())
        for one in self.providers:
            pinned = [fingerprint_of(certificate).hex() for certificate in one.certificates]
            found.update(repr((one.issuer, one.issuer_format, one.audiences, pinned)).encode())
        return found.digest()


class AssertionUses(Protocol):
    """Remembers who used an assertion first, over all processes and restarts."""

    def first_client(
        self, *, issuer: str, assertion_id: str, client: str, until: datetime, now: datetime
    ) -> str | None:
        """Note a use. None when it is the first; else the SHA-256 fingerprint of the first client.

        It must be remembered until `until`; what ended before `now` may be forgotten.
        """
        ...


class VerifiedCallers(Protocol):
    """Whom other processes of this server have verified, under a key of the same rules, client and assertion."""

    def get(self, key: bytes) -> Caller | None:
        """None where none of them has, or it is not known any more."""
        ...

    def keep(self, key: bytes, caller: Caller) -> None:
        """Tell the others; the use of the assertion is noted by then."""
        ...


class NoOthers:
    """A process that is alone."""

    def get(self, key: bytes) -> Caller | None:
        """Nobody else verifies."""
        return None

    def keep(self, key: bytes, caller: Caller) -> None:
        """There is nobody to tell."""


NO_OTHERS = NoOthers()


class Authenticator:
    """Turns requests into callers by one set of rules; threads may share it. Make a new one when the rules change."""

    def __init__(
        self,
        rules: Rules,
        uses: AssertionUses,
        *,
        now: Callable[[], datetime],
        others: VerifiedCallers = NO_OTHERS,
    ) -> None:
        self._rules, self._uses, self._now, self._others = rules, uses, now, others
        self._fingerprint = rules.fingerprint()
        self._callers: dict[bytes, Caller] = {}

    def caller(self, envelope: etree._Element, client: bytes | None) -> Caller:
        """The caller of a message that came from the client with this certificate (DER). Raises Refused.

        An assertion verified before, here or by the others, sent by the same client, is not verified again while it is
        valid.
        """
        rules, now = self._rules, self._now()
        certificate = check_client(client, rules.trust, now)
        found = find_assertion(envelope, now=now, skew=rules.skew, loose_id=rules.vihf is not None)
        key = sha256(self._fingerprint + fingerprint_of(certificate) + found.octets).digest()
        known = self._known(key) if rules.reuse_allowed else None
        if known is not None and is_current(known, now, rules.skew):
            return known
        caller = identify(read_unverified(found), certificate, rules, now=now)
        note_use(self._uses, caller, skew=rules.skew, reuse_allowed=rules.reuse_allowed, now=now)
        self._keep(key, caller)
        self._others.keep(key, caller)
        return caller

    def _known(self, key: bytes) -> Caller | None:
        """Verified here, or by another process, which noted the use too."""
        known = self._callers.get(key)
        if known is None and (known := self._others.get(key)) is not None:
            self._keep(key, known)
        return known

    def _keep(self, key: bytes, caller: Caller) -> None:
        if len(self._callers) >= _KEPT_CALLERS:
            self._callers.clear()
        self._callers[key] = caller


def note_use(uses: AssertionUses, caller: Caller, *, skew: timedelta, reuse_allowed: bool, now: datetime) -> None:
    """The same client may use its proof again inside its validity; another one never. Raises Refused."""
    proof = _credentials(caller)
    until = proof.expires + skew
    first = uses.first_client(
        issuer=proof.issuer, assertion_id=proof.assertion_id, client=proof.client, until=until, now=now
    )
    if first is not None and (first != proof.client or not reuse_allowed):
        raise Refused(Reason.REPLAY, "first used by this client" if first == proof.client else "by another client")


def identify(unverified: Unverified, client: x509.Certificate, rules: Rules, *, now: datetime) -> Caller:
    """Verify an assertion and read its caller, whatever uses it had. Raises Refused."""
    provider = rules.provider(unverified.issuer)
    if provider is not None:
        return _by_provider(unverified, client, rules, provider, now)
    if rules.vihf is not None and unverified.issuer_format == _X509_SUBJECT_NAME:
        return _by_vihf(unverified, client, rules, rules.vihf, now)
    raise Refused(Reason.ISSUER, "no identity provider of this name, and no VIHF")


def check_client(octets: bytes | None, trust: Trust, now: datetime) -> x509.Certificate:
    """The certificate (DER) of a client once it is known to be one for authentication. Raises Refused."""
    if octets is None:
        raise Refused(Reason.NO_CERTIFICATE)
    certificate = _client_certificate(octets)
    trust.chain(certificate, now=now)
    return certificate


@lru_cache(maxsize=1024)
def _client_certificate(octets: bytes) -> x509.Certificate:
    """What a client shows with every message. Raises Refused."""
    certificate = load_certificate(octets)
    check_client_usage(certificate)
    return certificate


def signer_of(unverified: Unverified, rules: Rules, vihf: VihfRules, *, now: datetime) -> x509.Certificate:
    """The certificate in KeyInfo once it is known to be a signature certificate under our anchors. Raises Refused."""
    certificates = tuple(certificates_of(unverified.profile.key_info))
    if not certificates:
        raise Refused(Reason.KEY, "KeyInfo holds no X509Certificate")
    signer = load_certificate(certificates[0])
    anchor = rules.trust.chain(signer, now=now).anchor
    check_signature_usage(signer)
    if unverified.profile.uses_sha1 and fingerprint_of(anchor) not in vihf.sha1_anchors:
        raise Refused(Reason.ALGORITHM, "SHA-1")
    return signer


def _by_vihf(unverified: Unverified, client: x509.Certificate, rules: Rules, vihf: VihfRules, now: datetime) -> Caller:
    signer = signer_of(unverified, rules, vihf, now=now)
    assertion = read_assertion(verify(unverified, signer, now=now))
    expires = check_times(assertion, now=now, skew=rules.skew, longest=rules.longest, life=vihf.life)
    check_audience(assertion, rules.audiences, required=False)
    check_confirmation(assertion, client, rules.recipients, now=now, skew=rules.skew, required=False)
    proof = _proof(Kind.VIHF, assertion, unverified, expires, client, signer)
    return vihf_caller(assertion, vihf, signer=signer, client=client, credentials=proof)


def _by_provider(
    unverified: Unverified, client: x509.Certificate, rules: Rules, provider: IdentityProvider, now: datetime
) -> Caller:
    if provider.issuer_format != unverified.issuer_format:
        raise Refused(Reason.ISSUER, "Issuer has another Format than configured")
    if unverified.profile.uses_sha1:
        raise Refused(Reason.ALGORITHM, "SHA-1")
    pinned = check_pinned(provider, tuple(certificates_of(unverified.profile.key_info)))
    element, signer = _verified_by_one(unverified, pinned, now)
    assertion = read_assertion(element)
    expires = check_times(assertion, now=now, skew=rules.skew, longest=rules.longest, life=None)
    check_audience(assertion, (*rules.audiences, *provider.audiences), required=True)
    check_confirmation(assertion, client, rules.recipients, now=now, skew=rules.skew, required=True)
    proof = _proof(Kind.XUA, assertion, unverified, expires, client, signer)
    return xua_caller(assertion, credentials=proof)


def _verified_by_one(
    unverified: Unverified, pinned: tuple[x509.Certificate, ...], now: datetime
) -> tuple[etree._Element, x509.Certificate]:
    """The signed element and which of the pinned certificates signed it. Raises Refused."""
    for certificate in pinned:
        try:
            return verify(unverified, certificate, now=now), certificate
        except Refused:
            continue
    raise Refused(Reason.SIGNATURE, "by none of the certificates of the issuer")


def _proof(
    kind: Kind,
    assertion: Assertion,
    unverified: Unverified,
    expires: datetime,
    client: x509.Certificate,
    signer: x509.Certificate,
) -> Credentials:
    context = assertion.contexts[0] if assertion.contexts else None
    return Credentials(
        kind=kind,
        version=version_of(assertion) if kind is Kind.VIHF else "",
        assertion_id=assertion.id,
        issuer=assertion.issuer.text,
        alias=assertion.subject.alias,
        expires=expires,
        client=fingerprint_of(client).hex(),
        signer=fingerprint_of(signer).hex(),
        context_class="" if context is None else context.class_reference,
        context_declaration="" if context is None else context.declaration,
        signed_with_sha1=unverified.profile.uses_sha1,
    )


def _credentials(caller: Caller) -> Credentials:
    if caller.credentials is None:
        raise Refused(Reason.ASSERTION, "a caller without credentials")
    return caller.credentials


def is_current(caller: Caller, now: datetime, skew: timedelta) -> bool:
    """Whether what proved the caller is still valid."""
    return caller.credentials is not None and now - skew < caller.credentials.expires
