"""The certificate of a signer: what makes it no signer of a VIHF or a submission. IGC-Santé; RFC 5280."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from conformance.client.exchanges import Laboratory
from conformance.client.rules.certificates import signature_certificate_problems
from conformance.client.scenarios import read_people
from conformance.population.pki import Credential, Pki, Use

MADE = datetime(2026, 3, 1, tzinfo=UTC)
NOW = MADE + timedelta(days=1)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki(21, MADE)


@pytest.fixture(scope="module")
def card(pki: Pki) -> Credential:
    return pki.card("899900010036", "CARIOU", "GWENDAL", "Médecin", Use.SIGNATURE)


def a_list(signer: Credential, issuer: x509.Name, revoked: x509.Certificate) -> x509.CertificateRevocationList:
    entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number).revocation_date(MADE).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer).add_revoked_certificate(entry)
    return builder.last_update(MADE).next_update(MADE + timedelta(days=7)).sign(signer.key, hashes.SHA256())


@pytest.fixture(scope="module")
def laboratory(pki: Pki) -> Laboratory:
    authorities = tuple(one.certificate for one in (pki.root, pki.persons, pki.organisations))
    lists = (x509.load_pem_x509_crl(pki.revocations(pki.persons)),)
    return Laboratory(people=read_people(), authorities=authorities, revocations=lists)


def problems(card: Credential, laboratory: Laboratory, time: datetime = NOW) -> list[str]:
    return [one.en for one in signature_certificate_problems(card.certificate, laboratory, time, "/KeyInfo")]


def test_a_signer_on_no_list_is_accepted(card: Credential, laboratory: Laboratory) -> None:
    assert problems(card, laboratory) == []


def test_a_signer_on_the_list_of_its_authority_is_revoked(pki: Pki, card: Credential, laboratory: Laboratory) -> None:
    revoking = a_list(pki.persons, pki.persons.certificate.subject, card.certificate)
    found = problems(card, replace(laboratory, revocations=(*laboratory.revocations, revoking)))
    assert found == ["revoked since 2026-03-01T00:00:00Z"]


def test_a_list_that_another_signed_revokes_nothing(pki: Pki, card: Credential, laboratory: Laboratory) -> None:
    forged = a_list(pki.organisations, pki.persons.certificate.subject, card.certificate)
    others = a_list(pki.organisations, pki.organisations.certificate.subject, card.certificate)
    assert problems(card, replace(laboratory, revocations=(forged, others))) == []


def test_authority_dates_and_usage_are_told(pki: Pki, card: Credential, laboratory: Laboratory) -> None:
    assert problems(card, replace(laboratory, authorities=())) == ["issued by no trusted authority"]
    assert problems(card, laboratory, MADE - timedelta(days=1)) == ["outside its dates"]
    opener = pki.card("899900010036", "CARIOU", "GWENDAL", "Médecin", Use.AUTHENTICATION)
    assert problems(opener, laboratory) == ["this is no signature certificate"]
