"""What the policy costs: FindDocuments and FHIR search that show 20 of 60 documents, beside the open policy.

10,000 records with 200 authorisations each. "Same record" asks the open policy about the same patient: it shows 60
documents. "Same answer" asks it about a patient who has nothing but 20: what the policy must be compared with to see
its own cost.

Times are CPU times of the thread that asks, and of the process of PostgreSQL that answers it where that runs on this
machine: other programs do not count.

python -m benchmarks.policy
python -m benchmarks.policy --records 500 --authorisations 20 --rounds 200
python -m benchmarks.policy --database postgresql+psycopg://carnet@localhost/empty
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Table, insert, text

from access_policy.caller import OPEN_CALLER, Caller
from access_policy.policy import OPEN_POLICY
from benchmarks import machine
from carnet.policy_wiring import policy_of
from carnet.registry_wiring import open_registry
from carnet.settings import Settings, load
from dmp.sql.tables import dmp_record, record_identifier, record_right
from fhir_facade import iti67_find_document_references as iti67
from registry import iti18_registry_stored_query as iti18
from registry import iti42_register_document_set_b as iti42
from registry.store import Registry
from tests import messages
from tests.access_policy.callers import PERSON
from tests.builders import TEST_INS, a_reading, a_submission, an_author, an_entry
from tests.registry.a_policed_record import proved
from xds.datatypes import CX, XCN, Code
from xds.xml import parse

RESULT = machine.ROOT / "benchmarks" / "results" / "policy.json"
DOCUMENTS, SHOWN = 60, 20
_EXPECTED = {"policy": SHOWN, "record": DOCUMENTS, "answer": SHOWN}
ASKED = 40  # patients that have documents, of each sort
_OPENED = "20260101000000"
_MASKED = Code(code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13")
_NORMAL = Code(code="N", coding_scheme="2.16.840.1.113883.5.25")
_COLLEAGUE = an_author(author_person=XCN("810000000001^MARTIN^LUC^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"))
_BATCH = 20_000
Ask = Callable[[CX], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Medians in microseconds; the ratios are those of pairs asked one after the other."""

    question: str
    policy: float
    open_same_record: float
    open_same_answer: float
    ratio_same_record: float
    ratio_same_answer: float


