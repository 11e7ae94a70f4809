"""Whom a caller may know by FHIR, where the proof names a patient and where it names nobody."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_policy.caller import OPEN_CALLER, Caller, Credentials, Kind
from fhir_facade.patients import Patients
from tests import servers
from tests.builders import PATIENT
from xds.datatypes import CX

NEVER = datetime.max.replace(tzinfo=UTC)


def proved(kind: Kind, patient: CX | None = None) -> Caller:
    proof = Credentials(kind=kind, assertion_id="_1", issuer="https://sts.test/", expires=NEVER, client="", signer="")
    return Caller(name="jane@example.org", patient_id=patient, credentials=proof)


@pytest.mark.parametrize(
    ("domain", "caller", "knows"),
    [
        ("dmp", OPEN_CALLER, True),
        ("dmp", proved(Kind.VIHF, PATIENT), True),
        ("dmp", proved(Kind.VIHF), False),
        ("dmp", proved(Kind.XUA), False),
        ("ihe", proved(Kind.XUA), True),
        ("ihe", proved(Kind.TOKEN), False),
    ],
)
def test_a_proof_that_names_nobody_opens_what_its_community_may_see_and_no_records(
    tmp_path: Path, domain: str, caller: Caller, knows: bool
) -> None:
    settings = servers.settings_for(tmp_path, domain=domain)
    registry = servers.open_registry(settings)
    try:
        registry.units.write(lambda unit: registry.add_patient(unit, PATIENT))
        everybody = Patients(registry=registry, caller=OPEN_CALLER, base_url="http://x/fhir")
        patients = Patients(registry=registry, caller=caller, base_url="http://x/fhir")
        system = f"urn:oid:{PATIENT.authority}"
        [known] = everybody.identified(system, PATIENT.id)
        assert (patients.read(f"Patient/{known.key}") is not None) is knows
        assert (patients.identified(system, PATIENT.id) != []) is knows
        assert (patients.of_system(system, most=10) != []) is knows
    finally:
        registry.units.close()
