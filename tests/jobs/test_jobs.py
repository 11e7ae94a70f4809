"""Dated work on records and documents: done when its time has come, once, whoever runs it, however often."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access_policy.record_facts import RecordState
from access_policy.visibility import EVERYTHING
from carnet.dated_work import SERVER_CALLER, jobs_of, run_all
from carnet.record_opening import open_known
from carnet.record_wiring import HIDDEN, MASKED, carries, open_records
from carnet.settings import Settings
from carnet.wiring import Actors, open_actors
from dmp import life, rights
from dmp.actor import OPERATOR
from dmp.people import add_representative
from dmp.record import Record, Representative
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import records
from dmp.statistics import Period, figures
from jobs.dated_work import Ran
from registry.criteria import Criteria
from registry.hidden_documents import newest_version
from registry.metadata_versions import restricted, update_document, write_version
from storage.unit_of_work import UnitOfWork
from tests.builders import PATIENT, a_submission, an_entry
from tests.dmp.people import DOCTOR, an_ins, an_opening, notices, whom
from tests.portable_media.holdings import submit
from xds.datatypes import CX
from xds.metadata import DocumentEntry
from xds.vocabulary import AvailabilityStatus

NOW, SIX_WEEKS_LATER, TEN_YEARS_LATER = "20260310100000", "20260421100000", "20360310100000"
INS = PATIENT.key
CONTENT = b"<ClinicalDocument/>"


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    file = tmp_path / "clock"
    file.write_text(NOW)
    return file


@pytest.fixture
def actors(tmp_path: Path, clock: Path) -> Iterator[Actors]:
    opened = open_actors(Settings(data=str(tmp_path / "data"), security="open", clock=f"@{clock}"))
    yield opened
    opened.units.close()


def act(actors: Actors, function: Any, patient: str = INS, *given: Any, now: str = NOW, **named: Any) -> Record:
    dmp = open_records(actors.settings)
    record: Record = actors.units.write(
        lambda unit: function(dmp, unit, patient, *given, by=OPERATOR, now=now, **named)
    )
    return record


def open_one(actors: Actors, patient: str = INS, **changes: Any) -> Record:
    registry, _ = actors.together()
    return act(actors, lambda *given, **named: open_known(registry, *given, **named), patient, an_opening(**changes))


def run(actors: Actors, now: str) -> dict[str, Ran]:
    return {one.job: one for one in run_all(jobs_of(actors), actors.units, now)}


def done(actors: Actors, now: str) -> dict[str, int]:
    """What each job did, where it did something; nothing was left."""
    ran = run(actors, now)
    assert [one for one in ran.values() if one.left] == []
    return {name: one.done for name, one in ran.items() if one.done and name != "folded counters"}


def state(actors: Actors, patient: str = INS) -> RecordState:
    with actors.units.read() as connection:
        found = records.find(connection, patient)
    assert found is not None
    return found.state


def add_document(actors: Actors, *restrictions: Any, **changes: Any) -> DocumentEntry:
    entry = an_entry(content=CONTENT, **changes)
    entry = replace(entry, confidentiality_code=(*entry.confidentiality_code, *restrictions))
    submit(actors, a_submission(entry), {entry.entry_uuid: CONTENT})
    return entry


def entries(actors: Actors) -> list[DocumentEntry]:
    registry, _ = actors.together()
    with registry.snapshot(EVERYTHING) as seen:
        return [one for one in seen.objects(Criteria(patient=INS)) if isinstance(one, DocumentEntry)]


def hidden(actors: Actors) -> bool:
    [entry] = entries(actors)
    return carries(entry, HIDDEN)


# --- the life of records -----------------------------------------------------------------------


def test_s12_records_open_by_themselves_at_the_end_of_the_period_alone(actors: Actors) -> None:
    act(actors, life.inform)
    act(actors, life.inform, an_ins(2))
    act(actors, life.oppose, an_ins(2))
    assert done(actors, "20260421095959") == {}
    assert done(actors, SIX_WEEKS_LATER) == {"automatic opening": 1}
    assert (state(actors), state(actors, an_ins(2))) == (RecordState.OPEN, RecordState.NONE)
    assert done(actors, "20400101000000") == {}


def test_s15_holders_are_told_of_the_automatic_creation_and_representatives_of_dependants(actors: Actors) -> None:
    act(actors, life.inform)
    act(actors, life.inform, an_ins(3), birth_date="20200101")
    act(actors, add_representative, an_ins(3), Representative(patient=INS))
    assert done(actors, SIX_WEEKS_LATER) == {"automatic opening": 2}
    told = [(one["notice"], one["to"], one["recipient"], one["patient"]) for one in notices(actors.units)]
    assert sorted(told) == sorted(
        [
            ("record created automatically", "holder", INS, INS),
            ("record created automatically", "representative", INS, an_ins(3)),
        ]
    )


def test_a_person_whose_record_opened_can_be_fed_at_once(actors: Actors) -> None:
    act(actors, life.inform)
    done(actors, SIX_WEEKS_LATER)
    add_document(actors)
    assert len(entries(actors)) == 1


def test_a_suspended_record_closes_without_objection(actors: Actors) -> None:
    open_one(actors)
    open_one(actors, an_ins(2))
    for patient in (INS, an_ins(2)):
        act(actors, life.suspend, patient)
    act(actors, life.resume, an_ins(2))
    assert done(actors, SIX_WEEKS_LATER) == {"closing after suspension": 1}
    assert (state(actors), state(actors, an_ins(2))) == (RecordState.CLOSED, RecordState.OPEN)
    assert done(actors, SIX_WEEKS_LATER) == {}


def test_what_a_stopped_run_has_not_done_is_done_by_the_next(actors: Actors, monkeypatch: pytest.MonkeyPatch) -> None:
    patients = [an_ins(number) for number in range(2, 5)]
    for patient in patients:
        open_one(actors, patient)
        act(actors, life.suspend, patient)
    close, closed = life.close, list[str]()

    def ends_the_process(dmp: Any, unit: Any, patient: str, **given: Any) -> Record:
        if closed:
            raise RuntimeError("power cut")
        closed.append(patient)
        return close(dmp, unit, patient, **given)

    with monkeypatch.context() as stopped:
        stopped.setattr(life, "close", ends_the_process)
        with pytest.raises(RuntimeError):
            run(actors, SIX_WEEKS_LATER)
    states = [state(actors, patient) for patient in patients]
    assert sorted(states) == [RecordState.CLOSED, RecordState.SUSPENDED, RecordState.SUSPENDED]
    assert done(actors, SIX_WEEKS_LATER) == {"closing after suspension": 2}
    assert {state(actors, patient) for patient in patients} == {RecordState.CLOSED}


def test_s19_a_closed_record_is_erased_with_its_documents_after_ten_years(actors: Actors) -> None:
    open_one(actors)
    add_document(actors)
    add_document(actors)
    act(actors, life.close)
    assert done(actors, "20360310095959") == {}
    assert done(actors, TEN_YEARS_LATER) == {"erasing after retention": 1}
    assert state(actors) is RecordState.ERASED
    with actors.units.read() as connection:
        for table in ("registry_object", "object_value", "document"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0, table
    folder = Path(actors.settings.data) / "documents"
    assert [one for one in folder.rglob("*") if one.is_file() and one.stat().st_size == len(CONTENT)] == []
    assert done(actors, TEN_YEARS_LATER) == {}


def test_an_erasure_that_was_stopped_between_documents_and_record_goes_on(
    actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_one(actors)
    add_document(actors)
    act(actors, life.close)

    def stopped(*_given: Any, **_named: Any) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as cut:
        cut.setattr(life, "erase", stopped)
        with pytest.raises(RuntimeError):
            run(actors, TEN_YEARS_LATER)
    assert (entries(actors), state(actors)) == ([], RecordState.CLOSED)
    assert done(actors, TEN_YEARS_LATER) == {"erasing after retention": 1}


def test_the_documents_of_another_person_are_not_erased_with_a_record(actors: Actors) -> None:
    """Two persons may have an entry for one document: its octets stay with the other one."""
    open_one(actors)
    other = an_ins(2)
    open_one(actors, other)
    entry = add_document(actors)
    twin = replace(entry, entry_uuid="Document02", patient_id=CX.parse(other))
    submit(actors, a_submission(twin, patient_id=CX.parse(other)), {"Document02": CONTENT})
    act(actors, life.close)
    assert done(actors, TEN_YEARS_LATER) == {"erasing after retention": 1}
    with actors.units.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM document").scalar_one() == 1


def test_what_one_record_refuses_does_not_stop_the_others(actors: Actors, monkeypatch: pytest.MonkeyPatch) -> None:
    patients = [an_ins(number) for number in range(2, 6)]
    for patient in patients:
        act(actors, life.inform, patient)
    whole = life.open_record

    def refuses_one(dmp: Any, unit: Any, patient: str, *given: Any, **named: Any) -> Record:
        if patient == patients[1]:
            raise RecordRefused(Refusal.OPPOSED, "found an opposition")
        return whole(dmp, unit, patient, *given, **named)

    monkeypatch.setattr(life, "open_record", refuses_one)
    ran = run(actors, SIX_WEEKS_LATER)["automatic opening"]
    assert (ran.done, ran.left) == (3, ("opposition-recorded",))


def test_one_process_runs_the_jobs(actors: Actors) -> None:
    class TakenTurn:
        def turn(self, _name: str) -> Any:
            return nullcontext(False)

    act(actors, life.inform)
    assert run_all(jobs_of(actors), TakenTurn(), SIX_WEEKS_LATER) == ()  # type: ignore[arg-type]
    assert state(actors) is RecordState.INFORMED


def test_a_domain_without_records_has_the_job_of_subscriptions_alone(tmp_path: Path) -> None:
    opened = open_actors(Settings(data=str(tmp_path), security="open", domain="ihe"))
    try:
        assert [one.name for one in jobs_of(opened)] == ["purged notifications"]
    finally:
        opened.units.close()


# --- hidden documents --------------------------------------------------------------------------


def test_s50_a_hidden_document_opens_by_itself_after_a_month_and_the_holder_is_told(actors: Actors) -> None:
    open_one(actors)
    add_document(actors, HIDDEN)
    assert notices(actors.units) == []
    assert done(actors, "20260324095959") == {}
    assert done(actors, "20260324100000") == {"announcement of hidden documents": 1}
    assert done(actors, "20260410095959") == {}
    assert hidden(actors)
    assert done(actors, "20260410100000") == {"lifted visibility": 1}
    assert not hidden(actors)
    told = [(one["notice"], one["to"]) for one in notices(actors.units)]
    assert told == [("hidden document to be announced", "holder"), ("document visible from now on", "holder")]
    assert done(actors, "20400101000000") == {}


def test_a_hidden_document_that_was_deleted_is_left_as_it_is(actors: Actors) -> None:
    registry, _ = actors.together()
    open_one(actors)
    entry = add_document(actors, HIDDEN)

    def delete(unit: Any) -> None:
        present = newest_version(registry, unit, entry.unique_id or "")
        update_document(registry, unit, present, SERVER_CALLER, status=AvailabilityStatus.DELETED)

    actors.units.write(delete)
    assert done(actors, "20260410100000") == {}
    assert notices(actors.units) == []


def test_s50_the_deck_of_2020_has_the_treating_doctor_told_at_once_and_three_weeks(tmp_path: Path, clock: Path) -> None:
    deck = {"announcement_target": "treating_doctor", "visible_after_months": 0, "visible_after_days": 21}
    settings = Settings(data=str(tmp_path / "data"), security="open", clock=f"@{clock}", announcement_days=15, **deck)
    actors = open_actors(settings)
    try:
        open_one(actors)
        act(actors, rights.declare_treating_doctor, INS, whom())
        add_document(actors, HIDDEN)
        [told] = notices(actors.units)
        assert (told["notice"], told["recipient"]) == ("hidden document to be announced", DOCTOR)
        assert done(actors, "20260331095959") == {}
        assert done(actors, "20260331100000") == {"lifted visibility": 1}
    finally:
        actors.units.close()


def test_a_later_version_of_a_hidden_document_opens_when_the_first_would_have(actors: Actors, clock: Path) -> None:
    registry, _ = actors.together()
    open_one(actors)
    entry = add_document(actors, HIDDEN)
    clock.write_text("20260320100000")

    def mask(unit: Any) -> None:
        changed = restricted(newest_version(registry, unit, entry.unique_id or ""), add=[MASKED])
        assert changed is not None
        write_version(registry, unit, changed, SERVER_CALLER)

    actors.units.write(mask)
    assert done(actors, "20260410100000") == {"announcement of hidden documents": 1, "lifted visibility": 1}
    assert carries(entries(actors)[-1], MASKED)


def test_a_document_is_told_to_the_holder_unless_it_is_the_holders_own(actors: Actors) -> None:
    open_one(actors)
    add_document(actors)
    own = an_entry().class_code
    assert own is not None
    add_document(
        actors,
        class_code=replace(own, code="90", display_name="Document du patient"),
        type_code=replace(own, code="DOCPAT01", coding_scheme="1.2.250.1.213.1.1.4.12", display_name="Document"),
    )
    report = replace(own, code="DOCPAT03", coding_scheme="1.2.250.1.213.1.1.4.12", display_name="CR déposé")
    add_document(actors, type_code=report)
    assert [one["notice"] for one in notices(actors.units)] == ["document added"]


# --- counters ----------------------------------------------------------------------------------


def test_folding_makes_counters_small_and_changes_no_number(actors: Actors, clock: Path) -> None:
    for number in range(2, 6):
        open_one(actors, an_ins(number))
    open_one(actors)
    for day in ("20260310100000", "20260310230000", "20260311000000"):
        clock.write_text(day)
        add_document(actors)

    def counted() -> tuple[Any, int]:
        with actors.units.read() as connection:
            found = figures(
                UnitOfWork(connection=connection), Period(since="20260101", until="20270101"), detailed=True
            )
            tables = ("document_fed", "record_creation")
            rows = sum(connection.exec_driver_sql(f"SELECT count(*) FROM {one}").scalar_one() for one in tables)
        return found, rows

    before, rows = counted()
    assert rows == 8
    assert run(actors, "20260311120000")["folded counters"].done == 2
    assert counted() == (before, 3)
    assert run(actors, "20260312000000")["folded counters"].done == 1
    assert run(actors, "20260312000000")["folded counters"].done == 0
    assert counted() == (before, 3)
    open_one(actors, an_ins(7))
    assert sum(one.number for one in counted()[0] if one.requirement == "S07") == 6
