"""Settings: sources in their order, types, refusals."""

from pathlib import Path

import pytest

from carnet.settings import Settings, SettingsError, check_security, is_loopback, load


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
    assert Settings(host="::1", port=80).public_url == "http://[::1]:80"
    assert Settings(host="localhost", port=80).public_url == "http://localhost:80"
