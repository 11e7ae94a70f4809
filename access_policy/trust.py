"""Which certificates are believed: chains to the anchors, validity, revocation, usage. RFC 5280; ITI TF-2: 3.19.6.

Nothing is fetched: anchors, intermediate authorities and revocation lists are handed in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from access_policy.refusals import Reason, Refused

_LONGEST_CHAIN = 5
_RSA_BITS, _RSA_EXPONENT = range(2048, 4097), 65537
_CURVES = ("secp256r1", "secp384r1")
_KEPT_CHAINS = 10_000
# What the library raises for a certificate that it cannot make sense of, when it is loaded or later.
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)
_SERVES_TLS = frozenset(
    {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whom a certificate names. A card: PS_IdNat in the CN; a structure: Struct_IdNat in the OU. DMP 6.4

    `structure` of a card is empty when the card names none.
    """

    is_person: bool
    identifier: str
    structure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A certificate that was found good, up to its anchor, and until when that may be believed."""

    leaf: x509.Certificate
    anchor: x509.Certificate
    until: datetime


class Trust:
    """Anchors, intermediate authorities and revocation lists at one time; make a new one when they change."""

    def __init__(
        self,
        anchors: Iterable[x509.Certificate],
        intermediates: Iterable[x509.Certificate] = (),
        revocation_lists: Iterable[x509.CertificateRevocationList] = (),
    ) -> None:
        self.anchors, self.intermediates = tuple(anchors), tuple(intermediates)
        authorities = (*self.anchors, *self.intermediates)
        self.revocation_lists = tuple(revocation_lists)
        self._lists = _lists_by_authority(authorities, self.revocation_lists)
        self._store = Store(list(self.anchors)) if self.anchors else None
        self._chains: dict[bytes, Chain] = {}

    def fingerprint(self) -> bytes:
        """SHA-256 of everything that was handed in, in its order."""
        found = sha256()
        for group in (self.anchors, self.intermediates, self.revocation_lists):
            found.update(len(group).to_bytes(4))
            for one in group:
                found.update(one.fingerprint(hashes.SHA256()))
        return found.digest()

    def chain(self, certificate: x509.Certificate, *, now: datetime) -> Chain:
        """The chain of a certificate; one found good is believed until a revocation list ends. Raises Refused."""
        fingerprint = fingerprint_of(certificate)
        known = self._chains.get(fingerprint)
        if known is not None and certificate.not_valid_before_utc <= now < known.until:
            return known
        chain = self._verified(certificate, now)
        if len(self._chains) >= _KEPT_CHAINS:
            self._chains.clear()
        self._chains[fingerprint] = chain
        return chain

    def _verified(self, certificate: x509.Certificate, now: datetime) -> Chain:
        if self._store is None:
            raise Refused(Reason.CHAIN, "no trust anchor is configured")
        _check_key(certificate)
        verifier = (
            PolicyBuilder()
            .store(self._store)
            .time(now)
            .max_chain_depth(_LONGEST_CHAIN - 1)
            .extension_policies(ee_policy=ExtensionPolicy.permit_all(), ca_policy=ExtensionPolicy.webpki_defaults_ca())
            .build_client_verifier()
        )
        try:
            path = verifier.verify(certificate, list(self.intermediates)).chain
        except (VerificationError, *_UNREADABLE) as problem:
            raise Refused(Reason.CHAIN, str(problem)[:200]) from None
        ends = [one.not_valid_after_utc for one in path]
        ends += [self._not_revoked_until(one, by, now) for one, by in pairwise(path)]
        return Chain(leaf=certificate, anchor=path[-1], until=min(ends))

    def _not_revoked_until(self, one: x509.Certificate, by: x509.Certificate, now: datetime) -> datetime:
        """End of the current revocation list of the issuer, which does not name the certificate. Raises Refused."""
        for revocations in self._lists.get(fingerprint_of(by), ()):
            end = revocations.next_update_utc
            if end is None or not revocations.last_update_utc <= now < end:
                continue
            if revocations.get_revoked_certificate_by_serial_number(one.serial_number) is not None:
                raise Refused(Reason.REVOKED, f"serial number {one.serial_number:x}")
            return end
        raise Refused(Reason.REVOKED, f"no current revocation list of {by.subject.rfc4514_string()}")


def _lists_by_authority(
    authorities: Iterable[x509.Certificate], revocation_lists: tuple[x509.CertificateRevocationList, ...]
) -> Mapping[bytes, tuple[x509.CertificateRevocationList, ...]]:
    """Each authority's own complete lists, newest first; a list with a critical extension covers only a part."""
    found = {}
    newest_first = sorted(revocation_lists, key=lambda one: one.last_update_utc, reverse=True)
    for authority in authorities:
        own = tuple(one for one in newest_first if _is_issued_by(one, authority) and not _has_critical(one))
        found[fingerprint_of(authority)] = own
    return MappingProxyType(found)


