"""A page joined by the database says what finding and counting say, whoever asks and whatever it holds."""

import orjson
import pytest

from access_policy.caller import OPEN_CALLER, Caller
from access_policy.visibility import NOTHING, Purpose
from registry.criteria import Criteria, Form, Frame, Order, Page
from registry.sql import places
from registry.store import Registry
from tests.access_policy.callers import NURSE, a_record
from tests.builders import PATIENT, a_folder, a_submission, an_entry
from tests.registry.a_policed_record import Records, policed, proved, proved_patient
from tests.registry.registries import submit
from xds.metadata import DocumentEntry, Folder, SubmissionSet
from xds.vocabulary import AvailabilityStatus

FRAME = Frame(before='{"id":"a\'b/', between='","of":', behind=',"100%":true}')
KINDS = (DocumentEntry, SubmissionSet, Folder)
CALLERS = (OPEN_CALLER, proved(), proved(roles=NURSE), proved_patient())


@pytest.fixture(params=["one machine", "divided"])
def arrangement(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Divided by patient, a patient is looked up before, so that one machine can be asked."""
    if request.param == "divided":
        monkeypatch.setattr(places, "is_divided", lambda _: True)
    return str(request.param)


@pytest.fixture
def shown(registry: Registry, arrangement: str) -> Registry:
    """The same registry with a rendering that tells objects apart, in letters of every length that UTF-8 has."""
    return Registry(
        registry.units,
        domain=registry.domain,
        now=registry.now,
        render_fhir=lambda thing, *_: orjson.dumps({"of": thing.entry_uuid, "title": "n° 1 « été » 🩺"}),
    )


def filled(registry: Registry, number: int) -> None:
    """So many documents, the first of them in a folder."""
    for at in range(number):
        submit(registry, a_submission(an_entry(), folders=(a_folder(),) if at == 0 else ()))


def expected(registry: Registry, criteria: Criteria, caller: Caller, size: int) -> tuple[int, int, int, bytes]:
    """What the question says that has a row for each object."""
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        found = snapshot.find(criteria, Page(size=size, order=Order.NEWEST), Form.FHIR)
        total = snapshot.count(criteria)
    before, between, behind = (part.encode() for part in FRAME)
    entries = [
        before + one.logical_id.removeprefix("urn:uuid:").encode() + between + one.rendering + behind for one in found
    ]
    return len(found), total, found[-1].object_key if found else 0, b",".join(entries)


@pytest.mark.parametrize("size", [1, 2, 4, 5, 500])
def test_a_joined_page_is_what_finding_and_counting_say(shown: Registry, size: int) -> None:
    filled(shown, 4)
    registry = policed(shown, Records(a_record()))
    seen = set()
    for caller in CALLERS:
        for kind in KINDS:
            for statuses in ((), (AvailabilityStatus.APPROVED,), (AvailabilityStatus.DEPRECATED,)):
                criteria = Criteria(kind=kind, patient=PATIENT.key, statuses=statuses)
                with registry.seen_by(caller, Purpose.METADATA) as snapshot:
                    found = snapshot.joined(criteria, size=size, frame=FRAME)
                assert found == expected(registry, criteria, caller, size), (caller.name, kind, statuses)
                assert len(orjson.loads(b"[" + found.octets + b"]")) == found.shown
                seen.add(found.total)
    assert len(seen) > 1, "every question found as much"


def test_an_unknown_patient_and_a_view_of_nothing_have_an_empty_page(registry: Registry, arrangement: str) -> None:
    filled(registry, 1)
    for criteria, visibility in (
        (Criteria(patient="nobody^^^&1.2.250.1.213.1.4.10&ISO"), None),
        (Criteria(patient=PATIENT.key), NOTHING),
    ):
        with registry.seen_by(OPEN_CALLER) if visibility is None else registry.snapshot(visibility) as snapshot:
            assert snapshot.joined(criteria, size=5, frame=FRAME) == (0, 0, 0, b"")


def test_a_question_that_no_statement_is_kept_for_is_not_joined(registry: Registry) -> None:
    with registry.seen_by(OPEN_CALLER) as snapshot:
        assert snapshot.joined(Criteria(across_patients=True), size=5, frame=FRAME) is None
        assert snapshot.joined(Criteria(entry_uuids=("urn:uuid:1",)), size=5, frame=FRAME) is None
