"""Subscribers are told what they may see, when it is sent, and nothing else. DSUBm 2:3.112"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from access_policy.caller import OPEN_CALLER, PurposeOfUse
from access_policy.make_token import new_keys, sign_token, token_claims
from access_policy.visibility import EVERYTHING
from carnet.clock import true_time
from carnet.record_wiring import open_records
from carnet.subscription_wiring import dispatcher_of
from dmp import rights
from dmp.actor import OPERATOR
from dmp.rights import Whom
from registry.criteria import Criteria
from registry.patients import Source, merge
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from subscriptions.delivery import Dispatcher
from tests import servers, sts
from tests.access_policy import tokens
from tests.builders import OTHER_PATIENT, PATIENT
from tests.flows import test_fhir_jwt as jwt
from tests.flows.subscribed import states, submit, subscribe, subscriber, wanted
from tests.flows.test_fhir_jwt import World
from tests.notified import Subscriber, until
from xds.datatypes import CX, Code

__all__ = ["subscriber"]  # fixture of this module


@pytest.fixture
def world(tmp_path: Path, subscriber: Subscriber) -> Iterator[World]:
    with jwt.a_world(tmp_path, notification_targets=subscriber.url) as made:
        yield made


def normal(*restrictions: str) -> tuple[Code, ...]:
    codes = [Code(code=one, coding_scheme="1.2.250.1.213.1.1.4.13", display_name=one) for one in restrictions]
    return (Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal"), *codes)


def delivered(world: World) -> Dispatcher:
    made = dispatcher_of(world.server.settings, servers.open_registry(world.server.settings), pauses_ms=(10, 20))
    made.start()
    return made


def test_the_policy_is_asked_when_something_is_sent(world: World, subscriber: Subscriber) -> None:
    """A document hidden from the patient is not told to the patient; a blocked doctor is told nothing any more."""
    for headers in (
        world.patient(scopes=("patient/Subscription.c", "patient/DocumentReference.rs")),
        world.bearer(scopes=("user/*.cruds",)),
    ):
        taken = subscribe(world.server, wanted(subscriber.url, content="id-only"), headers)
        assert taken.status == 201, taken.body
    jwt.submit(world, PATIENT, "2.25.7801")
    jwt.submit(world, PATIENT, "2.25.7802", confidentiality_code=normal("INVISIBLE_PATIENT"))
    subscriber.up()
    dispatcher = delivered(world)
    until(lambda: states(world.server) == {"sent": 5, "withheld": 1})  # two handshakes; the doctor sees both
    registry, dmp = servers.open_registry(world.server.settings), open_records(world.server.settings)
    doctor = Whom(id=sts.DOCTOR.identifier)
    registry.units.write(lambda unit: rights.block(dmp, unit, PATIENT.key, doctor, by=OPERATOR, now=true_time()))
    other = {"subject": sts.NURSE.identifier, "roles": (sts.NURSING,)}
    assert world.ask(jwt.SEARCH, world.bearer(**other)).status == 200
    registry.units.write(lambda unit: again(registry, unit))
    until(lambda: states(world.server) == {"sent": 6, "withheld": 2})
    dispatcher.stop()
    registry.units.close()


def test_in_a_domain_without_records_too_a_proof_about_a_former_identifier_is_about_its_person(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    private, public = new_keys("ES256")
    (tmp_path / "keys.json").write_text(json.dumps(public))
    (tmp_path / "issuers.toml").write_text(f'[[issuer]]\nissuer = "{tokens.ISSUER}"\nkeys = "keys.json"\n')
    settings = servers.settings_for(
        tmp_path / "data",
        domain="ihe",
        notification_targets=subscriber.url,
        token_issuers=str(tmp_path / "issuers.toml"),
    )
    told = tokens.told(patient_id=PATIENT, scopes=("user/*.cruds",), audience=f"{settings.public_url}/fhir")
    bearer = {"Authorization": f"Bearer {sign_token(token_claims(told, now=datetime.now(UTC)), private)}"}
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        taken = subscribe(server, wanted(subscriber.url, content="id-only"), bearer)
        assert taken.status == 201, taken.body
        registry = servers.open_registry(settings)
        source, old, new = Source(transaction="ITI-8", caller=OPEN_CALLER), CX(PATIENT.key), CX(OTHER_PATIENT.key)
        registry.units.write(lambda unit: merge(registry, unit, subsumed=old, surviving=new, source=source))
        assert submit(server, "2.25.7901", patient_id=new)[0] == "Success"
        subscriber.up()
        dispatcher = dispatcher_of(settings, registry, pauses_ms=(10, 20))
        dispatcher.start()
        until(lambda: set(states(server)) <= {"sent", "withheld"})
        dispatcher.stop()
        registry.units.close()
        assert states(server) == {"sent": 2}


def again(registry: Registry, unit: UnitOfWork) -> None:
    """As if one more version of the first document had come."""
    found = registry.held(unit, [one.entry_uuid for one in sql_entries(registry)])
    thing = next(iter(found.values())).thing
    registry.notifier.changed(unit, PATIENT.key, [thing], [], registry.now())


def sql_entries(registry: Registry) -> list[Any]:
    criteria = Criteria(patient=PATIENT.key, unique_ids=("2.25.7801",))
    return list(registry.find(criteria, EVERYTHING))


def test_one_sees_and_ends_own_subscriptions_alone(world: World, subscriber: Subscriber) -> None:
    mine = world.patient(scopes=("patient/*.cruds",))
    taken = subscribe(world.server, wanted(subscriber.url), mine)
    place = "/fhir/Subscription/" + json.loads(taken.body)["id"]
    for method in ("GET", "DELETE"):
        assert world.server.request(method, place, None, world.bearer(scopes=("user/*.cruds",))).status == 404
    assert world.ask(place, mine).status == 200
    assert world.ask(place, world.patient(scopes=("patient/Subscription.c",))).status == 401
    assert world.server.request("DELETE", place, None, mine).status == 204


def test_another_patient_or_an_emergency_is_no_reason(world: World, subscriber: Subscriber) -> None:
    other = f"DocumentReference?patient.identifier=urn:oid:{OTHER_PATIENT.authority}|{OTHER_PATIENT.id}"
    token = world.bearer(scopes=("user/*.cruds",))
    assert subscribe(world.server, wanted(subscriber.url, filters=(other,)), token).status == 403
    everybody = "DocumentReference?type=http://loinc.org|11488-4"
    assert subscribe(world.server, wanted(subscriber.url, filters=(everybody,)), token).status == 403
    glass = world.bearer(scopes=("user/*.cruds",), purpose=PurposeOfUse.BREAK_GLASS)
    assert subscribe(world.server, wanted(subscriber.url), glass).status == 403
