"""A Patient of the DMP: whether a record exists, whether it is open, and whose it is. PDSm4DMP TD0.2; DMP 3."""

from collections.abc import Iterator, Mapping
from typing import Any

from access_policy.caller import Caller
from dmp import td0_2_record_existence as td0_2
from dmp.record_desk import RecordDesk
from dmp.refusal import RecordRefused
from fhir_facade.fhir_json import without_empty
from fhir_facade.patient import to_patient
from fhir_facade.people import GENDERS, human_name
from fhir_facade.times import to_date
from hl7v3.person import Person
from hl7v3.record_query import Attention, Reason, RecordFound, RecordQuery
from hl7v3.transmission import InstanceIdentifier
from registry.sql.patient_resources import PatientRow

_DMP = "https://interop.esante.gouv.fr/ig/fhir/dmp"
_ATTACHED, _TREATING_DOCTOR = "RATTACHEMENT_ENS", "STATUT_MT"
# The motive of a closure -> its code. PDSm 3
_MOTIVES: Mapping[str, str] = {"FERMETURE_DEMANDE_PATIENT": "patient-demande"}
Resource = dict[str, Any]


def record_patient(desk: RecordDesk, caller: Caller, row: PatientRow) -> Mapping[str, object] | None:
    """The resource; None where there is no record, or the caller may not know: which of both is not told."""
    person = InstanceIdentifier(row.patient_id.authority, row.patient_id.id)
    try:
        found, attention = td0_2.handle(desk, RecordQuery(reason=Reason.EXISTENCE, patient=(person,)), caller)
    except RecordRefused:
        return None
    return None if found is None else without_empty({**to_patient(row), **_of_record(found, attention)})


def _of_record(found: RecordFound, attention: tuple[Attention, ...]) -> Resource:
    person = found.person
    return {
        "extension": [*_closed(found), *_said(found, attention)],
        "identifier": [{"system": f"urn:oid:{one.root}", "value": one.extension} for one in found.ids],
        "active": found.is_active,
        "name": list(_names(person)),
        "gender": GENDERS.get(person.gender),
        "birthDate": _birth_date(person.birth_time),
    }


def _names(person: Person) -> Iterator[Resource]:
    """The name of birth is the official one."""
    for use, family in (("official", person.birth_family), ("usual", person.usual_family)):
        if family:
            yield {"use": use, **human_name(family, person.given, [person.prefix])}


def _birth_date(text: str) -> str | None:
    """As much of it as is known."""
    try:
        return to_date(text) if text else None
    except ValueError:
        return None


def _closed(found: RecordFound) -> Iterator[Resource]:
    if found.closed is not None:
        since, motive, reason = found.closed
        coding = {"system": f"{_DMP}/CodeSystem/dmp-motif-fermeture", "code": _MOTIVES.get(motive, motive)}
        parts = [
            {"url": "dateFermeture", "valueDate": to_date(since)} if since else None,
            {"url": "motifFermeture", "valueCodeableConcept": {"coding": [coding]}},
            {"url": "raisonFermeture", "valueString": reason} if reason else None,
        ]
        yield {"url": _extension("dmp-fermeture"), "extension": [one for one in parts if one]}


def _said(found: RecordFound, attention: tuple[Attention, ...]) -> Iterator[Resource]:
    """Whether it is attached to Mon espace santé, and whether the caller is the médecin traitant."""
    values = {one.code: one.value for one in found.observations} | {one.keyword: one.boolean for one in attention}
    for name, said in (("dmp-rattachement-mes", _ATTACHED), ("dmp-medecin-traitant", _TREATING_DOCTOR)):
        if values.get(said) is not None:
            yield {"url": _extension(name), "valueBoolean": values[said]}


def _extension(name: str) -> str:
    return f"{_DMP}/StructureDefinition/{name}"
