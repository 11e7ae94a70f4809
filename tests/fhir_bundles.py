"""Provide Document Bundles, written here: valid by default, one change per test. MHD 2:3.65."""

import base64
import hashlib
import uuid
from typing import Any

MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
Resource = dict[str, Any]


def a_urn() -> str:
    return uuid.uuid4().urn


def an_oid_urn() -> str:
    return f"urn:oid:2.25.{uuid.uuid4().int}"


def a_patient(value: str = "", system: str = "urn:oid:2.25.99") -> Resource:
    return {
        "resourceType": "Patient",
        "identifier": [
            {"system": system, "value": value or uuid.uuid4().hex},
            {"system": "http://hospital.example/patients", "value": uuid.uuid4().hex},
        ],
        "name": [{"family": "Durand", "given": ["Aline", "Marie"]}],
        "gender": "female",
        "birthDate": "1979-03-17",
    }


def a_concept(code: str = "11488-4", system: str = "http://loinc.org", display: str = "Consult note") -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def a_document_reference(subject: str, binary: str, content: bytes = b"content", **changes: Any) -> Resource:
    resource = {
        "resourceType": "DocumentReference",
        "contained": [
            {
                "resourceType": "Patient",
                "id": "source",
                "identifier": [{"system": "urn:oid:2.25.98", "value": "MRN-1"}],
                "name": [{"family": "Durand", "given": ["Aline"]}],
                "birthDate": "1979-03-17",
                "gender": "female",
            },
            {
                "resourceType": "Practitioner",
                "id": "author",
                "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "899700218896"}],
                "name": [{"family": "Petit", "given": ["Paul"]}],
            },
        ],
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">A report</div>'},
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": an_oid_urn()},
        "status": "current",
        "type": a_concept(),
        "category": [a_concept("REPORTS", "urn:oid:1.3.6.1.4.1.19376.1.2.6.1", "Reports")],
        "subject": {"reference": subject},
        "date": "2026-03-10T09:45:00.123+01:00",
        "author": [{"reference": "#author"}],
        "description": "A consultation",
        "securityLabel": [a_concept("N", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "normal")],
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain",
                    "language": "fr-FR",
                    "url": binary,
                    "size": len(content),
                    "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode(),
                    "title": "Consultation",
                    "creation": "2026-03-10T09:30:00+01:00",
                },
                "format": {
                    "system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
                    "code": "urn:ihe:iti:xds-sd:text:2008",
                    "display": "ITI XDS-SD TEXT",
                },
            }
        ],
        "context": {
            "event": [
                a_concept("PATDOC", "http://terminology.hl7.org/CodeSystem/v3-ActCode", "patient documentation task")
            ],
            "period": {"start": "2026-03-10T09:00:00Z", "end": "2026-03-10T09:20:00Z"},
            "facilityType": a_concept("82242000", "http://snomed.info/sct", "Children's hospital"),
            "practiceSetting": a_concept("408467006", "http://snomed.info/sct", "Adult mental illness"),
            "sourcePatientInfo": {"reference": "#source"},
        },
    }
    resource |= changes
    return {name: value for name, value in resource.items() if value is not None}


def a_submission_set_list(subject: str, *members: str, **changes: Any) -> Resource:
    resource = {
        "resourceType": "List",
        "extension": [
            {
                "url": f"{MHD}ihe-designationType",
                "valueCodeableConcept": a_concept("225728007", "http://snomed.info/sct", "Emergency department"),
            },
            {"url": f"{MHD}ihe-sourceId", "valueIdentifier": {"value": "urn:oid:2.25.4711"}},
        ],
        "identifier": [{"use": "usual", "system": "urn:ietf:rfc:3986", "value": an_oid_urn()}],
        "status": "current",
        "mode": "working",
        "title": "A submission",
        "code": a_concept(
            "submissionset", "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "SubmissionSet as a FHIR List"
        ),
        "subject": {"reference": subject},
        "date": "2026-03-10T09:46:00+01:00",
        "entry": [{"item": {"reference": member}} for member in members],
    }
    resource |= changes
    return {name: value for name, value in resource.items() if value not in (None, [])}


def a_folder_list(subject: str, *members: str, **changes: Any) -> Resource:
    resource = a_submission_set_list(subject, *members) | {
        "extension": [
            {
                "url": f"{MHD}ihe-designationType",
                "valueCodeableConcept": a_concept("284548004", "http://snomed.info/sct", "Hospital department"),
            }
        ],
        "title": "A folder",
        "code": a_concept(
            "folder", "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "Folder as a FHIR List"
        ),
    }
    return resource | changes


def a_binary(content: bytes = b"content", kind: str = "text/plain") -> Resource:
    return {"resourceType": "Binary", "contentType": kind, "data": base64.b64encode(content).decode()}


def an_entry(resource: Resource, full_url: str = "", method: str = "POST", url: str = "") -> Resource:
    return {
        "fullUrl": full_url or a_urn(),
        "resource": resource,
        "request": {"method": method, "url": url or resource["resourceType"]},
    }


def a_bundle(*entries: Resource, level: str = "Comprehensive") -> Resource:
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{MHD}IHE.MHD.{level}.ProvideBundle"]},
        "type": "transaction",
        "entry": list(entries),
    }


def a_provide_bundle(
    subject: str, content: bytes = b"content", *, level: str = "Comprehensive", **changes: Any
) -> Resource:
    """One document; `changes` of its DocumentReference, None takes an element away."""
    document, binary = a_urn(), a_urn()
    return a_bundle(
        an_entry(a_document_reference(subject, binary, content, **changes), document),
        an_entry(a_submission_set_list(subject, document)),
        an_entry(a_binary(content), binary),
        level=level,
    )
