"""Whose a subscription is, and about whom: issuers, former identifiers, what may still be told. ITI TF-2: 3.52."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_policy.caller import OPEN_CALLER, AuthenticationMode, Caller, Credentials, Kind, Standing
from carnet.caller_json import write_caller
from carnet.settings import Settings
from carnet.subscribers import still_believed
from dmp import directory
from registry import patients
from registry.patients import Source
from registry.store import Registry
from storage.unit_of_work import Units
from subscriptions import sql
from subscriptions.broker import Broker
from subscriptions.changes import Outbox
from subscriptions.subscription import Channel, Content, Subscription
from tests.access_policy import tokens
from tests.builders import OTHER_PATIENT, PATIENT, an_entry
from tests.dmp.test_directory import LINES
from xds.datatypes import CX

NOW, TARGET = "20260310100000", "https://ehr.example.org/told"


def a_caller(
    issuer: str = "https://a.example.org/",
    *,
    kind: Kind = Kind.XUA,
    signer: str = "x",
    about: CX = PATIENT,
    **changes: object,
) -> Caller:
    proof = Credentials(
        kind=kind,
        assertion_id="1",
        issuer=issuer,
        expires=datetime(2026, 3, 10, tzinfo=UTC),
        client="",
        signer=signer,
    )
    return replace(Caller(name="house", patient_id=about, credentials=proof), **changes)  # type: ignore[arg-type]


def a_wish(patient: CX = PATIENT) -> Subscription:
    return Subscription(
        id="",
        patient=patient.key,
        channel=Channel.DSUB,
        target=TARGET,
        content=Content.FULL,
        created="",
        ends="",
        caller="",
        subscriber="",
    )


def a_broker(registry: Registry) -> Broker:
    return Broker(
        units=registry.units,
        targets=(TARGET,),
        now=lambda: NOW,
        write_caller=lambda caller: json.dumps(write_caller(caller)),
        present=registry.present_patient,
    )


def merge(registry: Registry, subsumed: CX, surviving: CX) -> None:
    source = Source(transaction="ITI-8", caller=OPEN_CALLER)
    registry.units.write(
        lambda unit: patients.merge(registry, unit, subsumed=subsumed, surviving=surviving, source=source)
    )


def told_about(units: Units, patient: CX) -> list[str]:
    """The subscriptions that a new document of this patient is for."""
    units.write(lambda unit: Outbox().changed(unit, patient.key, [an_entry()], [], NOW))
    with units.read() as connection:
        found = {one.notification.subscription for one in sql.heads(connection, 1)}
        return sorted(found)


def test_the_same_name_of_another_issuer_is_somebody_else(registry: Registry) -> None:
    broker, one, other = a_broker(registry), a_caller(), a_caller("https://b.example.org/")
    taken = broker.subscribe(a_wish(), one)
    assert broker.own(one, taken.id) is not None
    assert (broker.own(other, taken.id), broker.all_own(other), broker.end(other, taken.id)) == (None, [], False)
    assert [mine.id for mine in broker.all_own(one)] == [taken.id]
    assert broker.end(one, taken.id)


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({"mode": AuthenticationMode.DIRECT}, True),
        ({"mode": AuthenticationMode.AIR}, True),
        ({"standing": Standing.PATIENT}, True),
        ({"mode": AuthenticationMode.INDIRECT, "organisations": ("11350999033",)}, True),
        ({}, False),
    ],
)
def test_a_national_identifier_is_one_person_whoever_proves_it(changes: dict[str, object], is_same: bool) -> None:
    one, other = (a_caller(issuer, **changes) for issuer in ("CN=a", "CN=b"))
    assert (one.subject == other.subject) == is_same


def test_an_internal_name_means_something_in_its_structure_alone() -> None:
    one, other = (a_caller(mode=AuthenticationMode.INDIRECT, organisations=(structure,)) for structure in ("11", "12"))
    assert one.subject != other.subject


@pytest.mark.parametrize("is_merged_before", [True, False])
def test_a_subscription_about_a_former_identifier_follows_its_person(
    registry: Registry, is_merged_before: bool
) -> None:
    """Merged twice: each identifier leads to the one that is left."""
    registry.notifier = Outbox()
    third = CX.of(id="255069999999934", authority=PATIENT.authority)
    registry.units.write(lambda unit: registry.add_patient(unit, third))
    broker, caller = a_broker(registry), a_caller()
    if is_merged_before:
        merge(registry, PATIENT, OTHER_PATIENT)
    taken = broker.subscribe(a_wish(), caller)
    if not is_merged_before:
        merge(registry, PATIENT, OTHER_PATIENT)
    merge(registry, OTHER_PATIENT, third)
    assert told_about(registry.units, third) == [taken.id]
    for proof in (caller, a_caller(about=OTHER_PATIENT), a_caller(about=third)):
        assert broker.own(proof, taken.id) is not None


@pytest.mark.parametrize(
    ("caller", "given", "is_believed"),
    [
        (OPEN_CALLER, {"security": "open"}, True),
        (OPEN_CALLER, {"security": "mtls"}, False),
        (a_caller(kind=Kind.VIHF, signer=""), {"security": "open"}, True),
        (a_caller(kind=Kind.VIHF, signer=""), {"security": "mtls"}, False),
        (a_caller(kind=Kind.VIHF), {"security": "mtls"}, True),
        (a_caller(kind=Kind.VIHF), {"security": "mtls", "domain": "ihe"}, False),
        (a_caller(kind=Kind.XUA), {"security": "mtls", "domain": "ihe"}, False),
        (a_caller(tokens.ISSUER, kind=Kind.TOKEN), {"token_issuers": "issuers.toml"}, True),
        (a_caller("https://gone.example.org/", kind=Kind.TOKEN), {"token_issuers": "issuers.toml"}, False),
        (a_caller(tokens.ISSUER, kind=Kind.TOKEN), {}, False),
    ],
)
def test_who_would_not_be_taken_any_more_is_told_nothing(
    units: Units, tmp_path: Path, caller: Caller, given: dict[str, str], is_believed: bool
) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(tokens.keys("ES256")[1]))
    (tmp_path / "issuers.toml").write_text(f'[[issuer]]\nissuer = "{tokens.ISSUER}"\nkeys = "keys.json"\n')
    if "token_issuers" in given:
        given = given | {"token_issuers": str(tmp_path / given["token_issuers"])}
    assert still_believed(Settings(**({"security": "mtls"} | given)), units)(caller) == is_believed


def test_who_left_the_directory_is_told_nothing(units: Units) -> None:
    believed = still_believed(Settings(security="mtls", directory="refuse"), units)
    doctor = a_caller(kind=Kind.VIHF, mode=AuthenticationMode.DIRECT)
    assert believed(doctor)  # the directory is empty and says nothing
    units.write(lambda unit: directory.load(unit, LINES))
    assert not believed(doctor)
