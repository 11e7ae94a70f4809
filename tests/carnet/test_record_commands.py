"""`carnet record`: what an administrator does with a record, and what refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from carnet.command_line import commands
from dmp.directory import DirectoryRefused
from dmp.refusal import RecordRefused, Refusal
from tests.dmp.people import an_ins
from tests.dmp.test_directory import HEAD
from xds.errors import Rejected

INS, WRONG_KEY = "258063523804186", "258063523804187"
DOCTOR = "899700218896"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CARNET_CLOCK", "20260310100000")
    folder = str(tmp_path / "data")
    assert CliRunner().invoke(commands, ["db", "upgrade", "--data", folder]).exit_code == 0
    return folder


def run(data: str, *arguments: str) -> Result:
    return CliRunner().invoke(commands, ["record", *arguments, "--data", data])


def done(data: str, *arguments: str) -> dict[str, Any]:
    result = run(data, *arguments, "--json")
    assert result.exit_code == 0, result.output or result.exception
    found: dict[str, Any] = json.loads(result.output)
    return found


def refused(data: str, *arguments: str) -> Refusal:
    before = run(data, "show", INS, "--json").output
    result = run(data, *arguments)
    assert isinstance(result.exception, RecordRefused), result.exception
    assert run(data, "show", INS, "--json").output == before
    return result.exception.code


def test_a_record_is_opened_and_its_person_is_known_to_the_registry(data: str) -> None:
    found = done(data, "open", INS, "--channel", "officine", "--by", "staff:3A12@10B0000000", "--how", "orally")
    assert (found["state"], found["channel"], found["openedBy"]) == ("open", "officine", "3A12")
    assert (found["opened"], found["regime"], found["consent"]) == ("20260310100000", "opt_out", "consent")
    listed = CliRunner().invoke(commands, ["patient", "list", "--data", data])
    assert listed.output == f"{INS}^^^&1.2.250.1.213.1.4.10&ISO\t\n"


def test_a_record_is_opened_once(data: str) -> None:
    done(data, "open", INS)
    assert refused(data, "open", INS) is Refusal.FOUND


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("open", WRONG_KEY), Refusal.WRONG_INS_KEY),
        (("open", "25806352380418"), Refusal.WRONG_INS),
        (("open", INS, "--channel", "fax"), Refusal.UNKNOWN_CHANNEL),
        (("open", INS, "--channel", "auto"), Refusal.TOO_EARLY),
        (("open", INS, "--birth-date", "2012"), Refusal.WRONG_DATE),
        (("open", INS, "--birth-date", "20121004"), Refusal.REPRESENTATIVE_MISSING),
        (("open", INS, "--by", "representative:258063523804186"), Refusal.NOT_REPRESENTATIVE),
        (("close", INS), Refusal.NO_RECORD),
        (("authorise", INS, DOCTOR), Refusal.NO_RECORD),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_opened(
    data: str, arguments: tuple[str, ...], expected: Refusal
) -> None:
    result = run(data, *arguments)
    assert isinstance(result.exception, RecordRefused), result.exception
    assert result.exception.code is expected
    assert isinstance(run(data, "show", INS).exception, RecordRefused)


def test_rights_are_given_and_taken_back(data: str) -> None:
    done(data, "open", INS)
    done(data, "authorise", INS, DOCTOR, "--name", "VILLARD Elise")
    [right] = done(data, "show", INS)["rights"]
    assert (right["authorisation"], right["until"], right["name"]) == ("VALIDE", "20270310100000", "VILLARD Elise")
    assert done(data, "show", INS, "--now", "20270310100000")["rights"][0]["authorisation"] == "EXPIRE"
    done(data, "block", INS, DOCTOR, "--by", "holder")
    assert done(data, "show", INS)["rights"][0]["authorisation"] == "INTERDIT"
    assert refused(data, "authorise", INS, DOCTOR) is Refusal.BLOCKED
    done(data, "unblock", INS, DOCTOR)
    assert done(data, "show", INS)["rights"] == []


def test_the_treating_doctor_is_one(data: str) -> None:
    done(data, "open", INS)
    assert done(data, "treating-doctor", INS, DOCTOR)["treatingDoctorFrom"] == "declared"
    changed = done(data, "treating-doctor", INS, "899700218904", "--by", "insurer")
    assert (changed["treatingDoctor"], changed["treatingDoctorFrom"]) == ("899700218904", "insurer")
    assert "treatingDoctor" not in done(data, "treating-doctor", INS, "--drop")


def test_an_unknown_actor_is_a_usage_error(data: str) -> None:
    result = run(data, "open", INS, "--by", "server")
    assert result.exit_code == 2
    assert "--by" in result.output


def test_the_holder_opposes_and_allows(data: str) -> None:
    done(data, "inform", INS)
    assert done(data, "oppose", INS, "--by", "holder", "--how", "post")["opposed"] == "20260310100000"
    assert refused(data, "oppose", INS) is Refusal.OPPOSED
    assert "opposed" not in done(data, "oppose", INS, "--withdraw")
    done(data, "open", INS)
    found = done(data, "oppose", INS, "--break-glass", "--regulation")
    assert (found["opposesBreakGlass"], found["opposesRegulation"]) == (True, True)
    found = done(data, "oppose", INS, "--regulation", "--withdraw")
    assert (found["opposesBreakGlass"], found["opposesRegulation"]) == (True, False)
    assert done(data, "allow", INS, "--masked-in-emergency")["maskedInEmergency"] is True
    assert done(data, "allow", INS, "--occupational-doctor")["occupationalConsent"] is True
    assert done(data, "allow", INS, "--occupational-doctor", "--withdraw")["occupationalConsent"] is False
    assert run(data, "allow", INS).exit_code == 2


def test_a_representative_acts_for_a_child(data: str) -> None:
    parent, stranger = an_ins(1).partition("^")[0], an_ins(2).partition("^")[0]
    done(data, "open", INS, "--birth-date", "20200101", "--representative", parent)
    [named] = done(data, "show", INS)["representatives"]
    assert (named["patient"], named["until"]) == (an_ins(1), "20380101000000")
    assert refused(data, "close", INS, "--by", f"representative:{stranger}") is Refusal.NOT_REPRESENTATIVE
    done(data, "represent", INS, stranger, "--relation", "FTH")
    assert done(data, "close", INS, "--by", f"representative:{stranger}")["state"] == "closed"
    done(data, "represent", INS, parent, "--remove")
    assert [one["patient"] for one in done(data, "show", INS)["representatives"]] == [an_ins(2)]


def test_a_life_ends_with_an_erasure_on_request(data: str) -> None:
    done(data, "open", INS)
    assert done(data, "suspend", INS, "--by", "insurer")["state"] == "suspended"
    assert done(data, "resume", INS, "--by", "holder")["state"] == "open"
    assert done(data, "close", INS, "--reason", "asked")["closingReason"] == "asked"
    assert done(data, "reactivate", INS)["state"] == "open"
    done(data, "close", INS)
    assert done(data, "request-erasure", INS)["due"] == "20260610100000"
    ran = CliRunner().invoke(commands, ["jobs", "run", "--now", "20260610100000", "--data", data])
    assert ran.exit_code == 0
    assert "erasing after retention\t1\n" in ran.output
    assert done(data, "show", INS)["state"] == "erased"


def test_refused_acts_stand_in_the_journal_that_the_holder_reads(data: str) -> None:
    done(data, "open", INS)
    refused(data, "open", INS, "--by", "professional:899700218896")
    lines = json.loads(run(data, "journal", INS, "--by", "holder", "--json").output)
    acts = [(one["action"], one["refusal"]) for one in lines if one["action"] != "patient"]
    assert acts == [("open", "DMPFound"), ("open", "")]
    own = json.loads(run(data, "journal", INS, "--by", "professional:899700218896", "--json").output)
    assert [one["refusal"] for one in own] == ["DMPFound"]
    assert run(data, "journal", INS, "--by", "professional:899700218904").output == ""


def test_a_document_that_is_not_there_is_not_masked(data: str) -> None:
    done(data, "open", INS)
    result = run(data, "mask", INS, "2.25.404")
    assert isinstance(result.exception, Rejected)
    lines = json.loads(run(data, "journal", INS, "--json").output)
    assert ("mask", "UnresolvedReferenceException") in [(one["action"], one["refusal"]) for one in lines]
    assert [one for one in lines if one["action"] == "mask" and not one["refusal"]] == []


def test_the_directory_is_loaded_from_a_file(data: str, tmp_path: Path) -> None:
    file = tmp_path / "directory.csv"
    file.write_text(f"{HEAD}\nstructure,10B0000000,Clinique des Tilleuls,,,SA01,,\n", encoding="utf-8-sig")
    loaded = CliRunner().invoke(commands, ["directory", "load", str(file), "--data", data])
    assert loaded.output == "0 situations, 1 structures, 0 software\n"
    file.write_bytes(b"\xff")
    refusal = CliRunner().invoke(commands, ["directory", "load", str(file), "--data", data])
    assert isinstance(refusal.exception, DirectoryRefused)


def test_the_counters_are_printed_in_three_forms(data: str) -> None:
    done(data, "open", INS, "--channel", "officine", "--birth-date", "19580615", "--territory", "751")

    def counters(*options: str) -> str:
        result = CliRunner().invoke(commands, ["stats", *options, "--data", data])
        assert result.exit_code == 0, result.exception
        return result.output

    found = {(one["requirement"], one["group"]): one["number"] for one in json.loads(counters("--form", "json"))}
    assert found["S07", "officine"] == found["S08", "65-69"] == found["S09", "202603"] == found["S10", "751"] == 1
    assert "S07,creations by channel,officine,1,100.0" in counters("--form", "csv")
    assert "officine" in counters()
    assert counters("--until", "20260101", "--json") != counters("--json")


def test_s74_the_health_insurance_feeds_treating_doctors_from_a_file(data: str, tmp_path: Path) -> None:
    other = an_ins(2).partition("^")[0]
    done(data, "open", INS)
    done(data, "open", other)
    done(data, "treating-doctor", other, DOCTOR)
    file = tmp_path / "doctors.csv"
    file.write_text(f"ins,professional,name\n{INS},{DOCTOR},VILLARD Elise\n{other},,\n", encoding="utf-8")
    assert run(data, "treating-doctors", str(file)).output == "2 médecins traitants\n"
    shown = done(data, "show", INS)
    assert (shown["treatingDoctor"], shown["treatingDoctorFrom"]) == (DOCTOR, "insurer")
    assert "treatingDoctor" not in done(data, "show", other)
    again = run(data, "treating-doctors", str(file))
    assert (again.exit_code, again.output) == (1, "1 médecins traitants, refused: 1 not-the-treating-doctor\n")
    file.write_text("ins,doctor\n")
    assert run(data, "treating-doctors", str(file)).exit_code == 2


def test_the_records_of_a_professional_are_listed(data: str) -> None:
    done(data, "open", INS)
    done(data, "authorise", INS, DOCTOR)
    assert run(data, "authorised", DOCTOR).output == f"{INS}^^^&1.2.250.1.213.1.4.10&ISO\tVALIDE\t20270310100000\n"
    assert "EXPIRE" in run(data, "authorised", DOCTOR, "--now", "20270310100000").output
    assert run(data, "authorised", DOCTOR, "--structure").output == ""


def event(data: str) -> tuple[str, str]:
    """Act and refusal of the newest event in the journal."""
    lines = json.loads(run(data, "journal", INS, "--by", "holder", "--json").output)
    newest = next(one for one in lines if one["action"] != "patient")
    return newest["action"], newest["refusal"]


@pytest.mark.parametrize("command", ["authorise", "block", "treating-doctor"])
@pytest.mark.parametrize("identifier", ["VILLARD", "89970021889", "10B0000000", "8997002188961", "%", "8 99700218896"])
def test_what_is_no_identifier_of_a_professional_is_put_on_no_list(data: str, command: str, identifier: str) -> None:
    done(data, "open", INS)
    assert refused(data, command, INS, identifier) is Refusal.WRONG_IDENTIFIER
    assert "expected a PS_IdNat: 8 and the RPPS number" in str(run(data, command, INS, identifier).exception)
    assert event(data)[1] == "identifier-malformed"


@pytest.mark.parametrize(
    ("identifier", "options"),
    [
        (DOCTOR, ()),
        ("0312345678", ()),
        ("02A1234567", ()),
        ("31690000014/secretary", ()),
        ("512345678901234/3A12", ()),
        ("10B0000000", ("--structure",)),
        ("334567890123456", ("--structure",)),
    ],
)
def test_identifiers_of_every_prefix_are_authorised(data: str, identifier: str, options: tuple[str, ...]) -> None:
    done(data, "open", INS)
    done(data, "authorise", INS, identifier, *options)
    [right] = done(data, "show", INS)["rights"]
    assert right["holder"] == identifier


def test_a_professional_is_no_structure(data: str) -> None:
    done(data, "open", INS)
    assert refused(data, "authorise", INS, "31690000014/secretary", "--structure") is Refusal.WRONG_IDENTIFIER


def test_td1_3b_administrative_data_are_changed_where_they_are_named(data: str) -> None:
    done(data, "open", INS)
    given = ("--birth-family", "MARCHAL", "--given", "Lise", "--given", "Anne", "--birth-time", "19580615")
    done(data, "change", INS, *given, "--line", "3 rue des Tilleuls", "--city", "TOULOUSE")
    done(data, "change", INS, "--usual-family", "VILLARD", "--city", "ALBI", "--by", "holder")
    shown = done(data, "show", INS)
    person = shown["person"]
    assert shown["birthDate"] == "19580615"
    assert (person["birth_family"], person["usual_family"], person["given"]) == ("MARCHAL", "VILLARD", ["Lise", "Anne"])
    assert (person["address"]["lines"], person["address"]["city"]) == (["3 rue des Tilleuls"], "ALBI")
    assert "given\tLise Anne\n" in run(data, "show", INS).output
    assert event(data) == ("change_person", "")


def test_td1_3b_bad_input_changes_nothing(data: str) -> None:
    assert isinstance(run(data, "change", INS, "--city", "ALBI").exception, RecordRefused)
    done(data, "open", INS)
    assert refused(data, "change", INS, "--city", "ALBI", "--birth-time", "19581315") is Refusal.WRONG_DATE
    assert event(data) == ("change_person", "date-malformed")
    assert run(data, "change", INS).exit_code == 2
    done(data, "close", INS)
    assert refused(data, "change", INS, "--city", "ALBI") is Refusal.CLOSED


def test_td1_5_the_web_account_is_created_renewed_and_its_channels_change(data: str) -> None:
    done(data, "open", INS)
    first = done(data, "account", INS, "create", "--type", "SMS", "--address", "06 07 08 09 01")
    second = done(data, "account", INS, "renew")
    assert first["login"] != second["login"]
    done(data, "account", INS, "add-channel", "--type", "EMAIL", "--address", "lise@example.org")
    done(data, "account", INS, "change-channel", "--type", "EMAIL", "--address", "anne@example.org")
    done(data, "account", INS, "remove-channel", "--type", "SMS")
    assert done(data, "show", INS)["accountChannels"] == {"EMAIL": "anne@example.org"}
    assert event(data) == ("change_access", "")
    assert first["password"] not in run(data, "show", INS, "--json").output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("create", "--type", "SMS", "--address", "0607080901"), Refusal.ACCESS_EXISTS),
        (("add-channel", "--type", "SMS", "--address", "0607080902"), Refusal.CHANNEL_EXISTS),
        (("add-channel", "--type", "EMAIL", "--address", "lise"), Refusal.WRONG_FIELD),
        (("change-channel", "--type", "SMS", "--address", "0607"), Refusal.WRONG_FIELD),
        (("change-channel", "--type", "EMAIL", "--address", "lise@example.org"), Refusal.NO_ACCESS),
        (("remove-channel", "--type", "EMAIL"), Refusal.NO_ACCESS),
    ],
)
def test_td1_5_refusals_are_named_and_journaled(data: str, words: tuple[str, ...], expected: Refusal) -> None:
    done(data, "open", INS)
    assert refused(data, "account", INS, "renew") is Refusal.NO_ACCESS
    done(data, "account", INS, "create", "--type", "SMS", "--address", "0607080901")
    assert refused(data, "account", INS, *words) is expected
    assert event(data) == ("change_access", str(expected))


@pytest.mark.parametrize(
    "words", [("create", "--type", "SMS"), ("renew", "--type", "SMS"), ("remove-channel",), ("create", "--type", "FAX")]
)
def test_td1_5_an_action_takes_what_it_needs(data: str, words: tuple[str, ...]) -> None:
    done(data, "open", INS)
    assert run(data, "account", INS, *words).exit_code == 2


def test_td0_5_open_records_are_found_by_traits(data: str) -> None:
    for ins, given in ((INS, "Lise"), (an_ins(1), "Anne"), (an_ins(2), "Lise")):
        ins = ins.partition("^")[0]
        done(data, "open", ins)
        done(data, "change", ins, "--birth-family", "MARCHAL", "--given", given, "--birth-time", "19580615")
    done(data, "close", an_ins(2).partition("^")[0])

    found = json.loads(run(data, "search", "marchal", "--given", "Lise", "--json").output)
    assert [(one["ins"], one["match"]) for one in found] == [(INS, 100), (an_ins(1).partition("^")[0], 67)]
    assert len(json.loads(run(data, "search", "marchal", "--limit", "1", "--json").output)) == 1
    assert run(data, "search", "VILLARD").output == ""


@pytest.mark.parametrize("family", ["-", "%", " "])
def test_td0_5_a_name_without_letters_is_refused_and_shows_nobody(data: str, family: str) -> None:
    done(data, "open", INS)
    done(data, "change", INS, "--birth-family", "MARCHAL")
    result = run(data, "search", family)
    assert isinstance(result.exception, RecordRefused)
    assert (result.exception.code, result.output) == (Refusal.WRONG_FIELD, "")


def test_every_command_on_notices_takes_the_clock_of_the_others(data: str) -> None:
    for words in (("list",), ("retry",)):
        result = CliRunner().invoke(commands, ["notices", *words, "--data", data, "--clock", "20260310"])
        assert result.exit_code == 0, result.output
