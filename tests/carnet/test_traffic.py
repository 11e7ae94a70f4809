"""What a monitor sees of requests: transactions, times, clients, and the id that finds a request in the log."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import structlog

from carnet import traffic
from carnet.traffic import CORRELATION_HEADER, Traffic, observed

CLIENT = b"a certificate"


def an_application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("nobody foresaw this")
    traffic.is_about(environ["PATH_INFO"].strip("/"))
    traffic.is_about("a later name")
    start_response("503 Service Unavailable" if environ["PATH_INFO"] == "/full" else "200 OK", [])
    yield traffic.correlation_id().encode()


def listed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return list(an_application(environ, start_response))


def asked(counted: Traffic, path: str, *, given: str = "", client: bytes | None = CLIENT) -> tuple[str, bytes]:
    """The id in the answer, and the one that the application knew."""
    found: dict[str, str] = {}

    def start(_status: str, headers: list[tuple[str, str]], _exc: Any = None) -> None:
        found.update(headers)

    environ = {"PATH_INFO": path, "HTTP_X_REQUEST_ID": given}
    body = observed(listed, counted, lambda _environ: client)(environ, start)
    octets = b"".join(body)
    body.close()  # type: ignore[attr-defined]
    return found[CORRELATION_HEADER], octets


def value(counted: Traffic, name: str, **labels: str) -> float:
    """Of one sample, whatever its process."""
    wanted = {f'{key}="{one}"' for key, one in labels.items()}
    for line in counted.text().splitlines():
        if line.startswith(f"{name}{{") and wanted <= set(re.findall(r'\w+="[^"]*"', line)):
            return float(line.rpartition(" ")[2])
    return 0.0


@pytest.fixture
def counted() -> Iterator[Traffic]:
    yield Traffic()
    structlog.contextvars.clear_contextvars()


def test_requests_are_counted_by_transaction_and_status(counted: Traffic) -> None:
    for path in ("/ITI-18", "/ITI-18", "/full"):
        asked(counted, path)
    assert value(counted, "carnet_request_seconds_count", transaction="ITI-18", status="2xx") == 2
    assert value(counted, "carnet_request_seconds_count", transaction="full", status="5xx") == 1
    assert value(counted, "carnet_request_seconds_bucket", transaction="ITI-18", le="+Inf") == 2
    assert value(counted, "carnet_requests_in_progress") == 0


def test_what_breaks_counts_as_5xx_and_is_over(counted: Traffic) -> None:
    with pytest.raises(RuntimeError):
        asked(counted, "/broken")
    assert value(counted, "carnet_request_seconds_count", transaction="other", status="5xx") == 1
    assert value(counted, "carnet_requests_in_progress") == 0


def test_an_id_is_made_or_taken_from_the_proxy_and_known_while_the_request_lasts(counted: Traffic) -> None:
    made, known = asked(counted, "/ITI-18")
    assert made.encode() == known
    assert asked(counted, "/ITI-18", given="from-the-proxy-1") == ("from-the-proxy-1", b"from-the-proxy-1")
    assert asked(counted, "/ITI-18")[0] != made
    assert traffic.correlation_id() == ""


@pytest.mark.parametrize("given", ["short", "a" * 65, "with blank in it", "inj\nected-line", '"quoted-id"'])
def test_an_id_that_could_spoil_a_log_is_not_taken(counted: Traffic, given: str) -> None:
    assert asked(counted, "/ITI-18", given=given)[0] != given


def test_clients_are_told_apart_by_certificate_and_are_few(counted: Traffic) -> None:
    for number in range(150):
        asked(counted, "/ITI-18", client=b"%d" % number)
    asked(counted, "/ITI-18", client=None)
    lines = [line for line in counted.text().splitlines() if line.startswith("carnet_client_requests_total{")]
    assert len(lines) == 101
    assert value(counted, "carnet_client_requests_total", client="others") == 51


def test_refusals_of_a_full_queue_are_counted(counted: Traffic) -> None:
    assert 'reason="busy"} 0' in counted.text()
    counted.refused("busy")
    assert value(counted, "carnet_refused_total", reason="busy") == 1
