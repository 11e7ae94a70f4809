"""Patient of the DMP by FHIR: the existence test of a record. PDSm 8; PDSm4DMP TD0.2"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from fhir.resources.R4B.bundle import Bundle

from carnet.clock import true_time
from carnet.command_line import commands
from carnet.record_wiring import open_records
from dmp import life, people
from dmp.actor import OPERATOR
from hl7v3.person import Person
from tests.builders import OTHER_PATIENT, PATIENT
from tests.flows.test_fhir_jwt import World, a_world
from tests.servers import open_registry
from xds.datatypes import CX

DMP = "https://interop.esante.gouv.fr/ig/fhir/dmp/StructureDefinition/dmp-"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with a_world(tmp_path_factory.mktemp("records")) as made:
        change(made, lambda *given, **by: people.change_person(*given, LISE, **by))
        yield made


LISE = Person(
    birth_family="MARCHAL",
    usual_family="VASSEUR",
    given=("LISE", "ANNE"),
    prefix="MME",
    gender="F",
    birth_time="197903",
)


def change(world: World, act: Callable[..., Any], now: str = "") -> None:
    """What becomes of the record of PATIENT, beside the running server; `now` is a DTM."""
    registry = open_registry(world.server.settings)
    try:
        dmp = open_records(world.server.settings)
        registry.units.write(lambda unit: act(dmp, unit, PATIENT.key, by=OPERATOR, now=now or true_time()))
    finally:
        registry.units.close()


def found(world: World, patient: CX = PATIENT, more: str = "") -> list[dict[str, Any]]:
    query = f"identifier=urn:oid:{patient.authority}%7C{patient.id}{more}"
    response = world.ask(f"/fhir/Patient?{query}", world.bearer())
    assert response.status == 200, response.body
    bundle = json.loads(response.body)
    Bundle.model_validate(bundle)
    assert bundle["total"] == len(bundle.get("entry", []))
    return [one["resource"] for one in bundle.get("entry", [])]


def merge(world: World, subsumed: CX, surviving: CX) -> None:
    """By the command: an INS that changes is such a merge."""
    arguments = ["patient", "merge", subsumed.id, surviving.id, "--data", world.server.settings.data]
    done = CliRunner().invoke(commands, arguments)
    assert done.exit_code == 0, done.output


def extensions(patient: dict[str, Any]) -> dict[str, Any]:
    return {one["url"].removeprefix(DMP): one for one in patient["extension"]}


def test_an_open_record_is_active_and_says_whose_it_is(world: World) -> None:
    [patient] = found(world)
    assert patient["active"] is True
    assert patient["identifier"] == [{"system": f"urn:oid:{PATIENT.authority}", "value": PATIENT.id}]
    assert patient["name"] == [
        {"use": "official", "family": "MARCHAL", "given": ["LISE", "ANNE"], "prefix": ["MME"]},
        {"use": "usual", "family": "VASSEUR", "given": ["LISE", "ANNE"], "prefix": ["MME"]},
    ]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1979-03")
    said = extensions(patient)
    assert said["rattachement-mes"]["valueBoolean"] is False
    assert said["medecin-traitant"]["valueBoolean"] is False
    assert "fermeture" not in said
    assert len(found(world, more="&family=vass")) == 1
    assert found(world, more="&family=x") == []
    read = json.loads(world.ask(f"/fhir/Patient/{patient['id']}", world.bearer()).body)
    assert read == patient


def test_a_closed_record_says_since_when_and_why(world: World) -> None:
    change(world, lambda *given, **by: life.close(*given, **by, reason="départ"))
    [patient] = found(world)
    assert patient["active"] is False
    closed = {one["url"]: one for one in extensions(patient)["fermeture"]["extension"]}
    assert len(closed["dateFermeture"]["valueDate"]) == len("2026-01-01")
    assert closed["motifFermeture"]["valueCodeableConcept"]["coding"][0]["code"] == "patient-demande"
    assert closed["raisonFermeture"]["valueString"] == "départ"


def test_a_record_that_is_not_there_or_is_not_for_the_caller_is_no_entry(world: World) -> None:
    assert found(world, OTHER_PATIENT) == []
    change(world, life.close)
    change(world, life.request_erasure)
    change(world, life.erase, "20470101000000")
    assert found(world) == []


def test_the_holder_sees_the_own_record(world: World) -> None:
    query = f"identifier=urn:oid:{PATIENT.authority}%7C{PATIENT.id}"
    own = json.loads(world.ask(f"/fhir/Patient?{query}", world.patient(scopes=("patient/*.rs",))).body)
    assert [one["resource"]["active"] for one in own["entry"]] == [True]


@pytest.mark.parametrize("asked", [PATIENT, OTHER_PATIENT])
@pytest.mark.parametrize("proved", [PATIENT, OTHER_PATIENT])
def test_a_former_ins_finds_the_one_patient_that_its_person_is_now(world: World, asked: CX, proved: CX) -> None:
    [former] = found(world)
    merge(world, PATIENT, OTHER_PATIENT)
    token = world.bearer(patient_id=proved)
    query = f"identifier=urn:oid:{asked.authority}%7C{asked.id},urn:oid:{PATIENT.authority}%7C{PATIENT.id}"
    bundle = json.loads(world.ask(f"/fhir/Patient?{query}", token).body)
    assert bundle["total"] == 1
    [patient] = (one["resource"] for one in bundle["entry"])
    assert (patient["active"], "link" in patient) == (True, False)
    assert [one["value"] for one in patient["identifier"]] == [OTHER_PATIENT.id, PATIENT.id]
    assert patient["name"][0]["family"] == "MARCHAL"
    assert json.loads(world.ask(f"/fhir/Patient/{patient['id']}", token).body) == patient
    read = json.loads(world.ask(f"/fhir/Patient/{former['id']}", token).body)
    assert (read["id"], read["active"]) == (former["id"], False)
    assert read["link"] == [{"other": {"reference": f"Patient/{patient['id']}"}, "type": "replaced-by"}]


def test_a_former_ins_of_somebody_else_finds_nobody(world: World) -> None:
    third = CX(f"169127512301418^^^&{PATIENT.authority}&ISO")
    merge(world, PATIENT, OTHER_PATIENT)
    query = f"identifier=urn:oid:{PATIENT.authority}%7C{PATIENT.id}"
    assert json.loads(world.ask(f"/fhir/Patient?{query}", world.bearer(patient_id=third)).body)["total"] == 0
