"""Traces of requests for OpenTelemetry: a span for each, sent to a collector by OTLP over HTTP.

An extra (`pip install 'carnet[otel]'`), imported where the setting `traces` names a collector and nowhere else. A span
has what a line of the log has: no URL, header, body, caller or patient.
"""

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from carnet.elsewhere_settings import is_loopback
from carnet.traffic import Served

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_EXTRA = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_LEAST_OF_SERVER_ERRORS = 500


def trace_rules(settings: Any) -> Iterator[str]:
    """What is wrong with the setting of traces."""
    if not settings.traces:
        return
    url = urlsplit(settings.traces)
    if url.scheme not in ("http", "https") or not url.hostname:
        yield f"setting traces: found {settings.traces!r}, expected https://HOST:4318/v1/traces"
    elif url.scheme == "http" and not is_loopback(url.hostname):
        yield "setting traces: found http beyond this machine, expected https"
    if not _is_installed():
        yield "setting traces: OpenTelemetry is not installed, expected pip install 'carnet[otel]'"


def _is_installed() -> bool:
    try:
        return all(importlib.util.find_spec(name) is not None for name in _EXTRA)
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Traces:
    """Spans of one process, made when a request has ended."""

    provider: "TracerProvider"

    def tell(self, one: Served) -> None:
        """Make the span; it is sent in the background, and given up where nobody takes it.

        It belongs to the trace of the caller's `traceparent`, else to one of its own. W3C Trace Context 3.2
        """
        from opentelemetry.trace import SpanKind, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        end = time.time_ns()
        span = self.provider.get_tracer("carnet").start_span(
            one.transaction,
            context=TraceContextTextMapPropagator().extract({"traceparent": one.traceparent}),
            kind=SpanKind.SERVER,
            start_time=end - int(one.seconds * 1e9),
            attributes={
                "carnet.transaction": one.transaction,
                "carnet.correlation_id": one.correlation_id,
                "http.response.status_code": one.status,
            },
        )
        if one.status >= _LEAST_OF_SERVER_ERRORS:
            span.set_status(StatusCode.ERROR)
        span.end(end)

    def stop(self) -> None:
        """Send what there is."""
        self.provider.shutdown()


def open_traces(url: str) -> Traces | None:
    """Those that go to this collector; none for an empty URL. Its processes each open their own, after the fork."""
    if not url:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "carnet"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return Traces(provider)
