"""Simplified Publish [ITI-105]: a DocumentReference with its document inside, said as ITI-65. MHD 2:3.105.

The SubmissionSet that XDS asks for is derived: its author, patient and time are those of the DocumentReference.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from access_policy.caller import Caller
from fhir_facade import iti65_provide_document_bundle as iti65
from fhir_facade import iti67_find_document_references as iti67
from fhir_facade.code_systems import to_coding
from fhir_facade.conditional import AlreadyThere, NoneExist
from fhir_facade.fhir_json import first, read_own_json, texts_of
from fhir_facade.issues import Issue
from fhir_facade.operation_outcome import FhirProblem, refusal
from fhir_facade.profile_rules import PDSM_PUBLICATION, Level, profile_rules
from fhir_facade.shared_elements import MHD_EXTENSION
from fhir_facade.structural_rules import structural_rules
from fhir_facade.times import to_instant
from registry.store import Registry
from repository.store import Repository
from xds.datatypes import DTM
from xds.ebrim.attributes import SubmissionKind
from xds.identifiers import OID_PREFIX, new_oid, new_uuid_urn

_PROFILE = f"{MHD_EXTENSION}IHE.MHD.Minimal.ProvideBundle"
_PDSM_PROFILE = "://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-simplified-publish"
_LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
_PLACE = re.compile(r"Bundle\.entry\[0\]\.resource")
_UNPROCESSABLE = 422


class Published(NamedTuple):
    """The DocumentReference as it was created, and where it is; or the id of the one that was there, and neither."""

    resource: bytes
    location: str
    present: str = ""


def handle(
    registry: Registry,
    repository: Repository,
    resource: Mapping[str, Any],
    caller: Caller,
    *,
    base_url: str,
    unless: NoneExist | None = None,
) -> Published:
    """Raises FhirProblem with everything that was found: 400, or 422 for what the registry refuses; nothing stored."""
    issues = list(structural_rules(resource)) or list(_profile_rules(resource))
    if issues:
        raise refusal(issues)
    bundle = derived_bundle(registry, repository, *_apart(resource))
    try:
        answer = iti65.handle(
            registry,
            repository,
            bundle,
            caller,
            base_url=base_url,
            kind=SubmissionKind.PUBLICATION,
            unless=unless,
        )
    except AlreadyThere as found:
        return Published(resource=b"", location="", present=found.fhir_id)
    except FhirProblem as problem:
        raise _in_its_words(problem) from None
    location = str(read_own_json(answer.decode())["entry"][0]["response"]["location"])
    created = iti67.read(registry, location.rpartition("/")[2], caller, base_url=base_url)
    return Published(resource=created, location=location)


def _profile_rules(resource: Mapping[str, Any]) -> Iterator[Issue]:
    """What makes it one document with its octets, and no more than that."""
    if resource["resourceType"] != "DocumentReference":
        yield Issue("structure", "expected a DocumentReference", "resourceType")
        return
    attachment = first(resource["content"]).get("attachment", {})
    at = "DocumentReference.content[0].attachment"
    if "data" not in attachment:
        yield Issue("required", "found no data, expected the document in base64", f"{at}.data")
    if "contentType" not in attachment:
        yield Issue("required", "found no contentType", f"{at}.contentType")
    if "url" in attachment:
        yield Issue("structure", "found a url, expected data alone", f"{at}.url")
    if "docStatus" in resource:
        yield Issue("structure", "found docStatus, expected none", "DocumentReference.docStatus")
    if any(_PDSM_PROFILE in one for one in texts_of(resource.get("meta", {}), "profile")):
        yield from profile_rules(PDSM_PUBLICATION, Level.PDSM, resource, "DocumentReference")
    for number, relation in enumerate(resource.get("relatesTo", ())):
        if relation["code"] == "replaces" and len(resource["relatesTo"]) > 1:
            sentence = "found several relations, expected one document that is replaced, or none"
            yield Issue("not-supported", sentence, f"DocumentReference.relatesTo[{number}]")


def _apart(resource: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The DocumentReference without its document, and the document as a Binary."""
    content = dict(first(resource["content"]))
    attachment = dict(content["attachment"])
    binary = {"resourceType": "Binary", "contentType": attachment["contentType"], "data": attachment.pop("data")}
    reference = {name: value for name, value in resource.items() if name != "id"}
    return reference | {"content": [content | {"attachment": attachment}, *resource["content"][1:]]}, binary


def derived_bundle(
    registry: Registry, repository: Repository, reference: Mapping[str, Any], document: Mapping[str, Any]
) -> dict[str, Any]:
    """The Provide Document Bundle of one document, a Binary or a FHIR document. MHD 2:3.105.4.1.3, 2:3.106.4.1.3

    The attachment of the DocumentReference has no url yet. Its class is the contentTypeCode, where no setting says one.
    """
    kind = registry.domain.derived_content_type
    designation = first(reference.get("category", ())) if kind is None else {"coding": [to_coding(kind)]}
    derived = _derived_set(reference, designation, now=to_instant(DTM(registry.now())), source_id=repository.unique_id)
    name, url = new_uuid_urn(), new_uuid_urn()
    content = dict(first(reference["content"]))
    content["attachment"] = content["attachment"] | {"url": url}
    entries = (
        (name, {**reference, "content": [content, *reference["content"][1:]]}),
        (new_uuid_urn(), {**derived, "entry": [{"item": {"reference": name}}]}),
        (url, document),
    )
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [_PROFILE]},
        "type": "transaction",
        "entry": [
            {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for url, one in entries
        ],
    }


def _derived_set(
    resource: Mapping[str, Any], designation: Mapping[str, Any], *, now: str, source_id: str
) -> dict[str, Any]:
    """The List of the one document; its contentTypeCode is by setting, or the class of the document."""
    extension: list[dict[str, Any]] = [
        {"url": f"{MHD_EXTENSION}ihe-sourceId", "valueIdentifier": {"value": f"{OID_PREFIX}{source_id}"}}
    ]
    if designation:
        extension.append({"url": f"{MHD_EXTENSION}ihe-designationType", "valueCodeableConcept": dict(designation)})
    derived: dict[str, Any] = {
        "resourceType": "List",
        "extension": extension,
        "identifier": [
            {"use": "usual", "system": "urn:ietf:rfc:3986", "value": f"{OID_PREFIX}{new_oid()}"},
        ],
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": _LIST_TYPES, "code": "submissionset"}]},
        "date": now,
    }
    author = first(resource.get("author", ()))
    if author:
        derived |= {"source": dict(author)} | _contained(resource, author)
    return derived | ({"subject": resource["subject"]} if "subject" in resource else {})


def _contained(resource: Mapping[str, Any], author: Mapping[str, Any]) -> dict[str, Any]:
    """The contained resources, where the author is one of them."""
    is_contained = str(author.get("reference", "")).startswith("#")
    return {"contained": list(resource.get("contained", ()))} if is_contained else {}


def _in_its_words(problem: FhirProblem) -> FhirProblem:
    """The findings at the elements of the DocumentReference that was sent."""
    issues = tuple(
        issue._replace(
            expression=_PLACE.sub("DocumentReference", issue.expression),
            diagnostics=_PLACE.sub("DocumentReference", issue.diagnostics),
        )
        for issue in problem.issues
    )
    refused_by_registry = problem.status == 400 and any(issue.error_code for issue in issues)
    return refusal(issues, _UNPROCESSABLE if refused_by_registry else problem.status)
