"""Patient Identity Feed FHIR [ITI-104], and the create of a Patient, where FHIR may feed patients. ITI TF-2: 3.104."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_facade.conditional import check_patient_version, criteria_of
from fhir_facade.fhir_json import write_json
from fhir_facade.issues import Issue
from fhir_facade.operation_outcome import FhirProblem, bad_request, refusal
from fhir_facade.patient import to_patient
from fhir_facade.patients import Patients, aliases, given_identifier
from fhir_facade.search_values import read_token, split
from fhir_facade.structural_rules import structural_rules
from fhir_facade.xds_issues import issues_of
from registry import patient_resources
from registry.patients import Source
from registry.sql.patient_resources import PatientRow
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX
from xds.errors import Rejected

FIRST_VERSION = 1  # version of a Patient that was just fed


@dataclass(frozen=True, slots=True, kw_only=True)
class FedPatient:
    """The resource as it is now, its row, and whether it is new."""

    resource: bytes
    row: PatientRow
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """A Patient to be fed: the identifier the registry knows it by, the resource, and whether it has to be new; of
    which version it is, where `if_match` says so, and where that stands.
    """

    patient_id: CX
    resource: Mapping[str, Any]
    is_creation: bool
    if_match: str = ""
    at: str = ""


def create(patients: Patients, resource: Mapping[str, Any], *, if_none_exist: str = "") -> FedPatient:
    """POST Patient. An identifier that was fed before is refused with 409, `If-None-Exist` apart. FHIR R4 3.1.0.8"""
    asked = to_create(patients, resource, if_none_exist=if_none_exist)
    if isinstance(asked, FedPatient):
        return asked
    try:
        return feed(patients, [asked])[0]
    except FhirProblem:  # another made it meanwhile, who may have made what was to be there
        again = to_create(patients, resource, if_none_exist=if_none_exist)
        if isinstance(again, FedPatient):
            return again
        raise


def to_create(patients: Patients, resource: Mapping[str, Any], *, if_none_exist: str = "") -> Feeding | FedPatient:
    """What POST asks for; the Patient that is there where `If-None-Exist` finds one. Raises FhirProblem."""
    patient_id = _checked(patients.registry, resource)
    before = _known(patients, patient_id)  # before it is looked for, since it may be made meanwhile
    if if_none_exist:
        existing = matching(patients, if_none_exist)
        if existing is not None:
            return FedPatient(resource=write_json(to_patient(existing)), row=existing, is_new=False)
    if before is not None and before.version:
        raise _duplicate()
    return Feeding(patient_id=patient_id, resource=resource, is_creation=True)


def update(
    patients: Patients, query: Mapping[str, str], resource: Mapping[str, Any], *, if_match: str = ""
) -> FedPatient:
    """PUT Patient?identifier=…: no match is made known, one is updated, several are 412. ITI TF-2: 3.104.4.1"""
    return feed(patients, [to_update(patients, query, resource, if_match=if_match)])[0]


def to_update(
    patients: Patients, query: Mapping[str, str], resource: Mapping[str, Any], *, if_match: str = "", at: str = ""
) -> Feeding:
    """What a conditional PUT asks for. Raises FhirProblem."""
    patient_id = _checked(patients.registry, resource)
    found = _matches(patients, query)
    _check_named(query["identifier"], resource)
    if len(found) > 1:
        raise FhirProblem(412, "multiple-matches", "found several Patients with this identifier, expected one")
    if found and found[0].patient_id.key != patient_id.key:
        sentence = "found a Patient with another identifier of this domain than the one asked for"
        raise bad_request(sentence, code="business-rule", expression="Patient.identifier")
    return Feeding(patient_id=patient_id, resource=resource, is_creation=False, if_match=if_match, at=at)


def update_by_id(patients: Patients, fhir_id: str, resource: Mapping[str, Any], *, if_match: str = "") -> FedPatient:
    """PUT Patient/1 of a Patient that is there; ids are not for clients to choose. FHIR R4 3.1.0.4"""
    if resource.get("id") != fhir_id:
        raise bad_request("expected the id of the URL", expression="Patient.id")
    patient_id = _checked(patients.registry, resource)
    found = patients.read(f"Patient/{fhir_id}")
    if found is None:
        raise FhirProblem(405, "not-supported", "a Patient is made by POST, or by PUT with Patient?identifier=")
    if found.patient_id.key != patient_id.key:
        sentence = "found another identifier of this domain than the Patient has"
        raise bad_request(sentence, code="business-rule", expression="Patient.identifier")
    feeding = Feeding(patient_id=patient_id, resource=resource, is_creation=False, if_match=if_match)
    return feed(patients, [feeding])[0]


def _checked(registry: Registry, resource: Mapping[str, Any]) -> CX:
    """The identifier of the domain. Raises FhirProblem."""
    issues = list(structural_rules(resource))
    if not issues and resource["resourceType"] != "Patient":
        issues = [Issue("structure", "expected a Patient", "resourceType")]
    if issues:
        raise refusal(issues)
    if not registry.domain.patients_by_fhir:
        raise FhirProblem(405, "not-supported", "patients of this domain are not made known by FHIR")
    found = given_identifier(resource, registry.domain)
    if found is None:
        raise bad_request(
            "found no identifier with a system of this domain", code="required", expression="Patient.identifier"
        )
    return found


def _check_named(asked: str, resource: Mapping[str, Any]) -> None:
    """A Patient has the identifier by which it is updated. Raises FhirProblem 400. FHIR R4 3.1.0.4.1"""
    token = read_token(asked)
    if not any(token.code == value and token.system in (None, system) for system, value in aliases(resource)):
        sentence = "found no identifier in the Patient that is the one of the URL"
        raise bad_request(sentence, code="business-rule", expression="Patient.identifier")


def _matches(patients: Patients, query: Mapping[str, str]) -> list[PatientRow]:
    tokens = [read_token(one) for one in split(query.get("identifier", ""))] if query.get("identifier") else []
    if len(tokens) != 1 or len(query) != 1:
        raise bad_request("expected Patient?identifier=system|value", code="required", expression="identifier")
    return patients.identified(tokens[0].system or "", tokens[0].code)


def _known(patients: Patients, patient_id: CX) -> PatientRow | None:
    found = patients.identified(f"urn:oid:{patient_id.authority}", patient_id.id)
    return next((one for one in found if one.patient_id.key == patient_id.key), None)


def matching(patients: Patients, if_none_exist: str) -> PatientRow | None:
    """The Patient that `If-None-Exist` describes, None for none. Raises FhirProblem 412 for several, 400 for others."""
    found = _matches(patients, dict(criteria_of(if_none_exist, "Patient", patients.base_url)))
    if len(found) > 1:
        raise FhirProblem(412, "multiple-matches", "found several Patients that If-None-Exist describes")
    return found[0] if found else None


def feed(patients: Patients, feedings: Sequence[Feeding]) -> list[FedPatient]:
    """Every one of them, or none. Raises FhirProblem; 412 where one is of another version than is there by now."""
    registry, source = patients.registry, Source(transaction="ITI-104", caller=patients.caller)

    def feed_all(unit: UnitOfWork) -> list[PatientRow]:
        before = patient_resources.locked(registry, unit, [one.patient_id for one in feedings])
        for one in feedings:
            check_patient_version(one.if_match, before.get(one.patient_id.key), at=one.at)
        return [fed(unit, one) for one in feedings]

    def fed(unit: UnitOfWork, one: Feeding) -> PatientRow:
        row = patient_resources.feed(registry, unit, one.patient_id, _text(one), aliases(one.resource), source)
        if one.is_creation and row.version > FIRST_VERSION:
            raise _duplicate()
        return row

    try:
        rows = registry.units.write(feed_all)
    except Rejected as problem:  # for what was fed, which no other try makes better
        issues = issues_of(problem.errors, {})
        raise refusal([one._replace(code="value", expression="Patient.identifier") for one in issues]) from None
    return [
        FedPatient(resource=write_json(to_patient(row)), row=row, is_new=row.version == FIRST_VERSION) for row in rows
    ]


def _duplicate() -> FhirProblem:
    return FhirProblem(409, "duplicate", "found an identifier that a Patient of this server has", "Patient.identifier")


def _text(feeding: Feeding) -> str:
    return write_json({name: value for name, value in feeding.resource.items() if name != "id"}).decode()
