"""Faults of a client over FHIR: tokens, Bundles, searches, addresses."""

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from access_policy.make_token import Told, token_claims
from tests.conformance.faulty_clients import Act, Fault, fault, sub
from tests.conformance.vendor_software import TEST_INS
from xds.datatypes import CX

FED, REPLACED, SEARCHED, READ = (f"fhir/{name}" for name in ("one-document", "replacement", "search", "document"))
MASKED, ARCHIVED = "fhir/masking", "fhir/archiving"
Resource = dict[str, Any]
OnBundle = Callable[[Resource], object]


def feeding(change: OnBundle) -> Act:
    """The Bundle of the step changed."""

    def octets(body: bytes) -> bytes:
        bundle = json.loads(body)
        change(bundle)
        return json.dumps(bundle).encode()

    return lambda bench: bench.send_fhir("ITI-65", octets)


def searching(pattern: str, new: str = "") -> Act:
    return lambda bench: bench.send_fhir("ITI-67", head=sub(pattern, new))


def jwt(host: str, *, patient: str = "258063523804186", **said: Any) -> str:
    """A token as IUA has it for a server at `host`, of the doctor of the scenarios; nobody knows its issuer."""
    given = {"subject": "899900010036", "structure": "1350999033", "audience": f"https://{host}/fhir", **said}
    about = CX.of(id=patient, authority=TEST_INS, type_code="NH")
    told = Told(issuer="https://issuer.example.org", patient_id=about, **given)
    claims = json.dumps(token_claims(told, now=datetime.now(UTC))).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.c2ln"


def showing(patient: str) -> Act:
    """The search of the step with a JWT."""

    def head(octets: bytes) -> bytes:
        [host] = re.findall(rb"(?i)\r\nHost: ([^\r]+)", octets)
        token = jwt(host.decode(), patient=patient)
        return sub("Authorization: Bearer [^\r]*", f"Authorization: Bearer {token}")(octets)

    return lambda bench: bench.send_fhir("ITI-67", head=head)


def document(bundle: Resource) -> Resource:
    """The DocumentReference."""
    found: Resource = bundle["entry"][1]["resource"]
    return found


def attachment(bundle: Resource) -> Resource:
    found: Resource = document(bundle)["content"][0]["attachment"]
    return found


def listed(bundle: Resource) -> Resource:
    found: Resource = bundle["entry"][0]["resource"]
    return found


def _of_another_digest(bundle: Resource) -> None:
    attachment(bundle)["hash"] = base64.b64encode(bytes(20)).decode()


def _without_its_binary(bundle: Resource) -> None:
    attachment(bundle)["url"] = "https://documents.example.org/1"


def _without_size(bundle: Resource) -> None:
    del attachment(bundle)["size"]


def _of_another_number(bundle: Resource) -> None:
    """The authority of a number that is no INS."""
    for one in (listed(bundle), document(bundle)):
        one["subject"]["identifier"]["system"] = "urn:oid:2.25.4711"


def _with_a_code_of_its_own(bundle: Resource) -> None:
    document(bundle)["category"][0]["coding"][0]["code"] = "OWN"


def patching(pattern: str, new: str) -> Act:
    """The PATCH of the step changed."""
    return lambda bench: bench.send_fhir("PATCH", sub(pattern, new))


FHIR_FAULTS: tuple[Fault, ...] = (
    fault(
        "FHIR-01",
        SEARCHED,
        "shows its token under another scheme",
        lambda bench: bench.send_fhir("ITI-67", head=sub("Authorization: Bearer [^\r]*", "Authorization: Basic YTpi")),
    ),
    fault(
        "FHIR-02",
        FED,
        "declares plain JSON",
        lambda bench: bench.send_fhir("ITI-65", head=sub("application/fhir[+]json", "application/json")),
    ),
    fault("FHIR-03", FED, "sends a batch", feeding(lambda bundle: bundle.update(type="batch"))),
    fault("FHIR-04", FED, "lists another document", feeding(lambda bundle: listed(bundle).update(entry=[]))),
    fault(
        "FHIR-05",
        FED,
        "puts the List",
        feeding(lambda bundle: bundle["entry"][0]["request"].update(method="PUT", url="List/1")),
    ),
    fault("FHIR-06", FED, "leaves the document elsewhere", feeding(_without_its_binary)),
    fault("FHIR-07", FED, "tells the hash of something else", feeding(_of_another_digest)),
    fault("FHIR-08", FED, "tells no size", feeding(_without_size)),
    fault("FHIR-09", FED, "gives the submission no source", feeding(lambda bundle: listed(bundle).pop("source"))),
    fault(
        "FHIR-10",
        REPLACED,
        "replaces a document of its own making",
        feeding(lambda bundle: document(bundle)["relatesTo"][0]["target"].update(reference="DocumentReference/mine")),
    ),
    fault("FHIR-11", FED, "names the patient by another number than the INS", feeding(_of_another_number)),
    fault("FHIR-12", SEARCHED, "searches without status", searching("&status=[^& ]*")),
    fault(
        "FHIR-13",
        SEARCHED,
        "searches another patient than its token names",
        searching("7C[0-9]{15}", "7C179046912305541"),
    ),
    fault(
        "FHIR-14",
        READ,
        "makes the address of a document itself",
        lambda bench: bench.send_fhir("ITI-68", head=sub("/fhir/Binary/[^ ?]+", "/fhir/Binary/mine")),
    ),
    fault("FHIR-16", SEARCHED, "shows a token (JWT) about another patient", showing(patient="179046912305541")),
    fault(
        "FHIR-17",
        MASKED,
        "leads to labels by a place that is no JSON Pointer",
        patching("/securityLabel/-", "securityLabel/-"),
    ),
    fault(
        "FHIR-18",
        MASKED,
        "changes the description as well",
        patching(r"\]$", ', {"op": "replace", "path": "/description", "value": "Masqué"}]'),
    ),
    fault(
        "FHIR-19",
        MASKED,
        "gives the label under the OID of the INS",
        patching('"https://mos[^"]+"', f'"urn:oid:{TEST_INS}"'),
    ),
    fault("FHIR-20", ARCHIVED, "says isArchived by a text", patching('"valueBoolean": true', '"valueBoolean": "true"')),
    fault(
        "FHIR-21",
        MASKED,
        "replaces the first label without looking",
        patching('"add", "path": "/securityLabel/-"', '"replace", "path": "/securityLabel/0"'),
    ),
    fault(
        "FHIR-22",
        ARCHIVED,
        "archives a document by an identifier of its own making",
        lambda bench: bench.send_fhir("PATCH", head=sub("urn:oid:[0-9.]+", "urn:oid:2.25.4711")),
    ),
    fault(
        "FHIR-23",
        ARCHIVED,
        "unarchives where it should archive",
        patching('"valueBoolean": true', '"valueBoolean": false'),
    ),
    fault("FHIR-15", FED, "sends a category of its own", feeding(_with_a_code_of_its_own)),
)
