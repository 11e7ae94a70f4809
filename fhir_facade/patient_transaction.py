"""A transaction of Patients alone, no Provide Document Bundle: all of them are fed, or none. FHIR R4 3.1.0.11"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fhir_facade import iti104_patient_identity_feed_fhir as iti104
from fhir_facade.fhir_json import write_json
from fhir_facade.iti104_patient_identity_feed_fhir import FedPatient, Feeding
from fhir_facade.operation_outcome import FhirProblem, bad_request, refusal
from fhir_facade.patients import Patients
from fhir_facade.provide_bundle import CONDITIONS
from fhir_facade.structural_rules import structural_rules
from fhir_facade.times import to_instant
from xds.datatypes import DTM

MOST_ENTRIES = 500
# method -> the condition that it may have. FHIR R4 3.1.0.11.2
_METHODS = {"POST": "ifNoneExist", "PUT": "ifMatch"}


def is_of_patients(bundle: Mapping[str, Any]) -> bool:
    """Whether every entry brings a Patient. One of ITI-65 brings a SubmissionSet as well."""
    entries = bundle.get("entry")
    if bundle.get("type") != "transaction" or not isinstance(entries, list) or not entries:
        return False
    resources = (one.get("resource") if isinstance(one, dict) else None for one in entries)
    return all(isinstance(one, dict) and one.get("resourceType") == "Patient" for one in resources)


def handle(patients: Patients, bundle: Mapping[str, Any]) -> bytes:
    """The transaction-response. Raises FhirProblem with what is wrong in the first entry that is, nothing stored."""
    issues = list(structural_rules(bundle))
    if issues:
        raise refusal(issues)
    entries = bundle["entry"]
    if len(entries) > MOST_ENTRIES:
        raise bad_request(f"found {len(entries)} entries, expected at most {MOST_ENTRIES}", code="too-costly")
    asked = [_asked(patients, entry, number) for number, entry in enumerate(entries)]
    _check_distinct(asked)
    fed = iter(iti104.feed(patients, [one for one in asked if isinstance(one, Feeding)]))
    answered = [one if isinstance(one, FedPatient) else next(fed) for one in asked]
    moment = to_instant(DTM(patients.registry.now()))
    told = [_told(one, patients.base_url, moment) for one in answered]
    return write_json({"resourceType": "Bundle", "type": "transaction-response", "entry": told})


def _asked(patients: Patients, entry: Mapping[str, Any], number: int) -> Feeding | FedPatient:
    request = entry.get("request", {})
    at = f"Bundle.entry[{number}]"
    parts = urlsplit(request.get("url", ""))
    if request.get("method") not in _METHODS or parts.path.removeprefix(f"{patients.base_url}/") != "Patient":
        sentence = "expected POST Patient, or PUT Patient?identifier=system|value"
        raise bad_request(sentence, code="not-supported", expression=f"{at}.request")
    taken = _METHODS[request["method"]]
    for name in CONDITIONS:
        if name in request and name != taken:
            sentence = f"found a condition that {request['method']} does not have, expected none, or {taken}"
            raise bad_request(sentence, code="not-supported", expression=f"{at}.request.{name}")
    condition = request.get(taken, "")
    try:
        if request["method"] == "POST":
            return iti104.to_create(patients, entry["resource"], if_none_exist=condition)
        query, place = dict(parse_qsl(parts.query)), f"{at}.request.ifMatch"
        return iti104.to_update(patients, query, entry["resource"], if_match=condition, at=place)
    except FhirProblem as problem:
        inside = problem.expression.startswith("Patient")
        place = problem.expression.replace("Patient", f"{at}.resource", 1) if inside else at
        raise FhirProblem(problem.status, problem.code, problem.diagnostics, place) from None


def _check_distinct(asked: Sequence[Feeding | FedPatient]) -> None:
    """One Patient stands in one entry. FHIR R4 3.1.0.11.2"""
    keys = [one.patient_id.key for one in asked if isinstance(one, Feeding)]
    if len(set(keys)) < len(keys):
        raise bad_request("found the same Patient in two entries", code="duplicate", expression="Bundle.entry")


def _told(fed: FedPatient, base_url: str, moment: str) -> dict[str, Any]:
    return {
        "response": {
            "status": "201 Created" if fed.is_new else "200 OK",
            "location": f"{base_url}/Patient/{fed.row.key}/_history/{fed.row.version}",
            "etag": f'W/"{fed.row.version}"',
            "lastModified": moment,
        }
    }
