"""Mobile Patient Identifier Cross-reference Query [ITI-83], as far as the registry knows patients. PIXm 2:3.83."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.operation_outcome import FhirProblem, bad_request
from fhir_facade.patient import to_patient
from fhir_facade.patients import Patients
from fhir_facade.read_people import authority_of
from fhir_facade.search_values import Token, read_token, unescape

_SOURCE, _TARGET = "sourceIdentifier", "targetSystem"


def handle(patients: Patients, parameters: Sequence[tuple[str, str]]) -> bytes:
    """Parameters with the other identifiers of who has `sourceIdentifier`, and their Patient.

    `targetSystem` leaves those of these systems alone. Raises FhirProblem 400 for what is no question, 404 for an
    identifier that nobody has.
    """
    source = _source(parameters)
    systems = [unescape(value) for name, value in parameters if name == _TARGET]
    found = patients.identified(source.system or "", source.code)
    if not found:
        sentence = "sourceIdentifier Patient Identifier not found"
        raise FhirProblem(404, "not-found", sentence, _SOURCE)
    told = [one for row in found for one in _told(read_own_json(write_json(to_patient(row)).decode()), source, systems)]
    answer: dict[str, Any] = {"resourceType": "Parameters"}
    return write_json(answer | ({"parameter": told} if told else {}))


def _source(parameters: Sequence[tuple[str, str]]) -> Token:
    values = [value for name, value in parameters if name == _SOURCE]
    if len(values) != 1:
        raise bad_request(f"{_SOURCE}: expected it once, as system|value", code="required", expression=_SOURCE)
    token = read_token(values[0])
    if not token.system or not token.code:
        raise bad_request(f"{_SOURCE}: expected system|value", code="code-invalid", expression=_SOURCE)
    return token


def _told(patient: Mapping[str, Any], source: Token, systems: Sequence[str]) -> Iterator[dict[str, Any]]:
    wanted = {authority_of(one) for one in systems}
    for identifier in patient.get("identifier", ()):
        authority = authority_of(identifier.get("system", ""))
        is_source = (authority, identifier.get("value")) == (authority_of(source.system or ""), source.code)
        if not is_source and (not wanted or authority in wanted):
            yield {"name": "targetIdentifier", "valueIdentifier": identifier}
    if not wanted:
        yield {"name": "targetId", "valueReference": {"reference": f"Patient/{patient['id']}"}}