def _is_issued_by(revocations: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    if revocations.issuer != authority.subject or not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    try:
        return revocations.is_signature_valid(key)
    except InvalidSignature:
        return False


def _has_critical(revocations: x509.CertificateRevocationList) -> bool:
    return any(extension.critical for extension in revocations.extensions)


def _check_key(certificate: x509.Certificate) -> None:
    """RSA of 2048 to 4096 bits with exponent 65537, or P-256, P-384. Raises Refused."""
    try:
        key = certificate.public_key()
    except _UNREADABLE:
        raise Refused(Reason.KEY, "the public key cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in _RSA_BITS and key.public_numbers().e == _RSA_EXPONENT:
            return
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return
    raise Refused(Reason.KEY, "expected RSA of 2048 to 4096 bits, or P-256 or P-384")


def check_readable(found: x509.Certificate | x509.CertificateRevocationList) -> None:
    """Whether what is asked of an authority or a list can be read: libraries find out late. Raises Refused."""
    try:
        _ = found.issuer, found.extensions
        if isinstance(found, x509.Certificate):
            _ = found.subject, found.public_key()
    except _UNREADABLE as problem:
        raise Refused(Reason.CHAIN, f"it cannot be read ({type(problem).__name__})") from None


def fingerprint_of(certificate: x509.Certificate) -> bytes:
    """SHA-256. Every request asks for that of its client, and the library looks long at which digest is asked for."""
    return sha256(certificate.public_bytes(Encoding.DER)).digest()


def load_certificate(octets: bytes) -> x509.Certificate:
    """A certificate in DER. Raises Refused."""
    try:
        return x509.load_der_x509_certificate(octets)
    except _UNREADABLE:
        raise Refused(Reason.KEY, "the certificate cannot be read") from None


def check_client_usage(certificate: x509.Certificate) -> None:
    """A certificate for the client side of TLS. Raises Refused."""
    usages = _extended_usages(certificate)
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        raise Refused(Reason.CLIENT_USAGE, "expected the extended usage clientAuth")
    usage = _key_usage(certificate)
    if usage is not None and not usage.digital_signature:
        raise Refused(Reason.CLIENT_USAGE, "expected the key usage digitalSignature")


def check_signature_usage(certificate: x509.Certificate) -> None:
    """The signature certificate of a card or the seal of a structure, never one that opens connections. DMP 2

    Raises Refused.
    """
    usage = _key_usage(certificate)
    if usage is None or not (usage.digital_signature or usage.content_commitment):
        raise Refused(Reason.SIGNER_USAGE, "expected the key usage nonRepudiation or digitalSignature")
    if _extended_usages(certificate) & _SERVES_TLS:
        raise Refused(Reason.SIGNER_USAGE, "found a certificate for authentication, expected one for signature")


def holder_of(certificate: x509.Certificate) -> Holder:
    """Whom the subject names. Raises Refused when it names nobody in the form of the French health PKI."""
    subject = certificate.subject
    structures = [one for one in _values(subject, NameOID.ORGANIZATIONAL_UNIT_NAME) if is_structure_id(one)]
    structure = structures[0] if len(structures) == 1 else ""
    is_person = bool(_values(subject, NameOID.GIVEN_NAME) or _values(subject, NameOID.SURNAME))
    identifiers = _values(subject, NameOID.COMMON_NAME) if is_person else structures
    if len(identifiers) != 1:
        raise Refused(Reason.AGREEMENT, "the subject names neither one person (CN) nor one structure (OU)")
    return Holder(is_person=is_person, identifier=identifiers[0], structure=structure)


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(one.value).strip() for one in name.get_attributes_for_oid(oid)]


def is_structure_id(text: str) -> bool:
    """Whether this is a Struct_IdNat: 9 to 18 letters and digits (a FINESS may hold letters). DMP 8.5, W16"""
    return text.isalnum() and text.isascii() and 9 <= len(text) <= 18 and text[0].isdigit()


def _extended_usages(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    extension = _extension(certificate, ExtensionOID.EXTENDED_KEY_USAGE)
    return frozenset(extension) if isinstance(extension, x509.ExtendedKeyUsage) else frozenset()


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    extension = _extension(certificate, ExtensionOID.KEY_USAGE)
    return extension if isinstance(extension, x509.KeyUsage) else None


def _extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> x509.ExtensionType | None:
    """None when absent. Raises Refused for extensions that cannot be read."""
    try:
        return certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None
    except _UNREADABLE:
        raise Refused(Reason.CHAIN, "the extensions of the certificate cannot be read") from None