@click.command()
@click.option("--records", default=10_000, show_default=True, help="Open records.")
@click.option("--authorisations", default=200, show_default=True, help="Of each record.")
@click.option("--rounds", default=400, show_default=True, help="Questions of each kind.")
@click.option("--database", default="", help="URL of an empty database; default SQLite in a temporary folder.")
@click.option("--keep/--no-keep", default=False, help="Write the result to benchmarks/results.")
def main(records: int, authorisations: int, rounds: int, database: str, keep: bool) -> None:
    """Measure in process, without network: what is compared is the work of the doors."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load({"data": folder, "database": database, "security": "open", "audit_reserve_mb": 0})
        with filled(settings, records, authorisations) as registry:
            rows = [_measured(registry, settings, name, rounds) for name in _QUESTIONS]
    show(
        rows,
        RESULT if keep else None,
        clock="CPU of the thread and the backend" if database else "CPU of the thread",
        database=database.partition(":")[0] or "sqlite",
        records=records,
        authorisations=authorisations,
    )


def show(rows: Sequence[Row], file: Path | None, **circumstances: object) -> None:
    """Print the rows with what they were measured under, and keep them in a file where one is wanted."""
    told = {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": machine.machine(),
        "load": machine.load_average(),
        **circumstances,
        "rows": [asdict(one) for one in rows],
    }
    click.echo(json.dumps(told, indent=2))
    if file is not None:
        file.write_text(json.dumps(told, indent=2) + "\n")


@contextmanager
def filled(settings: Settings, records: int, authorisations: int) -> Iterator[Registry]:
    registry = open_registry(settings)
    try:
        _open_records(registry, records, authorisations)
        for number in range(ASKED):
            _feed(registry, patient_of(number), DOCUMENTS)
            _feed(registry, patient_of(number + ASKED), SHOWN)
        if not settings.uses_sqlite:  # else plans are those of empty tables until autovacuum has been there
            registry.units.write(lambda unit: unit.connection.execute(text("ANALYZE")))
        yield registry
    finally:
        registry.units.close()


def patient_of(number: int) -> CX:
    digits = 1_58_06_35_238_000 + number
    return CX.of(id=f"{digits:013}{97 - digits % 97:02}", authority=TEST_INS, type_code="NH")


def _open_records(registry: Registry, records: int, authorisations: int) -> None:
    """The caller is one of those authorised; the others are in every record as well."""
    empty = {column.name: "" for column in dmp_record.c}
    flags = dict.fromkeys(("opposes_break_glass", "opposes_regulation", "masked_in_emergency"), False)
    flags |= {"occupational_consent": False, "is_attached": False}
    opened = empty | flags | {"state": "open", "opened": _OPENED, "channel": "accueil"}
    rows = ({**opened, "record_key": key, "patient": patient_of(key).key} for key in range(records))
    _insert(registry, dmp_record, rows)
    identifiers = (
        {"patient": patient_of(key).key, "record_key": key, "since": _OPENED, "until": ""} for key in range(records)
    )
    _insert(registry, record_identifier, identifiers)
    right = {"is_block": False, "since": _OPENED, "until": "", "last_action": _OPENED, "display": "", "speciality": ""}
    holders = [f"professional:{PERSON}", *(f"professional:8{number:011}" for number in range(1, authorisations))]
    rights = ({**right, "record_key": key, "holder": holder} for key in range(records) for holder in holders)
    _insert(registry, record_right, rights)


def _insert(registry: Registry, table: Table, rows: Iterator[dict[str, object]]) -> None:
    batch: list[dict[str, object]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            _write(registry, table, batch)
            batch = []
    if batch:
        _write(registry, table, batch)


def _write(registry: Registry, table: Table, batch: list[dict[str, object]]) -> None:
    registry.units.write(lambda unit: unit.connection.execute(insert(table), batch))


def _feed(registry: Registry, patient: CX, count: int) -> None:
    """Documents of a colleague, in their order: every third shows, the others are masked; where 20 are, all show."""

    def work(unit):  # type: ignore[no-untyped-def]
        registry.add_patient(unit, patient)
        for number in range(count):
            shows = count == SHOWN or number % (DOCUMENTS // SHOWN) == 0
            codes = (_NORMAL,) if shows else (_NORMAL, _MASKED)
            entry = an_entry(patient_id=patient, confidentiality_code=codes, author=(_COLLEAGUE,))
            submission = a_submission(entry, patient_id=patient)
            iti42.handle(registry, unit, a_reading(submission), OPEN_CALLER)

    registry.units.write(work)


def _find_documents(registry: Registry, caller: Callable[[CX], Caller]) -> Ask:
    def ask(patient: CX) -> object:
        slots = {
            "$XDSDocumentEntryPatientId": f"'{patient.key}'",
            "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        }
        body = messages.query_body(messages.FIND_DOCUMENTS, slots)
        return iti18.soap(registry, parse(body), caller(patient)).count(b"ExtrinsicObject id=")

    return ask


def _search(registry: Registry, caller: Callable[[CX], Caller]) -> Ask:
    def ask(patient: CX) -> object:
        asked = [("patient.identifier", f"urn:oid:{patient.authority}|{patient.id}"), ("_count", "100")]
        found = iti67.handle(registry, asked, caller(patient), base_url="http://localhost/fhir")
        return found.count(b'"resourceType":"DocumentReference"')

    return ask


_QUESTIONS = {"FindDocuments [ITI-18]": _find_documents, "DocumentReference [ITI-67]": _search}


def _measured(registry: Registry, settings: Settings, name: str, rounds: int) -> Row:
    ask = _QUESTIONS[name](registry, lambda patient: proved(patient_id=patient))
    judged = policy_of(settings)

    def asked(kind: str, patient: CX) -> object:
        registry.policy = judged if kind == "policy" else OPEN_POLICY
        return ask(patient)

    clock = time.thread_time if settings.uses_sqlite else _clock_of_both(registry)
    return measured(name, rounds, asked, clock=clock, is_counted=name in _COUNTED)


def _clock_of_both(registry: Registry) -> Callable[[], float]:
    """Seconds of CPU of this thread and of the backend that its questions go to: one connection is lent again."""
    with registry.units.read() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    times = Path(f"/proc/{backend}/schedstat")
    return lambda: time.thread_time() + int(times.read_text().split()[0]) / 1e9


def measured(
    question: str,
    rounds: int,
    ask: Callable[[str, CX], object],
    *,
    clock: Callable[[], float],
    is_counted: bool = True,
) -> Row:
    """Ask the policy, the open one about the same record, and the open one that answers as much, in turn.

    `ask` takes which of them and the patient, and returns how many documents were shown. Raises ClickException for
    another number of them.
    """
    times: dict[str, list[float]] = {kind: [] for kind in _EXPECTED}
    for number in range(rounds + rounds // 10):
        for kind, expected in _EXPECTED.items():
            patient = patient_of(number % ASKED + (ASKED if kind == "answer" else 0))
            began = clock()
            shown = ask(kind, patient)
            times[kind].append(clock() - began)
            if is_counted and shown != expected:
                raise click.ClickException(f"{question}: {kind}: found {shown} documents, expected {expected}")
    medians = {kind: statistics.median(found[rounds // 10 :]) for kind, found in times.items()}
    return Row(
        question=question,
        policy=round(medians["policy"] * 1e6),
        open_same_record=round(medians["record"] * 1e6),
        open_same_answer=round(medians["answer"] * 1e6),
        ratio_same_record=round(medians["policy"] / medians["record"], 3),
        ratio_same_answer=round(medians["policy"] / medians["answer"], 3),
    )


_COUNTED = ("DocumentReference [ITI-67]",)


if __name__ == "__main__":
    main()
