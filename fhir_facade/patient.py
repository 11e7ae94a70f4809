"""Patient: the resource, as far as the registry knows patients, and its read. FHIR R4 Patient; PDSm4DMP."""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_facade.code_systems import URI_SYSTEM
from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.operation_outcome import not_found
from fhir_facade.patients import Patients
from fhir_facade.times import to_instant
from registry.sql.patient_resources import PatientRow
from xds.datatypes import DTM

Describe = Callable[[PatientRow], Mapping[str, object] | None]


def read(patients: Patients, fhir_id: str, described: Describe = lambda _: None) -> tuple[bytes, PatientRow]:
    """One Patient and its row, as it is `described`, else as the registry knows it. Raises FhirProblem 404."""
    found = patients.read(f"Patient/{fhir_id}")
    if found is None:
        raise not_found()
    return write_json(described(found) or to_patient(found)), found


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
