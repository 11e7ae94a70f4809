"""Records to a FHIR server as AuditEvent: one POST each, and its answer is the receipt. FHIR R4 3.1.0.8; BALP."""

import http.client
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from audit.chain import Link
from audit.delivery import ReceiverFailed
from audit.dicom import read_message
from audit.fhir import write_audit_event

_SECONDS = 30.0
_HEADERS = {"Content-Type": "application/fhir+json; charset=utf-8", "Accept": "application/fhir+json"}
# Answers that say: this one, never.
_REFUSED = (400, 404, 405, 409, 410, 412, 413, 415, 422)
_TAKEN = (200, 201, 202, 204)


class FhirTransport:
    """`audit.delivery.Transport` by HTTP; `base_url` is the FHIR base, `context` the TLS of an https one."""

    def __init__(self, base_url: str, context: ssl.SSLContext) -> None:
        self._base_url, self._context = base_url.rstrip("/"), context
        self._connection: http.client.HTTPConnection | None = None

    @property
    def receiver(self) -> str:
        return self._base_url

    def send(self, records: Sequence[Link]) -> int:
        sure = 0
        for one in records:
            body = write_audit_event(read_message(one.message))
            try:
                status = self._post(body)
            except (OSError, http.client.HTTPException) as problem:
                raise ReceiverFailed(type(problem).__name__, sure=sure) from problem
            if status not in _TAKEN:
                raise ReceiverFailed(f"answered {status}", took_connection=status in _REFUSED, sure=sure)
            sure = one.sequence
        return sure

    def takes(self, record: Link) -> bool:
        try:
            return bool(self.send([record]))
        except ReceiverFailed:
            return False

    def settle(self) -> int:
        return 0

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post(self, body: bytes) -> int:
        connection, path = self._open(), f"{urlsplit(self._base_url).path}/AuditEvent"
        connection.request("POST", path, body=body, headers=_HEADERS)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def _open(self) -> http.client.HTTPConnection:
        if self._connection is None:
            parts = urlsplit(self._base_url)
            host = parts.hostname or ""
            self._connection = (
                http.client.HTTPSConnection(host, parts.port, timeout=_SECONDS, context=self._context)
                if parts.scheme == "https"
                else http.client.HTTPConnection(host, parts.port, timeout=_SECONDS)
            )
        return self._connection
