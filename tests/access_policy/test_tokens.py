"""A JWT becomes the caller that an assertion would be, or is refused. IUA 3.72; DMP 6.4; RFC 8725."""

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from access_policy.bearer_token import read_keys
from access_policy.caller import AuthenticationMode, PurposeOfUse, Standing
from access_policy.make_token import new_keys, sign_token, token_claims, userinfo_claims
from access_policy.permission import has_scope, permits
from access_policy.refusals import Reason, Refused
from access_policy.scopes import opens
from access_policy.token_authentication import TokenAuthenticator
from tests import sts
from tests.access_policy import tokens
from tests.access_policy.tokens import CLIENT, MINUTE, OTHER_CLIENT, claims, refusal, signed
from tests.builders import OTHER_PATIENT, PATIENT
from xds.datatypes import CX, Code


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def without_secret(token: str, header: dict[str, Any]) -> str:
    """The same payload under another header, its signature kept."""
    _, payload, signature = token.split(".")
    return f"{part(header)}.{payload}.{signature}"


# --- who it is -----------------------------------------------------------------------------


def test_a_token_and_a_vihf_of_the_same_claims_are_the_same_caller() -> None:
    by_token = tokens.accepted(signed(claims()))
    by_vihf = sts.accepted(sts.envelope(sts.a_vihf(sts.a_claim(display_name="ÉLISE VILLARD"))))
    software, proof = by_vihf.software, by_vihf.credentials
    assert by_token.patient_id == CX(PATIENT.key)
    assert replace(by_token, credentials=proof, software=software, patient_id=by_vihf.patient_id) == by_vihf


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_each_algorithm_of_the_table_is_taken(algorithm: str) -> None:
    token = signed(claims(), algorithm)
    assert tokens.accepted(token, by=tokens.rules("RS256", "PS256", "ES256")).name == sts.DOCTOR.identifier


def test_userinfo_of_pro_sante_connect_is_the_person_authenticated_strongly() -> None:
    """DMP 6.4: it reads as the person does and never feeds."""
    caller = tokens.accepted(signed(userinfo_claims(tokens.told(), now=sts.NOW)))
    assert (caller.name, caller.mode) == (sts.DOCTOR.identifier, AuthenticationMode.AIR)
    assert [one.code for one in caller.roles] == ["10", "SM04"]
    assert (caller.structure, caller.sector) == (
        sts.CLINIC.identifier,
        Code(code="SA07", coding_scheme="1.2.250.1.71.4.2.4"),
    )
    assert caller.purpose is PurposeOfUse.NORMAL
    assert permits(caller, "ITI-67")
    assert not permits(caller, "ITI-65")


def test_two_exercises_leave_no_choice_of_one() -> None:
    found = userinfo_claims(tokens.told(), now=sts.NOW)
    found["SubjectRefPro"]["exercices"] *= 2
    assert refusal(signed(found)).reason is Reason.ATTRIBUTE


def test_a_patient_is_the_holder_of_the_own_record() -> None:
    caller = tokens.accepted(signed(token_claims(tokens.of_patient(), now=sts.NOW)))
    assert (caller.standing, caller.name, caller.patient_id) == (Standing.PATIENT, PATIENT.key, CX(PATIENT.key))
    assert permits(caller, "ITI-67")


def test_a_person_who_asks_for_another_is_a_representative() -> None:
    told = tokens.of_patient(person_id=OTHER_PATIENT, patient_id=PATIENT)
    caller = tokens.accepted(signed(token_claims(told, now=sts.NOW)))
    assert (caller.standing, caller.name, caller.patient_id) == (
        Standing.REPRESENTATIVE,
        OTHER_PATIENT.key,
        CX(PATIENT.key),
    )


def test_a_domain_without_records_knows_no_representatives() -> None:
    told = tokens.of_patient(person_id=OTHER_PATIENT, patient_id=PATIENT)
    found = refusal(signed(token_claims(told, now=sts.NOW)), by=tokens.rules(expected=None))
    assert found.reason is Reason.AGREEMENT


