"""Request Bundles of ITI-65 and what a Document Recipient must make of each. MHD 2:3.65; NIST FHIR Toolkit."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from conformance.failures import KitError
from conformance.fhir.client import Answer, Client
from conformance.fhir.outcomes import CaseOutcome
from conformance.sentence import Sentence, expected
from conformance.titles import titled

Resource = dict[str, Any]
_PATIENT, _ORIGINAL, _RANDOM = "${patientResourceId}", "${original}", "@{RandomUUID}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCase:
    """One test of the manifest: requests in order, and what holds after the last one."""

    id: str
    summary: str
    accepted: bool
    status: int
    requests: tuple[str, ...]
    list_total: int | None
    document_total: int | None
    status_after: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPatient:
    """The patient of all cases: where the server has it, and how it is searched for."""

    url: str
    token: str


def read_cases(kit: Path) -> list[BundleCase]:
    """The tests of `nist/manifest.json`. Raises KitError."""
    file = kit / "nist" / "manifest.json"
    try:
        return [_case(one) for one in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError) as problem:
        raise KitError(
            Sentence(
                f"{file} : attendu le manifeste des lots de demande : {problem}",
                f"{file}: expected the manifest of the request Bundles: {problem}",
            )
        ) from problem


def _case(record: Mapping[str, Any]) -> BundleCase:
    after = record.get("after", {})
    return BundleCase(
        id=record["id"],
        summary=record["summary"],
        accepted=record["outcome"] == "accept",
        status=record["httpStatus"],
        requests=tuple(one["file"] for one in record["requests"]),
        list_total=after.get("listTotal"),
        document_total=after.get("documentReferenceTotal"),
        status_after=record.get("statusAfter", {}),
    )


def make_patient(client: Client, kit: Path) -> KnownPatient:
    """The test patient, under identifiers of this run alone. Raises KitError when the server does not take it."""
    (file,) = sorted((kit / "nist" / "patients").glob("*.json")) or (kit / "nist" / "patients",)
    patient = json.loads(file.read_text(encoding="utf-8"))
    for identifier in patient["identifier"]:
        identifier["value"] = f"{identifier['value']}-{uuid.uuid4().hex[:12]}"
    answer = client.send("POST", "Patient", patient)
    location = answer.headers.get("location", "")
    if answer.status != 201 or not location:
        wanted = Sentence("201 avec Location ; voir --patient", "201 with a Location; see --patient")
        raise KitError(expected(f"{answer.status} {answer.told}", wanted, about="POST Patient"))
    url = location.partition("/_history/")[0]
    url = url if "://" in url else f"{client.base}/{url.lstrip('/')}"
    first = patient["identifier"][0]
    return KnownPatient(url=url, token=f"{first['system']}|{first['value']}")


def run_case(client: Client, kit: Path, case: BundleCase, patient: KnownPatient) -> CaseOutcome:
    """Send the requests of a case and look at everything that must hold."""
    began, run = time.perf_counter(), _Run(client=client, kit=kit, case=case, patient=patient)
    failures = tuple(run.failures())
    return CaseOutcome(
        suite="Provide Document Bundle",
        name=case.id,
        title=titled("fhir", case.id, case.summary),
        failures=failures,
        remarks=tuple(run.remarks),
        seconds=time.perf_counter() - began,
    )


class _Run:
    """One case on its way: where the first document is, and the identifiers of the last request."""

    def __init__(self, *, client: Client, kit: Path, case: BundleCase, patient: KnownPatient) -> None:
        self.client, self.kit, self.case, self.patient = client, kit, case, patient
        self.original, self.newest = "", ""
        self.list_id, self.document_ids = "", list[str]()
        self.remarks: list[Sentence] = []

    def failures(self) -> Iterator[Sentence]:
        for file in self.case.requests:
            bundle = self._request(file)
            answer = self.client.send("POST", "", bundle)
            if answer.status != self.case.status:
                yield expected(f"HTTP {answer.status} {answer.told}", str(self.case.status), about=file)
                return
            yield from self._accepted(file, bundle, answer) if self.case.accepted else self._refused(file, answer)
        yield from self._totals()
        yield from self._statuses()

    def _request(self, file: str) -> Resource:
        """The Bundle with this run's patient, original and identifiers, which no request before it had."""
        text = (self.kit / "nist" / file).read_text(encoding="utf-8")
        text = text.replace(_PATIENT, self.patient.url).replace(_ORIGINAL, self.original)
        while _RANDOM in text:
            text = text.replace(_RANDOM, str(uuid.uuid4()), 1)
        bundle: Resource = json.loads(text)
        self.list_id, self.document_ids = "", []
        for entry in bundle["entry"]:
            self._identify(entry["resource"])
        return bundle

    def _identify(self, resource: Resource) -> None:
        if "masterIdentifier" in resource:
            resource["masterIdentifier"]["value"] = f"urn:oid:2.25.{uuid.uuid4().int}"
            self.document_ids.append(resource["masterIdentifier"]["value"])
        for identifier in resource.get("identifier", ()) if resource["resourceType"] == "List" else ():
            if identifier.get("use") == "usual" and identifier.get("value"):
                self.list_id = identifier["value"] = f"urn:oid:2.25.{uuid.uuid4().int}"

    def _accepted(self, file: str, bundle: Resource, answer: Answer) -> Iterator[Sentence]:
        """MHD 2:3.65.4.2"""
        found = answer.resource
        if found.get("resourceType") != "Bundle" or found.get("type") != "transaction-response":
            yield expected(found.get("type", ""), "Bundle, transaction-response", about=file)
            return
        responses = [one.get("response", {}) for one in found.get("entry", ())]
        if len(responses) != len(bundle["entry"]):
            yield expected(f"{len(responses)} entry", f"{len(bundle['entry'])}", about=file)
        for number, response in enumerate(responses):
            yield from self._response(f"{file}: entry[{number}].response", response)
        self.newest = self._whole(responses[0].get("location", "")) if responses else ""
        self.original = self.original or self.newest
        yield from self._read_back(file, bundle["entry"][0]["resource"])

    def _response(self, at: str, response: Resource) -> Iterator[Sentence]:
        if not str(response.get("status", "")).startswith("201"):
            yield expected(response.get("status", ""), "201", about=f"{at}.status")
        if not response.get("location"):
            yield _missing(f"{at}.location")
        elif "/_history/" in response["location"]:
            yield Sentence("avec une version", "with a version").about(f"{at}.location")
        if "outcome" in response:
            yield Sentence("là sans avertissement à donner", "found one, expected none without a warning").about(
                f"{at}.outcome"
            )
        for name in ("etag", "lastModified"):
            if name not in response:
                self.remarks.append(_missing(f"{at}.{name}"))

    def _read_back(self, file: str, sent: Resource) -> Iterator[Sentence]:
        """What was sent is there: the same subject, and no element lost."""
        answer = self.client.get(self.newest)
        if answer.status != 200 or answer.resource.get("resourceType") != "DocumentReference":
            yield expected(f"HTTP {answer.status}", "DocumentReference", about=f"{file}: GET {self.newest}")
            return
        subject = answer.resource.get("subject", {}).get("reference")
        if subject != sent.get("subject", {}).get("reference"):
            sent_one = Sentence("celui qui a été envoyé", "the one that was sent")
            yield expected(subject, sent_one, about=f"{file}: subject.reference")
        for path in sorted(set(_paths(sent)) - set(_paths(answer.resource))):
            yield Sentence("envoyé, et absent de ce qui est relu", "sent, and not in what is read back").about(
                f"{file}: {path}"
            )

    def _refused(self, file: str, answer: Answer) -> Iterator[Sentence]:
        if answer.resource.get("resourceType") != "OperationOutcome":
            yield expected(answer.resource.get("resourceType", ""), "OperationOutcome", about=file)
        elif not any(one.get("severity") in ("error", "fatal") for one in answer.resource.get("issue", ())):
            yield Sentence("aucun issue qui soit une erreur", "found no issue that is an error").about(file)
        elif not any(one.get("expression") for one in answer.resource["issue"]):
            self.remarks.append(Sentence("aucun issue ne dit où", "no issue says where").about(file))

    def _totals(self) -> Iterator[Sentence]:
        """What both searches find afterwards; an identifier is asked for without its system. MHD 2:3.66, 2:3.67"""
        document = self.document_ids[0] if self.document_ids else ""
        asked = (
            ("List", f"code=submissionset&identifier={quote(self.list_id)}", self.list_id, self.case.list_total),
            ("DocumentReference", f"identifier={quote(document)}", document, self.case.document_total),
        )
        for kind, query, identifier, total in asked:
            if not identifier or total is None:
                continue
            url = f"{kind}?{query}&status=current&patient.identifier={quote(self.patient.token)}"
            answer = self.client.get(url)
            if answer.status != 200 or answer.resource.get("total") != total:
                found = f"HTTP {answer.status}, total {answer.resource.get('total')}"
                yield expected(found, f"total {total}", about=f"GET {url}")
                continue
            yield from self._matches(url, kind, answer.resource.get("entry", ()))

    def _matches(self, url: str, kind: str, entries: Sequence[Resource]) -> Iterator[Sentence]:
        for entry in entries:
            resource, full_url = entry.get("resource", {}), str(entry.get("fullUrl", ""))
            if resource.get("resourceType") != kind:
                alone = Sentence(f"{kind} seulement", f"{kind} alone")
                yield expected(resource.get("resourceType"), alone, about=f"GET {url}")
            if not full_url.endswith(f"/{resource.get('id')}") or "/_history/" in full_url:
                ended = Sentence("un qui finisse par l'id", "one that ends with the id")
                yield expected(full_url, ended, about=f"GET {url}: fullUrl")

    def _statuses(self) -> Iterator[Sentence]:
        """The original, where it was from the beginning, and the new document. MHD 2:3.65.4.1.3"""
        for name, wanted in self.case.status_after.items():
            url = self.original if name == "original" else self.newest
            found = self.client.get(url).resource.get("status")
            if found != wanted:
                yield expected(found, wanted, about=f"GET {url}: {name}: status")

    def _whole(self, location: str) -> str:
        return location if "://" in location or not location else f"{self.client.base}/{location.lstrip('/')}"


def _missing(what: str) -> Sentence:
    return Sentence("absent", "found none").about(what)


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """Where a resource has values."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _paths(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _paths(one, f"{path}[{number}]")
    else:
        yield path


def selected(cases: Sequence[BundleCase], patterns: Sequence[str]) -> list[BundleCase]:
    """The cases whose id holds one of the patterns; all without any."""
    return [one for one in cases if not patterns or any(pattern in one.id for pattern in patterns)]
