"""VIHF to Caller: every attribute, the three modes, second roles, and who must agree with whom. DMP 6."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from access_policy.caller import AuthenticationMode, PurposeOfUse
from access_policy.make_vihf import Vihf
from access_policy.refusals import Reason
from access_policy.security_header import SAML
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import ATTRIBUTES, INS_C, Demand, Expected
from carnet.pki import Card, Credential, Structure, Use, issue_card
from tests import sts
from tests.builders import PATIENT, TEST_INS
from xds.datatypes import CX, Code

HL7 = "{urn:hl7-org:v3}"
ROLES_22, ROLES_85, ACTORS = "1.2.250.1.213.1.6.1.19", "1.2.250.1.213.1.6.1.107", "1.2.250.1.213.1.6.1.140"


def caller_of(claim: Vihf, **changes: Any) -> Any:
    client = sts.card() if claim.mode is AuthenticationMode.DIRECT else sts.structure()
    return sts.accepted(sts.envelope(sts.a_vihf(claim)), client[Use.AUTHENTICATION], **changes)


def refused(claim: Vihf, **changes: Any) -> tuple[Reason, str]:
    client = sts.card() if claim.mode is AuthenticationMode.DIRECT else sts.structure()
    found = sts.refusal(sts.envelope(sts.a_vihf(claim)), client[Use.AUTHENTICATION], **changes)
    return found.reason, found.detail


@pytest.mark.parametrize("version", ["2.0", "3.0", "4.0"])
def test_every_attribute_reaches_the_caller(version: str) -> None:
    claim = sts.an_indirect_claim(version=version, purpose=PurposeOfUse.BREAK_GLASS, is_secret_connection=True)
    caller = caller_of(claim)
    assert caller.name == "3690000014/evillard"
    assert caller.display_name == "ÉLISE VILLARD"
    assert [one.code for one in caller.roles] == ["10", "SM04"]
    assert caller.profession == sts.PROFESSION
    assert caller.structure == sts.CLINIC.identifier
    assert caller.sector == Code(code="SA07", coding_scheme="1.2.250.1.71.4.2.4")
    assert (caller.mode, caller.purpose) == (AuthenticationMode.INDIRECT, PurposeOfUse.BREAK_GLASS)
    assert caller.patient_id is not None and caller.patient_id.key == PATIENT.key
    assert caller.is_secret_connection
    assert caller.software == claim.software
    assert caller.credentials.version == version
    assert caller.credentials.context_class.endswith("Password")
    assert not caller.credentials.signed_with_sha1


@pytest.mark.parametrize("mode", AuthenticationMode)
@pytest.mark.parametrize("purpose", PurposeOfUse)
def test_every_mode_and_purpose_is_known(mode: AuthenticationMode, purpose: PurposeOfUse) -> None:
    make = sts.a_claim if mode is AuthenticationMode.DIRECT else sts.an_indirect_claim
    caller = caller_of(make(mode=mode, purpose=purpose))
    assert (caller.mode, caller.purpose) == (mode, purpose)
    assert bool(caller.credentials.context_declaration) is (mode is AuthenticationMode.AIR)


def test_an_assertion_without_patient_is_a_caller_too() -> None:
    assert caller_of(sts.a_claim(patient_id=None)).patient_id is None


def without(name: str) -> Callable[[etree._Element], None]:
    def change(assertion: etree._Element) -> None:
        for one in list(assertion.iter(f"{{{SAML}}}Attribute")):
            if one.get("Name") == name:
                one.getparent().remove(one)

    return change


@pytest.mark.parametrize("name", [one.name for one in ATTRIBUTES if one.demand is Demand.ALWAYS])
def test_a_missing_mandatory_attribute_refuses(name: str) -> None:
    found = sts.refusal(sts.envelope(sts.resigned(without(name))))
    assert found.reason in (Reason.ATTRIBUTE, Reason.AGREEMENT)
    assert "missing" in found.detail


@pytest.mark.parametrize("mode", [AuthenticationMode.INDIRECT, AuthenticationMode.AIR])
def test_without_a_card_the_user_is_named(mode: AuthenticationMode) -> None:
    assert refused(sts.an_indirect_claim(mode=mode, display_name=""))[0] is Reason.ATTRIBUTE


WRONG = {
    "version": {"version": "1.0"},
    "structure": {"structure": "clinique"},
    "sector": {"sector": Code(code="SA99", coding_scheme="1.2.250.1.71.4.2.4")},
    "patient of another authority": {"patient_id": CX("1^^^&1.2.3&ISO")},
    "profession outside JDV_J65": {"roles": (Code(code="11", coding_scheme="1.2.250.1.71.1.2.7"),)},
    "a second value first": {"roles": (sts.CARDIOLOGY, sts.PROFESSION)},
    "doctor without speciality": {"roles": (sts.PROFESSION,)},
    "doctor with an activity only": {
        "roles": (sts.PROFESSION, Code(code="GENR01", coding_scheme=ROLES_22)),
    },
    "pharmacist without section": {"roles": (Code(code="21", coding_scheme="1.2.250.1.71.1.2.7"),)},
    "pharmacist with a speciality": {
        "roles": (Code(code="21", coding_scheme="1.2.250.1.71.1.2.7"), sts.CARDIOLOGY),
    },
    "actor by role without role": {"roles": (Code(code="99", coding_scheme=ACTORS),)},
    "automate with a card": {"roles": (sts.AUTOMATE,)},
    "no role": {"roles": ()},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_is_not_allowed_refuses(name: str) -> None:
    assert refused(sts.a_claim(**WRONG[name]))[0] is Reason.ATTRIBUTE


RIGHT = {
    "pharmacist with section": (
        Code(code="21", coding_scheme="1.2.250.1.71.1.2.7"),
        Code(code="A", coding_scheme="1.2.250.1.71.4.2.6"),
    ),
    "actor by role": (Code(code="99", coding_scheme=ACTORS), Code(code="300", coding_scheme=ROLES_85)),
    "actor by kind of activity": (Code(code="99", coding_scheme=ACTORS), Code(code="GENR08", coding_scheme=ROLES_22)),
    "nurse": (sts.NURSING,),
    "doctor in training": (Code(code="10", coding_scheme="1.2.250.1.71.1.2.8"),),
    "doctor with speciality and activity": (
        sts.PROFESSION,
        sts.CARDIOLOGY,
        Code(code="GENR01", coding_scheme=ROLES_22),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_second_roles_of_those_who_have_one(name: str) -> None:
    assert caller_of(sts.a_claim(roles=RIGHT[name])).roles == RIGHT[name]


def test_an_automate_feeds_for_its_structure() -> None:
    claim = sts.an_indirect_claim(roles=(sts.AUTOMATE,), display_name="Carnet 0.1")
    assert caller_of(claim).profession == sts.AUTOMATE


@pytest.mark.parametrize("code", ["urgence", "brisDeGlace", "Normal", ""])
def test_other_purposes_met_in_clients_are_refused(code: str) -> None:
    def change(assertion: etree._Element) -> None:
        next(assertion.iter(f"{HL7}PurposeOfUse")).set("code", code)

    assert sts.refusal(sts.envelope(sts.resigned(change))).reason is Reason.ATTRIBUTE


def test_access_modes_of_the_newer_code_system_are_known() -> None:
    def change(assertion: etree._Element) -> None:
        next(assertion.iter(f"{HL7}PurposeOfUse")).set("codeSystem", "1.2.250.1.213.1.1.4.336")

    assert sts.accepted(sts.envelope(sts.resigned(change))).purpose is PurposeOfUse.NORMAL


def test_w20_quirks_of_known_senders_are_taken() -> None:
    """W20: case of names, legacy attributes, display names, no xsi:type, an ID that begins with a digit."""

    def change(assertion: etree._Element) -> None:
        assertion.set("ID", "3f0c2a52-8a39-4a25-9d0b-0f3c1f6d9a11")
        for one in assertion.iter(f"{{{SAML}}}Attribute"):
            if one.get("Name") == "Authentification_mode":
                one.set("Name", "Authentification_Mode")
        for role in assertion.iter(f"{HL7}Role"):
            role.attrib.pop("{http://www.w3.org/2001/XMLSchema-instance}type")
            role.set("displayName", "MÃ©decin")
            role.set("codeSystemName", "")
        statement = assertion.find(f"{{{SAML}}}AttributeStatement")
        for name in ("Profession", "Mode_Acces", "LPS_Type", "Confidentiality_code", "Autre"):
            attribute = etree.SubElement(statement, f"{{{SAML}}}Attribute", Name=name)
            etree.SubElement(attribute, f"{{{SAML}}}AttributeValue").text = "x"

    assert sts.accepted(sts.envelope(sts.resigned(change))).mode is AuthenticationMode.DIRECT


def test_version_2_may_name_the_patient_by_ins_c() -> None:
    ins_c = CX.of(id="0123456789012345678901", authority=INS_C)
    assert caller_of(sts.a_claim(version="2.0", patient_id=ins_c)).patient_id == ins_c
    assert refused(sts.a_claim(version="3.0", patient_id=ins_c))[0] is Reason.ATTRIBUTE


def test_a_server_may_take_fewer_versions() -> None:
    only = VihfRules(expected=Expected(versions=("4.0",), patient_authorities=frozenset({TEST_INS})))
    assert caller_of(sts.a_claim(version="4.0"), vihf=only).credentials.version == "4.0"
    assert refused(sts.a_claim(version="3.0"), vihf=only)[0] is Reason.ATTRIBUTE


def test_one_value_where_one_is_expected() -> None:
    def change(assertion: etree._Element) -> None:
        for one in list(assertion.iter(f"{{{SAML}}}Attribute")):
            if one.get("Name").endswith("resource-id"):
                etree.SubElement(
                    one, f"{{{SAML}}}AttributeValue"
                ).text = "185057800608491^^^&1.2.250.1.213.1.4.10&ISO^NH"

    assert sts.refusal(sts.envelope(sts.resigned(change))).reason is Reason.ATTRIBUTE


def test_direct_means_a_card_reader() -> None:
    def change(assertion: etree._Element) -> None:
        found = next(assertion.iter(f"{{{SAML}}}AuthnContextClassRef"))
        found.text = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"

    assert sts.refusal(sts.envelope(sts.resigned(change))).reason is Reason.ATTRIBUTE


# Agreement of the TLS client, the signer, the issuer and the claims.


def by(claim: Vihf, signer: Credential, client: Credential) -> Reason:
    return sts.refusal(sts.envelope(sts.a_vihf(claim, signer=signer)), client).reason


def test_the_signature_certificate_is_another_than_that_of_the_connection() -> None:
    caller = caller_of(sts.a_claim())
    assert caller.credentials.client != caller.credentials.signer
    authentication = sts.card()[Use.AUTHENTICATION]
    assert by(sts.a_claim(), authentication, authentication) is Reason.SIGNER_USAGE
    assert by(sts.a_claim(), sts.card()[Use.SIGNATURE], sts.card()[Use.SIGNATURE]) is Reason.CLIENT_USAGE


def test_signer_and_client_are_one_holder() -> None:
    nurse, seal = sts.card(sts.NURSE)[Use.AUTHENTICATION], sts.structure()[Use.AUTHENTICATION]
    assert by(sts.a_claim(), sts.card()[Use.SIGNATURE], nurse) is Reason.AGREEMENT
    assert by(sts.a_claim(), sts.card()[Use.SIGNATURE], seal) is Reason.AGREEMENT
    other = sts.structure(sts.OTHER_CLINIC)[Use.AUTHENTICATION]
    assert by(sts.an_indirect_claim(), sts.structure()[Use.SEAL], other) is Reason.AGREEMENT


def test_a_card_speaks_for_its_holder_alone() -> None:
    claim = sts.a_claim(subject=sts.NURSE.identifier)
    assert refused(claim)[0] is Reason.AGREEMENT


def test_a_seal_speaks_for_its_structure_alone() -> None:
    claim = sts.an_indirect_claim(structure=sts.OTHER_CLINIC.identifier)
    assert refused(claim)[0] is Reason.AGREEMENT


def test_a_seal_never_speaks_in_direct_mode_nor_a_card_in_another() -> None:
    seal, card = sts.structure(), sts.card()
    assert by(sts.a_claim(), seal[Use.SEAL], seal[Use.AUTHENTICATION]) is Reason.AGREEMENT
    assert by(sts.an_indirect_claim(), card[Use.SIGNATURE], card[Use.AUTHENTICATION]) is Reason.AGREEMENT


def test_the_issuer_is_the_subject_of_the_signer() -> None:
    def change(assertion: etree._Element) -> None:
        assertion.find(f"{{{SAML}}}Issuer").text = sts.card(sts.NURSE)[
            Use.SIGNATURE
        ].certificate.subject.rfc4514_string()

    assert sts.refusal(sts.envelope(sts.resigned(change))).reason is Reason.ISSUER


@pytest.mark.parametrize(
    "issuer",
    [
        "C=FR,O=CARNET TEST,T=Médecin,CN=801234567897+SN=VILLARD+GN=ÉLISE",
        "g=élise+sn=villard+cn=801234567897, title=médecin, o=Carnet  Test, c=fr",
        "OID.2.5.4.42=#0c06c3894c495345+2.5.4.4=VILLARD+CN=801234567897,2.5.4.12=#0c084dc3a96465 63696e,O=CARNET TEST,C=FR".replace(
            " 6", "6"
        ),
        'GN="ÉLISE"+SN=VILLARD+CN=801234567897,T=M\\C3\\A9decin,O=CARNET\\ TEST,C=FR',
    ],
)
def test_w21_the_issuer_may_be_written_in_several_ways(issuer: str) -> None:
    def change(assertion: etree._Element) -> None:
        assertion.find(f"{{{SAML}}}Issuer").text = issuer

    assert sts.accepted(sts.envelope(sts.resigned(change))).name == sts.DOCTOR.identifier


def test_a_card_that_names_a_structure_speaks_for_that_one() -> None:
    class CardOfStructure(Card):
        @property
        def subject(self) -> Any:
            parts = list(super().subject.rdns)
            unit = Structure(identifier=sts.OTHER_CLINIC.identifier, name="x").subject.rdns[3]
            return type(super().subject)([*parts[:2], unit, *parts[2:]])

    employee = CardOfStructure(identifier=sts.DOCTOR.identifier, family="VILLARD", given="ÉLISE")
    issued = issue_card(sts.igc(), employee, now=sts.NOW)
    assert by(sts.a_claim(), issued[Use.SIGNATURE], issued[Use.AUTHENTICATION]) is Reason.AGREEMENT
    claim = replace(sts.a_claim(), structure=sts.OTHER_CLINIC.identifier)
    message = sts.envelope(sts.a_vihf(claim, signer=issued[Use.SIGNATURE]))
    assert sts.accepted(message, issued[Use.AUTHENTICATION]).structure == sts.OTHER_CLINIC.identifier


def test_the_header_of_a_soap_1_1_envelope_is_read_as_well() -> None:
    """W01: known senders write it, whatever their Content-Type says."""
    soap_1_1 = sts.envelope(sts.a_vihf()).replace(
        b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/"
    )
    assert sts.accepted(soap_1_1).name == sts.DOCTOR.identifier
    other = soap_1_1.replace(b"<wsse:Security ", b'<wsse:Security e:actor="urn:other" ')
    assert sts.refusal(other).reason is Reason.HEADER
