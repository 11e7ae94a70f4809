"""A small MHD client over HTTP, for the command line and the demonstration. MHD 2:3.65, 2:3.67, 2:3.68."""

import http.client
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from carnet.exchange import ClientError, base_url, connection_to
from carnet.fhir_submission import bundle_of
from carnet.proof import NO_PROOF, Proof
from carnet.reports import CONTENT_TYPE, Report
from xds.datatypes import CX, Code

_TIMEOUT_SECONDS = 60
_JSON = "application/fhir+json"
_URIS = {"2.16.840.1.113883.6.1": "http://loinc.org"}


class FhirClient:
    """Talks to the FHIR base `/fhir` of a server."""

    def __init__(self, url: str, *, proof: Proof = NO_PROOF) -> None:
        self._url, self._proof = base_url(url, proof.context), proof

    def push(
        self, reports: Sequence[Report], *, content_type: Code = CONTENT_TYPE, submission_unique_id: str = ""
    ) -> list[str]:
        """Provide Document Bundle [ITI-65]: the address of each document. One that replaces another is linked to it."""
        replaced = {one.entry.entry_uuid: self._address_of(one.replaces) for one in reports if one.replaces}
        bundle = bundle_of(reports, content_type=content_type, replaced=replaced, unique_id=submission_unique_id)
        told = json.loads(self._ask("POST", "/fhir", accept=_JSON, body=json.dumps(bundle).encode()))
        places = [one["response"].get("location", "").partition("/_history")[0] for one in told.get("entry", ())]
        return [place for place in places if "DocumentReference/" in place]

    def _address_of(self, unique_id: str) -> str:
        found = self._json(
            f"/fhir/DocumentReference?{urlencode({'identifier': f'urn:ietf:rfc:3986|urn:oid:{unique_id}'})}"
        )
        if not found.get("entry"):
            raise ClientError(f"no document {unique_id} is to be found, which the report replaces")
        return f"DocumentReference/{found['entry'][0]['resource']['id']}"

    def find(
        self, patient_id: CX, *, type_code: Code | None = None, deprecated_too: bool = False
    ) -> list[dict[str, str]]:
        """Find Document References [ITI-67], every page."""
        query = {
            "patient.identifier": f"urn:oid:{patient_id.authority}|{patient_id.id}",
            "status": "current,superseded" if deprecated_too else "current",
        }
        if type_code is not None:
            system = _URIS.get(type_code.coding_scheme, f"urn:oid:{type_code.coding_scheme}")
            query["type"] = f"{system}|{type_code.code}"
        path: str | None = f"/fhir/DocumentReference?{urlencode(query)}"
        rows: list[dict[str, str]] = []
        while path:
            bundle = self._json(path)
            rows.extend(_row(entry["resource"]) for entry in bundle.get("entry", ()))
            path = _next(bundle)
        return rows

    def document(self, url: str) -> bytes:
        """Retrieve Document [ITI-68] from the attachment URL of a DocumentReference."""
        parts = urlsplit(url)
        return self._ask("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, accept="*/*")

    def _json(self, path: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._ask("GET", path, accept=_JSON))
        except ValueError as problem:
            raise ClientError(f"the server did not answer JSON: {problem}") from problem
        return found

    def _ask(self, method: str, path: str, *, accept: str, body: bytes | None = None) -> bytes:
        connection = connection_to(self._url, timeout=_TIMEOUT_SECONDS, context=self._proof.context)
        try:
            headers = {"Accept": accept, **self._proof.authorization}
            headers |= {} if body is None else {"Content-Type": _JSON}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as problem:
            raise ClientError(
                f"{self._url.geturl()} cannot be reached: {problem or type(problem).__name__}"
            ) from problem
        finally:
            connection.close()
        if response.status != 200:
            raise ClientError(f"the server answered {response.status}: {answer[:300].decode('utf-8', 'replace')}")
        return answer


def _row(resource: dict[str, Any]) -> dict[str, str]:
    attachment = resource["content"][0]["attachment"]
    return {
        "uniqueId": resource["masterIdentifier"]["value"].removeprefix("urn:oid:"),
        "title": attachment.get("title", ""),
        "type": resource.get("type", {}).get("coding", [{}])[0].get("display", ""),
        "created": "".join(char for char in attachment.get("creation", "")[:19] if char.isdigit()),
        "status": resource["status"],
        "url": attachment["url"],
    }


def _next(bundle: dict[str, Any]) -> str | None:
    for link in bundle.get("link", ()):
        if link["relation"] == "next":
            parts = urlsplit(link["url"])
            return f"{parts.path}?{parts.query}"
    return None
