"""Who is at the other end of a connection, in front of every door: certificate, rate, and what health checks may ask.

Behind a proxy the certificate comes in a header, over a unix socket that the proxy alone can open; on a TCP port that
header means nothing.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from carnet.http_limits import RequestRates

CERTIFICATE, HEALTH = "carnet.client_certificate", "carnet.health_only"
# What nginx sends as $ssl_client_escaped_cert; empty without a client certificate.
_HEADER = "HTTP_X_CLIENT_CERTIFICATE"
_TOLD = re.compile(rb"\r\nx-client-certificate:([^\r\n]+)", re.IGNORECASE)
_FOR_MONITORS = ("/health/", "/metrics")
_LONGEST_CERTIFICATE = 16 * 1024


def client_certificate(environ: WSGIEnvironment) -> bytes | None:
    """The certificate (DER) that the client of a request has proved to hold its key of."""
    found: bytes | None = environ.get(CERTIFICATE)
    return found


def certificate_told(head: bytes) -> bytes | None:
    """What tells clients of a proxy apart, from the head of a request: the header as it stands, unread."""
    found = _TOLD.search(head)
    return found and hashlib.sha256(found[1].strip()).digest()


def known_clients(application: WSGIApplication, rates: RequestRates, *, behind_proxy: bool) -> WSGIApplication:
    """The application, asked only by clients whose certificate can be read and who do not ask too often."""

    def answered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        header = environ.pop(_HEADER, "")
        if environ.get(HEALTH) and not environ["PATH_INFO"].startswith(_FOR_MONITORS):
            return _refused(environ, start_response, HTTPStatus.NOT_FOUND, "only /health and /metrics are served here")
        if behind_proxy:
            try:
                environ[CERTIFICATE] = _read(header)
            except ValueError:
                return _refused(environ, start_response, HTTPStatus.BAD_REQUEST, "not one certificate from the proxy")
        certificate = client_certificate(environ)
        if certificate is not None and not rates.allows(hashlib.sha256(certificate).digest()):
            return _refused(environ, start_response, HTTPStatus.TOO_MANY_REQUESTS, "too many requests a second")
        return application(environ, start_response)

    return answered


@lru_cache(maxsize=1024)
def _read(header: str) -> bytes | None:
    """An escaped PEM certificate as DER. Raises ValueError for anything else, two headers too."""
    if not header:
        return None
    pem = unquote(header).strip()
    if len(pem) > _LONGEST_CERTIFICATE or pem.count("-----BEGIN CERTIFICATE-----") != 1 or "," in header:
        raise ValueError("expected one certificate")
    return x509.load_pem_x509_certificate(pem.encode("ascii")).public_bytes(Encoding.DER)


def _refused(
    environ: WSGIEnvironment, start_response: Callable[..., object], status: HTTPStatus, cause: str
) -> list[bytes]:
    body, kind = f"{cause}\n".encode(), "text/plain"
    if environ["PATH_INFO"].startswith("/fhir"):
        code = "throttled" if status is HTTPStatus.TOO_MANY_REQUESTS else "invalid"
        issue = {"severity": "error", "code": code, "diagnostics": cause}
        body = orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
        kind = "application/fhir+json; charset=utf-8"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        headers.append(("Retry-After", "1"))
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
