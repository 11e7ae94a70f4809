"""TLS of the identity feed: client certificates of trusted issuers, and which of them may send. ITI TF-2: 3.19."""

import hashlib
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from access_policy.caller import Caller, Peer
from carnet.listed_clients import client_named
from carnet.tls import hardened_context

# Names of getpeercert() -> attribute types. RFC 4514: 3
_ATTRIBUTE_TYPES = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "emailAddress": "emailAddress",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "serialNumber": "serialNumber",
    "stateOrProvinceName": "ST",
    "streetAddress": "street",
    "userId": "UID",
}
_REVOCATION_LIST = b"-----BEGIN X509 CRL-----"
_SPECIAL = re.compile(r'([,+"\\<>;=])')


class NotAllowed(Exception):
    """A certificate that is good and whose holder may not send here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """How a connection is secured. `clients` are SHA-256 fingerprints in lower case, or subjects (RFC 4514)."""

    context: ssl.SSLContext
    clients: frozenset[str]

    def secured(self, connection: socket.socket) -> tuple[ssl.SSLSocket, Caller]:
        """The connection after its handshake, and who it is. Raises OSError, NotAllowed."""
        secured = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        try:
            secured.do_handshake()
            return secured, self._caller(secured)
        except BaseException:
            secured.close()
            raise

    def _caller(self, secured: ssl.SSLSocket) -> Caller:
        certificate = secured.getpeercert(binary_form=True) or b""
        name = subject_of(secured.getpeercert() or {})
        if not self.clients & {hashlib.sha256(certificate).hexdigest(), name}:
            raise NotAllowed(name)
        return Caller(name=name, peer=Peer(certificate=name))


def tls_policy(*, certificate: str, key: str, trust: str, clients: frozenset[str]) -> TlsPolicy:
    """TLS 1.2 or later, a client certificate demanded. Files are PEM. Raises OSError for one that does not do.

    Where `trust` holds a revocation list, every authority in it needs a current one. ITI TF-2: 3.19.6
    """
    context = hardened_context()
    context.load_cert_chain(certificate, key or None)
    context.load_verify_locations(trust)
    if _REVOCATION_LIST in Path(trust).read_bytes():
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    return TlsPolicy(context=context, clients=frozenset(client_named(one) for one in clients))


def subject_of(certificate: Mapping[str, object]) -> str:
    """The subject as `openssl x509 -noout -subject -nameopt RFC2253` prints it. RFC 4514"""
    names = certificate.get("subject")
    parts = reversed(names) if isinstance(names, tuple) else ()
    return ",".join(
        "+".join(f"{_ATTRIBUTE_TYPES.get(kind, kind)}={_escaped(value)}" for kind, value in one) for one in parts
    )


def _escaped(value: str) -> str:
    text = _SPECIAL.sub(r"\\\1", value)
    return f"\\{text}" if text.startswith(("#", " ")) else text