def test_who_names_a_profession_is_no_patient() -> None:
    both = claims()
    both["extensions"]["ihe_iua"]["person_id"] = PATIENT.key
    assert tokens.accepted(signed(both)).standing is Standing.PROFESSIONAL


def test_an_issuer_is_believed_about_what_it_is_configured_for() -> None:
    [issuer] = tokens.rules().issuers
    narrow = replace(issuer, modes=frozenset({AuthenticationMode.AIR}), has_patients=False)
    by = tokens.rules(issuers=(narrow,))
    assert tokens.accepted(signed(claims(mode=AuthenticationMode.AIR)), by=by).mode is AuthenticationMode.AIR
    assert refusal(signed(claims()), by=by).reason is Reason.ATTRIBUTE
    assert refusal(signed(token_claims(tokens.of_patient(), now=sts.NOW)), by=by).reason is Reason.ATTRIBUTE


def test_another_domain_takes_the_claims_as_those_of_xua() -> None:
    caller = tokens.accepted(signed(claims()), by=tokens.rules(expected=None))
    assert caller.roles[0].code == "10"
    assert caller.organisations == (sts.CLINIC.identifier,)
    assert caller.mode is None


# --- what is refused -------------------------------------------------------------------------


def test_f06_no_algorithm_and_no_secret_is_taken() -> None:
    good = signed(claims(), "RS256")
    by = tokens.rules("RS256")
    pem = by.issuers[0].keys("")[0].as_pem(private=False)
    head, payload = part({"alg": "HS256", "typ": "JWT"}), good.split(".")[1]
    mac = hmac.new(pem, f"{head}.{payload}".encode(), hashlib.sha256).digest()
    with_public_key = f"{head}.{payload}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert tokens.accepted(good, by=by)
    assert refusal(with_public_key, by=by).reason is Reason.ALGORITHM
    for name in ("none", "None", "NONE", "HS384", "RS512", "EdDSA", "RSA1_5", ""):
        assert refusal(without_secret(good, {"alg": name}), by=by).reason is Reason.ALGORITHM
    assert refusal(f"{part({'alg': 'none'})}.{payload}.", by=by).reason is Reason.TOKEN
    assert refusal(without_secret(good, {"alg": ["RS256"]}), by=by).reason is Reason.TOKEN


@pytest.mark.parametrize("brought", ["jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip"])
def test_f06_a_token_brings_no_key(brought: str) -> None:
    header = {"alg": "ES256", brought: "http://127.0.0.1:1/keys"}
    assert refusal(without_secret(signed(claims()), header)).reason is Reason.KEY


@pytest.mark.parametrize("key_id", ["../../etc/passwd", "' OR 1=1 --", "\x00", "x" * 9000, "http://127.0.0.1:1/"])
def test_f06_a_key_is_looked_for_among_those_known(key_id: str) -> None:
    assert refusal(without_secret(signed(claims()), {"alg": "ES256", "kid": key_id})).reason is Reason.KEY


def test_f06_a_key_of_another_kind_or_issuer_does_not_do() -> None:
    good = signed(claims(), "RS256")
    header = {"alg": "PS256", "kid": tokens.keys("RS256")[0]["kid"]}
    assert refusal(without_secret(good, header), by=tokens.rules("RS256")).reason is Reason.KEY
    stranger = sign_token(claims(), new_keys("ES256")[0])
    assert refusal(stranger).reason is Reason.KEY
    named = {**new_keys("ES256")[0], "kid": tokens.keys("ES256")[0]["kid"]}
    assert refusal(sign_token(claims(), named)).reason is Reason.SIGNATURE
    assert refusal(signed(claims(issuer="https://other.example.org/"))).reason is Reason.ISSUER


def test_f06_a_changed_token_is_not_signed() -> None:
    head, _, signature = signed(claims()).split(".")
    assert refusal(f"{head}.{part(claims(subject='801234567898'))}.{signature}").reason is Reason.SIGNATURE


