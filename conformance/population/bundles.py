"""The same documents for FHIR: Provide Document Bundle [ITI-65] with comprehensive metadata. IHE MHD 2:3.65.4.1"""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from conformance.population.chance import Chance
from conformance.population.documents import Document
from conformance.population.people import TEST_NIR, Patient, Professional
from conformance.population.submissions import entry_uuid_of
from conformance.population.value_sets import code
from conformance.vihf import Coded

_PROFILE = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Comprehensive."
_SOURCE = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId"
_CODES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
Resource = dict[str, Any]


def provide_bundle(documents: Sequence[Document], chance: Chance) -> bytes:
    """The transaction Bundle, JSON. The patient is named by identifier, and is in it for servers that want one."""
    entries, references = [], []
    for document in documents:
        reference, binary = entry_uuid_of(document), f"urn:uuid:{chance.uuid()}"
        references.append({"item": {"reference": reference}})
        entries.append(_posted(reference, _reference(document, binary)))
        content = base64.b64encode(document.content).decode("ascii")
        entries.append(_posted(binary, {"resourceType": "Binary", "contentType": "text/xml", "data": content}))
    submission = _list(documents[0], references, chance)
    entries.insert(0, _posted(f"urn:uuid:{chance.uuid()}", submission))
    bundle = {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{_PROFILE}ProvideBundle"]},
        "type": "transaction",
        "entry": entries,
    }
    return (json.dumps(bundle, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def patient_resource(patient: Patient) -> Resource:
    """The person as a FHIR Patient."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": f"urn:oid:{TEST_NIR}", "value": patient.ins}],
        "name": [{"use": "official", "family": patient.family, "given": [patient.given]}],
        "gender": {"F": "female", "M": "male"}[patient.sex],
        "birthDate": f"{patient.birth:%Y-%m-%d}",
    }


def _posted(full_url: str, resource: Resource) -> Resource:
    return {
        "fullUrl": full_url,
        "resource": resource,
        "request": {"method": "POST", "url": str(resource["resourceType"])},
    }


def _subject(patient: Patient) -> Resource:
    return {"identifier": {"system": f"urn:oid:{TEST_NIR}", "value": patient.ins}}


def _concept(coded: Coded) -> Resource:
    return {"coding": [_coding(coded)]}


def _coding(coded: Coded) -> Resource:
    systems = {"2.16.840.1.113883.6.1": "http://loinc.org"}
    found = {"system": systems.get(coded.system, f"urn:oid:{coded.system}"), "code": coded.code}
    return found | ({"display": coded.display} if coded.display else {})


def _instant(document: Document) -> str:
    return f"{document.created:%Y-%m-%dT%H:%M:%S}+01:00"


def _author(author: Professional) -> Resource:
    number = {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": author.identifier}
    name = {"family": author.family, "given": [author.given]}
    return {"resourceType": "Practitioner", "id": "author", "identifier": [number], "name": [name]}


def _person(patient: Patient) -> Resource:
    local = {"system": "urn:oid:2.25.4711", "value": patient.number}
    return patient_resource(patient) | {"id": "source", "identifier": [local]}


def _reference(document: Document, binary: str) -> Resource:
    content, form = document.content, document.form
    attachment = {
        "contentType": "text/xml",
        "language": "fr-FR",
        "url": binary,
        "size": len(content),
        "hash": base64.b64encode(hashlib.sha1(content).digest()).decode("ascii"),
        "title": document.title,
        "creation": _instant(document),
    }
    found: Resource = {
        "resourceType": "DocumentReference",
        "meta": {"profile": [f"{_PROFILE}DocumentReference"]},
        "contained": [_person(document.patient), _author(document.author)],
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{document.unique_id}"},
        "status": "current",
        "type": _concept(document.type),
        "category": [_concept(document.class_code)],
        "subject": _subject(document.patient),
        "date": _instant(document),
        "author": [{"reference": "#author"}],
        "authenticator": {"reference": "#author"},
        "securityLabel": [_concept(one) for one in document.confidentiality],
        "content": [
            {"attachment": attachment, "format": _coding(Coded(code=form.format_code, system=form.format_system))}
        ],
        "context": {
            "period": {"start": f"{document.started:%Y-%m-%dT%H:%M:%S}+01:00"},
            "facilityType": _concept(code("JDV_J61", "SA07")),
            "practiceSetting": _concept(code("JDV_J62", "AMBULATOIRE")),
            "sourcePatientInfo": {"reference": "#source"},
        },
    }
    if document.replaces:
        old = f"DocumentReference/{Chance(0, 'entry', document.replaces).uuid()}"
        found["relatesTo"] = [{"code": "replaces", "target": {"reference": old}}]
    return found


def _list(first: Document, references: list[Resource], chance: Chance) -> Resource:
    kind = _concept(code("JDV_J59", "07"))
    return {
        "resourceType": "List",
        "meta": {"profile": [f"{_PROFILE}SubmissionSet"]},
        "contained": [_author(first.author)],
        "extension": [
            {"url": _SOURCE, "valueIdentifier": {"value": "urn:oid:2.25.4711"}},
            {
                "url": "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-designationType",
                "valueCodeableConcept": kind,
            },
        ],
        "identifier": [{"use": "usual", "system": "urn:ietf:rfc:3986", "value": f"urn:oid:{chance.oid()}"}],
        "status": "current",
        "mode": "working",
        "title": first.title,
        "code": {"coding": [{"system": _CODES, "code": "submissionset"}]},
        "subject": _subject(first.patient),
        "date": _instant(first),
        "source": {"reference": "#author"},
        "entry": references,
    }
