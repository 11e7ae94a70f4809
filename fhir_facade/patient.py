"""Patient: read, and search by identifier, as far as the registry knows patients. FHIR R4 Patient; PDSm4DMP."""

from collections.abc import Sequence
from typing import Any

from fhir_facade.code_systems import URI_SYSTEM
from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.operation_outcome import bad_request, not_found
from fhir_facade.patients import Patients
from fhir_facade.search_values import read_token, split
from fhir_facade.times import to_instant
from registry.sql.patient_resources import PatientRow
from xds.datatypes import DTM

MOST_VALUES = 20
_SCOPES = ("identifier", "_id")
_IGNORED = ("_count", "_format", "_pretty", "_total")


def read(patients: Patients, fhir_id: str) -> tuple[bytes, PatientRow]:
    """One Patient and its row. Raises FhirProblem 404."""
    found = patients.read(f"Patient/{fhir_id}")
    if found is None:
        raise not_found()
    return write_json(to_patient(found)), found


def search(patients: Patients, parameters: Sequence[tuple[str, str]], *, strict: bool = False) -> bytes:
    """The Patients with an identifier, as a searchset. Raises FhirProblem."""
    asked = [(name, value) for name, value in parameters if name in _SCOPES]
    unknown = [name for name, _ in parameters if name not in (*_SCOPES, *_IGNORED)]
    if not asked or any(len(split(value)) > MOST_VALUES for _, value in asked):
        raise bad_request("expected identifier or _id", code="required", expression="identifier")
    if unknown and (strict or any(":" in name for name in unknown)):
        raise bad_request(f"{unknown[0]}: unknown search parameter", code="not-supported", expression=unknown[0])
    found = _found(patients, *asked[0])
    for name, value in asked[1:]:
        found = {key: one for key, one in found.items() if key in _found(patients, name, value)}
    entries = [
        {
            "fullUrl": f"{patients.base_url}/Patient/{one.key}",
            "resource": to_patient(one),
            "search": {"mode": "match"},
        }
        for one in found.values()
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return write_json(bundle | ({"entry": entries} if entries else {}))


def _found(patients: Patients, name: str, text: str) -> dict[int, PatientRow]:
    """By key, those with any of the values."""
    if name == "_id":
        read_ones = (patients.read(f"Patient/{value}") for value in split(text))
        return {one.key: one for one in read_ones if one is not None}
    tokens = map(read_token, split(text))
    return {one.key: one for token in tokens for one in patients.identified(token.system or "", token.code)}


def to_patient(patient: PatientRow) -> dict[str, object]:
    """The resource as it was fed, or what the registry knows beside: an identifier, and whether it was merged."""
    known: dict[str, Any] = {"identifier": [_identifier(patient)]}
    sent = known | (read_own_json(patient.resource) if patient.resource else {})
    meta = dict(sent.get("meta", {}))
    if patient.version:
        meta |= {"versionId": str(patient.version), "lastUpdated": to_instant(DTM(patient.updated))}
    own: dict[str, object] = {"resourceType": "Patient", "id": str(patient.key)} | ({"meta": meta} if meta else {})
    if patient.merged_into is not None:
        other = {"reference": f"Patient/{patient.merged_into}"}
        own |= {"active": False, "link": [{"other": other, "type": "replaced-by"}]}
    return {**{name: value for name, value in sent.items() if name not in own}, **own}


def _identifier(patient: PatientRow) -> dict[str, str]:
    authority = patient.patient_id.authority
    return {"system": f"urn:oid:{authority}" if authority else URI_SYSTEM, "value": patient.patient_id.id}
