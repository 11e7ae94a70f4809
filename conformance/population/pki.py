"""A test PKI shaped as the French one: a root, an authority for persons and one for organisations, drawn from a seed.

Every holder has two pairs: one opens connections, the other signs (for a structure, the seal). Layout of the folder:
`trust/` has the authorities and their revocation lists, `issued/` the certificates, each with its chain, and keys
without password. DMP; IGC-Santé.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conformance.failures import KitError
from conformance.population.chance import Chance
from conformance.population.keys import rsa_key
from conformance.sentence import Sentence, reason

YEARS = 20
_ORGANISATION = "KIT DE CONFORMITE TEST"
Parts = Sequence[Sequence[tuple[x509.ObjectIdentifier, str]]]


class Use(Enum):
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
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(encoding, form, serialization.NoEncryption())


class Pki:
    """Authorities of one seed, valid from `now` for twenty years; the same seed gives the same certificates."""

    def __init__(self, seed: int, now: datetime) -> None:
        self.seed, self.now = seed, now

    @cached_property
    def root(self) -> Credential:
        return self._authority("AC RACINE DU KIT", None)

    @cached_property
    def persons(self) -> Credential:
        return self._authority("AC DU KIT PERSONNES", self.root)

    @cached_property
    def organisations(self) -> Credential:
        return self._authority("AC DU KIT ORGANISATIONS", self.root)

    def card(self, identifier: str, family: str, given: str, title: str, use: Use) -> Credential:
        """One of the two pairs of a professional's card."""
        holder = (
            (NameOID.COMMON_NAME, identifier),
            (NameOID.SURNAME, family),
            (NameOID.GIVEN_NAME, given),
        )
        parts = [*_single((NameOID.COUNTRY_NAME, "FR"), (NameOID.ORGANIZATION_NAME, _ORGANISATION))]
        return self._issued(self.persons, [*parts, [(NameOID.TITLE, title)], holder], use, identifier)

    def structure(self, identifier: str, name: str, use: Use) -> Credential:
        """The client certificate or the seal of a structure, which its OU names."""
        parts = _single(
            (NameOID.COUNTRY_NAME, "FR"),
            (NameOID.ORGANIZATION_NAME, name),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, identifier),
            (NameOID.COMMON_NAME, name),
        )
        return self._issued(self.organisations, parts, use, identifier)

    def server(self, hosts: Sequence[str]) -> Credential:
        parts = _single((NameOID.COUNTRY_NAME, "FR"), (NameOID.COMMON_NAME, hosts[0]))
        return self._issued(self.organisations, parts, Use.SERVER, "/".join(hosts), hosts)

    def _issued(
        self, authority: Credential, parts: Parts, use: Use, name: str, hosts: Sequence[str] = ()
    ) -> Credential:
        chance = Chance(self.seed, "certificate", name, use.value)
        key = rsa_key(chance)
        builder = self._builder(_name(parts), key, authority, chance)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(use), critical=True)
        purposes = {Use.SERVER: ExtendedKeyUsageOID.SERVER_AUTH, Use.AUTHENTICATION: ExtendedKeyUsageOID.CLIENT_AUTH}
        if use in purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purposes[use]]), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(one) for one in hosts]), critical=False)
        return Credential(certificate=builder.sign(authority.key, hashes.SHA256()), key=key)

    def _authority(self, name: str, issuer: Credential | None) -> Credential:
        chance = Chance(self.seed, "authority", name)
        key = rsa_key(chance)
        subject = _name(
            _single(
                (NameOID.COUNTRY_NAME, "FR"), (NameOID.ORGANIZATION_NAME, _ORGANISATION), (NameOID.COMMON_NAME, name)
            )
        )
        builder = self._builder(subject, key, issuer, chance)
        limits = x509.BasicConstraints(ca=True, path_length=1 if issuer is None else 0)
        builder = builder.add_extension(limits, critical=True).add_extension(_usage(None), critical=True)
        signer = key if issuer is None else issuer.key
        return Credential(certificate=builder.sign(signer, hashes.SHA256()), key=key)

    def _builder(
        self, subject: x509.Name, key: rsa.RSAPrivateKey, issuer: Credential | None, chance: Chance
    ) -> x509.CertificateBuilder:
        issuing = key if issuer is None else issuer.key
        return (
            x509.CertificateBuilder(subject_name=subject, public_key=key.public_key())
            .issuer_name(subject if issuer is None else issuer.certificate.subject)
            .serial_number(chance.integer(120) | 1)
            .not_valid_before(self.now - timedelta(hours=1))
            .not_valid_after(self.now + timedelta(days=365 * YEARS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.public_key()), critical=False)
        )

    def revocations(self, authority: Credential) -> bytes:
        """The list of an authority, PEM: nothing is revoked."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
        builder = builder.last_update(self.now - timedelta(hours=1))
        builder = builder.next_update(self.now + timedelta(days=365 * YEARS))
        return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def write_trust(self, folder: Path) -> None:
        """`trust/`: what a server needs to trust the holders."""
        (folder / "trust").mkdir(parents=True, exist_ok=True)
        for name, one in (("root", self.root), ("persons", self.persons), ("organisations", self.organisations)):
            (folder / "trust" / f"{name}.pem").write_bytes(one.certificate_pem)
            (folder / "trust" / f"{name}.crl").write_bytes(self.revocations(one))

    def write(self, folder: Path, name: str, use: Use, credential: Credential) -> Path:
        """`issued/NAME-USE.pem`, certificate and chain, and its `.key`."""
        (folder / "issued").mkdir(parents=True, exist_ok=True)
        issuer = next(
            one
            for one in (self.persons, self.organisations)
            if one.certificate.subject == credential.certificate.issuer
        )
        file = folder / "issued" / f"{name}-{use.value}.pem"
        file.write_bytes(credential.certificate_pem + issuer.certificate_pem)
        with os.fdopen(os.open(file.with_suffix(".key"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as key:
            key.write(credential.key_pem)
        return file


def read_credential(certificate: Path) -> Credential:
    """The first certificate of a PEM file and the key beside it (`.key`), or in it. Raises KitError."""
    beside = certificate.with_suffix(".key")
    try:
        octets = certificate.read_bytes()
        found = x509.load_pem_x509_certificates(octets)[0]
        key = serialization.load_pem_private_key(beside.read_bytes() if beside.exists() else octets, password=None)
    except OSError as problem:
        raise KitError(
            Sentence(f"{problem.filename} : {reason(problem).fr}", f"{problem.filename}: {reason(problem)}")
        ) from None
    except (ValueError, TypeError):
        raise KitError(
            Sentence(
                f"{certificate} : attendu un certificat et sa clé RSA (PEM, sans mot de passe)",
                f"{certificate}: expected a certificate and its RSA key (PEM, no password)",
            )
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KitError(
            Sentence(f"{certificate} : trouvé une clé qui n'est pas RSA", f"{certificate}: found a key that is not RSA")
        )
    return Credential(certificate=found, key=key)


def _single(*parts: tuple[x509.ObjectIdentifier, str]) -> list[list[tuple[x509.ObjectIdentifier, str]]]:
    return [[one] for one in parts]


def _name(parts: Parts) -> x509.Name:
    return x509.Name(
        [x509.RelativeDistinguishedName([x509.NameAttribute(*one) for one in attributes]) for attributes in parts]
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(use: Use | None) -> x509.KeyUsage:
    """None is an authority."""
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
