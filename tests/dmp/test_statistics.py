"""The counters of the DMP: what they count, of whom, in which period."""

import csv
from dataclasses import replace
from itertools import product

import pytest

from access_policy.caller import Caller
from dmp import accesses, life
from dmp.life import Opening
from dmp.record import Consent
from dmp.statistics import Figure, Period, age_band, figures
from schemas import resource
from storage.unit_of_work import UnitOfWork, Units
from tests.dmp.people import DESK, DOCTOR, NOW, NURSE, Desk, a_professional, an_ins, an_opening
from xds.datatypes import Code

YEAR = Period(since="20260101", until="20270101")
AUTOMATIC = Opening(channel="auto", consent=Consent.NO_OPPOSITION)
GENERAL = Code(code="SM26", coding_scheme="1.2.250.1.71.4.2.5", display_name="")
DOCTOR_OF_TOWN = (Code(code="10", coding_scheme="1.2.250.1.71.1.2.7", display_name=""), GENERAL)


@pytest.fixture
def desk(units: Units) -> Desk:
    return Desk(units)


def counted(desk: Desk, requirement: str, period: Period = YEAR) -> dict[tuple[str, str], Figure]:
    with desk.units.read() as connection:
        found = figures(UnitOfWork(connection=connection), period, detailed=True)
    return {(one.counter, one.group): one for one in found if one.requirement == requirement}


def numbers(desk: Desk, requirement: str, period: Period = YEAR) -> dict[str, int]:
    return {group: one.number for (_, group), one in counted(desk, requirement, period).items()}


def create(desk: Desk, number: int, channel: str = "accueil", now: str = NOW, **changes: str) -> None:
    desk.act(life.open_record, an_ins(number), an_opening(channel, **changes), by=DESK, now=now)


def test_s07_creations_are_counted_by_channel_with_their_share(desk: Desk) -> None:
    for number, channel in enumerate(("accueil", "accueil", "officine", "internet"), 1):
        create(desk, number, channel)
    found = counted(desk, "S07")
    shares = {group: (one.number, one.share) for (_, group), one in found.items()}
    assert shares == {"accueil": (2, 50.0), "internet": (1, 25.0), "officine": (1, 25.0)}


def test_s07_an_automatic_creation_has_its_channel(desk: Desk) -> None:
    desk.act(life.inform, an_ins(1))
    desk.act(life.open_record, an_ins(1), AUTOMATIC, now="20260421100000")
    assert numbers(desk, "S07") == {"auto": 1}


def test_s07_a_closed_record_was_created_all_the_same_and_a_reactivation_creates_nothing(desk: Desk) -> None:
    create(desk, 1)
    desk.act(life.close, an_ins(1))
    desk.act(life.reactivate, an_ins(1))
    desk.act(life.close, an_ins(1))
    desk.act(life.erase, an_ins(1), now="20400101000000")
    assert numbers(desk, "S07") == {"accueil": 1}


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "under 15"),
        (14, "under 15"),
        (15, "15-19"),
        (19, "15-19"),
        (74, "70-74"),
        (75, "75 and over"),
        (-1, "unknown"),
    ],
)
def test_s08_there_are_fourteen_bands_of_age(age: int, band: str) -> None:
    assert age_band(age) == band
    assert len({age_band(one) for one in range(120)}) == 14


def test_s08_creations_are_counted_by_the_age_at_creation(desk: Desk) -> None:
    create(desk, 1, birth_date="19580615")
    create(desk, 2, birth_date="19910310")
    create(desk, 3, birth_date="19910311")
    create(desk, 4)
    assert numbers(desk, "S08") == {"unknown": 1, "30-34": 1, "35-39": 1, "65-69": 1}


def test_s09_creations_are_cumulated_over_time(desk: Desk) -> None:
    for number, now in enumerate(("20251201000000", "20260110000000", "20260120000000", "20260301000000"), 1):
        create(desk, number, now=now)
    spring = Period(since="20260101", until="20260401")
    assert numbers(desk, "S09", spring) == {"202601": 3, "202602": 3, "202603": 4}
    assert numbers(desk, "S09", Period(since="20270101", until="20270201")) == {"202701": 4}
    assert numbers(desk, "S09", Period(since="20251101", until="20260110")) == {"202512": 1, "202601": 1}


def test_s10_creations_are_counted_by_territory(desk: Desk) -> None:
    create(desk, 1, territory="631")
    create(desk, 2, territory="631")
    create(desk, 3)
    assert numbers(desk, "S10") == {"631": 2, "unknown": 1}


