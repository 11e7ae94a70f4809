"""The example requests of MHD 4.2.4 against a server that has what they refer to. MHD, examples of IHE."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.fhir_requests import fed, provide, send
from tests.servers import Server

pytestmark = pytest.mark.corpus

# Example -> the element for which it is refused, and why.
REFUSED = {
    "ex-dummyBundleDocAndBinary": ("Bundle.meta.profile", "it names no profile of MHD"),
    "ex-minimalProvideDocumentBundleSimpleContained": ("subject", "it is about nobody, and XDS needs a patient"),
    "ex-comprehensiveProvideDocumentBundleReplace": ("attachment.size", "its size is 24, its document has 23 octets"),
}
ACCEPTED = (
    "ex-ProvideDocumentBundle-addToFolder",
    "ex-comprehensiveProvideDocumentBundleComplete",
    "ex-comprehensiveProvideDocumentBundleDocument",
    "ex-comprehensiveProvideDocumentBundleMultiple",
    "ex-comprehensiveProvideDocumentBundleSimple",
    "ex-minimalProvideDocumentBundleSimple",
    "ex-unContainedComprehensiveProvideDocumentBundleComplete",
)


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"), database, domain="ihe")
    with servers.in_process(settings) as running:
        yield running


def example(corpus: Path, name: str, server: Server) -> dict[str, Any]:
    """The Bundle with references to what is here, and identifiers of its own."""
    patient = fed(server, {"resourceType": "Patient", "name": [{"family": "Schmidt"}]})
    binary, folder = fhir.a_urn(), fhir.a_urn()
    document = fhir.a_urn()
    made = provide(
        server,
        fhir.a_bundle(
            fhir.an_entry(fhir.a_document_reference(patient, binary), document),
            fhir.an_entry(fhir.a_submission_set_list(patient, document, folder)),
            fhir.an_entry(fhir.a_folder_list(patient, document), folder),
            fhir.an_entry(fhir.a_binary(), binary),
        ),
    )
    text = (corpus / "mhd/ihe-examples/examples/bundles" / f"Bundle-{name}.json").read_text(encoding="utf-8")
    for old in ("http://example.org/fhir/Patient/fdoc-patient", "Patient/ex-patient"):
        text = text.replace(f'"{old}"', f'"{patient}"')
    for old in ("ex-documentreference", "ex-DocumentReferenceComprehensive"):
        text = text.replace(
            f'"DocumentReference/{old}"', f'"{made[0]["location"].removeprefix(server.url + "/fhir/")}"'
        )
    bundle: dict[str, Any] = json.loads(text)
    for entry in bundle["entry"]:
        identify(entry, made[2]["location"].rpartition("/")[2])
    return bundle


def identify(entry: dict[str, Any], folder: str) -> None:
    resource = entry["resource"]
    if "masterIdentifier" in resource:
        resource["masterIdentifier"]["value"] = f"urn:oid:2.25.{uuid.uuid4().int}"
    for identifier in resource.get("identifier", ()) if resource["resourceType"] == "List" else ():
        identifier["value"] = f"urn:oid:2.25.{uuid.uuid4().int}"
    if entry["request"]["method"] == "PUT":
        resource["id"] = folder


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_example_is_taken(server: Server, corpus: Path, name: str) -> None:
    bundle = example(corpus, name, server)
    for entry, answer in zip(bundle["entry"], provide(server, bundle), strict=True):
        is_update = entry["request"]["method"] == "PUT"
        assert answer["status"][:3] == ("200" if is_update else "201")
        assert server.request("GET", answer["location"].removeprefix(server.url)).status == 200


@pytest.mark.parametrize("name", REFUSED)
def test_an_example_that_breaks_a_rule_is_refused_for_it(server: Server, corpus: Path, name: str) -> None:
    response = send(server, "POST", "/fhir", example(corpus, name, server))
    assert response.status == 400
    issues = json.loads(response.body)["issue"]
    assert any(one.endswith(REFUSED[name][0]) for issue in issues for one in issue.get("expression", [])), issues
