"""The folder of authorities: read, read again when it changes, kept when it cannot be read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from access_policy.refusals import Reason, Refused
from carnet.pki import Card, Igc, Use, issue_card, make_igc
from carnet.pki_folder import revoke, write_igc
from carnet.settings import SettingsError
from carnet.trust_folder import TrustFolder
from tests import servers, sts

NOW = datetime.now(UTC).replace(microsecond=0)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def igc(tmp_path: Path) -> Igc:
    made = make_igc(now=NOW - timedelta(days=1))
    write_igc(tmp_path / "pki", made, now=NOW - timedelta(hours=1))
    return made


def folder_of(tmp_path: Path, clock: Clock) -> TrustFolder:
    settings = servers.settings_for(tmp_path / "data", trust=str(tmp_path / "pki" / "trust"))
    return TrustFolder(settings, seconds=clock)


def test_a_revocation_counts_without_a_restart(tmp_path: Path, igc: Igc) -> None:
    clock = Clock()
    folder = folder_of(tmp_path, clock)
    card = issue_card(igc, Card(identifier="801234567897", family="A", given="B"), now=NOW)
    first = folder()
    assert first.chain(card[Use.SIGNATURE].certificate, now=NOW)
    revoke(tmp_path / "pki", card[Use.SIGNATURE].certificate, now=NOW)
    assert folder() is first
    clock.now = 5
    second = folder()
    assert second is not first
    with pytest.raises(Refused) as refused:
        second.chain(card[Use.SIGNATURE].certificate, now=NOW)
    assert refused.value.reason is Reason.REVOKED
    clock.now = 10
    assert folder() is second


def test_a_folder_that_cannot_be_read_leaves_what_was_known(tmp_path: Path, igc: Igc) -> None:
    clock = Clock()
    folder = folder_of(tmp_path, clock)
    first = folder()
    (tmp_path / "pki" / "trust" / "broken.pem").write_bytes(b"-----BEGIN nothing")
    clock.now = 5
    assert folder() is first
    (tmp_path / "pki" / "trust" / "broken.pem").unlink()
    clock.now = 10
    assert folder() is first


def unreadable(igc: Igc, old: str, new: str) -> bytes:
    """The root in DER with some octets changed: libraries load it, and find out when they are asked."""
    octets = igc.root.certificate.public_bytes(Encoding.DER)
    changed = octets.replace(bytes.fromhex(old), bytes.fromhex(new))
    assert changed != octets
    return changed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2a864886f70d010101", "2a864886f70d01017f"),  # the algorithm of the key
        ("a003020102", "a003020107"),  # the version
        ("0603551d13", "0603551d0f"),  # one extension twice
    ],
)
def test_a_certificate_that_is_of_no_use_leaves_what_was_known(
    tmp_path: Path, igc: Igc, old: str, new: str, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    folder = folder_of(tmp_path, clock)
    first = folder()
    (tmp_path / "pki" / "trust" / "new.der").write_bytes(unreadable(igc, old, new))
    for clock.now in (5, 10):
        assert folder() is first
    assert capfd.readouterr().out.count("new.der: found") == 1
    with pytest.raises(SettingsError, match=r"new\.der: found"):
        folder_of(tmp_path, clock)


def test_authorities_may_be_in_der(tmp_path: Path, igc: Igc) -> None:
    trust = tmp_path / "pki" / "trust"
    for name, authority in zip(("root", "persons", "organisations"), igc.authorities, strict=True):
        (trust / f"{name}.pem").unlink()
        (trust / f"{name}.der").write_bytes(authority.certificate.public_bytes(Encoding.DER))
    assert len(folder_of(tmp_path, Clock())().intermediates) == 2


def test_without_a_folder_nobody_is_believed(tmp_path: Path) -> None:
    trust = TrustFolder(servers.settings_for(tmp_path))()
    with pytest.raises(Refused):
        trust.chain(sts.card()[Use.SIGNATURE].certificate, now=sts.NOW)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("", b"", "holds no root certificate"),
        ("a.pem", b"-----BEGIN x", "found no certificate"),
        ("a.crl", b"x", "found no revocation list"),
    ],
)
def test_a_folder_that_is_wrong_is_told_at_the_start(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / "trust").mkdir()
    if name:
        (tmp_path / "trust" / name).write_bytes(content)
    with pytest.raises(SettingsError, match=sentence):
        TrustFolder(servers.settings_for(tmp_path, trust=str(tmp_path / "trust")))
    with pytest.raises(SettingsError, match="is not a folder"):
        TrustFolder(servers.settings_for(tmp_path, trust=str(tmp_path / "none")))
