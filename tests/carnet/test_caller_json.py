"""A caller goes to another process whole, or not at all."""

import json
from dataclasses import dataclass, make_dataclass
from datetime import UTC, datetime
from enum import StrEnum

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_policy.caller import OPEN_CALLER, AuthenticationMode, Caller, Credentials, Kind
from access_policy.make_vihf import Vihf
from carnet import caller_json
from carnet.caller_json import NoCaller, read_caller, read_kept_caller, write_caller
from carnet.pki import Use
from tests import sts
from xds.datatypes import CX, Code


@given(st.builds(Caller))
def test_a_caller_comes_back_as_it_went(caller: Caller) -> None:
    assert read_caller(json.loads(orjson.dumps(write_caller(caller)))) == caller


class Purpose(StrEnum):
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    expires: datetime
    signer: str = ""


def test_a_caller_of_any_fields_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an assertion will prove: codes, identifiers, times, and none of them."""
    kinds = {
        "name": str,
        "roles": tuple[Code, ...],
        "sector": Code | None,
        "patient_id": CX | None,
        "purpose": Purpose | None,
        "proof": Proof | None,
    }
    rich = make_dataclass("Rich", kinds.items(), frozen=True, kw_only=True)
    monkeypatch.setattr(caller_json, "Caller", rich)
    doctor = Code(code="10", coding_scheme="1.2.250.1.71.1.2.7", display_name="Médecin")
    whole = rich(
        name="801234567897",
        roles=(doctor, doctor),
        sector=doctor,
        patient_id=CX("279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"),
        purpose=Purpose.NORMAL,
        proof=Proof(expires=datetime(2026, 3, 10, tzinfo=UTC)),
    )
    poor = rich(name="", roles=(), sector=None, patient_id=None, purpose=None, proof=None)
    for one in (whole, poor):
        assert read_caller(json.loads(orjson.dumps(write_caller(one)))) == one


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, "caller: expected name, is_open"),
        ({"name": "a"}, "caller: expected"),
        ({"name": "a", "is_open": False, "is_trusted": True}, "caller: expected"),
        (write_caller(OPEN_CALLER) | {"is_open": 1}, r"caller.is_open: expected bool"),
        (write_caller(OPEN_CALLER) | {"name": None}, r"caller.name: expected str"),
        (write_caller(OPEN_CALLER) | {"mode": "DIRECT"}, r"caller.mode: expected AuthenticationMode"),
    ],
)
def test_what_is_no_caller_is_refused(found: object, expected: str) -> None:
    with pytest.raises(NoCaller, match=expected):
        read_caller(found)


@pytest.mark.parametrize("claim", [sts.a_claim(), sts.an_indirect_claim(mode=AuthenticationMode.AIR)])
def test_a_caller_proved_by_an_assertion_goes_whole_to_another_process(claim: Vihf) -> None:
    client = sts.card() if claim.mode is AuthenticationMode.DIRECT else sts.structure()
    caller = sts.accepted(sts.envelope(sts.a_vihf(claim)), client[Use.AUTHENTICATION])
    assert caller.credentials is not None
    assert read_caller(json.loads(orjson.dumps(write_caller(caller)))) == caller


def a_doctor() -> Caller:
    proof = Credentials(
        kind=Kind.TOKEN,
        assertion_id="1",
        issuer="https://as.example.org/",
        expires=datetime(2026, 3, 10, tzinfo=UTC),
        client="",
        signer="x",
    )
    return Caller(name="899700218896", mode=AuthenticationMode.DIRECT, credentials=proof)


def test_a_caller_that_was_kept_has_the_defaults_of_fields_that_came_later() -> None:
    kept = write_caller(a_doctor())
    for name in ("is_secret_connection", "provider_identifiers"):
        del kept[name]
    del kept["credentials"]["scopes"]
    assert read_kept_caller(kept) == a_doctor()
    with pytest.raises(NoCaller):
        read_caller(kept)
    for wrong in ({**kept, "unheard_of": 1}, {name: one for name, one in kept.items() if name != "name"}):
        with pytest.raises(NoCaller):
            read_kept_caller(wrong)
