"""A FHIR client over HTTP that keeps what went over the wire. FHIR R4 3.1.0."""

import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fhir.resources.R4B import get_fhir_model_class
from lxml import etree

from conformance.failures import UnreachableServer
from conformance.sentence import Sentence

JSON, XML = "application/fhir+json", "application/fhir+xml"
_SECONDS = 60
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came: status, headers by lower-case name, body, and the resource in it, empty when there is none."""

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    resource: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """What an OperationOutcome says, in one line."""
        issues = self.resource.get("issue", ())
        return "; ".join(str(one.get("diagnostics") or one.get("details", {}).get("text", "")) for one in issues)


class NotWritten(ValueError):
    """A body of a test that cannot be written in the format of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """`base` is the FHIR base of the server; `headers` go with every request; `content_type` is JSON or XML.
    `observe` is shown every request body with its answer."""

    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON
    tls: ssl.SSLContext | None = None
    observe: Callable[[bytes, Answer], None] = lambda request, answer: None

    def get(self, url: str, **headers: str) -> Answer:
        return self.send("GET", url, headers=headers)

    def send(
        self,
        method: str,
        url: str,
        resource: Mapping[str, Any] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; `url` is below the base, or whole. Raises UnreachableServer."""
        whole = url if url.startswith(("http://", "https://")) else f"{self.base}/{url}".rstrip("/")
        body = resource if isinstance(resource, bytes) else None if resource is None else self._written(resource)
        sent = {"Accept": self.content_type, **self.headers}
        if body is not None:
            sent["Content-Type"] = f"{self.content_type}; charset=utf-8"
        sent |= headers or {}
        parts = urlsplit(whole)
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.request(method, f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, sent)
            response = connection.getresponse()
            octets = response.read()
            got = {name.lower(): value for name, value in response.getheaders()}
        except (OSError, http.client.HTTPException) as problem:
            raise UnreachableServer(
                Sentence(f"aucune réponse : {problem}", f"no answer: {problem}").about(f"{method} {whole}")
            ) from problem
        finally:
            connection.close()
        found = _read(octets, got.get("content-type", ""))
        answer = Answer(request=f"{method} {whole}", status=response.status, headers=got, body=octets, resource=found)
        self.observe(body or b"", answer)
        return answer

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self.tls)
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)

    def _written(self, resource: Mapping[str, Any]) -> bytes:
        if self.content_type == JSON:
            return json.dumps(resource).encode()
        try:
            model = get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        except ValueError as problem:
            raise NotWritten(
                Sentence(
                    "un corps qui exprès n'est pas du FHIR, sans forme en XML",
                    "a body that is no FHIR on purpose, which has no form in XML",
                )
            ) from problem
        written: str | bytes = model.model_dump_xml()
        return written if isinstance(written, bytes) else written.encode()


def _read(octets: bytes, content_type: str) -> Mapping[str, Any]:
    """The resource of an answer as JSON has it; nothing where it is none."""
    kind = content_type.partition(";")[0].strip()
    try:
        if kind.endswith("json"):
            found = json.loads(octets)
            return found if isinstance(found, dict) else {}
        if kind == XML:
            name = etree.QName(etree.fromstring(octets, _PARSER)).localname
            model = get_fhir_model_class(name).model_validate_xml(octets)
            read: Mapping[str, Any] = json.loads(model.model_dump_json())
            return {"resourceType": name, **read}
    except (ValueError, KeyError, etree.LxmlError):
        return {}
    return {}