def test_f06_the_audience_is_this_server() -> None:
    assert refusal(signed(claims(audience="https://other.example.org/fhir"))).reason is Reason.AUDIENCE
    assert refusal(signed(claims(audience=f"{tokens.AUDIENCE}/"))).reason is Reason.AUDIENCE
    several = claims() | {"aud": ["https://other.example.org/", tokens.AUDIENCE]}
    assert tokens.accepted(signed(several))
    for wrong in ([], "", None, {"a": 1}, [1], True):
        assert refusal(signed(claims() | {"aud": wrong})).reason is Reason.AUDIENCE


def test_f06_times_count_with_the_tolerated_difference_of_clocks() -> None:
    token = signed(claims())  # for five minutes; a minute is tolerated
    for moment in (-MINUTE, timedelta(0), timedelta(minutes=5, seconds=59)):
        assert tokens.accepted(token, now=sts.NOW + moment)
    for moment in (-MINUTE - timedelta(seconds=1), timedelta(minutes=6)):
        assert refusal(token, now=sts.NOW + moment).reason is Reason.TIME
    later = int((sts.NOW + timedelta(minutes=3)).timestamp())
    assert refusal(signed(claims() | {"nbf": later})).reason is Reason.TIME
    assert refusal(signed(claims(life=timedelta(hours=25)))).reason is Reason.TIME


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("wrong", ["1", True, None, [], 1e300, -1e300])
def test_f06_a_time_is_a_number(name: str, wrong: Any) -> None:
    assert refusal(signed(claims() | {name: wrong})).reason is Reason.TIME


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "jti"])
def test_f06_what_every_token_has_must_be_there(name: str) -> None:
    found = claims()
    del found[name]
    assert refusal(signed(found))


def test_f06_names_occur_once_and_numbers_are_numbers() -> None:
    key = tokens.keys("ES256")[0]
    for payload in ('{"iss":"a","iss":"b"}', '{"exp":NaN}', "[]", '"x"', "{" * 5000, "\ud800"):
        body = base64.urlsafe_b64encode(payload.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()
        assert refusal(f"{part({'alg': 'ES256', 'kid': key['kid']})}.{body}.AA").reason is Reason.TOKEN


def test_another_client_cannot_use_a_token_again() -> None:
    authenticator = TokenAuthenticator(tokens.rules(), sts.RememberedUses(), now=lambda: sts.NOW)
    token = signed(claims())
    first = authenticator.caller(token, CLIENT)
    assert authenticator.caller(token, CLIENT) == first
    with pytest.raises(Refused) as found:
        authenticator.caller(token, OTHER_CLIENT)
    assert found.value.reason is Reason.REPLAY


def test_a_key_that_its_issuer_withdrew_opens_nothing_any_more() -> None:
    given = tokens.rules()
    held = [*given.issuers[0].keys("")]
    issuer = replace(given.issuers[0], keys=lambda _key_id: tuple(held))
    authenticator = TokenAuthenticator(replace(given, issuers=(issuer,)), sts.RememberedUses(), now=lambda: sts.NOW)
    token = signed(claims())
    authenticator.caller(token, CLIENT)
    held.clear()
    with pytest.raises(Refused) as found:
        authenticator.caller(token, CLIENT)
    assert found.value.reason is Reason.KEY


def test_without_reuse_a_token_serves_once() -> None:
    by = tokens.rules(reuse_allowed=False)
    authenticator = TokenAuthenticator(by, sts.RememberedUses(), now=lambda: sts.NOW)
    token = signed(claims())
    authenticator.caller(token, CLIENT)
    with pytest.raises(Refused) as found:
        authenticator.caller(token, CLIENT)
    assert found.value.reason is Reason.REPLAY


def test_a_bound_token_comes_from_its_holder() -> None:
    pair = sts.card()
    certificate = next(iter(pair.values())).certificate
    holder = certificate.fingerprint(hashes.SHA256())
    token = signed(claims(certificate=certificate))
    assert tokens.accepted(token, client=holder)
    assert refusal(token).reason is Reason.CONFIRMATION
    assert refusal(signed(claims() | {"cnf": {"jkt": "x"}})).reason is Reason.CONFIRMATION


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("subject_role", []),
        ("subject_role", [{"code": "10", "system": "1.2.3"}]),
        ("subject_role", ["10"]),
        ("subject_role", 10),
        ("purpose_of_use", [{"code": "urgence", "system": "urn:oid:1.2.250.1.213.1.1.4.248"}]),
        ("subject_organization_id", "R10100000198286"),
        ("subject_name", {"text": "x"}),
    ],
)
def test_a_value_that_no_rule_allows_is_refused(path: str, wrong: Any) -> None:
    found = claims()
    found["extensions"]["ihe_iua"][path] = wrong
    assert refusal(signed(found)).reason is Reason.ATTRIBUTE


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_noise_is_refused(noise: str) -> None:
    assert refusal(noise)
    assert refusal(".".join([noise, noise, noise]))


