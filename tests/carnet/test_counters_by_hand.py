"""A small history, and what every counter says of it: the numbers are worked out on paper from DMP 1.

Records: ANNE opened at a desk in December, PAUL in a pharmacy and LISE online in January; in February two more are
informed, one of whom opposes, so that JEAN alone is opened by itself in March. Documents: doctors, a nurse, a hospital,
the insurer and a patient feed. One doctor reads in March and April, another breaks the glass in March.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from carnet.application import application
from carnet.command_line import commands
from carnet.wiring import open_actors
from tests.dmp import doors
from tests.dmp.askers import CLINIC, OTHER_CLINIC
from tests.dmp.doors import Doors, in_this_process
from tests.dmp.dossier_model import G15, Asker, matrix
from tests.dmp.living_records import commands_on
from tests.servers import settings_for
from xds.datatypes import Code

ANNE, PAUL, LISE, JEAN, NINA = (
    *("258063500000188", "258063500000287", "258063500000386"),
    *("258063500000485", "258063500000584"),
)
GENERAL = (("10", G15), ("SM26", "1.2.250.1.71.4.2.5"))
DOCTOR = Asker(label="doctor", name="810000000001", structure=CLINIC, roles=GENERAL, column="medecin")
SECOND = Asker(label="second", name="810000000002", structure=CLINIC, roles=GENERAL, column="medecin")
GLASS = Asker(
    label="second", name="810000000002", structure=CLINIC, roles=GENERAL, column="medecin", purpose="bris_de_glace"
)
NURSE = Asker(label="nurse", name="810000000003", structure=CLINIC, roles=(("60", G15),), column="infirmier")
OFFICE = (("SECRETARIAT_MEDICAL", "1.2.250.1.213.1.1.4.6"),)
HOSPITAL = Asker(
    label="hospital", name="31750000018/a", structure=OTHER_CLINIC, roles=OFFICE, card="INDIRECTE", sector="SA01"
)
HOLDER = Asker(label="Anne", name=ANNE, card="INDIRECTE", side="patient")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("counters")
    clock = folder / "clock"
    clock.write_text("20251215090000")
    settings = settings_for(folder / "data", clock=f"@{clock}", audit="off")
    actors = open_actors(settings)
    with commands_on(actors):
        live(settings.data, clock, Doors(in_this_process(application(actors))))
    yield settings.data
    actors.units.close()


def live(data: str, clock: Path, doors_: Doors) -> None:
    documents = iter(range(1, 100))
    fed: list[str] = []

    def record(day: str, *words: str) -> None:
        clock.write_text(f"{day}090000")
        done = CliRunner().invoke(commands, [*words, "--data", data, "--clock", f"@{clock}"])
        assert done.exit_code == 0, done.output or done.exception

    def feed(day: str, asker: Asker, ins: str, kind: str) -> None:
        clock.write_text(f"{day}100000")
        row, number = matrix()[kind], next(documents)
        entry = doors.written_entry(
            asker,
            ins,
            unique_id=f"2.25.99.{number}",
            logical_id=f"urn:uuid:00000000-0000-4000-9000-{number:012}",
            type_code=Code(code=kind, coding_scheme=row["type_system"], display_name=row["type_display"]),
            class_code=row["class_code"],
            codes=(),
        )
        answer = doors_.feed(asker, ins, entry)
        assert answer.status == "Success", answer.contexts
        fed.append(entry.unique_id or "")

    def read(day: str, asker: Asker, ins: str) -> None:
        clock.write_text(f"{day}110000")
        assert doors.retrieved(doors_.retrieve(asker, ins, fed[:1])) == set(fed[:1])

    record("20251215", "record", "open", ANNE, "--birth-date", "19580615", "--territory", "631")
    staff = ("--channel", "officine", "--by", f"staff:3A12@{OTHER_CLINIC}")
    record("20260110", "record", "open", PAUL, "--birth-date", "20001004", "--territory", "631", *staff)
    record("20260120", "record", "open", LISE, "--channel", "internet", "--by", "holder", "--birth-date", "19410101")
    record("20260201", "record", "inform", JEAN, "--birth-date", "19910315", "--territory", "751")
    record("20260201", "record", "inform", NINA, "--birth-date", "19700101")
    record("20260210", "record", "oppose", NINA, "--by", "holder")
    record("20260314", "jobs", "run")
    record("20260320", "jobs", "run")
    feed("20260112", DOCTOR, ANNE, "SYNTH")
    feed("20260112", DOCTOR, ANNE, "11502-2")
    feed("20260212", SECOND, PAUL, "11488-4")
    feed("20260213", NURSE, ANNE, "11506-3")
    feed("20260214", HOSPITAL, ANNE, "11490-0")
    feed("20260214", HOSPITAL, ANNE, "REMB")
    feed("20260301", HOLDER, ANNE, "DOCPAT03")
    record("20260302", "record", "authorise", ANNE, DOCTOR.name)
    for day in ("20260305", "20260306", "20260405"):
        read(day, DOCTOR, ANNE)
    read("20260307", GLASS, ANNE)
    record("20260410", "record", "close", ANNE)


# Requirement, counter, group, number, share, of the first three months of 2026.
EXPECTED = """
S07,creations by channel,accueil,1,25.0
S07,creations by channel,auto,1,25.0
S07,creations by channel,internet,1,25.0
S07,creations by channel,officine,1,25.0
S08,creations by age,25-29,1,25.0
S08,creations by age,35-39,1,25.0
S08,creations by age,65-69,1,25.0
S08,creations by age,75 and over,1,25.0
S09,creations cumulated,202601,3,
S09,creations cumulated,202602,3,
S09,creations cumulated,202603,4,
S10,creations by territory,631,2,50.0
S10,creations by territory,751,1,25.0
S10,creations by territory,unknown,1,25.0
S18,oppositions,informed,2,
S18,oppositions,opposed,1,50.0
S31,fed an expected type,Médecin généraliste : volet de synthèse médicale,1,50.0
S31,fed an expected type,Médecin : compte rendu de consultation,1,50.0
S31,fed an expected type,Oncologue : dossier communicant de cancérologie,0,
S31,fed an expected type,Médecin biologiste : compte rendu d'examens,0,
S31,fed an expected type,Pharmacien biologiste : compte rendu d'examens,0,
S31,fed an expected type,Radiologue : compte rendu d'imagerie,0,
S31,fed an expected type,Masseur-kinésithérapeute : bilan diagnostic,0,
S31,fed an expected type,Infirmier : bilan de soins infirmier,1,100.0
S31,fed an expected type,Établissement de santé : comptes rendus et lettre de sortie,1,100.0
S31,fed an expected type,EHPAD : dossier de liaison d'urgence,0,
S34,creations by actor,3A12,1,
S34,documents fed by actor,810000000001,2,
S34,documents fed by actor,810000000002,1,
S34,documents fed by actor,810000000003,1,
S34,records read by actor,810000000001,1,
S34,records read by actor,810000000002,1,
S34,creations by structure,1750000018,1,
S34,documents fed by structure,1690000014,4,
S34,documents fed by structure,1750000018,2,
S34,records read by structure,1690000014,1,
S35,feeders by profession,10,2,
S35,feeders by profession,60,1,
S35,feeders by speciality,unknown,1,
S35,feeders by speciality,SM26,2,
S35,feeders by sector,SA01,1,
S35,feeders by sector,SA07,1,
S36,readers by profession,10,2,
S36,readers by speciality,SM26,2,
S36,readers by sector,SA07,1,
S37,documents by origin,insurer,1,14.3
S37,documents by origin,patient,1,14.3
S37,documents by origin,professional,5,71.4
S37,documents by type,11488-4,1,14.3
S37,documents by type,11490-0,1,14.3
S37,documents by type,11502-2,1,14.3
S37,documents by type,11506-3,1,14.3
S37,documents by type,DOCPAT03,1,14.3
S37,documents by type,REMB,1,14.3
S37,documents by type,SYNTH,1,14.3
"""


def stats(data: str, *options: str, since: str = "20260101", until: str = "20260401") -> str:
    given = ("--since", since, "--until", until, "--data", data)
    done = CliRunner().invoke(commands, ["stats", *given, *options], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output or done.exception
    return done.output


def rows(data: str, requirement: str, **period: str) -> list[tuple[str, str]]:
    found = csv.reader(stats(data, "--form", "csv", "--each", **period).splitlines())
    return [(row[2], row[3]) for row in found if row[0] == requirement]


def test_csv_has_the_numbers_of_the_history(data: str) -> None:
    header, *found = stats(data, "--form", "csv", "--each").splitlines()
    assert header == "requirement,counter,group,number,share"
    assert sorted(found) == sorted(EXPECTED.split("\n")[1:-1])


def test_json_and_the_table_have_the_same(data: str) -> None:
    expected = list(csv.reader(EXPECTED.strip().splitlines()))
    found = json.loads(stats(data, "--json", "--each"))
    cells = [["" if value is None else str(value) for value in one.values()] for one in found]
    assert sorted(cells) == sorted(expected)
    table = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in stats(data, "--each").splitlines()
        if line.startswith("│")
    ]
    assert sorted(table) == sorted(expected)


def test_a_reading_of_the_first_month_after_the_period_is_not_counted(data: str) -> None:
    """The doctor read in March and in April, the other one in March alone. S36"""
    april = {"since": "20260401", "until": "20260501"}
    assert rows(data, "S36", **april) == [("10", "1"), ("SM26", "1"), ("SA07", "1")]
    before = {"since": "20260201", "until": "20260301"}
    assert rows(data, "S36", **before) == []


def test_creations_are_cumulated_at_any_date(data: str) -> None:
    """S09: on 1 January one, on 21 January three, after March four for ever, a closure notwithstanding."""
    assert rows(data, "S09", since="20251201", until="20260111") == [("202512", "1"), ("202601", "2")]
    assert rows(data, "S09", since="20280101", until="20280201") == [("202801", "4")]


def test_metrics_have_the_totals(data: str) -> None:
    actors = open_actors(settings_for(Path(data), clock="20260411000000", audit="off"))
    try:
        text = doors.in_this_process(application(actors))("GET", "/metrics", b"", {}).body.decode()
    finally:
        actors.units.close()
    found = {line for line in text.splitlines() if line.startswith(("carnet_record", "carnet_documents_fed"))}
    assert found == {
        'carnet_records{state="closed"} 1',
        'carnet_records{state="none"} 1',
        'carnet_records{state="open"} 3',
        'carnet_record_creations_total{channel="accueil"} 1',
        'carnet_record_creations_total{channel="auto"} 1',
        'carnet_record_creations_total{channel="internet"} 1',
        'carnet_record_creations_total{channel="officine"} 1',
        'carnet_record_persons_total{act="informed"} 2',
        'carnet_record_persons_total{act="opposed"} 1',
        'carnet_documents_fed_total{origin="insurer"} 1',
        'carnet_documents_fed_total{origin="patient"} 1',
        'carnet_documents_fed_total{origin="professional"} 5',
    }


def test_who_creates_a_record_for_oneself_is_named_by_no_counter(data: str) -> None:
    assert not [one for one in (ANNE, PAUL, LISE, JEAN, NINA) if one in stats(data, "--each", "--form", "csv")]


@pytest.mark.parametrize(
    "period", [("20261301", "20270101"), ("20260230", "20270101"), ("20260401", "20260401"), ("20260401", "2026")]
)
def test_a_period_that_is_none_is_refused(data: str, period: tuple[str, str]) -> None:
    given = ["stats", "--since", period[0], "--until", period[1], "--data", data]
    done = CliRunner().invoke(commands, given)
    assert (done.exit_code, "expected a" in done.output) == (2, True)
