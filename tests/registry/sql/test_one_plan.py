"""What a caller may see is asked of PostgreSQL by one plan, kept for all who ask: planning took a fifth of a question."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from access_policy.caller import OPEN_CALLER
from access_policy.visibility import Purpose
from registry import iti42_register_document_set_b as iti42
from registry.criteria import Criteria, Page
from registry.store import Registry
from storage.engine import open_engine
from storage.postgresql_units import PostgresqlUnits
from storage.unit_of_work import UnitOfWork
from tests.access_policy.callers import a_record
from tests.builders import a_reading, a_submission, an_entry
from tests.dmp.people import an_ins
from tests.registry.a_policed_record import Records, policed, proved
from tests.registry.asking import registry_of
from xds.datatypes import CX, Code
from xds.metadata import DocumentEntry
from xds.vocabulary import AvailabilityStatus

NORMAL = Code(code="N", coding_scheme="2.16.840.1.113883.5.25")
MASKED = Code(code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13")
_TRIED = 5  # plans of its own that PostgreSQL makes of a statement before it compares their cost


@pytest.fixture
def registry(shared_postgresql_url: str) -> Iterator[Registry]:
    units = PostgresqlUnits(open_engine(shared_postgresql_url))
    made = registry_of(units)
    yield made
    units.close()


def fill(registry: Registry, patient: CX) -> None:
    """Twenty documents that may be seen, and as many that are masked."""

    def work(unit: UnitOfWork) -> None:
        registry.add_patient(unit, patient)
        for number in range(40):
            codes = (NORMAL, MASKED) if number % 2 else (NORMAL,)
            entry = an_entry(patient_id=patient, confidentiality_code=codes)
            iti42.handle(registry, unit, a_reading(a_submission(entry, patient_id=patient)), OPEN_CALLER)

    registry.units.write(work)


@pytest.mark.postgresql
def test_the_plan_of_a_policed_question_is_kept(registry: Registry) -> None:
    """The caller wrote none of them: a plan for that caller alone would look the cheapest."""
    for number in range(1, 21):
        fill(registry, CX(an_ins(number)))
    registry.units.write(lambda unit: unit.connection.execute(text("ANALYZE")))
    judged = policed(registry, Records(a_record()))
    criteria = Criteria(kind=DocumentEntry, patient=an_ins(7), statuses=(AvailabilityStatus.APPROVED,))
    for _ in range(30):
        with judged.seen_by(proved(name="810000000001", patient_id=CX(an_ins(7))), Purpose.SEARCH) as snapshot:
            assert len(snapshot.find(criteria, Page(size=100))) == 20
    kept = text("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%type_code IN%'")
    with registry.units.read() as connection:
        [(generic, custom)] = connection.execute(kept).fetchall()
    assert custom == _TRIED
    assert generic > _TRIED
