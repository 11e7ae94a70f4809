"""The DocumentReference of a FHIR document, made of its Composition. MHD 2:3.106.4.1.3; FHIR R4 3.3.1."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fhir_facade.code_systems import URI_SYSTEM
from fhir_facade.fhir_json import first, without_empty
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.patients import domain_identifier
from xds.affinity_domain import AffinityDomain
from xds.identifiers import OID_PREFIX, UUID_PREFIX, is_uuid_urn

Resource = Mapping[str, Any]
_UNPROCESSABLE = 422
_PEOPLE = ("Practitioner", "PractitionerRole", "Organization", "Device", "Patient", "RelatedPerson")
_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
# What the type of the octets says is all there is to say. ITI TF-3: 4.2.3.1.4
_FORMAT = {
    "system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
    "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
    "display": "mimeType Sufficient",
}


@dataclass(slots=True, kw_only=True)
class _Contained:
    """Resources of the document that the DocumentReference takes with it; each names others within itself alone."""

    document: Resource
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)

    def found(self, reference: Resource) -> Resource:
        """The entry a Reference leads to, by its fullUrl or the end of it; empty for none. FHIR R4 3.3.3"""
        text = str(reference.get("reference", ""))
        for entry in self.document.get("entry", ()):
            resource: Resource = entry.get("resource", {})
            named = f"{resource.get('resourceType')}/{resource.get('id')}"
            if text and text in (entry.get("fullUrl", ""), named):
                return resource
        return {}

    def take(self, reference: Resource) -> dict[str, Any]:
        """The Reference to what is contained then; what is not in the document is said by identifier or name."""
        text, resource = str(reference.get("reference", "")), self.found(reference)
        if resource.get("resourceType") not in _PEOPLE:
            return {name: reference[name] for name in ("identifier", "display") if name in reference}
        if text not in self.taken:
            kept = {name: value for name, value in resource.items() if name not in ("id", "meta", "text", "contained")}
            self.taken[text] = copy = {**kept, "id": f"r{len(self.taken) + 1}"}
            copy |= {name: self._within(value) for name, value in kept.items()}
        return {"reference": f"#{self.taken[text]['id']}"}

    def _within(self, value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in map(self._within, value) if one not in ({}, [])]
        if not isinstance(value, dict):
            return value
        if "reference" in value:
            return self.take(value)
        return {name: self._within(one) for name, one in value.items()}


def document_reference(document: Resource, content_type: str, domain: AffinityDomain, *, now: str) -> dict[str, Any]:
    """A DocumentReference without the url of its attachment; `now` is an instant.

    Raises FhirProblem 422 for what is no document.
    """
    composition: Resource = first(document.get("entry", ())).get("resource", {})
    if document.get("type") != "document" or composition.get("resourceType") != "Composition":
        raise FhirProblem(_UNPROCESSABLE, "structure", "expected a Bundle of type document, a Composition first in it")
    contained = _Contained(document=document)
    attachment = {
        "contentType": content_type,
        "language": composition.get("language") or document.get("language"),
        "title": composition.get("title"),
        "creation": composition.get("date"),
    }
    made = {
        "resourceType": "DocumentReference",
        "masterIdentifier": _unique_id(document),
        "status": "current",
        "type": composition.get("type"),
        "category": list(composition.get("category", ()))[:1],
        "subject": _subject(contained, composition, domain),
        "date": now,
        "author": [one for one in map(contained.take, composition.get("author", ())) if one],
        "authenticator": contained.take(first(_legal(composition))),
        "custodian": contained.take(composition.get("custodian", {})),
        "securityLabel": list(_labels(composition)),
        "content": [{"attachment": without_empty(attachment), "format": _FORMAT}],
        "context": without_empty(_context(contained, composition)),
    }
    return without_empty({**made, "contained": list(contained.taken.values())})


def _unique_id(document: Resource) -> dict[str, Any]:
    """The identifier of the document; a UUID as the OID that it is. FHIR R4 3.3.2; ITU-T X.667"""
    identifier = dict(document.get("identifier", {}))
    value = str(identifier.get("value", ""))
    if not value:
        raise FhirProblem(_UNPROCESSABLE, "required", "found a document without identifier")
    if identifier.get("system") == URI_SYSTEM and is_uuid_urn(value.lower()):
        identifier["value"] = f"{OID_PREFIX}2.25.{UUID(value.lower().removeprefix(UUID_PREFIX)).int}"
    return identifier


def _subject(contained: _Contained, composition: Resource, domain: AffinityDomain) -> dict[str, Any]:
    """The patient by the identifier the domain knows; a Patient elsewhere by the reference to it."""
    reference: Resource = composition.get("subject", {})
    patient = contained.found(reference)
    if patient.get("resourceType") != "Patient":
        return dict(reference)
    known = domain_identifier(patient, domain)
    if known is not None:
        return {"identifier": {"system": f"{OID_PREFIX}{known.authority}", "value": known.id}}
    return {"identifier": dict(first(patient.get("identifier", ())))}


def _legal(composition: Resource) -> Iterator[Resource]:
    """legalAuthenticator. FHIR R4 Composition.attester"""
    for attester in composition.get("attester", ()):
        if attester.get("mode") == "legal" and "party" in attester:
            yield attester["party"]


def _labels(composition: Resource) -> Iterator[dict[str, Any]]:
    if "confidentiality" in composition:
        yield {"coding": [{"system": _CONFIDENTIALITY, "code": composition["confidentiality"]}]}


def _context(contained: _Contained, composition: Resource) -> dict[str, Any]:
    events = composition.get("event", ())
    patient = composition.get("subject", {})
    is_here = contained.found(patient).get("resourceType") == "Patient"
    return {
        "event": [code for event in events for code in event.get("code", ())],
        "period": first(event["period"] for event in events if "period" in event),
        "sourcePatientInfo": contained.take(patient) if is_here else {},
    }
