"""Mobile Patient Demographics Query [ITI-78], as far as the registry knows patients. PDQm 2:3.78; PDSm4DMP TD0.2.

Who asks names the patient by an identifier or id. `identifier=system|` is everybody with an identifier of the system,
of those whom the caller may know: who proves a patient is shown that one alone. What else is asked narrows that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.operation_outcome import bad_request
from fhir_facade.patient import Describe, to_patient
from fhir_facade.patients import Patients
from fhir_facade.search_set import searchset_of
from fhir_facade.search_shape import SHAPING, read_shape
from fhir_facade.search_values import Token, read_token, split, unescape
from fhir_facade.searching import number
from registry.sql.patient_resources import PatientRow

MOST_VALUES, MOST_FOUND = 20, 1000
Resource = Mapping[str, Any]
SCOPES = ("identifier", "_id")
_RESULT = ("_count", "_after", "_format", "_pretty", "_total", "_summary", "_elements")


def handle(
    patients: Patients,
    parameters: Sequence[tuple[str, str]],
    *,
    strict: bool = False,
    described: Describe = to_patient,
) -> bytes:
    """The Patients with an identifier, as a searchset; those alone that are `described`. Raises FhirProblem."""
    asked = [(name, value) for name, value in parameters if name in (*SCOPES, *NARROWING)]
    unknown = [name for name, _ in parameters if name not in (*SCOPES, *NARROWING, *_RESULT)]
    if not any(name in SCOPES for name, _ in asked) or any(len(split(value)) > MOST_VALUES for _, value in asked):
        raise bad_request("expected identifier or _id", code="required", expression="identifier")
    if unknown and (strict or any(":" in name for name in unknown)):
        raise bad_request(f"{unknown[0]}: unknown search parameter", code="not-supported", expression=unknown[0])
    shape = read_shape("Patient", [one for one in parameters if one[0] in SHAPING])
    count = 0 if shape.counts_only else number(parameters, "_count")
    found, after = list(_found(patients, asked, described)), number(parameters, "_after") or 0
    following = [one for one in found if int(one["id"]) > after]
    shown = following[:count]
    is_last = len(following) == len(shown) or not shown
    return searchset_of(
        "Patient",
        [(str(one["id"]), shape.shown("Patient", write_json(one))) for one in shown],
        total=len(found),
        base_url=patients.base_url,
        applied=asked,
        next_after="" if is_last else str(shown[-1]["id"]),
        count=len(shown),
    )


def _found(patients: Patients, asked: Sequence[tuple[str, str]], described: Describe) -> Iterator[Resource]:
    """The resources that fit everything asked for, in the order of their ids."""
    several = [_rows(patients, name, value) for name, value in asked if name in SCOPES]
    for key, row in sorted(several[0].items()):
        known = described(row) if all(key in others for others in several[1:]) else None
        if known is None:
            continue
        resource = read_own_json(write_json(known).decode())
        narrowed = ((NARROWING[name], split(value)) for name, value in asked if name in NARROWING)
        if all(any(has(resource, unescape(one)) for one in values) for has, values in narrowed):
            yield resource


def _rows(patients: Patients, name: str, text: str) -> dict[int, PatientRow]:
    """By key, those with any of the values."""
    if name == "_id":
        read_ones = (patients.read(f"Patient/{value}") for value in split(text))
        return {one.key: one for one in read_ones if one is not None}
    return {one.key: one for value in split(text) for one in _identified(patients, read_token(value))}


def _identified(patients: Patients, token: Token) -> list[PatientRow]:
    """Those with the identifier, or with any of its system. FHIR R4 3.1.1.4.10"""
    if token.code or not token.system:
        return patients.identified(token.system or "", token.code)
    found = patients.of_system(token.system, most=MOST_FOUND + 1)
    if len(found) > MOST_FOUND:
        sentence = f"found more than {MOST_FOUND} patients with an identifier of the system, expected system|value"
        raise bad_request(f"identifier: {sentence}", code="too-costly", expression="identifier")
    return found


def _has_family(resource: Resource, value: str) -> bool:
    return any(_starts(one.get("family", ""), value) for one in resource.get("name", ()))


def _has_given(resource: Resource, value: str) -> bool:
    return any(_starts(given or "", value) for one in resource.get("name", ()) for given in one.get("given", ()))


def _starts(text: str, value: str) -> bool:
    return text.casefold().startswith(value.casefold())


def _is_born(resource: Resource, value: str) -> bool:
    """On the day, or in the month or year, that is given."""
    date = value.removeprefix("eq")
    if not date[:1].isdigit():
        raise bad_request("birthdate: expected a date without prefix", code="not-supported", expression="birthdate")
    return f"{resource.get('birthDate', '')}-".startswith(f"{date}-")


def _has_gender(resource: Resource, value: str) -> bool:
    return bool(resource.get("gender", "") == read_token(value).code)


def _is_active(resource: Resource, value: str) -> bool:
    return "active" in resource and str(resource["active"]).lower() == value


# What else a Patient is asked for by, beside an identifier. PDQm 2:3.78.4.1.2.1
NARROWING: Mapping[str, Callable[[Resource, str], bool]] = {
    "family": _has_family,
    "given": _has_given,
    "birthdate": _is_born,
    "gender": _has_gender,
    "active": _is_active,
}
_DEFINITION = "http://hl7.org/fhir/SearchParameter/"
_NARROWS = "beside identifier or _id"


class PatientParameter(NamedTuple):
    """One search parameter of Patient, for who asks what there is."""

    name: str
    type: str
    definition: str
    documentation: str


PARAMETERS = (
    PatientParameter(
        "identifier", "token", f"{_DEFINITION}Patient-identifier", "with or without system, or any of a system, system|"
    ),
    PatientParameter("_id", "token", f"{_DEFINITION}Resource-id", "logical id"),
    PatientParameter("family", "string", f"{_DEFINITION}individual-family", f"from its beginning, {_NARROWS}"),
    PatientParameter("given", "string", f"{_DEFINITION}individual-given", f"from its beginning, {_NARROWS}"),
    PatientParameter("birthdate", "date", f"{_DEFINITION}individual-birthdate", f"without prefix, {_NARROWS}"),
    PatientParameter("gender", "token", f"{_DEFINITION}individual-gender", _NARROWS),
    PatientParameter("active", "token", f"{_DEFINITION}Patient-active", f"true or false, {_NARROWS}"),
)