@given(
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "exp", "iat", "jti", "scope", "extensions", "SubjectRefPro", "cnf"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda one: st.lists(one) | st.dictionaries(st.text(max_size=3), one),
            max_leaves=5,
        ),
        min_size=1,
    )
)
def test_claims_of_any_shape_are_taken_or_refused(changed: dict[str, Any]) -> None:
    """Never another exception."""
    with suppress(Refused):
        tokens.accepted(signed(claims() | changed))


# --- keys ------------------------------------------------------------------------------------


def test_a_set_of_keys_holds_no_secret() -> None:
    private, public = new_keys("ES256")
    for wrong in ({"keys": [private]}, {"keys": [{"kty": "oct", "k": "AAAA"}]}, {"keys": []}, {"keys": [1]}, [], {}):
        with pytest.raises(ValueError, match=r"expected|found"):
            read_keys(orjson.dumps(wrong))
    mixed = {
        "keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}, {**public["keys"][0], "use": "enc"}, *public["keys"]]
    }
    assert len(read_keys(orjson.dumps(mixed))) == 1


# --- scopes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "transaction", "letters", "is_open"),
    [
        ("ITI-67", "ITI-67", (), True),
        ("ITI-67", "ITI-68", (), False),
        ("ITI-65", "ITI-105", (), True),
        ("iti-67", "ITI-67", (), False),
        ("user/DocumentReference.rs", "ITI-67", (), True),
        ("user/DocumentReference.r", "ITI-67", ("DocumentReference.r",), True),
        ("user/DocumentReference.r", "ITI-67", ("DocumentReference.s",), False),
        ("user/DocumentReference.sr", "ITI-67", (), False),
        ("user/DocumentReference.rs?type=11488-4", "ITI-67", (), False),
        ("user/DocumentReference.read", "ITI-67", (), True),
        ("user/*.cruds", "ITI-65", (), True),
        ("user/DocumentReference.c", "ITI-65", (), False),
        ("user/DocumentReference.c user/List.c user/Binary.c", "ITI-65", (), True),
        ("user/*.rs", "ITI-65", (), False),
        ("system/List.s", "ITI-66", ("List.s",), True),
        ("patient/Binary.r", "ITI-68", (), True),
        ("launch/patient openid", "ITI-68", (), False),
        ("", "ITI-67", (), False),
        ("user/*.cruds", "ITI-57", (), True),
        ("user/*.rs", "ITI-57", (), False),
    ],
)
def test_a_scope_opens_what_it_names(scope: str, transaction: str, letters: tuple[str, ...], is_open: bool) -> None:
    assert opens(scope.split(), transaction, letters, names_patient=True) is is_open


def test_a_scope_of_a_patient_opens_nothing_without_one() -> None:
    assert not opens(["patient/*.cruds"], "ITI-67", names_patient=False)
    caller = tokens.accepted(signed(claims(scopes=("patient/*.rs",), patient_id=None)))
    assert not has_scope(caller, "ITI-67")


def test_a_token_runs_no_transaction_of_soap() -> None:
    caller = tokens.accepted(signed(claims()))
    assert permits(caller, "ITI-65")
    assert not any(permits(caller, one) for one in ("ITI-18", "ITI-41", "ITI-62", "ITI-104", "TD0.2"))
