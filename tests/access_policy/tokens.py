"""An authorisation server that tests trust, and its tokens about the doctor and the patient of the tests."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import orjson

from access_policy.bearer_token import Key, read_keys
from access_policy.caller import AuthenticationMode, Caller
from access_policy.make_token import Told, new_keys, sign_token, token_claims
from access_policy.refusals import Refused
from access_policy.token_authentication import TokenAuthenticator, TokenIssuer, TokenRules
from access_policy.vihf_attributes import Expected
from tests import sts
from tests.builders import PATIENT, TEST_INS

ISSUER, AUDIENCE = "https://as.example.org/", "https://carnet.example.org/fhir"
MINUTE = timedelta(minutes=1)
CLIENT, OTHER_CLIENT = b"\x01" * 32, b"\x02" * 32
ALL_SCOPES = ("ITI-65", "ITI-66", "ITI-67", "ITI-68")


@cache
def keys(algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return new_keys(algorithm)


@dataclass(frozen=True)
class TheseKeys:
    keys: tuple[Key, ...]

    def __call__(self, key_id: str) -> tuple[Key, ...]:
        return self.keys


def public(*algorithms: str) -> tuple[Key, ...]:
    return tuple(key for one in algorithms for key in read_keys(orjson.dumps(keys(one)[1])))


def rules(*algorithms: str, **changes: Any) -> TokenRules:
    issuer = TokenIssuer(
        issuer=ISSUER,
        keys=TheseKeys(public(*(algorithms or ("ES256",)))),
        modes=frozenset(AuthenticationMode),
        has_patients=True,
    )
    expected = Expected(patient_authorities=frozenset({TEST_INS}))
    given = TokenRules(issuers=(issuer,), audiences=(AUDIENCE,), expected=expected)
    return replace(given, **changes)


def told(**changes: Any) -> Told:
    """The cardiologist of the tests about their patient, authenticated by card."""
    defaults: dict[str, Any] = {
        "issuer": ISSUER,
        "subject": sts.DOCTOR.identifier,
        "audience": AUDIENCE,
        "scopes": ALL_SCOPES,
        "name": "ÉLISE VILLARD",
        "structure": sts.CLINIC.identifier,
        "roles": (sts.PROFESSION, sts.CARDIOLOGY),
        "mode": AuthenticationMode.DIRECT,
        "patient_id": PATIENT,
    }
    return Told(**(defaults | changes))


def of_patient(**changes: Any) -> Told:
    """The patient of the tests about the own record."""
    return told(**({"subject": "portal-17", "person_id": PATIENT, "name": "", "structure": "", "roles": ()} | changes))


def claims(**changes: Any) -> dict[str, Any]:
    return token_claims(told(**changes), now=sts.NOW)


def signed(claims: dict[str, Any], algorithm: str = "ES256") -> str:
    return sign_token(claims, keys(algorithm)[0])


def accepted(token: str, *, client: bytes = CLIENT, now: datetime = sts.NOW, by: TokenRules | None = None) -> Caller:
    return TokenAuthenticator(by or rules(), sts.RememberedUses(), now=lambda: now).caller(token, client)


def refusal(token: str, *, client: bytes = CLIENT, now: datetime = sts.NOW, by: TokenRules | None = None) -> Refused:
    try:
        caller = accepted(token, client=client, now=now, by=by)
    except Refused as refused:
        return refused
    raise AssertionError(f"accepted as {caller}")
