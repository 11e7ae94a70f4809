"""A small MHD client over HTTP, for the command line and the demonstration. MHD 2:3.65, 2:3.67, 2:3.68."""

import base64
import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from carnet.exchange import AnswerLost, ClientError, NotTaken, base_url, check_content, connection_to, one_line
from carnet.fhir_submission import bundle_of
from carnet.proof import NO_PROOF, Proof
from carnet.reports import CONTENT_TYPE, Report
from xds.datatypes import CX, Code
from xds.identifiers import new_oid

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
        submission_unique_id = submission_unique_id or new_oid()
        replaced = {one.entry.entry_uuid: self._address_of(one.replaces) for one in reports if one.replaces}
        bundle = bundle_of(reports, content_type=content_type, replaced=replaced, unique_id=submission_unique_id)
        try:
            told = json.loads(self._ask("POST", "/fhir", accept=_JSON, body=json.dumps(bundle).encode()))
        except AnswerLost as problem:
            again = f"Push it again as submission {submission_unique_id}"
            raise AnswerLost(f"{problem}; whether the submission was stored is unknown. {again}") from problem
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

    def document(self, found: Mapping[str, str]) -> bytes:
        """Retrieve Document [ITI-68] that `find` found. Raises ClientError where its metadata say another one."""
        parts = urlsplit(found["url"])
        content = self._ask("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, accept="*/*")
        check_content(content, size=int(found["size"]) if found["size"] else None, sha1=found["hash"])
        return content

    def _json(self, path: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._ask("GET", path, accept=_JSON))
        except ValueError as problem:
            raise ClientError(f"the server did not answer JSON: {problem}") from problem
        return found

    def _ask(self, method: str, path: str, *, accept: str, body: bytes | None = None) -> bytes:
        connection = connection_to(self._url, timeout=self._proof.timeout, context=self._proof.context)
        try:
            connection.connect()
        except OSError as problem:
            raise NotTaken(f"{self._url.geturl()} cannot be reached: {one_line(problem)}") from problem
        try:
            headers = {"Accept": accept, **self._proof.authorization}
            headers |= {} if body is None else {"Content-Type": _JSON}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as problem:
            raise AnswerLost(f"{self._url.geturl()} gave no answer: {one_line(problem)}") from problem
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
        "size": str(attachment.get("size", "")),
        "hash": base64.b64decode(attachment.get("hash", "")).hex(),
    }


def _next(bundle: dict[str, Any]) -> str | None:
    for link in bundle.get("link", ()):
        if link["relation"] == "next":
            parts = urlsplit(link["url"])
            return f"{parts.path}?{parts.query}"
    return None
