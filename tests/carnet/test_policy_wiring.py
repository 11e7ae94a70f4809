"""The rule of the policy that an audit record names."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from carnet.policy_wiring import reading_rule, record_policy
from carnet.settings import load
from carnet.traffic import Traffic, observed
from storage.unit_of_work import Units
from tests.dmp.people import PATIENT, Desk, a_professional, opened
from tests.registry.a_policed_record import PROOF
from xds.datatypes import CX


def test_the_rule_on_record_is_that_of_what_was_shown_whatever_happened_since(units: Units, tmp_path: Path) -> None:
    caller = replace(a_professional(), credentials=PROOF, patient_id=CX(PATIENT))
    policy = record_policy(load({"data": str(tmp_path)}))
    registry: Any = SimpleNamespace(policy=policy, units=units)

    def answered(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with units.read() as connection:
            policy.visibility(connection, caller)
        opened(Desk(units))
        start_response("200 OK", [])
        return [reading_rule(registry, "ITI-18", caller).encode()]

    body = observed(answered, Traffic(), lambda _environ: None)({}, lambda *_: None)
    assert list(body) == [b"record.none"]
    assert reading_rule(registry, "ITI-18", caller) != "record.none"
    assert reading_rule(registry, "ITI-18", replace(caller, patient_id=None)) == "caller.patient"
