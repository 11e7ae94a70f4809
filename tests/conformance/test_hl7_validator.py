"""The validator of HL7 over everything that Carnet emits: R4, and the profiles of MHD and BALP that it declares."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from conformance.peers.hl7_validator import Finding, validate
from conformance.peers.maven_build import HAPI
from tests import servers
from tests.conformance.emitted import NOTIFICATIONS, TARGET, audit_events, emitted, notifications
from tests.conformance.ipf_batch import build_or_skip
from tests.notified import a_subscriber

pytestmark = pytest.mark.corpus
_PACKAGES = (
    "hl7.fhir.r4.core-4.0.1",
    "ihe.iti.mhd-4.2.4",
    "ihe.iti.balp-1.1.4",
    "ihe.iti.pdqm-3.2.0",
    "ihe.iti.pixm-3.1.0",
    "ihe.formatcode.fhir-1.5.0",
)

OWN_EXTENSION = servers.ROOT / "docs" / "generated" / "StructureDefinition-xds-attributes.json"
# Specifications of which no package lies here.
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/"
_PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The folder of what was emitted, and the errors that one JVM found in it."""

    folder: Path
    errors: tuple[Finding, ...]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Batch:
    build_or_skip(HAPI)
    folder = tmp_path_factory.mktemp("hl7")
    resources = folder / "resources"
    resources.mkdir()
    for name, octets in _everything(folder):
        (resources / name).write_bytes(octets)
    packages = [corpus / "fhir-packages" / f"{one}.tgz" for one in _PACKAGES]
    found = validate(
        sorted(resources.iterdir()),
        packages=packages,
        definitions=[OWN_EXTENSION],
        extensions=[_BACKPORT, _PDSM],
        report=folder / "report.json",
    )
    return Batch(folder=resources, errors=tuple(one for one in found if one.is_error))


def _everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    subscriber = a_subscriber()
    given = {"domain": "ihe", "audit": "on", "notification_targets": f"{TARGET} {subscriber.url}"}
    settings = servers.settings_for(folder / "carnet", **given)
    with servers.in_process(settings) as server:
        yield from notifications(server, subscriber)
        subscriber.down()
        for name, octets in emitted(server):
            yield name, octets
            yield from _as_its_profile(name, octets)
            yield from _broken(name, octets)
    yield from audit_events()


def _as_its_profile(name: str, octets: bytes) -> Iterator[tuple[str, bytes]]:
    """Of what names no profile, a copy that names that of MHD for what it is."""
    profile = MHD_PROFILES.get(name.removesuffix(".json"))
    if profile is not None:
        resource = json.loads(octets)
        resource["meta"]["profile"] = [f"{MHD}{profile}"]
        yield f"as-mhd-{name}", json.dumps(resource).encode()


def _broken(name: str, octets: bytes) -> Iterator[tuple[str, bytes]]:
    """What the validator must refuse: the judge itself is proved by them."""
    change = BROKEN.get(name)
    if change is not None:
        resource = json.loads(octets)
        change(resource)
        yield f"broken-{name}", json.dumps(resource).encode()


def _without_sources(resource: dict[str, Any]) -> None:
    resource["meta"]["profile"] = [f"{MHD}IHE.MHD.Comprehensive.DocumentReference"]
    del resource["context"]["sourcePatientInfo"]


def _without_patients(log: dict[str, Any]) -> None:
    for entry in log["entry"]:
        entry["resource"]["entity"] = entry["resource"].get("entity", [])[1:]


MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
MHD_PROFILES = {
    "document-minimal": "IHE.MHD.Minimal.DocumentReference",
    "document-comprehensive": "IHE.MHD.Comprehensive.DocumentReference",
    "document-uncontained.comprehensive": "IHE.MHD.UnContained.Comprehensive.DocumentReference",
    "document-pdsm": "IHE.MHD.Comprehensive.DocumentReference",
    "list-pdsm": "IHE.MHD.Comprehensive.SubmissionSet",
    "replacement": "IHE.MHD.Comprehensive.DocumentReference",
    "list-minimal": "IHE.MHD.Minimal.SubmissionSet",
    "list-comprehensive": "IHE.MHD.Comprehensive.SubmissionSet",
    "folder": "IHE.MHD.Comprehensive.Folder",
}
BROKEN: dict[str, Callable[[dict[str, Any]], None]] = {
    "document-comprehensive.json": _without_sources,
    "document-minimal.json": lambda resource: resource.update(status="gone"),
    "log.json": _without_patients,
}


def test_the_validator_of_hl7_finds_no_error_in_what_is_emitted(batch: Batch) -> None:
    assert [(one.file, one.location, one.message) for one in batch.errors if not one.file.startswith("broken-")] == []


def test_every_kind_of_resource_was_judged_in_both_formats(batch: Batch) -> None:
    kinds = {(one.suffix, _kind(one)) for one in batch.folder.iterdir()}
    in_both = {"AuditEvent", "Binary", "Bundle", "CapabilityStatement", "DocumentReference", "List", "Patient"}
    in_both |= {"OperationOutcome", "Subscription"}
    assert {kind for suffix, kind in kinds if suffix == ".json"} == in_both
    assert {kind for suffix, kind in kinds if suffix == ".xml"} == in_both - {"AuditEvent"}


def test_everything_a_subscriber_is_told_was_judged(batch: Batch) -> None:
    told = [one for one in batch.folder.iterdir() if one.name.startswith("notification-")]
    assert len(told) == NOTIFICATIONS
    methods = set[str]()
    for one in told:
        if one.suffix == ".json":
            methods |= {entry["request"]["method"] for entry in json.loads(one.read_bytes())["entry"]}
    assert methods == {"GET", "POST", "PUT"}


def _kind(file: Path) -> str:
    if file.suffix == ".xml":
        return str(etree.QName(etree.parse(str(file)).getroot()).localname)
    return str(json.loads(file.read_bytes())["resourceType"])


def test_the_transactions_of_mhd_name_their_audit_profiles(batch: Batch) -> None:
    found = set[str]()
    for name in ("log.json", "log-of-publication.json"):
        for entry in json.loads((batch.folder / name).read_bytes())["entry"]:
            found |= set(entry["resource"].get("meta", {}).get("profile", ()))
    assert {one.rpartition("/IHE.")[2] for one in found} == {
        "BasicAudit.PatientRead",
        "MHD.FindDocumentLists.Audit.Responder",
        "MHD.FindDocumentReferences.Audit.Responder",
        "MHD.ProvideBundle.Audit.Recipient",
        "MHD.RetrieveDocument.Audit.Responder",
        "MHD.SimplifiedPublish.Audit.Recipient",
    }


def test_the_judge_refuses_what_breaks_r4_mhd_or_balp(batch: Batch) -> None:
    refused = {name: [one.message for one in batch.errors if one.file == f"broken-{name}"] for name in BROKEN}
    assert any("sourcePatientInfo: minimum required = 1" in one for one in refused["document-comprehensive.json"])
    assert any("'gone'" in one for one in refused["document-minimal.json"])
    assert any("AuditEvent.entity:patient" in one for one in refused["log.json"])
