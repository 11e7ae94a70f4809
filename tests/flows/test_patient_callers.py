"""Patients and representatives at the doors, by a VIHF that a portal seals. DMP 1 (S33, S53), 13"""

from dataclasses import replace
from typing import Any

import pytest

from access_policy.caller import AuthenticationMode
from access_policy.make_vihf import Vihf, make_vihf
from access_policy.refusals import Refused
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import Expected
from carnet.clock import true_time
from carnet.pki import Use
from dmp import people
from dmp.actor import OPERATOR
from dmp.record import Representative
from tests import sts
from tests.builders import PATIENT, TEST_INS, an_author, an_entry
from tests.flows.test_access_policy import (
    CONTENT,
    HIDDEN,
    MASKED,
    SECRET,
    World,
    a_person,
    sees_everywhere,
    sees_nothing_of,
)
from tests.servers import Server
from xds.datatypes import CX, XCN, Code

ROLE = (Code(code="EXP_PATIENT", coding_scheme="1.2.250.1.213.1.1.4.6"),)
DEPOSIT = Code(code="DOCPAT03", coding_scheme="1.2.250.1.213.1.1.4.12", display_name="CR déposé par le patient")


def claim(person: CX, record: CX, **changes: Any) -> Vihf:
    given = {"subject": str(person), "roles": ROLE, "patient_id": record, "display_name": "MARCHAL LISE"}
    return sts.an_indirect_claim(**(given | changes))


def asking(world: World, person: CX) -> bytes:
    return world.vihf(str(person), roles=ROLE, mode=AuthenticationMode.INDIRECT, display_name="MARCHAL LISE")


def test_s53_patients_and_representatives_see_what_is_theirs_at_every_door(server: Server) -> None:
    world, mother = World(server), a_person()
    plain, masked, hidden, secret = (world.fed(*codes) for codes in ((), (MASKED,), (HIDDEN,), (SECRET,)))
    patient, representative = asking(world, world.patient), asking(world, mother)
    for entry in (plain, masked, secret):
        sees_everywhere(world, patient, entry)
    sees_nothing_of(world, patient, hidden)
    sees_nothing_of(world, representative, plain)  # represents nobody yet
    named = Representative(patient=mother.key)
    world.change(
        lambda dmp, unit, _: people.add_representative(
            dmp, unit, world.patient.key, named, by=OPERATOR, now=true_time()
        )
    )
    for entry in (plain, masked):
        sees_everywhere(world, representative, entry)
    for entry in (hidden, secret):
        sees_nothing_of(world, representative, entry)


def test_s33_a_patient_deposits_documents_of_patients_alone(server: Server) -> None:
    world = World(server)
    patient = asking(world, world.patient)
    mine = an_author(
        author_person=XCN(f"{world.patient.id}^MARCHAL^LISE^^^^^^&{TEST_INS}&ISO^D^^^NH"),
        author_institution=(),
        author_specialty=(),
    )
    given: dict[str, Any] = {"content": CONTENT, "patient_id": world.patient}
    assert "feed.patient_author" in " ".join(world.feed(patient, an_entry(type_code=DEPOSIT, **given)).contexts)
    assert "feed.patient_type" in " ".join(world.feed(patient, an_entry(author=(mine,), **given)).contexts)
    entry = world.fed(header=patient, author=(mine,), type_code=DEPOSIT)
    sees_everywhere(world, patient, entry)


def rules(*portals: str) -> VihfRules:
    return VihfRules(expected=Expected(patient_authorities=frozenset({TEST_INS})), portals=frozenset(portals))


def accepted(vihf: Vihf, *portals: str) -> Any:
    seal, client = sts.structure()[Use.SEAL], sts.structure()[Use.AUTHENTICATION]
    assertion = make_vihf(vihf, seal.certificate, seal.key, now=sts.NOW)
    return sts.accepted(sts.envelope(assertion), client, vihf=rules(*portals))


def test_only_a_portal_of_the_settings_speaks_for_patients() -> None:
    own, other = claim(PATIENT, PATIENT), claim(CX(f"185057800608491^^^&{TEST_INS}&ISO^NH"), PATIENT)
    assert accepted(own, sts.CLINIC.identifier).standing == "patient"
    assert accepted(other, sts.CLINIC.identifier).standing == "representative"
    for portals in ((), (sts.OTHER_CLINIC.identifier,)):
        with pytest.raises(Refused):
            accepted(own, *portals)


@pytest.mark.parametrize("changes", [{"subject": "801234567897"}, {"patient_id": None}])
def test_a_patient_is_named_by_an_ins_and_asks_about_a_person(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        accepted(replace(claim(PATIENT, PATIENT), **changes), sts.CLINIC.identifier)
