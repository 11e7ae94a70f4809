"""Chains, validity, revocation and usage; names and times as they are written."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from access_policy.distinguished_names import is_same_name, name_of, parse_name
from access_policy.refusals import Reason, Refused
from access_policy.times import read_time, write_time
from access_policy.trust import Trust, check_client_usage, check_signature_usage, holder_of, load_certificate
from carnet.pki import Use, issue, issue_server, revocation_list
from tests import sts

SIGNATURE = sts.card()[Use.SIGNATURE].certificate


def reason(trust: Trust, certificate: x509.Certificate = SIGNATURE, now: datetime = sts.NOW) -> Reason:
    with pytest.raises(Refused) as refused:
        trust.chain(certificate, now=now)
    return refused.value.reason


def test_a_good_certificate_is_believed_until_its_revocation_list_ends() -> None:
    chain = sts.trust().chain(SIGNATURE, now=sts.NOW)
    assert chain.anchor == sts.igc().root.certificate
    assert chain.until == sts.NOW - timedelta(hours=1) + timedelta(days=365)


def test_a_list_that_has_ended_says_nothing_any_more() -> None:
    trust = sts.trust()
    assert trust.chain(SIGNATURE, now=sts.NOW)
    assert reason(trust, now=sts.NOW + timedelta(days=365)) is Reason.REVOKED


def test_without_a_list_of_its_authority_no_certificate_is_believed() -> None:
    igc = sts.igc()
    intermediates = [igc.persons.certificate, igc.organisations.certificate]
    anchors = [igc.root.certificate]
    assert reason(Trust(anchors, intermediates)) is Reason.REVOKED
    only_root = [revocation_list(igc.root, (), now=sts.NOW)]
    assert reason(Trust(anchors, intermediates, only_root)) is Reason.REVOKED
    forged = [revocation_list(one, (), now=sts.NOW) for one in sts.other_igc().authorities]
    assert reason(Trust(anchors, intermediates, forged)) is Reason.REVOKED
    future = [revocation_list(one, (), now=sts.NOW + timedelta(hours=1)) for one in igc.authorities]
    assert reason(Trust(anchors, intermediates, future)) is Reason.REVOKED


def test_the_newest_list_counts() -> None:
    igc = sts.igc()
    old = [revocation_list(one, (), now=sts.NOW - timedelta(days=2)) for one in igc.authorities]
    new = [revocation_list(one, [SIGNATURE.serial_number], now=sts.NOW - timedelta(days=1)) for one in igc.authorities]
    trust = Trust([igc.root.certificate], [igc.persons.certificate], [*old, *new])
    assert reason(trust) is Reason.REVOKED


def test_a_list_that_covers_only_a_part_is_no_list() -> None:
    igc = sts.igc()
    point = x509.IssuingDistributionPoint(None, None, False, True, None, False, False)
    parts = []
    for one in igc.authorities:
        builder = x509.CertificateRevocationListBuilder().issuer_name(one.certificate.subject)
        builder = (
            builder.last_update(sts.NOW).next_update(sts.NOW + timedelta(days=1)).add_extension(point, critical=True)
        )
        parts.append(builder.sign(one.key, hashes.SHA256()))
    assert reason(Trust([igc.root.certificate], [igc.persons.certificate], parts)) is Reason.REVOKED


def test_nobody_is_believed_without_anchors_or_by_others() -> None:
    assert reason(Trust(())) is Reason.CHAIN
    other = sts.other_igc()
    assert reason(Trust([other.root.certificate], [other.persons.certificate])) is Reason.CHAIN


def test_an_authority_that_was_not_given_is_not_taken_from_the_message() -> None:
    igc = sts.igc()
    assert reason(Trust([igc.root.certificate], (), sts.revocations())) is Reason.CHAIN


def test_an_end_certificate_issues_nothing() -> None:
    holder = sts.card()[Use.SIGNATURE]
    below = issue(holder, sts.NURSE.subject, Use.SIGNATURE, now=sts.NOW).certificate
    trust = Trust([sts.igc().root.certificate], [sts.igc().persons.certificate, holder.certificate], sts.revocations())
    assert reason(trust, below) is Reason.CHAIN


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),
        lambda: rsa.generate_private_key(public_exponent=3, key_size=2048),
        lambda: ec.generate_private_key(ec.SECP521R1()),
    ],
    ids=["rsa-1024", "exponent-3", "p-521"],
)
def test_keys_outside_the_profile_are_refused(
    make: Callable[[], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey],
) -> None:
    key, issuer = make(), sts.igc().persons
    certificate = (
        x509.CertificateBuilder(issuer.certificate.subject, sts.DOCTOR.subject, key.public_key(), 7)
        .not_valid_before(sts.NOW)
        .not_valid_after(sts.NOW + timedelta(days=1))
        .sign(issuer.key, hashes.SHA256())
    )
    assert reason(sts.trust(), certificate) is Reason.KEY


def test_a_version_that_is_none_is_refused() -> None:
    octets = sts.card()[Use.SIGNATURE].der
    version = bytes.fromhex("a003020102")
    assert octets.count(version) == 1
    with pytest.raises(Refused) as refused:
        load_certificate(octets.replace(version, bytes.fromhex("a00302016a")))
    assert refused.value.reason is Reason.KEY


def test_a_key_of_a_kind_nobody_knows_is_refused() -> None:
    """One bit of the algorithm identifier of a real certificate: found by messages broken at random."""
    octets = sts.card()[Use.SIGNATURE].der
    rsa_encryption = bytes.fromhex("06092a864886f70d010101")
    assert octets.count(rsa_encryption) == 1
    unknown = x509.load_der_x509_certificate(octets.replace(rsa_encryption, rsa_encryption[:-1] + b"\x00"))
    assert reason(sts.trust(), unknown) is Reason.KEY


def test_each_certificate_is_for_one_use() -> None:
    for use, opens, signs in (
        (sts.card()[Use.AUTHENTICATION], True, False),
        (sts.card()[Use.SIGNATURE], False, True),
        (sts.structure()[Use.AUTHENTICATION], True, False),
        (sts.structure()[Use.SEAL], False, True),
        (issue_server(sts.igc(), ["localhost"], now=sts.NOW), False, False),
    ):
        for check, is_good in ((check_client_usage, opens), (check_signature_usage, signs)):
            if is_good:
                check(use.certificate)
            else:
                with pytest.raises(Refused):
                    check(use.certificate)


def test_holders_are_read_from_the_subject() -> None:
    card, seal = holder_of(SIGNATURE), holder_of(sts.structure()[Use.SEAL].certificate)
    assert (card.is_person, card.identifier, card.structure) == (True, sts.DOCTOR.identifier, "")
    assert (seal.is_person, seal.identifier, seal.structure) == (False, sts.CLINIC.identifier, sts.CLINIC.identifier)
    with pytest.raises(Refused):
        holder_of(sts.igc().persons.certificate)


NAME = name_of(SIGNATURE.subject)


@pytest.mark.parametrize(
    "text",
    [
        "CN=801234567897,T=Médecin,O=CARNET TEST,C=FR",
        "SN=VILLARD,GN=ÉLISE,CN=801234567897,T=Médecin,O=CARNET TEST,C=FR",
        "GN=ÉLISE+SN=VILLARD+CN=801234567898,T=Médecin,O=CARNET TEST,C=FR",
        "GN=ÉLISE+SN=VILLARD+CN=801234567897,T=Médecin,O=CARNET TEST",
        "O=CARNET TEST,GN=ÉLISE+SN=VILLARD+CN=801234567897,T=Médecin,C=FR",
    ],
)
def test_a_name_that_lacks_or_moves_a_part_is_another(text: str) -> None:
    assert not is_same_name(parse_name(text), NAME)


@pytest.mark.parametrize(
    "text", ["", " ", "CN", "CN=a,", "XX=a", "CN=a;;O=b", "CN=#0c", "CN=#0cff41", "CN=#zz", "x" * 3000]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="distinguished name"):
        parse_name(text)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20), min_size=1, max_size=4)
)
def test_every_name_is_read_back_from_what_the_library_writes(values: list[str]) -> None:
    parts = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, one) for one in values]
    name = x509.Name(parts)
    assert is_same_name(parse_name(name.rfc4514_string()), name_of(name))


@given(st.text(max_size=60))
def test_no_text_crashes_the_reader_of_names(text: str) -> None:
    try:
        parse_name(text)
    except ValueError as problem:
        assert "distinguished name" in str(problem)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_survive_writing_and_reading(time: datetime) -> None:
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)
    assert read_time(write_time(time)) == time


@given(st.text(max_size=40))
def test_no_text_crashes_the_reader_of_times(text: str) -> None:
    try:
        read_time(text)
    except ValueError:
        return
