"""The journal of a record by FHIR: who sees which AuditEvents. RESTful ATNA 3.81; DMP 3.1, 13 (S52)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fhir.resources.R4B.bundle import Bundle

from access_policy.make_token import new_keys, sign_token, token_claims
from carnet.clock import true_time
from carnet.record_wiring import open_records
from dmp import rights
from dmp.actor import OPERATOR
from dmp.rights import Whom
from tests import servers, sts
from tests.access_policy import tokens
from tests.builders import OTHER_PATIENT, PATIENT
from tests.flows import test_fhir_jwt as jwt
from tests.flows.test_fhir_jwt import SEARCH, World

world = jwt.world
LOG = f"/fhir/AuditEvent?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"
ALL = ("ITI-67", "ITI-81")


def asked(world: World, path: str, headers: dict[str, str]) -> dict[str, Any]:
    response = world.ask(path, headers)
    assert response.status == 200, response.body
    found: dict[str, Any] = json.loads(response.body)
    Bundle.model_validate(found)
    return found


def people(bundle: dict[str, Any]) -> set[str]:
    """Who acted, by the identifiers of those with a name."""
    agents = [agent for one in bundle.get("entry", ()) for agent in one["resource"]["agent"]]
    return {one["who"]["identifier"]["value"] for one in agents if one.get("name")}


@pytest.fixture(scope="module")
def visited(world: World) -> World:
    """The doctor and the nurse have looked at the record, the doctor at another one too."""
    for changes in (
        {},
        {"subject": sts.NURSE.identifier, "roles": (sts.NURSING,)},
        {"patient_id": OTHER_PATIENT},
    ):
        about = changes.get("patient_id", PATIENT)
        path = SEARCH.replace(PATIENT.id, about.id)
        assert world.ask(path, world.bearer(scopes=ALL, **changes)).status == 200
    return world


def test_the_holder_sees_all_of_the_record_and_nothing_else(visited: World) -> None:
    found = asked(visited, LOG, visited.patient(scopes=("patient/AuditEvent.rs",)))
    assert {sts.DOCTOR.identifier, sts.NURSE.identifier} <= people(found)
    patients = {
        entity["what"]["identifier"]["value"]
        for one in found["entry"]
        for entity in one["resource"]["entity"]
        if entity["role"]["code"] == "1"
    }
    assert patients == {PATIENT.id}


def test_another_professional_sees_own_actions_alone(visited: World) -> None:
    nurse = visited.bearer(subject=sts.NURSE.identifier, roles=(sts.NURSING,), scopes=ALL)
    assert people(asked(visited, LOG, nurse)) == {sts.NURSE.identifier}


def test_the_treating_doctor_sees_all_of_it(visited: World) -> None:
    settings = visited.server.settings
    doctor = visited.bearer(scopes=ALL)
    assert people(asked(visited, LOG, doctor)) == {sts.DOCTOR.identifier}
    registry = servers.open_registry(settings)
    dmp, now = open_records(settings), true_time()
    whom = Whom(id=sts.DOCTOR.identifier)
    registry.units.write(
        lambda unit: rights.declare_treating_doctor(dmp, unit, PATIENT.key, whom, source="test", by=OPERATOR, now=now)
    )
    registry.units.close()
    assert sts.NURSE.identifier in people(asked(visited, LOG, doctor))


@pytest.mark.parametrize(
    "changes",
    [
        {"person_id": OTHER_PATIENT, "patient_id": OTHER_PATIENT},
        {"person_id": OTHER_PATIENT, "patient_id": PATIENT},
    ],
)
def test_another_person_finds_nothing(visited: World, changes: dict[str, Any]) -> None:
    found = asked(visited, LOG, visited.patient(scopes=ALL, **changes))
    assert (found["total"], found.get("entry", [])) == (0, [])


def test_a_structure_stands_for_nobody(visited: World) -> None:
    clinic = {"mode": sts.an_indirect_claim().mode, "subject": sts.DOCTOR.identifier, "scopes": ALL}
    assert asked(visited, LOG, visited.bearer(**clinic))["total"] == 0


def test_a_record_is_read_by_those_who_find_it(visited: World) -> None:
    holder = visited.patient(scopes=("patient/AuditEvent.rs",))
    [entry] = asked(visited, f"{LOG}&_count=1", holder)["entry"]
    path = urlsplit(entry["fullUrl"]).path
    assert json.loads(visited.ask(path, holder).body) == entry["resource"]
    other = {"person_id": OTHER_PATIENT, "patient_id": OTHER_PATIENT, "scopes": ALL}
    absent = visited.ask("/fhir/AuditEvent/1", holder)
    for answer in (visited.ask(path, visited.patient(**other)), absent):
        assert (answer.status, answer.body) == (404, absent.body)


def test_pages_show_each_record_once_and_the_total_is_exact(visited: World) -> None:
    """Reading the log writes to it: a page goes on behind the last record of the one before."""
    holder = visited.patient(scopes=("patient/AuditEvent.rs",))
    for _ in range(5):
        visited.ask(SEARCH, visited.bearer(scopes=ALL))
    first = asked(visited, f"{LOG}&_count=3", holder)
    ids, page = [one["resource"]["id"] for one in first["entry"]], first
    while following := [one["url"] for one in page["link"] if one["relation"] == "next"]:
        url = urlsplit(following[0])
        page = asked(visited, f"{url.path}?{url.query}", holder)
        ids += [one["resource"]["id"] for one in page["entry"]]
    assert len(ids) == len(set(ids)) == first["total"]
    assert ids == sorted(ids, key=int, reverse=True)


def test_parameters_narrow(visited: World) -> None:
    holder = visited.patient(scopes=("patient/AuditEvent.rs",))
    searches = asked(visited, f"{LOG}&subtype=ITI-67", holder)
    assert searches["total"] > 0
    assert {one["resource"]["action"] for one in searches["entry"]} == {"E"}
    assert asked(visited, f"{LOG}&action=E&subtype=ITI-67", holder)["total"] == searches["total"]
    assert asked(visited, f"{LOG}&subtype=ITI-67&outcome=8,12", holder)["total"] == 0
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert asked(visited, f"{LOG}&date=ge{tomorrow}", holder)["total"] == 0
    assert asked(visited, f"{LOG}&date=lt{tomorrow}&subtype=ITI-67", holder)["total"] == searches["total"]
    [entry] = asked(visited, f"{LOG}&subtype=ITI-67&_count=1", holder)["entry"]
    assert asked(visited, f"{LOG}&_id={entry['resource']['id']}", holder)["total"] == 1


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("&date=yesterday", "date"),
        ("&date=ap2026", "date"),
        ("&_sort=date", "_sort"),
        ("&outcome:not=0", "outcome:not"),
    ],
)
def test_what_is_not_served_is_refused(visited: World, query: str, named: str) -> None:
    response = visited.ask(LOG + query, visited.patient(scopes=("patient/AuditEvent.rs",)))
    assert response.status == 400
    assert json.loads(response.body)["issue"][0]["expression"] == [named]


def test_nobody_in_particular_is_refused(visited: World) -> None:
    assert visited.ask("/fhir/AuditEvent", visited.patient(scopes=ALL)).status == 400


def test_reading_the_log_is_on_record(visited: World) -> None:
    holder = visited.patient(scopes=("patient/AuditEvent.rs",))
    before = asked(visited, f"{LOG}&subtype=ITI-81", holder)["total"]
    assert asked(visited, f"{LOG}&subtype=ITI-81", holder)["total"] == before + 1


def test_in_a_domain_without_records_the_same_name_of_another_issuer_is_somebody_else(tmp_path: Path) -> None:
    """Own actions are those of one name and one issuer; totals and pages count no others."""
    private, public = new_keys("ES256")
    (tmp_path / "keys.json").write_text(json.dumps(public))
    issuers = ("https://a.example.org/", "https://b.example.org/")
    tables = [f'[[issuer]]\nissuer = "{one}"\nkeys = "keys.json"\n' for one in issuers]
    (tmp_path / "issuers.toml").write_text("\n".join(tables))
    settings = servers.settings_for(
        tmp_path / "data", domain="ihe", audit="on", token_issuers=str(tmp_path / "issuers.toml")
    )

    def token(issuer: str) -> dict[str, str]:
        told = tokens.told(issuer=issuer, scopes=ALL, audience=f"{settings.public_url}/fhir")
        return {"Authorization": f"Bearer {sign_token(token_claims(told, now=datetime.now(UTC)), private)}"}

    search = LOG.replace("AuditEvent", "DocumentReference")
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        for issuer, times in zip(issuers, (1, 2), strict=True):
            for _ in range(times):
                assert server.request("GET", search, None, token(issuer)).status == 200
        seen = {one: json.loads(server.request("GET", f"{LOG}&_count=1", None, token(one)).body) for one in issuers}
        assert [seen[one]["total"] for one in issuers] == [1, 2]
        ids = [seen[one]["entry"][0]["resource"]["id"] for one in issuers]
        statuses = [server.request("GET", f"/fhir/AuditEvent/{ids[0]}", None, token(one)).status for one in issuers]
        assert statuses == [200, 404]
        following = next(one["url"] for one in seen[issuers[1]]["link"] if one["relation"] == "next")
        page = json.loads(server.request("GET", following.removeprefix(server.url), None, token(issuers[1])).body)
        assert [one["resource"]["subtype"][-1]["code"] for one in page["entry"]] == ["ITI-67"]
