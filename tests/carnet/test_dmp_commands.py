"""`carnet dmp` over HTTP: what software asks of the record of a person, each transaction by its command. DMP 3."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from access_policy.caller import PurposeOfUse
from access_policy.make_vihf import make_vihf
from carnet.dmp_commands import dmp
from carnet.pki import Use
from tests import forked, servers, sts
from tests.builders import PATIENT
from tests.flows.test_record_transactions import Software
from tests.servers import Server
from xds.datatypes import Code

INS = PATIENT.id
WHO = ("--family", "EXEMPLE", "--given", "ANNE", "--born", "19580614", "--gender", "F")
BY = ("--by", "801234567897^VILLARD^ÉLISE", "--structure", "1690000014^Clinique des Tilleuls")
INVISIBLE = Code(code="INVISIBLE_PATIENT", coding_scheme="1.2.250.1.213.1.1.4.13", display_name="Invisible")
Dmp = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.in_process(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="dmp")) as running:
        yield running


@pytest.fixture(scope="module")
def dmp_command(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Dmp:
    """Runs a command, as a doctor about the patient unless another claim is given: what it printed."""

    def run(name: str, *arguments: str, exit_code: int = 0, is_text: bool = False, **claim: Any) -> Any:
        signer, file = sts.card()[Use.SIGNATURE], tmp_path_factory.mktemp("vihf") / "vihf.xml"
        made = make_vihf(
            replace(sts.a_claim(), **claim),
            signer.certificate,
            signer.key,
            now=datetime.now(UTC).replace(microsecond=0),
        )
        file.write_bytes(etree.tostring(made))
        shown = [
            "dmp",
            name,
            *arguments,
            "--url",
            server.url,
            "--assertion",
            str(file),
            *(() if is_text else ("--json",)),
        ]
        done = forked.run(shown)
        assert done.returncode == exit_code, (done.stdout, done.stderr)
        return done.stdout if is_text else json.loads(done.stdout)

    return run


def test_a_record_lives_by_the_commands(dmp_command: Dmp, server: Server) -> None:
    assert dmp_command("existence", INS)["code"] == "NF"
    assert dmp_command("create", INS, *WHO, *BY)["code"] == "AA"
    assert dmp_command("existence", INS)["code"] == "OK"
    changed = dmp_command("change", INS, *WHO, *BY, "--telecom", "mailto:anne@example.org", "--opposes-break-glass")
    assert changed["code"] == "AA"
    [person] = dmp_command("data", INS)["rows"]
    assert (person["ins"], person["family"], person["born"]) == (INS, "EXEMPLE", "19580614")
    assert person["telecoms"] == "mailto:anne@example.org"
    assert (person["OPPOSITION_BRIS_DE_GLACE"], person["OPPOSITION_ACCES_URGENCE"]) == ("true", "false")

    assert dmp_command("authorise")["code"] == "DMPOk"
    assert [one["ins"] for one in dmp_command("records", "--since", "2026-01-01")["rows"]] == [INS]
    assert [one["nationalId"] for one in dmp_command("professionals")["rows"]] == [sts.a_claim().subject]

    found = dmp_command("search", *WHO, patient_id=None, purpose=PurposeOfUse.REGULATION)
    assert [(one["ins"], one["POURCENTAGE"]) for one in found["rows"]] == [(INS, "100")]

    told = dmp_command("account", "anne@example.org")
    assert told["code"] == "DMPOk"
    assert dmp_command("account", "anne@example.org", exit_code=1)["code"] == "DMPPatientAccessAlreadyExists"
    assert dmp_command("channel", "0639981234", "--kind", "SMS")["code"] == "DMPOk"
    assert dmp_command("channel", "--kind", "SMS", "--action", "SUPPRESSION")["code"] == "DMPOk"
    renewed = dmp_command("password")
    assert renewed["code"] == "DMPOk"
    assert set(told["details"]) == set(renewed["details"]) > {"context"}

    assert dmp_command("close", INS, *WHO, *BY, "--reason", "sa demande")["code"] == "AA"
    assert dmp_command("change", INS, *WHO, *BY, exit_code=1)["code"] != "AA"
    assert dmp_command("reactivate", INS, *WHO, *BY)["code"] == "AA"
    assert dmp_command("existence", INS)["code"] == "OK"


def test_who_sees_a_document_is_changed_and_the_rest_stays(dmp_command: Dmp, server: Server) -> None:
    software = Software(server)
    if dmp_command("existence", INS)["code"] == "NF":
        dmp_command("create", INS, *WHO, *BY)
    dmp_command("authorise")
    assert software.feed(INVISIBLE) == "Success", software.said

    def codes() -> set[str]:
        [entry] = software.entries()
        return {one.code for one in entry.confidentiality_code}

    [entry] = software.entries()
    unique_id = str(entry.unique_id)
    dmp_command("mask", unique_id)
    assert codes() == {"N", "INVISIBLE_PATIENT", "MASQUE_PS"}
    dmp_command("show", unique_id)
    assert codes() == {"N", "MASQUE_PS"}
    dmp_command("mask", unique_id, "--undo")
    assert codes() == {"N"}
    dmp_command("status", unique_id, "archived")
    assert software.entries() == ()


def test_a_list_is_shown_line_by_line(dmp_command: Dmp) -> None:
    if dmp_command("existence", INS)["code"] == "NF":
        dmp_command("create", INS, *WHO, *BY)
    dmp_command("authorise")
    code, one = dmp_command("professionals", is_text=True).splitlines()
    assert code.startswith("DMPOk")
    assert f"nationalId {sts.a_claim().subject}, " in one


@pytest.mark.parametrize("name", sorted(dmp.commands))
def test_every_command_shows_an_example(name: str) -> None:
    assert f"carnet dmp {name}" in str(dmp.commands[name].help)
