"""The directory: loaded whole or not at all, and what it does not know of a caller."""

import pytest

from access_policy.caller import AuthenticationMode, Caller, Software
from dmp import directory
from dmp.directory import DirectoryRefused, Loaded
from dmp.sql import directory as rows
from storage.unit_of_work import UnitOfWork, Units
from tests.dmp.people import CLINIC, DOCTOR, NURSE, a_professional
from xds.datatypes import Code

HEAD = "kind,id,name,profession,speciality,activity,structure,version"
LINES = (
    HEAD,
    f"professional,{DOCTOR},VILLARD Elise,10,SM26,,{CLINIC},",
    f"structure,{CLINIC},Clinique des Tilleuls,,,SA01,,",
    "software,LPS-4711,Cabinet,,,,,2.1",
)


def load(units: Units, *lines: str, keeps_others: bool = False) -> Loaded:
    return units.write(lambda unit: directory.load(unit, lines, keeps_others=keeps_others))


def findings(units: Units, caller: Caller) -> list[str]:
    with units.read() as connection:
        found = list(directory.findings(UnitOfWork(connection=connection), caller))
    return [one.partition(":")[0] for one in found]


def known(**changes: object) -> Caller:
    return a_professional(**({"software": Software(homologation="LPS-4711")} | changes))  # type: ignore[arg-type]


def test_an_empty_directory_says_nothing(units: Units) -> None:
    assert findings(units, known()) == []


def test_who_is_in_the_directory_is_known(units: Units) -> None:
    assert load(units, *LINES) == Loaded(professionals=1, structures=1, software=1)
    assert findings(units, known()) == []


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (known(name=NURSE), ["professional"]),
        (known(structure="elsewhere"), ["structure", "structure"]),
        (known(roles=(Code(code="60", coding_scheme="1.2.250.1.71.1.2.7", display_name=""),)), ["profession"]),
        (known(software=Software(homologation="LPS-1")), ["homologation"]),
        (known(software=Software()), ["homologation"]),
        (known(name="internal", mode=AuthenticationMode.INDIRECT), []),
    ],
)
def test_what_the_directory_does_not_know_is_a_finding(units: Units, caller: Caller, expected: list[str]) -> None:
    load(units, *LINES)
    assert findings(units, caller) == expected


def test_s46_a_professional_acts_in_each_situation_and_a_change_takes_effect(units: Units) -> None:
    other = f"professional,{DOCTOR},VILLARD Elise,60,,,elsewhere,"
    load(units, *LINES, other, "structure,elsewhere,EHPAD,,,SA17,,")
    nurse = Code(code="60", coding_scheme="1.2.250.1.71.1.2.7", display_name="")
    assert findings(units, known(roles=(nurse,), structure="elsewhere")) == []
    assert findings(units, known(roles=(nurse,))) == ["structure"]
    load(units, HEAD, other, *LINES[2:])
    assert findings(units, known()) == ["profession"]


def test_a_file_takes_the_place_of_the_one_before_unless_it_adds(units: Units) -> None:
    load(units, *LINES)
    added = f"professional,{NURSE},ROUX Paul,60,,,{CLINIC},"
    load(units, HEAD, added, keeps_others=True)
    assert findings(units, known()) == []
    load(units, HEAD, added)
    assert findings(units, known()) == ["professional"]


def test_a_file_may_enable_air_for_structures_and_one_that_does_not_say_so_enables_none(units: Units) -> None:
    def enabled() -> list[bool]:
        with units.read() as connection:
            return [rows.enables_air(connection, one) for one in (CLINIC, "elsewhere", "unknown", "")]

    with_air = (f"{HEAD},air", f"structure,{CLINIC},Clinique,,,SA01,,,yes", "structure,elsewhere,EHPAD,,,SA17,,,no")
    load(units, *with_air, f"professional,{DOCTOR},VILLARD Elise,10,SM26,,{CLINIC},,")
    assert enabled() == [True, False, False, False]
    load(units, f"{HEAD},air", "structure,elsewhere,EHPAD,,,SA17,,,yes", keeps_others=True)
    assert enabled() == [True, True, False, False]
    load(units, *LINES)
    assert enabled() == [False] * 4


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), "line 1: found nothing"),
        (("id,name",), "line 1: found id,name"),
        ((HEAD, "doctor,1,,,,,,"), "line 2: kind"),
        ((HEAD, "structure,,,,,,,"), "line 2: id"),
        ((HEAD, f"professional,{DOCTOR},,,,,,"), "line 2: profession"),
        ((HEAD, "structure,1"), "line 2: found another number of fields"),
        ((HEAD, "structure,1,,,,,,,,"), "line 2: found another number of fields"),
        ((f"{HEAD},air", "structure,1,,,,,,"), "line 2: found another number of fields"),
        ((f"{HEAD},air", "structure,1,,,,,,,oui"), "line 2: air: found 'oui', expected yes or no"),
        ((f"{HEAD},air", f"professional,{DOCTOR},,10,,,,,yes"), "line 2: air: found 'yes', .* of structures alone"),
        ((f"{HEAD},air,x",), "line 1: found .*,air,x, expected"),
    ],
)
def test_a_wrong_file_is_refused_whole_and_says_where(units: Units, lines: tuple[str, ...], expected: str) -> None:
    load(units, *LINES)
    with pytest.raises(DirectoryRefused, match=expected):
        load(units, *lines)
    assert findings(units, known()) == []
    assert findings(units, known(name=NURSE)) == ["professional"]
