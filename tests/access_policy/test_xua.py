"""XUA assertions of other communities, by configuration: pinned keys, strict conditions, repeated values. ITI TF-2: 3.40."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from access_policy.caller import Caller, Kind
from access_policy.permission import permits
from access_policy.refusals import Reason, Refused
from access_policy.security_header import SAML
from access_policy.visibility import EVERYTHING, Visibility, claimed
from carnet.pki import Use
from carnet.settings import SettingsError
from carnet.trust_folder import read_providers
from tests import sts, xua
from tests.builders import OTHER_PATIENT, PATIENT


def message(assertion: Any) -> bytes:
    return sts.envelope(assertion)


def accepted(assertion: Any, **changes: Any) -> Caller:
    given = {"providers": (xua.provider(),), "vihf": None} | changes
    return sts.accepted(message(assertion), xua.client(), **given)


def refused(assertion: Any, **changes: Any) -> Refused:
    given = {"providers": (xua.provider(),), "vihf": None} | changes
    return sts.refusal(message(assertion), xua.client(), **given)


def test_s28_all_41_named_variants_are_played() -> None:
    names = {one.partition(".")[0] for one in (*xua.ACCEPTED, *xua.REFUSED)}
    assert len(names) == 41


@pytest.mark.parametrize("name", xua.ACCEPTED)
def test_s28_named_variants_that_are_valid_are_accepted(name: str) -> None:
    assert accepted(xua.ACCEPTED[name]()).name == "jane@example.org"


@pytest.mark.parametrize("name", xua.REFUSED)
def test_s28_named_variants_that_are_not_are_refused(name: str) -> None:
    assert refused(xua.REFUSED[name]())


def test_every_attribute_reaches_the_caller() -> None:
    caller = accepted(xua.made(lambda _a: None, roles=2, purposes=(xua.TREATMENT, ("PAYMENT", xua.TREATMENT[1]))))
    assert caller.credentials is not None
    assert (caller.credentials.kind, caller.credentials.issuer) == (Kind.XUA, xua.ISSUER)
    assert (caller.display_name, caller.organisations) == ("Jane Doe", ("urn:oid:1.2.3.4",))
    assert caller.home_community_id == "urn:oid:1.2.3"
    assert [one.code for one in caller.purposes] == ["TREATMENT", "PAYMENT"]
    assert len(caller.roles) == 2
    assert caller.patient_id is not None and caller.patient_id.key == PATIENT.key


def test_the_holder_of_the_key_is_confirmed() -> None:
    assert accepted(xua.made(lambda _a: None, confirmation="holder-of-key"))


def test_s24_role_and_purpose_open_transactions_and_without_them_none() -> None:
    for given in ({"roles": 0}, {"purposes": ()}):
        caller = accepted(xua.made(lambda _a: None, **given))
        assert not permits(caller, "ITI-18")
    assert permits(accepted(xua.ACCEPTED["valid"]()), "ITI-18")
    assert not permits(accepted(xua.ACCEPTED["valid"]()), "ITI-62")


def test_s24_two_patients_in_one_assertion_are_refused() -> None:
    def change(assertion: Any) -> None:
        attribute = [one for one in assertion.iter(f"{{{SAML}}}Attribute") if one.get("Name").endswith("resource-id")]
        attribute[0].append(
            etree.fromstring(
                f'<s:AttributeValue xmlns:s="{SAML}">{OTHER_PATIENT.key.replace("&", "&amp;")}</s:AttributeValue>'
            )
        )

    assert refused(xua.made(change)).reason is Reason.ATTRIBUTE


def test_what_an_assertion_names_bounds_what_is_seen() -> None:
    caller = accepted(xua.ACCEPTED["valid"]())
    assert claimed(caller) == Visibility(everything=False, patient=PATIENT.key)
    assert claimed(replace(caller, patient_id=None)) == EVERYTHING


def test_s21_an_issuer_is_believed_with_its_own_keys_only() -> None:
    other = xua.provider(issuer="https://other.example/", certificates=(sts.structure()[Use.SEAL].certificate,))
    mine = xua.provider(certificates=other.certificates)
    assert refused(xua.ACCEPTED["valid"](), providers=(other, mine)).reason is Reason.KEY
    assert refused(xua.ACCEPTED["missingkeyinfo"](), providers=(other, mine)).reason is Reason.SIGNATURE
    assert refused(xua.ACCEPTED["valid"](), providers=()).reason is Reason.ISSUER


def test_a_key_may_be_rolled_over() -> None:
    both = (sts.structure()[Use.SEAL].certificate, xua.signer().certificate)
    assert accepted(xua.ACCEPTED["valid"](), providers=(xua.provider(certificates=both),))
    assert accepted(xua.ACCEPTED["missingkeyinfo"](), providers=(xua.provider(certificates=both),))


def test_a_vihf_is_no_xua_assertion() -> None:
    assert sts.refusal(sts.envelope(sts.a_vihf()), vihf=None, providers=(xua.provider(),)).reason is Reason.ISSUER


def write(folder: Path, text: str) -> Path:
    (folder / "sts.pem").write_bytes(xua.signer().certificate_pem)
    file = folder / "xua.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_providers_are_read_from_a_file(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        f'[[provider]]\nissuer = "{xua.ISSUER}"\nformat = "{xua.ENTITY}"\ncertificates = ["sts.pem"]\n'
        f'audiences = ["{xua.AUDIENCE}"]\n',
    )
    assert read_providers(file) == (xua.provider(),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected [[provider]] tables"),
        ("x = 1", "expected [[provider]] tables"),
        ("[[provider]", "xua.toml"),
        ('[[provider]]\ncertificates = ["sts.pem"]', "issuer is missing"),
        ('[[provider]]\nissuer = "a"', "certificates is missing"),
        ('[[provider]]\nissuer = "a"\ncertificates = "sts.pem"', "expected list"),
        ('[[provider]]\nissuer = "a"\ncertificate = ["sts.pem"]', "unknown key certificate"),
        ('[[provider]]\nissuer = "a"\ncertificates = ["xua.toml"]', "found no certificate"),
        ('[[provider]]\nissuer = "a"\ncertificates = ["sts.pem"]\n' * 2, "one issuer twice"),
    ],
)
def test_a_file_that_is_wrong_names_what_is(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence.replace("[", r"\[")):
        read_providers(write(tmp_path, text))
