"""Settings: sources in their order, types, refusals."""

from pathlib import Path

import pytest

from carnet.elsewhere_settings import is_loopback
from carnet.internal_calls import read_secret
from carnet.roles import Role
from carnet.security_settings import check_security
from carnet.settings import Settings, SettingsError, load


def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "carnet.toml"
    file.write_text('port = 1001\nthreads = 3\nbase-url = "https://carnet.example.org/"\n')
    monkeypatch.setenv("CARNET_PORT", "1002")
    monkeypatch.setenv("CARNET_CHECK_CODES", "false")
    settings = load({"port": None, "threads": 4}, config=str(file))
    assert (settings.port, settings.threads, settings.check_codes) == (1002, 4, False)
    assert settings.public_url == "https://carnet.example.org"


@pytest.mark.parametrize(
    "given",
    [
        {"port": "many"},
        {"port": 70000},
        {"domain": "mars"},
        {"workers": 0},
        {"vihf_life_seconds": 0},
        {"assertion_hours": 0},
        {"clock_skew_seconds": -1},
        {"clock_skew_seconds": 60_000},
        {"vihf_life_seconds": 10**11},
        {"assertion_hours": 10**6},
        {"requests_per_second": -1},
        {"assertion_reuse": "sometimes"},
        {"submission_signature": "perhaps"},
        {"repository_id": "x"},
        {"check_codes": "perhaps"},
        {"port": 80.5},
        {"threads": True},
        {"host": 127},
        {"fault_status": 404},
        {"fault_status": 0},
        {"mllp_message_kb": 0},
        {"data": ["a", "b"]},
    ],
)
def test_a_bad_value_names_the_setting(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(given))):
        load(given)


def test_the_status_of_faults_is_400_or_500(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({}).fault_status == 400
    monkeypatch.setenv("CARNET_FAULT_STATUS", "500")
    assert load({}).fault_status == 500
    assert load({"fault_status": "400"}).fault_status == 400


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.1", False),
        ("localhost.example.org", False),
    ],
)
def test_open_security_is_for_loopback_only(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected
    if expected:
        check_security(Settings(security="open", host=host))
    else:
        with pytest.raises(SettingsError):
            check_security(Settings(security="open", host=host))


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert Settings(host="::1", port=80).public_url == "https://[::1]:80"
    assert Settings(host="::1", port=80, security="open").public_url == "http://[::1]:80"
    assert Settings(host="localhost", port=80).public_url == "https://localhost:80"


APART = {"roles": "repository", "registry_url": "http://127.0.0.1:8080", "internal_secret_file": "secret"}
OVER_TLS = {
    "roles": "repository",
    "registry_url": "https://registry.example",
    "internal_certificate": "clinic.pem",
    "trust": "trust",
}


def test_a_process_has_every_role_unless_told_otherwise() -> None:
    assert load({}).played == set(Role)
    assert load({"roles": "registry, fhir"}).played == {Role.REGISTRY, Role.FHIR}
    assert load(APART).played == {Role.REPOSITORY}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"roles": "registry,portal"}, "roles: found 'portal'"),
        ({"roles": ""}, "roles: found ''"),
        ({"roles": "registry,recipient"}, "recipient works with repository"),
        ({**APART, "roles": "repository,fhir"}, "fhir works with registry"),
        ({**APART, "registry_url": ""}, "registry_url: a repository without the role registry needs"),
        ({**APART, "internal_secret_file": ""}, "internal_secret_file: registry_url under http://"),
        ({"registry_url": "http://127.0.0.1:8080"}, "has the role registry itself"),
        ({**APART, "registry_url": "https://127.0.0.1:8080"}, "internal_certificate: registry_url under https://"),
        ({**OVER_TLS, "trust": ""}, "trust: registry_url under https://"),
        ({**OVER_TLS, "repositories": "1.2.3=https://repository.example"}, "repositories: is for the role fhir"),
        ({"repositories": "https://repository.example"}, "expected OID=URL"),
        ({"repositories": "1.2.3=http://a:1 1.2.3=http://b:1"}, "each OID once"),
        ({"repositories": "1.2.3=http://repository.example"}, "on this machine only"),
        ({**APART, "registry_url": "http://registry.example:8080"}, "on this machine only"),
        ({**APART, "registry_url": "http://127.0.0.1:many"}, "or http://127.0.0.1:PORT"),
        ({**APART, "mllp": "127.0.0.1:2575"}, "mllp: is for the role registry"),
        ({**APART, "limited_metadata": True}, "limited_metadata: is for the role recipient"),
        ({**APART, "registry_timeout_seconds": 0}, "registry_timeout_seconds"),
        ({"roles": "registry", "documents": "s3://bucket"}, "documents: is for the role repository"),
        ({"roles": "registry", "scrub_mb_per_s": 5}, "scrub_mb_per_s: is for the role repository"),
    ],
)
def test_settings_that_do_not_fit_the_roles_are_refused(given: dict[str, object], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        load(given)


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        ("x" * 31, 0o600, "at least 32 characters"),
        ("two words of more than 32 characters", 0o600, "one word"),
        ("é" * 40, 0o600, "cannot be read"),
        ("x" * 32, 0o640, "can be read by others"),
        (None, 0o600, "cannot be read"),
    ],
)
def test_a_secret_that_is_none_is_refused(tmp_path: Path, content: str | None, mode: int, expected: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(SettingsError, match=expected) as refused:
        read_secret(Settings(internal_secret_file=str(file)))
    assert content is None or content not in str(refused.value)


def test_a_secret_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef" * 4 + "\n")
    file.chmod(0o600)
    assert read_secret(Settings(internal_secret_file=str(file))) == "0123456789abcdef" * 4
    assert read_secret(Settings()) == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({**APART, "certificate": "server.pem", "trust": "trust"}, "talk over TLS too"),
        ({**OVER_TLS, "security": "open"}, "takes no callers of an open server"),
    ],
)
def test_a_repository_asks_for_proof_when_its_registry_does(given: dict[str, object], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        check_security(load(given))