def test_s18_the_rate_of_opposition_is_that_of_a_period(desk: Desk) -> None:
    for number in range(1, 5):
        desk.act(life.inform, an_ins(number))
    desk.act(life.oppose, an_ins(1))
    desk.act(life.withdraw_opposition, an_ins(1))
    desk.act(life.oppose, an_ins(1))
    found = {group: (one.number, one.share) for (_, group), one in counted(desk, "S18").items()}
    assert found == {"informed": (4, None), "opposed": (1, 25.0)}
    assert numbers(desk, "S18", Period(since="20270101", until="20280101")) == {"informed": 0, "opposed": 0}


def feed(desk: Desk, caller: Caller, *types: str) -> None:
    origin = accesses.PROFESSIONAL
    desk.units.write(lambda unit: accesses.note_feeding(desk.dmp, unit, types, caller, origin=origin, now=NOW))


def test_s31_the_share_of_those_that_fed_an_expected_type(desk: Desk) -> None:
    feed(desk, a_professional(roles=DOCTOR_OF_TOWN), "SYNTH", "11502-2")
    feed(desk, a_professional(NURSE, roles=DOCTOR_OF_TOWN), "11502-2")
    found = {group: (one.number, one.share) for (_, group), one in counted(desk, "S31").items()}
    assert found["Médecin généraliste : volet de synthèse médicale"] == (1, 50.0)
    assert found["Infirmier : bilan de soins infirmier"] == (0, None)


def test_s31_an_establishment_is_known_by_its_sector(desk: Desk) -> None:
    sector = Code(code="SA01", coding_scheme="1.2.250.1.71.4.2.4", display_name="")
    feed(desk, a_professional(sector=sector), "11490-0")
    found = {group: (one.number, one.share) for (_, group), one in counted(desk, "S31").items()}
    assert found["Établissement de santé : comptes rendus et lettre de sortie"] == (1, 100.0)


def _code(code: str, system: str) -> Code:
    return Code(code=code, coding_scheme=system, display_name="")


def expected() -> list[dict[str, str]]:
    with resource("policy/expected_types.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("row", expected(), ids=lambda row: f"{row['requirement']} {row['label']}")
def test_every_expected_type_is_counted_of_its_feeders_alone(desk: Desk, row: dict[str, str]) -> None:
    """S22 to S30: each type, of each speciality or sector of the row; another type, or another feeder, is none."""
    specialities = row["specialities"].split(";") if row["specialities"] else ["SM01"]
    sectors = row["sectors"].split(";") if row["sectors"] else ["SA07"]
    callers = [
        a_professional(
            f"8{number:011}",
            structure=f"S{number}",
            roles=(_code(row["profession"] or "60", "1.2.250.1.71.1.2.7"), _code(speciality, "1.2.250.1.71.4.2.5")),
            sector=_code(sector, "1.2.250.1.71.4.2.4"),
        )
        for number, (speciality, sector) in enumerate(product(specialities, sectors))
    ]
    types = row["types"].split(";")
    for number, caller in enumerate(callers):
        feed(desk, caller, types[number % len(types)])
    feed(desk, replace(callers[0], name="899999999999", organisations=("other",)), "DOCPAT01")
    feed(desk, a_professional("stranger", roles=(), structure="stranger"), *types)
    found = counted(desk, "S31")["fed an expected type", row["label"]]
    number = len(callers)
    assert (found.number, found.share) == (number, round(100 * number / (number + 1), 1))


def test_s34_each_professional_and_structure_has_figures_of_its_own(desk: Desk) -> None:
    create(desk, 1)
    feed(desk, a_professional(), "11488-4", "11502-2")
    desk.units.write(lambda unit: accesses.note_reading(desk.dmp, unit, an_ins(1), a_professional(), now=NOW))
    found = {(counter, group): one.number for (counter, group), one in counted(desk, "S34").items()}
    assert found["creations by actor", DESK.name] == 1
    assert found["documents fed by actor", DOCTOR] == 2
    assert found["records read by actor", DOCTOR] == 1
    assert found["records read by structure", DESK.structure] == 1


def test_s37_documents_are_counted_by_type(desk: Desk) -> None:
    feed(desk, a_professional(), "11488-4", "11488-4", "REMB")
    found = {key: one.number for key, one in counted(desk, "S37").items()}
    assert found["documents by type", "11488-4"] == 2
    assert (found["documents by origin", "professional"], found["documents by origin", "insurer"]) == (2, 1)
