"""TLS of the server: versions, suites, authorities, revocation lists, and who may open a connection. DMP 2; RFC 9325.

OpenSSL checks chain, validity, revocation, key sizes and usage while it shakes hands. What it lets pass (a client
certificate without extended usage, authorities that only the client knows) is checked right after, before any octet
of HTTP is read.
"""

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from access_policy.refusals import Refused
from access_policy.trust import Trust, check_client_usage, load_certificate
from carnet.reloading import Reloading
from carnet.settings import Settings, SettingsError
from carnet.trust_folder import open_trust, read_certificates

# DMP 2 (PDT-INF-579): the four suites of TLS 1.2; level 2 refuses SHA-1 and keys below RSA 2048.
SUITES = (
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-SHA384",
)
_PROTOCOL = "http/1.1"
_CRL_SUFFIXES_NEEDED = "a current revocation list of every authority (.crl)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """What new connections are secured with, at one time."""

    context: ssl.SSLContext
    trust: Trust

    def check_client(self, octets: bytes | None) -> None:
        """The certificate (DER) of a client that shook hands. Raises Refused."""
        certificate = load_certificate(octets or b"")
        check_client_usage(certificate)
        self.trust.chain(certificate, now=datetime.now(UTC))


def hardened_context() -> ssl.SSLContext:
    """A server's context: TLS 1.2 and 1.3, a client certificate demanded, no renegotiation, no tickets. RFC 9325"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    return context


def client_context(settings: Settings) -> ssl.SSLContext:
    """What this process opens connections with to others of its record: its certificate, and whose it believes.

    Raises SettingsError.
    """
    trust, context = open_trust(settings), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(SUITES) + ":@SECLEVEL=2")
    certificate = settings.internal_certificate
    try:
        context.load_cert_chain(certificate, settings.internal_key or _key_beside(certificate))
    except OSError as problem:
        raise SettingsError(f"settings internal_certificate, internal_key: {certificate}: {problem}") from problem
    _load_authorities(context, trust)
    return context


def watched_client_context(settings: Settings) -> Reloading[ssl.SSLContext]:
    """The same, read again when a file changes. Raises SettingsError."""
    files = (settings.internal_certificate, settings.internal_key, settings.trust, settings.crl)
    return Reloading(lambda: client_context(settings), files)


def watched_tls(settings: Settings) -> Reloading[ServerTls]:
    """The TLS of the settings, read again when a file changes. Raises SettingsError."""
    return Reloading(lambda: read_tls(settings), (settings.certificate, settings.key, settings.trust, settings.crl))


def read_tls(settings: Settings) -> ServerTls:
    """Certificate, key, authorities and lists of the settings. Raises SettingsError."""
    trust, context = open_trust(settings), hardened_context()
    context.set_ciphers(":".join(SUITES) + ":@SECLEVEL=2")
    context.set_alpn_protocols([_PROTOCOL])
    try:
        context.load_cert_chain(settings.certificate, settings.key or _key_beside(settings.certificate))
    except OSError as problem:
        raise SettingsError(f"settings certificate, key: {settings.certificate}: {problem}") from problem
    if not trust.revocation_lists:
        raise SettingsError(f"settings trust, crl: found no revocation list, expected {_CRL_SUFFIXES_NEEDED}")
    _load_authorities(context, trust)
    context.sni_callback = _only_names_of(read_certificates(Path(settings.certificate))[0])
    return ServerTls(context=context, trust=trust)


def _key_beside(certificate: str) -> str | None:
    """The file that `carnet pki` writes beside a certificate; None: in the certificate's file."""
    beside = Path(certificate).with_suffix(".key")
    return str(beside) if beside.is_file() else None


def _load_authorities(context: ssl.SSLContext, trust: Trust) -> None:
    """OpenSSL takes revocation lists from files only; it refuses a certificate whose authority has no current one."""
    pem = serialization.Encoding.PEM
    certificates = [one.public_bytes(pem) for one in (*trust.anchors, *trust.intermediates)]
    lists = [one.public_bytes(pem) for one in trust.revocation_lists]
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(b"".join((*certificates, *lists)))
        file.flush()
        context.load_verify_locations(file.name)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def _only_names_of(certificate: x509.Certificate) -> "_ServerNames":
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return _ServerNames(frozenset(one.lower() for one in names.get_values_for_type(x509.DNSName)))
    except x509.ExtensionNotFound:
        return _ServerNames(frozenset())


class _ServerNames:
    """A client that asks for a name which the certificate does not have is told so. RFC 6066: 3"""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def __call__(self, _tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> int | None:
        if name is None or not self._names:
            return None
        wanted = name.lower().rstrip(".")
        if wanted in self._names or f"*.{wanted.partition('.')[2]}" in self._names:
            return None
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


def is_refusal(problem: BaseException | None) -> bool:
    """Whether a handshake ended for what the client is or offers, not because it went away or was slow."""
    return isinstance(problem, ssl.SSLError | Refused) and not isinstance(problem, ssl.SSLEOFError)


def reason_of(problem: BaseException) -> str:
    """Why a handshake failed, in words that come from OpenSSL or from our checks, never from the peer."""
    if isinstance(problem, Refused):
        return problem.reason.english
    if isinstance(problem, ssl.SSLCertVerificationError):
        return problem.verify_message
    if isinstance(problem, ssl.SSLError):
        return (problem.reason or "TLS error").lower().replace("_", " ")
    return type(problem).__name__
