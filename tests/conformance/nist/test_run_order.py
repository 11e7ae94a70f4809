"""Which tests run, in which order, for which patient."""

from pathlib import Path

import pytest

from conformance.failures import KitError
from conformance.nist.kit import Kit, read_kit
from conformance.nist.run_order import plan_run, select
from tests.conformance.kits import a_plan, a_query, a_step, write_kit

QUERY = "<StoredQueryTransaction><MetadataFile>q.xml</MetadataFile>{}</StoredQueryTransaction>"
USE = '<UseId testdir="../../{}/a" id="D" symbol="$d$" step="s" section="AssignedUids"/>'
REPORT = '<UseReport test="{}" section="pif" reportName="$patientid$" step="step" useAs="$x$"/>'


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    def test(content: str) -> dict[str, dict[str, str]]:
        return {"a": {"testplan.xml": a_plan(a_step(QUERY.format(content))), "q.xml": a_query()}}

    tests = {
        "12346": test(""),
        "12374": test(""),
        "12361": test(""),
        "100": test(""),
        "200": test(USE.format("300")),
        "300": test(USE.format("400")),
        "400": test(REPORT.format("15819")),
        "11897": test(""),
        "unknown": {"a": {"testplan.xml": a_plan(a_step("<GatewayQueryTransaction/>"))}},
    }
    return read_kit(write_kit(tmp_path, tests))


def order(kit: Kit, *patterns: str) -> list[str]:
    return [one.test.id for one in plan_run(kit, select(kit, patterns))]


def test_set_up_runs_first_in_its_own_order(kit: Kit) -> None:
    found = order(kit)
    assert found[:8] == ["15817", "15817b", "15818", "15819", "15820", "12346", "12374", "12361"]
    assert found[8:] == ["100", "11897", "200", "300", "400", "unknown"]


def test_what_a_test_refers_to_is_pulled_in_with_the_feeds_of_its_patients(kit: Kit) -> None:
    assert order(kit, "100") == ["15817", "100"]
    assert order(kit, "200") == ["15817", "15819", "200", "300", "400"]
    assert order(kit, "11897") == ["15817", "15818", "12346", "11897"]
    assert order(kit, "12361") == ["15817", "15819", "15820", "12361"]


def test_patients_are_those_of_the_set_up(kit: Kit) -> None:
    planned = {one.test.id: one for one in plan_run(kit, select(kit, []))}
    assert planned["12346"].patient == "sq"
    assert planned["12374"].patient == "registerAlt"
    assert planned["100"].patient == "register"
    assert planned["12361"].parameters["$patient_id2$"] == "mpq2"


def test_a_test_the_runner_does_not_know_is_planned_with_its_reason(kit: Kit) -> None:
    (planned,) = [one for one in plan_run(kit, ["unknown"]) if one.test.id == "unknown"]
    assert "GatewayQueryTransaction" in planned.unsupported


def test_selection_by_pattern_actor_and_exclusion(kit: Kit) -> None:
    assert select(kit, ["[12]00"], left_out=["200"]) == ["100"]
    assert select(kit, ["100"], tags=["reg"]) == ["100"]
    with pytest.raises(KitError, match="no test of the kit is for the actors rep"):
        select(kit, [], tags=["rep"])
    with pytest.raises(KitError, match=r"no test of the kit matches 9\*"):
        select(kit, ["9*"])
