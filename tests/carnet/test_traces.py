"""Traces of requests: a span for each, with what the log has of it and nothing else."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, cast
from wsgiref.types import StartResponse

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from carnet import traffic
from carnet.settings import Settings, SettingsError, load
from carnet.traces import Traces, open_traces
from carnet.traffic import CORRELATION_HEADER, Served, Traffic, observed

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PATIENT = "279035121518989"


def asked(trace: Any, status: str = "200 OK", **environ: str) -> str:
    """Ask about a patient; the correlation id in the answer."""
    found: dict[str, str] = {}

    def application(_environ: Any, start: Any) -> list[bytes]:
        traffic.is_about("ITI-67")
        start(status, [])
        return [b"done"]

    def start(_status: str, headers: list[tuple[str, str]], _exc: Any = None) -> None:
        found.update(headers)

    asking = {"PATH_INFO": "/fhir", "QUERY_STRING": f"patient.identifier={PATIENT}", "HTTP_X_PATIENT": PATIENT}
    body: Any = observed(application, Traffic(), lambda _environ: None, trace)(
        {**asking, **environ}, cast("StartResponse", start)
    )
    list(body)
    body.close()
    return found[CORRELATION_HEADER]


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exported: InMemorySpanExporter) -> Iterator[Traces]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exported))
    yield Traces(provider)
    provider.shutdown()


def test_a_request_is_a_span_with_its_transaction_and_id_and_no_patient(
    traces: Traces, exported: InMemorySpanExporter
) -> None:
    name = asked(traces.tell)
    (span,) = exported.get_finished_spans()
    assert span.name == "ITI-67"
    assert dict(span.attributes or {}) == {
        "carnet.transaction": "ITI-67",
        "carnet.correlation_id": name,
        "http.response.status_code": 200,
    }
    assert PATIENT not in span.to_json()
    assert span.parent is None
    assert span.status.is_unset
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0 <= span.end_time - span.start_time < 10**9


def test_a_span_belongs_to_the_trace_of_the_caller(traces: Traces, exported: InMemorySpanExporter) -> None:
    asked(traces.tell, HTTP_TRACEPARENT=PARENT)
    asked(traces.tell, HTTP_TRACEPARENT="no such thing")
    told, alone = exported.get_finished_spans()
    assert told.parent is not None
    assert f"{told.parent.trace_id:032x}-{told.parent.span_id:016x}" == PARENT[3:-3]
    assert alone.parent is None


def test_a_server_error_is_an_error_of_the_span(traces: Traces, exported: InMemorySpanExporter) -> None:
    asked(traces.tell, "500 Internal Server Error")
    asked(traces.tell, "404 Not Found")
    assert [one.status.is_ok for one in exported.get_finished_spans()] == [False, True]


def test_spans_reach_a_collector_over_http() -> None:
    taken: list[tuple[str, bytes]] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_of: object) -> None:
            """Nothing on the screen."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        traces = open_traces(f"http://127.0.0.1:{server.server_address[1]}/v1/traces")
        assert traces is not None
        served = {"correlation_id": "id-of-the-log", "status": 200, "seconds": 0.1, "traceparent": ""}
        traces.tell(Served(transaction="ITI-41", **served))  # type: ignore[arg-type]
        traces.stop()
        server.shutdown()
    ((path, message),) = taken
    assert path == "/v1/traces"
    assert b"ITI-41" in message or message.startswith(b"\x1f\x8b")


def test_without_the_setting_there_are_none_and_nothing_is_loaded() -> None:
    assert open_traces(Settings().traces) is None
    code = "import sys, carnet.server; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("url", ["collector:4318", "ftp://collector/", "https:///v1/traces", "http://collector:4318/"])
def test_an_address_that_does_not_do_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"setting traces: found .*expected https"):
        load({"traces": url})


def test_a_missing_extra_is_one_sentence_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:4318/v1/traces"
    assert load({"traces": url}).traces == url
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"pip install 'carnet\[otel\]'"):
        load({"traces": url})
