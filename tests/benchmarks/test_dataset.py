"""What is loaded in bulk is what the registry would have written itself, and is found by real queries."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, func, select, text

from access_policy.caller import OPEN_CALLER
from benchmarks import dataset
from benchmarks.client import _Client, asking
from benchmarks.databases import DERIVED
from benchmarks.dataset import CannotLoad, is_loaded, load_dataset
from benchmarks.documents import Documents
from benchmarks.opened_records import open_for_the_doctor
from benchmarks.particulars import Particulars
from benchmarks.plan import Plan, Sizes
from benchmarks.requests import Workload
from benchmarks.rows import RowMaker
from benchmarks.templates import Template, TemplateDiffers
from benchmarks.transaction import Transaction
from benchmarks.transactions import TRANSACTIONS
from carnet.registry_wiring import open_registry, open_units
from carnet.settings import Settings
from registry import iti42_register_document_set_b as iti42
from registry.sql.tables import identity, object_value, patient, registry_object
from registry.sql.texts import DEFLATED
from repository.index import document
from storage.deflated import inflated
from storage.engine import open_engine
from tests import servers
from tests.conftest import BOTH_DATABASES
from tests.servers import Server
from xds.ebrim.read import Reading
from xds.metadata import DocumentEntry

SIZES = Sizes(entries=90, patients=5, held=1, seed=3)
_o = registry_object.c


@pytest.fixture(scope="module", params=BOTH_DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    data = tmp_path_factory.mktemp("dataset")
    url = "" if request.param == "sqlite" else request.getfixturevalue("shared_postgresql_url")
    loaded = servers.settings_for(data, url, mllp="127.0.0.1:0", **DERIVED)
    told: list[int] = []
    load_dataset(SIZES, [loaded], on_progress=told.append)
    assert told[-1] == SIZES.entries
    return loaded


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    units = open_units(settings)
    with units.read() as reading:
        yield reading
    units.close()


def test_every_row_is_there(connection: Connection) -> None:
    def count(table: Any, *where: Any) -> int:
        return connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one()

    replaced = sum(map(Plan(SIZES).replaces, Plan(SIZES).order, Plan(SIZES).turns))
    assert replaced > 0
    assert count(registry_object, _o.kind == 1) == SIZES.entries
    assert count(registry_object, _o.kind == 2) == SIZES.entries
    assert count(registry_object, _o.kind == 4) == SIZES.entries + replaced
    assert count(registry_object, _o.status == 2) == replaced
    assert count(patient) == SIZES.patients
    assert count(identity) == 5 * SIZES.entries + replaced
    assert count(document) == SIZES.held


def test_the_registry_would_have_written_the_same(settings: Settings, connection: Connection, tmp_path: Path) -> None:
    """The same submissions, one after the other through ITI-42 into an empty registry."""
    registry = open_registry(Settings(data=str(tmp_path)))
    documents = Documents(Plan(SIZES))
    for number in range(SIZES.patient_count):
        ins = documents.patient(number).ins
        registry.units.write(lambda unit, ins=ins: registry.add_patient(unit, ins))
    for number in range(SIZES.entries):
        reading = Reading(submission=documents.submission(number))
        registry.units.write(lambda unit, reading=reading: iti42.handle(registry, unit, reading, OPEN_CALLER))
    with registry.units.read() as written:
        assert objects(connection) == objects(written)
        assert values(connection) == values(written)
        assert names(connection) == names(written)
    registry.units.close()


def objects(connection: Connection) -> dict[str, dict[str, Any]]:
    """Rows by entryUUID without keys, which depend on the time of writing; FHIR without the moment of the change."""
    found = {}
    for row in connection.execute(select(registry_object)).mappings():
        moments = ("_key", "last_updated")
        kept = {name: value for name, value in row.items() if not name.endswith(moments)}
        kept |= {name: row[name] and inflated(row[name]) for name in DEFLATED}
        if row["fhir"] is not None:
            kept["fhir"] = orjson.loads(kept["fhir"])
            kept["fhir"]["meta"].pop("lastUpdated")
        kept["attributes"] = json.loads(row["attributes"])
        found[row["entry_uuid"]] = kept
    return found


def values(connection: Connection) -> set[tuple[str, int, str]]:
    joined = select(_o.entry_uuid, object_value.c.attribute, object_value.c.value).join(
        object_value, (object_value.c.patient_key == _o.patient_key) & (object_value.c.object_key == _o.object_key)
    )
    return {tuple(row) for row in connection.execute(joined)}


def names(connection: Connection) -> set[tuple[str, str, bool]]:
    joined = select(identity.c.value, _o.entry_uuid, identity.c.scope == 0).join(
        registry_object, (identity.c.patient_key == _o.patient_key) & (identity.c.object_key == _o.object_key)
    )
    return {(row[0], row[1], bool(row[2])) for row in connection.execute(joined)}


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Server]:
    open_for_the_doctor(SIZES, settings)
    with servers.in_process(settings) as running:
        yield running


@pytest.fixture(scope="module")
def workload() -> Workload:
    return Workload(SIZES)


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.key)
def test_every_measured_request_gets_the_answer_it_must(
    transaction: Transaction, server: Server, workload: Workload
) -> None:
    port = server.feed if transaction.is_fed else server.settings.port
    with asking(transaction, port) as ask:
        for request in transaction.before(workload):
            assert transaction.problem_before(workload, ask(request)) == ""
        for number in range(3):
            assert transaction.problem(workload, number, ask(transaction.request(workload, number))) == ""


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.key)
def test_a_wrong_answer_is_a_problem(transaction: Transaction, workload: Workload) -> None:
    wrong = b'{"total":19,"entry":[]}' if transaction.key.startswith(("iti66", "iti67")) else b"<nothing/>"
    assert transaction.problem(workload, 0, wrong) != ""


@pytest.fixture(scope="module")
def client() -> Iterator[_Client]:
    """One for all databases, as it measures them."""
    made = _Client(SIZES)
    yield made
    for one in made._bare.values():
        one.close()


@pytest.mark.parametrize("key", ["iti57", "iti42-62"])
def test_requests_begin_anew_with_the_next_database(key: str, server: Server, client: _Client) -> None:
    client.look(key, server.settings.port)
    client._next[key] += 137  # measured meanwhile


def test_bare_transactions_insert_into_the_database_that_is_measured(server: Server, client: _Client) -> None:
    url = server.settings.database_url
    client.look("iti42-1", server.settings.port)
    before = _objects(url)
    assert client.insert("iti42-1", url, 1, 0.05).requests * 3 == _objects(url) - before


def _objects(url: str) -> int:
    engine = open_engine(url)
    with engine.connect() as connection:
        found: int = connection.execute(select(func.count()).select_from(registry_object)).scalar_one()
    engine.dispose()
    return found


def test_loading_twice_is_refused(settings: Settings) -> None:
    with pytest.raises(CannotLoad, match=r"found [0-9]+ patients, expected an empty database"):
        load_dataset(SIZES, [settings])


def test_a_data_set_is_found_again_by_its_sizes(settings: Settings, tmp_path: Path) -> None:
    assert is_loaded(SIZES, settings)
    assert not is_loaded(Sizes(entries=90, patients=5, held=1, seed=4), settings)
    assert not is_loaded(SIZES, Settings(data=str(tmp_path)))


def test_parts_made_apart_are_the_whole() -> None:
    maker, other = RowMaker(SIZES), RowMaker(SIZES)
    whole, parts = maker.batch(0, 90).rows, [other.batch(40, 90).rows, other.batch(0, 40).rows]
    for name, rows in whole.items():
        assert rows == parts[1][name] + parts[0][name]


def test_templates_give_what_the_registry_renders() -> None:
    """Every shape: replacing, replaced, ordered; each template is used for many submissions."""
    maker = RowMaker(SIZES)
    rows = {name: iter(made) for name, made in maker.batch(0, 90).rows.items()}
    for number in range(90):
        for name, row in maker.rendered(number):
            assert next(rows[name]) == row


def test_a_template_that_leaves_something_of_its_sample_is_refused() -> None:
    def render(particulars: Particulars) -> Iterator[tuple[str, tuple[Any, ...]]]:
        yield "registry_object", (particulars.unique_id, particulars.hash.upper())

    with pytest.raises(TemplateDiffers, match=r"found '0123456789ABC.* expected 'FEDCBA"):
        Template(render)


def test_postgresql_has_its_indexes_again(postgresql_url: str, tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path, postgresql_url)
    open_units(settings).close()
    before = indexes(settings)
    load_dataset(SIZES, [settings])
    assert indexes(settings) == before


def indexes(settings: Settings) -> list[Any]:
    units = open_units(settings)
    with units.read() as connection:
        found = connection.execute(text("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")).all()
    units.close()
    return list(found)


def test_keys_grow_with_time() -> None:
    column = [one.name for one in registry_object.columns].index("object_key")
    keys = [row[column] for row in RowMaker(SIZES).batch(0, 90).rows["registry_object"]]
    assert keys == sorted(set(keys))


def test_several_processes_load_the_same_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_BATCH", 30)
    batches = list(dataset._batches(SIZES, 2))
    assert [(batch.first, batch.submissions) for batch in batches] == [(0, 30), (30, 30), (60, 30)]
    whole = RowMaker(SIZES).batch(0, 90).rows
    assert {name: [row for batch in batches for row in batch.rows[name]] for name in whole} == whole


def test_the_command_tells_what_it_loaded(tmp_path: Path) -> None:
    arguments = ["--entries", "60", "--patients", "4", "--documents", "1", "--data", str(tmp_path / "data")]
    result = CliRunner().invoke(dataset.main, arguments)
    assert result.exit_code == 0, result.output
    assert "60 entries of 4 patients, 1 documents with octets" in result.output
    again = CliRunner().invoke(dataset.main, arguments)
    assert again.exit_code == 1
    assert "expected an empty database" in again.output


def test_entries_are_rendered_once_for_both_doors() -> None:
    documents = Documents(Plan(SIZES))
    entry = next(thing for thing in documents.stored(0) if isinstance(thing, DocumentEntry))
    assert (entry.version, entry.logical_id) == (1, entry.entry_uuid)
