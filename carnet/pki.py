"""A test IGC shaped as the French health PKI: a root, one authority for persons and one for organisations.

A card has two certificates, one to authenticate and one to sign; a structure likewise, its second one being the
seal (*cachet*). For development and tests: the keys lie unprotected beside the certificates. DMP 2, 6.4.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ORGANISATION = "CARNET TEST"
_BITS = 2048
_AUTHORITY_YEARS, _HOLDER_YEARS, _LIST_DAYS = 10, 3, 365
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


class Use(StrEnum):
    """What a certificate is for."""

    SERVER = "server"
    AUTHENTICATION = "authentication"
    SIGNATURE = "signature"
    SEAL = "seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(encoding, form, serialization.NoEncryption())


@dataclass(frozen=True, slots=True, kw_only=True)
class Igc:
    """Root, and the two authorities under it that issue."""

    root: Credential
    persons: Credential
    organisations: Credential

    @property
    def authorities(self) -> tuple[Credential, ...]:
        return (self.root, self.persons, self.organisations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Holder of a card: PS_IdNat, names, and the title shown on it."""

    identifier: str
    family: str
    given: str
    title: str = "Médecin"

    @property
    def subject(self) -> x509.Name:
        """The holder is one multi-valued part, as on real cards."""
        holder = [
            (NameOID.COMMON_NAME, self.identifier),
            (NameOID.SURNAME, self.family),
            (NameOID.GIVEN_NAME, self.given),
        ]
        parts = [[(NameOID.COUNTRY_NAME, "FR")], [(NameOID.ORGANIZATION_NAME, _ORGANISATION)]]
        return _name([*parts, [(NameOID.TITLE, self.title)], holder])


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A structure of care: Struct_IdNat and name."""

    identifier: str
    name: str

    @property
    def subject(self) -> x509.Name:
        parts = [
            (NameOID.COUNTRY_NAME, "FR"),
            (NameOID.STATE_OR_PROVINCE_NAME, "Rhône (69)"),
            (NameOID.ORGANIZATION_NAME, self.name),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, self.identifier),
            (NameOID.COMMON_NAME, self.name),
        ]
        return _name([[part] for part in parts])


def make_igc(*, now: datetime) -> Igc:
    """A new root and its authorities, valid from `now`."""
    root = _authority("AC RACINE DE TEST", None, now)
    return Igc(
        root=root,
        persons=_authority("AC DE TEST PERSONNES", root, now),
        organisations=_authority("AC DE TEST ORGANISATIONS", root, now),
    )


def issue_card(igc: Igc, card: Card, *, now: datetime) -> dict[Use, Credential]:
    """The authentication and the signature pair of a card."""
    return {use: issue(igc.persons, card.subject, use, now=now) for use in (Use.AUTHENTICATION, Use.SIGNATURE)}


def issue_structure(igc: Igc, structure: Structure, *, now: datetime) -> dict[Use, Credential]:
    """The client certificate and the seal of a structure."""
    return {use: issue(igc.organisations, structure.subject, use, now=now) for use in (Use.AUTHENTICATION, Use.SEAL)}


def issue_server(igc: Igc, hosts: Sequence[str], *, now: datetime) -> Credential:
    """A server certificate for host names and addresses."""
    parts = [(NameOID.COUNTRY_NAME, "FR"), (NameOID.ORGANIZATION_NAME, _ORGANISATION), (NameOID.COMMON_NAME, hosts[0])]
    return issue(igc.organisations, _name([[part] for part in parts]), Use.SERVER, now=now, hosts=hosts)


def issue(
    authority: Credential, subject: x509.Name, use: Use, *, now: datetime, hosts: Sequence[str] = (), days: int = 0
) -> Credential:
    """One certificate; `days` of validity, three years by default."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    until = now + timedelta(days=days or _HOLDER_YEARS * 365)
    builder = _builder(subject, key, authority.certificate.subject, authority.key, now, until)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(use), critical=True)
    extended = {Use.SERVER: [_SERVER], Use.AUTHENTICATION: [_CLIENT]}.get(use)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(one) for one in hosts]), critical=False)
    return Credential(certificate=builder.sign(authority.key, hashes.SHA256()), key=key)


def revocation_list(
    authority: Credential, revoked: Iterable[int], *, now: datetime, days: int = _LIST_DAYS
) -> x509.CertificateRevocationList:
    """The list of an authority with the serial numbers it has revoked."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(now).next_update(now + timedelta(days=days))
    for serial in revoked:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        builder = builder.add_revoked_certificate(one.build())
    return builder.sign(authority.key, hashes.SHA256())


def _authority(name: str, issuer: Credential | None, now: datetime) -> Credential:
    units = [(NameOID.ORGANIZATIONAL_UNIT_NAME, one) for one in ("0002 000000000", "IGC DE TEST")]
    parts = [(NameOID.COUNTRY_NAME, "FR"), (NameOID.ORGANIZATION_NAME, _ORGANISATION), *units]
    subject = _name([[part] for part in (*parts, (NameOID.COMMON_NAME, name))])
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    issuing = subject if issuer is None else issuer.certificate.subject
    signing = key if issuer is None else issuer.key
    builder = _builder(subject, key, issuing, signing, now, now + timedelta(days=_AUTHORITY_YEARS * 365))
    limits = x509.BasicConstraints(ca=True, path_length=1 if issuer is None else 0)
    builder = builder.add_extension(limits, critical=True).add_extension(_usage(None), critical=True)
    return Credential(certificate=builder.sign(signing, hashes.SHA256()), key=key)


def _builder(
    subject: x509.Name,
    key: rsa.RSAPrivateKey,
    issuer: x509.Name,
    issuing: rsa.RSAPrivateKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    """Valid from an hour before now: clocks of a laboratory differ."""
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.public_key()), critical=False)
    )


def _usage(use: Use | None) -> x509.KeyUsage:
    """None is an authority; a card signs with nonRepudiation, a seal with both bits. CI-SIS, IGC-Santé"""
    return x509.KeyUsage(
        digital_signature=use in (Use.SERVER, Use.AUTHENTICATION, Use.SEAL),
        content_commitment=use in (Use.SIGNATURE, Use.SEAL),
        key_encipherment=use is Use.SERVER,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=use is None,
        crl_sign=use is None,
        encipher_only=False,
        decipher_only=False,
    )


def _name(parts: Iterable[Iterable[tuple[x509.ObjectIdentifier, str]]]) -> x509.Name:
    relative = [x509.RelativeDistinguishedName([x509.NameAttribute(*one) for one in part]) for part in parts]
    return x509.Name(relative)


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
