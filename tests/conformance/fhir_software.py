"""The same vendor over FHIR: Bundles of ITI-65 made by the writers of Carnet, searched and read by its own MHD client."""

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from carnet.exchange import AnswerLost, ClientError, base_url, connection_to
from carnet.fhir_client import FhirClient
from carnet.fhir_submission import bundle_of
from carnet.proof import Proof
from carnet.reports import Report
from conformance.client.patches import IS_ARCHIVED
from conformance.client.scenarios import SHIPPED
from tests.conformance.vendor_software import PREPARED_DOCUMENT, Software, a_report, next_version
from tests.servers import ROOT

ARCHIVED = {"name": "valueBoolean", "valueBoolean": True}
MASKED_SYSTEM = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatusVisibiliteDocument/FHIR/TRE-A07-StatusVisibiliteDocument"
Resource = dict[str, Any]


def fed(report: Report, *, replaces: str = "") -> Resource:
    """A submission of one document; `replaces`: the address of the DocumentReference that it replaces."""
    return bundle_of([report], replaced={report.entry.entry_uuid: replaces})


@dataclass
class FhirSoftware:
    """Acts over FHIR as the doctor does over SOAP.

    `proof`: certificate and token for one request; `renew`: what is done where a token is refused.
    """

    software: Software
    proof: Callable[[], Proof]
    renew: Callable[[], None] = lambda: None
    fed: list[tuple[Report, str]] = field(default_factory=list)
    found: dict[str, dict[str, str]] = field(default_factory=dict)
    address: str = ""
    published: Report | None = None

    @property
    def client(self) -> FhirClient:
        return FhirClient(self.software.url, proof=self.proof())

    def post(
        self, resource: Resource | list[Resource], path: str = "/fhir", method: str = "POST"
    ) -> tuple[int, Resource]:
        """Status and resource of the answer; status 0 when there is none. A list is a JSON Patch."""
        proof = self.proof()
        url = base_url(self.software.url, proof.context)
        connection = connection_to(url, timeout=60, context=proof.context)
        try:
            kind = "application/json-patch+json" if isinstance(resource, list) else "application/fhir+json"
            headers = {"Content-Type": kind, **proof.authorization}
            connection.request(method, path, json.dumps(resource).encode(), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()

    def one_document(self) -> None:
        report = a_report()
        status, answer = self.post(fed(report))
        assert status == 200, answer
        address = answer["entry"][1]["response"]["location"]
        self.fed.append((report, f"DocumentReference/{address.partition('/_history')[0].rpartition('/')[2]}"))

    def replacement(self) -> None:
        report, address = self.fed[0]
        status, answer = self.post(fed(next_version(report), replaces=address))
        assert status == 200, answer

    def publication(self) -> None:
        report = a_report()
        whole = fed(report)
        reference, binary = (whole["entry"][number]["resource"] for number in (1, 2))
        attachment = reference["content"][0]["attachment"]
        del attachment["url"]
        attachment["data"] = binary["data"]
        status, answer = self.post(reference, "/fhir/DocumentReference")
        assert status == 201, answer
        self.published = report
        self.address = f"DocumentReference/{answer['id']}"

    def masking(self) -> None:
        masked = {"coding": [{"system": MASKED_SYSTEM, "code": "MASQUE_PS"}]}
        change = [{"op": "add", "path": "/securityLabel/-", "value": masked}]
        status, answer = self.post(change, f"/fhir/{self.address}", "PATCH")
        assert status == 200, answer

    def archiving(self) -> None:
        """By its identifier, and by a FHIRPath Patch."""
        extension = {"name": "value", "part": [{"name": "url", "valueUri": IS_ARCHIVED}, ARCHIVED]}
        told = {"type": {"valueCode": "add"}, "path": {"valueString": "DocumentReference"}}
        parts = [{"name": name, **value} for name, value in {**told, "name": {"valueString": "extension"}}.items()]
        change = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [*parts, extension]}]}
        assert self.published is not None
        unique_id = self.published.entry.unique_id
        where = f"/fhir/DocumentReference?identifier=urn:ietf:rfc:3986%7Curn:oid:{unique_id}"
        status, answer = self.post(change, where, "PATCH")
        assert status == 200, answer

    def refusal(self) -> bool:
        try:
            self.client.push([a_report()])
        except ClientError as shown:
            return "XDSPatientIdDoesNotMatch" in str(shown)
        return False

    def lost_answer(self) -> None:
        bundle = fed(a_report())
        assert self.post(bundle)[0] == 0
        status, answer = self.post(bundle)
        codes = [one["details"]["coding"][0]["code"] for one in answer.get("issue", ()) if "details" in one]
        assert status == 200 or "XDSDuplicateUniqueIdInRegistry" in codes, answer

    def late_answer(self) -> bool:
        """It says that it does not know, and what to give to the next attempt; that one learns that it is stored."""
        report, client = a_report(), FhirClient(self.software.url, proof=replace(self.proof(), timeout=3.0))
        try:
            client.push([report])
        except AnswerLost as shown:
            told, submission = str(shown), str(shown).rpartition(" ")[2]
        else:
            return False
        try:
            self.client.push([report], submission_unique_id=submission)
        except ClientError as shown:
            return "unknown" in told and "XDSDuplicateUniqueIdInRegistry" in str(shown)
        return "unknown" in told

    def search(self) -> None:
        patient = self.software.cx(self.software.people.patient("followed"))
        self.found = {one["title"]: one for one in self.client.find(patient)}
        assert PREPARED_DOCUMENT in self.found

    def document(self) -> None:
        assert self.read() == (SHIPPED / "prepared.xml").read_bytes()

    def damaged(self) -> bool:
        try:
            self.read()
        except ClientError as shown:
            return "the document is damaged" in str(shown)
        return False

    def read(self) -> bytes:
        return self.client.document(self.found[PREPARED_DOCUMENT])

    def refused_token(self) -> None:
        with pytest.raises(ClientError, match="401"):
            self.search()
        self.renew()
        self.search()


@dataclass
class Tokens:
    """A client that has a JWT alone: it uses one, made by the command that vendors are given, until it is refused."""

    software: Software
    run: Path
    token: str = ""

    def new(self) -> None:
        command = [sys.executable, "-m", "conformance", "token", str(self.run), "--server", self.software.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
        self.token = done.stdout.strip()

    def proof(self) -> Proof:
        if not self.token:
            self.new()
        return Proof(context=self.software.context(), token=self.token)


def jwt_plays(software: Software, run: Path) -> Mapping[str, Callable[[Software], Any]]:
    tokens = Tokens(software, run)
    return _plays(FhirSoftware(software, tokens.proof, tokens.new))


def fhir_plays(software: Software) -> Mapping[str, Callable[[Software], Any]]:
    """The VIHF is the token, a new one for each request."""
    return _plays(FhirSoftware(software, lambda: software.proof("followed")))


def _plays(client: FhirSoftware) -> Mapping[str, Callable[[Software], Any]]:
    """One client for all steps: it knows what it fed and found."""
    names = {
        "one-document": client.one_document,
        "replacement": client.replacement,
        "refusal": client.refusal,
        "lost-answer": client.lost_answer,
        "late-answer": client.late_answer,
        "search": client.search,
        "document": client.document,
        "damaged": client.damaged,
        "publication": client.publication,
        "masking": client.masking,
        "archiving": client.archiving,
        "refused-token": client.refused_token,
    }
    return {f"fhir/{name}": (lambda _software, act=act: act()) for name, act in names.items()}
