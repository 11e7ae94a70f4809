"""The settings of the feed: what is served plain, what needs TLS, and what is refused before anything listens."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from carnet.address import address_of
from carnet.auditing import Auditor
from carnet.mllp_door import Attendant, MllpPort, open_port
from carnet.refused_handshakes import RefusedHandshakes
from carnet.settings import Settings, SettingsError
from carnet.traffic import Traffic
from registry.store import Registry
from storage.unit_of_work import StorageFailed
from tests.certificates import a_certificate, an_authority
from tests.mllp import adt, connected
from tests.mutual_tls import eventually
from tests.servers import ROOT

AUTHORITY = "1.2.250.1.213.1.4.10"


def opened(**given: object) -> MllpPort:
    port = open_port(Settings(security="open", **given))
    assert port is not None
    return port


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    authority = an_authority(tmp_path)
    return {
        "mllp_certificate": str(a_certificate(tmp_path, "server", authority).file),
        "mllp_trust": str(authority.file),
        "mllp_clients": f"{a_certificate(tmp_path, 'ehr', authority).fingerprint}; CN=mpi, O=Tilleuls, C=FR",
    }


def test_without_the_setting_there_is_no_feed() -> None:
    assert open_port(Settings()) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:2575", ("127.0.0.1", 2575)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_addresses_are_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert address_of(text, "mllp") == address


@pytest.mark.parametrize("text", ["2575", ":2575", "host", "host:", "host:x", "host:-1", "host:65536", "host:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="expected HOST:PORT"):
        address_of(text, "mllp")


def test_port_0_takes_a_free_one_and_says_which() -> None:
    port = opened(mllp="127.0.0.1:0")
    assert port.url == f"mllp://127.0.0.1:{port.listening.getsockname()[1]}"
    port.close()


@pytest.mark.parametrize(("security", "host"), [("open", "0.0.0.0"), ("mtls", "127.0.0.1")])
def test_plain_is_for_open_mode_on_loopback_only(security: str, host: str) -> None:
    with pytest.raises(SettingsError, match="without TLS"):
        open_port(Settings(security=security, mllp=f"{host}:0"))


def test_tls_may_listen_anywhere(tls: dict[str, str]) -> None:
    port = open_port(Settings(security="mtls", mllp="0.0.0.0:0", **tls))
    assert port is not None
    assert port.tls is not None
    assert "CN=mpi,O=Tilleuls,C=FR" in port.tls.current.clients
    port.close()


def test_changed_files_are_taken_without_a_restart(tls: dict[str, str]) -> None:
    port = opened(mllp="127.0.0.1:0", **tls)
    before, trust = port.tls, Path(tls["mllp_trust"])
    assert before is not None
    policy = before.current
    trust.write_bytes(trust.read_bytes() * 2)
    eventually(lambda: before.current is not policy)
    port.close()


@pytest.mark.parametrize("missing", ["mllp_trust", "mllp_clients"])
def test_tls_without_issuers_or_clients_is_refused(tls: dict[str, str], missing: str) -> None:
    with pytest.raises(SettingsError, match="mllp_clients"):
        opened(mllp="127.0.0.1:0", **(tls | {missing: ""}))


def test_a_file_that_is_no_certificate_is_refused(tls: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="mllp_certificate"):
        opened(mllp="127.0.0.1:0", **(tls | {"mllp_certificate": str(ROOT / "README.md")}))


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match="cannot be listened on"):
        opened(mllp=f"127.0.0.1:{taken.getsockname()[1]}")


def test_a_server_whose_feed_is_refused_does_not_start(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "carnet",
        "serve",
        "--security",
        "open",
        "--mllp",
        "0.0.0.0:0",
        "--data",
        str(tmp_path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert result.returncode == 2
    assert result.stderr.startswith("carnet: setting mllp: a feed without TLS")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def attended(registry: Registry, traffic: Traffic) -> Iterator[tuple[int, Registry]]:
    port = opened(mllp="127.0.0.1:0", mllp_message_kb=20, mllp_senders="EHR|CLINIC; MPI|HOSPITAL")
    attendant = Attendant(port, registry, Auditor(), RefusedHandshakes(), traffic)
    attendant.start()
    yield port.listening.getsockname()[1], registry
    attendant.stop()
    port.close()


def test_only_named_senders_may_feed(attended: tuple[int, Registry]) -> None:
    with connected(attended[0]) as feed:
        pid = f"258063523804186^^^&{AUTHORITY}&ISO"
        assert [feed.code(adt("A01", pid, sender=one)) for one in ("EHR|CLINIC", "EHR|OTHER", "MPI|HOSPITAL")] == [
            "AA",
            "AR",
            "AA",
        ]


def test_a_message_is_as_large_as_the_setting_allows(attended: tuple[int, Registry]) -> None:
    message = adt("A01", f"258063523804186^^^&{AUTHORITY}&ISO")
    with connected(attended[0]) as feed:
        assert feed.code(message + "\rZZZ|" + "x" * (20_000 - len(message) - 5)) == "AA"
        answer = feed.send(message + "\rZZZ|" + "x" * 20_000)
        assert answer[1].startswith("MSA|AR|")
        assert "more than 20000 octets" in answer[1]


def test_a_failure_of_ours_is_an_error_with_a_number_and_no_detail(
    attended: tuple[int, Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bool:
        raise RuntimeError("SECRET")

    with connected(attended[0]) as feed:
        with monkeypatch.context() as patched:
            patched.setattr(attended[1], "add_patient", fails)
            segments = feed.send(adt("A01", f"258063523804186^^^&{AUTHORITY}&ISO", control="9"))
        assert segments[1].startswith("MSA|AE|9|unexpected failure, reported as ")
        assert "SECRET" not in "".join(segments)
        assert feed.code(adt("A01", f"258063523804186^^^&{AUTHORITY}&ISO")) == "AA"


def test_messages_are_counted_by_their_outcome_and_logged_under_an_id(
    attended: tuple[int, Registry], traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bool:
        raise StorageFailed("away")

    pid = f"258063523804186^^^&{AUTHORITY}&ISO"
    with connected(attended[0]) as feed, capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        assert feed.code(adt("A01", pid)) == "AA"
        assert feed.code(adt("A01", pid, sender="EHR|OTHER")) == "AR"
        monkeypatch.setattr(attended[1], "add_patient", fails)
        assert feed.code(adt("A01", pid)) == "AE"
    counts = re.findall(r'seconds_count\{.*transaction="ITI-8",status="(.xx)"\} (\d)', traffic.text())
    assert counts == [("2xx", "1"), ("4xx", "1"), ("5xx", "1")]
    ids = [one["correlation_id"] for one in logged if one["event"] == "mllp message"]
    assert len(set(ids)) == 3
