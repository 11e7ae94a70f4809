"""Who calls: the rules of the settings, the memory of used assertions, and the door's question about a message."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from wsgiref.types import WSGIEnvironment

from cryptography import x509
from lxml import etree

from access_policy.authentication import NO_OTHERS, Authenticator, Rules, VerifiedCallers
from access_policy.caller import Caller, Peer
from access_policy.refusals import Reason, Refused
from access_policy.security_header import WSSE
from access_policy.trust import Trust
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import VERSIONS, Expected
from carnet.claims import Claim, claim_of
from carnet.domains import INS_AUTHORITIES, wire_name
from carnet.known_callers import directory_check
from carnet.settings import Settings, SettingsError
from carnet.trust_folder import read_providers
from soap.faults import SoapFault, security_refused
from soap.wire import DMP
from storage.assertion_uses import StoredAssertionUses
from storage.unit_of_work import Units

_FINGERPRINT_OCTETS = 32
# Longer than every check together, on a machine with time to spare.
_REFUSAL_SECONDS = 0.025
SERVICES = ("registry", "repository", "patients", "habilitations", "recipient")

# The certificate (DER) that the client of a request has proved to hold its key of; None without one.
PeerCertificate = Callable[[WSGIEnvironment], bytes | None]
# The caller of a request that is no SOAP message; raises FhirProblem.
CallerOfRequest = Callable[[WSGIEnvironment], Caller]
# The caller of a message from a client; raises SoapFault.
CallerOfMessage = Callable[[WSGIEnvironment, etree._Element], Caller]
# Told of every refusal, and who was at the other end of the connection: for the audit record.
OnRefusal = Callable[[Refused, Peer, Claim], None]


class LiveAuthenticator:
    """The authenticator of the settings; a new one whenever the authorities change: no verdict outlives them."""

    def __init__(
        self, settings: Settings, units: Units, trust: Callable[[], Trust], others: VerifiedCallers = NO_OTHERS
    ) -> None:
        """Raises SettingsError."""
        self._others = others
        self._rules, self._uses = read_rules(settings, trust()), StoredAssertionUses(units)
        self._check = directory_check(settings, units)
        self._trust = trust
        self._current = self._made(self._rules.trust)

    def caller(self, envelope: etree._Element, client: bytes | None) -> Caller:
        """As `Authenticator.caller`. Raises Refused."""
        trust, current = self._trust(), self._current
        if trust is not current[0]:
            current = self._current = self._made(trust)
        caller = current[1].caller(envelope, client)
        self._check(caller)
        return caller

    def _made(self, trust: Trust) -> tuple[Trust, Authenticator]:
        rules = replace(self._rules, trust=trust)
        return trust, Authenticator(rules, self._uses, now=_now, others=self._others)


def read_rules(settings: Settings, trust: Trust) -> Rules:
    """The rules of the settings, with every file they name read. Raises SettingsError."""
    services = tuple(f"{settings.public_url}/xds/{name}" for name in SERVICES)
    return Rules(
        trust=trust,
        vihf=read_vihf_rules(settings) if settings.domain == "dmp" else None,
        providers=read_providers(Path(settings.xua)) if settings.xua else (),
        audiences=frozenset((*services, settings.public_url, *settings.audiences.split())),
        recipients=frozenset(services),
        skew=timedelta(seconds=settings.clock_skew_seconds),
        longest=timedelta(hours=settings.assertion_hours),
        reuse_allowed=settings.assertion_reuse == "client",
    )


def proved_caller(
    authenticator: LiveAuthenticator,
    peer_certificate: PeerCertificate,
    settings: Settings,
    on_refusal: OnRefusal,
) -> CallerOfMessage:
    """Asks every message for its caller; the sender of a refused one reads one constant text. ITI TF-2: 3.40.4.1.3

    A refusal is not told before a fixed time has passed, whichever check it failed: its moment tells nothing either.
    """
    tells_certificate = wire_name(settings) == DMP.name

    def caller_of(environ: WSGIEnvironment, envelope: etree._Element) -> Caller:
        began, peer = time.monotonic(), peer_certificate(environ)
        try:
            return replace(authenticator.caller(envelope, peer), peer=peer_of(environ, peer))
        except Refused as refused:
            on_refusal(refused, peer_of(environ, peer), claim_of(envelope))
            await_refusal(began)
            raise fault_of(refused, tells_certificate=tells_certificate) from None

    return caller_of


def await_refusal(began: float) -> None:
    """Until the time at which every refusal is told; `began` is when the request was looked at first."""
    time.sleep(max(0.0, began + _REFUSAL_SECONDS - time.monotonic()))


def peer_of(environ: WSGIEnvironment, certificate: bytes | None) -> Peer:
    """The other end of the connection: for the audit record."""
    subject = "" if certificate is None else _subject_of(certificate)
    return Peer(address=environ.get("REMOTE_ADDR", ""), certificate=subject)


@lru_cache(maxsize=256)
def _subject_of(certificate: bytes) -> str:
    """The subject (RFC 4514); the SHA-256 fingerprint of what cannot be read. A client sends the same one each time."""
    try:
        return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError:
        return hashlib.sha256(certificate).hexdigest()


def fault_of(refused: Refused, *, tells_certificate: bool) -> SoapFault:
    """What the sender reads. The DMP alone says that the signer is no signature certificate. DMP 4"""
    if tells_certificate and refused.reason is Reason.SIGNER_USAGE:
        return security_refused("{}DMPInvalidCertificate")
    return security_refused(f"{{{WSSE}}}{refused.reason.subcode}")


def read_vihf_rules(settings: Settings) -> VihfRules:
    """What the settings demand of a VIHF. Raises SettingsError."""
    versions = tuple(one.strip() for one in settings.vihf_versions.split(",") if one.strip())
    if not versions or not set(versions) <= set(VERSIONS):
        raise SettingsError(f"setting vihf_versions: found {settings.vihf_versions}, expected of {','.join(VERSIONS)}")
    return VihfRules(
        expected=Expected(versions=versions, patient_authorities=INS_AUTHORITIES),
        life=timedelta(seconds=settings.vihf_life_seconds),
        sha1_anchors=frozenset(_fingerprint(one) for one in settings.sha1_anchors.replace(";", " ").split()),
        portals=frozenset(settings.patient_portals.replace(";", " ").split()),
    )


def _fingerprint(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        octets = b""
    if len(octets) != _FINGERPRINT_OCTETS:
        raise SettingsError(f"setting sha1_anchors: found {text}, expected a SHA-256 fingerprint in hexadecimal")
    return octets


def _now() -> datetime:
    return datetime.now(UTC)
