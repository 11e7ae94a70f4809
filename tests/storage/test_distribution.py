"""A cluster of PostgreSQL machines: every table has its place, and what is about one patient asks one machine.

The statements are those that the code issues. `python -m pytest -p tests.issued TESTS` looks at those of any tests.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import UniqueConstraint
from sqlalchemy.exc import DatabaseError

from access_policy.visibility import Purpose
from registry.criteria import Criteria, Frame
from registry.store import Registry
from storage import engine
from storage.assertion_uses import StoredAssertionUses
from storage.distribution import ACROSS, BY_TABLE, across_table, script, statements
from storage.postgresql_units import PostgresqlUnits
from storage.unit_of_work import Units
from tests import fhir_bundles, messages, servers
from tests.access_policy.callers import NURSE, a_record
from tests.builders import PATIENT, REPOSITORY, a_folder, a_replacement, a_submission, an_entry, an_update
from tests.conftest import BOTH_DATABASES
from tests.flows import fhir_requests
from tests.issued import Issued, names, watching
from tests.one_machine import unbound
from tests.registry.a_policed_record import Records, policed, proved, proved_patient
from tests.registry.asking import opened, registry_of
from tests.registry.registries import submit
from tests.servers import Server
from xds.ebrim.read import read_document_entries
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.stored_queries import REGISTRY_STORED_QUERIES
from xds.vocabulary import ObjectType

ROOT = Path(__file__).parents[2]


def tables() -> dict[str, Any]:
    from audit import outbox as audit_outbox
    from audit import retention
    from dmp.sql.tables import metadata as records
    from registry.sql import patient_resources
    from registry.sql.tables import metadata as registry
    from repository import awaited, document_versions
    from repository.index import metadata as index
    from storage import assertion_uses, outbox
    from subscriptions import sql as subscriptions

    modules = (
        audit_outbox,
        retention,
        patient_resources,
        awaited,
        document_versions,
        assertion_uses,
        outbox,
        subscriptions,
    )
    found = [registry, records, index, *(one.metadata for one in modules if hasattr(one, "metadata"))]
    return {name: table for metadata in found for name, table in metadata.tables.items()}


def test_every_table_has_a_place_and_every_place_a_table() -> None:
    assert set(tables()) == set(BY_TABLE)


@pytest.mark.parametrize("name", [one for one in BY_TABLE if BY_TABLE[one].column])
def test_what_is_unique_holds_the_column_that_divides(name: str) -> None:
    """Citus keeps no other constraint."""
    table, column = tables()[name], BY_TABLE[name].column
    assert column in table.primary_key.columns
    for one in table.constraints:
        assert not isinstance(one, UniqueConstraint) or column in one.columns
    assert all(column in index.columns for index in table.indexes if index.unique)


def test_a_statement_that_asks_all_machines_is_found() -> None:
    """The proof can fail."""
    assert unbound("SELECT * FROM registry_object WHERE entry_uuid = 'x'") == ["registry_object"]
    assert unbound("SELECT * FROM registry_object WHERE patient_key = 5 AND kind = 1") == []
    assert unbound("UPDATE registry_object SET status = 2 WHERE object_key = 5") == ["registry_object"]
    joined = "SELECT 1 FROM registry_object AS o JOIN object_value AS v ON v.object_key = o.object_key"
    assert unbound(f"{joined} WHERE o.patient_key = 5") == ["object_value"]
    assert unbound(f"{joined} AND v.patient_key = o.patient_key WHERE o.patient_key = 5") == []
    assert unbound("SELECT 1 FROM registry_object WHERE patient_key = 5 OR kind = 1") == ["registry_object"]
    assert unbound("SELECT 1 FROM registry_object WHERE NOT patient_key = 5") == ["registry_object"]
    copied = "SELECT 1 FROM patient AS p LEFT JOIN patient_resource AS r ON r.patient_key = p.patient_key"
    assert unbound(f"{copied} WHERE p.identifier = 'x'") == ["patient_resource"]
    assert unbound(f"{copied} WHERE p.patient_key = 5") == []
    apart = "SELECT 1 FROM identity AS i JOIN registry_object AS o ON o.patient_key = i.value WHERE i.value = 'x'"
    assert unbound(apart) == ["registry_object"]
    assert unbound("INSERT INTO identity (value, scope) VALUES ('a', 0)") == []
    assert unbound("INSERT INTO identity (scope) VALUES (0)") == ["identity"]


_OBJECT = "SELECT 1 FROM registry_object AS o"


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        (
            "SELECT 1 FROM registry_object WHERE patient_key = 5 UNION SELECT 1 FROM registry_object",
            ["registry_object"],
        ),
        (
            f"{_OBJECT} WHERE o.object_key IN (SELECT v.object_key FROM object_value AS v WHERE v.patient_key = 5)",
            ["o"],
        ),
        (f"{_OBJECT} WHERE object_key IN (SELECT object_key FROM object_value WHERE patient_key = 5)", ["o"]),
        (f"{_OBJECT} WHERE o.kind = 1 OR EXISTS (SELECT 1 FROM patient AS p WHERE o.patient_key = 5)", ["o"]),
        (f"{_OBJECT} LEFT JOIN patient AS p ON o.patient_key = 5", ["o"]),
        (f"{_OBJECT} WHERE o.patient_key = 5 AND EXISTS (SELECT 1 FROM object_value AS v WHERE v.text = 'x')", ["v"]),
        (f"{_OBJECT} WHERE 0 = 1 UNION SELECT 1 FROM object_value AS v", ["v"]),
        ("INSERT INTO registry_object (patient_key) SELECT v.patient_key FROM object_value AS v", ["v"]),
        (f"{_OBJECT} WHERE o.patient_key = 5 UNION {_OBJECT} WHERE o.patient_key = 6", []),
        (
            f"{_OBJECT} WHERE o.patient_key = 5 AND EXISTS "
            "(SELECT 1 FROM object_value AS v WHERE v.patient_key = o.patient_key)",
            [],
        ),
        (f"{_OBJECT} LEFT JOIN object_value AS v ON v.patient_key = o.patient_key WHERE o.patient_key = 5", []),
    ],
)
def test_a_part_of_a_statement_binds_no_other_part(text: str, tables: list[str]) -> None:
    """What holds in one SELECT says nothing of the rows of another; what surrounds it does."""
    names = {"o": "registry_object", "v": "object_value"}
    assert unbound(text) == [names.get(one, one) for one in tables]


def test_rows_of_several_machines_are_not_locked_by_one_statement() -> None:
    """Citus takes FOR UPDATE of rows of one machine alone."""
    listed = "SELECT 1 FROM document WHERE document.unique_id = ANY (CAST($1 AS TEXT[]))"
    assert unbound(listed, "postgresql") == []
    assert unbound("SELECT 1 FROM document WHERE false", "postgresql") == []
    assert unbound(f"{listed} FOR UPDATE", "postgresql") == ["document"]
    assert unbound("SELECT 1 FROM document WHERE document.unique_id = $1::VARCHAR FOR UPDATE", "postgresql") == []


@pytest.fixture(scope="module")
def issued() -> Iterator[Issued]:
    with watching() as found:
        yield found


@pytest.fixture(scope="module", params=BOTH_DATABASES)
def server(
    request: pytest.FixtureRequest, issued: Issued, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    data: Path = tmp_path_factory.mktemp("distribution")
    database = request.getfixturevalue("shared_postgresql_url") if request.param == "postgresql" else ""
    settings = servers.settings_for(data, database, audit="on")
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        yield running


def submitted(server: Server) -> Any:
    entry = an_entry(content=b"<d>1</d>")
    answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: b"<d>1</d>"})
    assert answer.status == "Success", answer.contexts
    return entry


def stored_uuid(server: Server, unique_id: str) -> str:
    answer = messages.query(server, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"})
    return next(str(one.get("id")) for one in answer.envelope.iter("{*}ExtrinsicObject"))


def replaces(server: Server) -> None:
    old = stored_uuid(server, str(submitted(server).unique_id))
    new = an_entry(content=b"<d>2</d>")
    answer = messages.provide(
        server, a_submission(new, associations=(a_replacement(new, old),)), {new.entry_uuid: b"<d>2</d>"}
    )
    assert answer.status == "Success", answer.contexts


def searches(server: Server) -> None:
    slots = {
        "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        "$XDSDocumentEntryEventCodeList": "('x^^1.2.3')",
    }
    assert messages.query(server, messages.FIND_DOCUMENTS, slots).status == "Success"


def searches_by_fhir(server: Server) -> None:
    path = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}&status=current"
    assert server.request("GET", path).status == 200


def retrieves(server: Server) -> None:
    answer = messages.retrieve(server, (REPOSITORY, str(submitted(server).unique_id)))
    assert answer.status == "Success"


def retrieves_by_fhir(server: Server) -> None:
    entry_uuid = stored_uuid(server, str(submitted(server).unique_id))
    assert server.request("GET", f"/fhir/Binary/{entry_uuid.removeprefix('urn:uuid:')}").status == 200


def asks_every_stored_query(server: Server) -> None:
    """Of one patient: everything, and what each kind of object is found by."""
    entry_uuid = stored_uuid(server, str(submitted(server).unique_id))
    for query in REGISTRY_STORED_QUERIES.values():
        slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT.key}'", "$patientId": f"'{PATIENT.key}'"}
        slots |= {"$XDSSubmissionSetPatientId": f"'{PATIENT.key}'", "$XDSFolderPatientId": f"'{PATIENT.key}'"}
        slots |= dict.fromkeys(_STATUSES, "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')")
        slots |= {"$XDSDocumentEntryEntryUUID": f"('{entry_uuid}')", "$uuid": f"('{entry_uuid}')"}
        slots |= {"$AssociationTypes": "('urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember')"}
        parameters = {one.name for one in query.parameters}
        kept = {name: value for name, value in slots.items() if name in parameters}
        messages.query(server, query.id, kept)


def removes_a_document(server: Server) -> None:
    unique_id = str(submitted(server).unique_id)
    assert messages.remove(server, (REPOSITORY, unique_id)).status == "Success"


def updates(server: Server) -> None:
    """The whole entry by ITI-57, a field of it by ITI-92."""
    for action in (messages.UPDATE, messages.RESTRICTED_UPDATE):
        slots = {"$XDSDocumentEntryUniqueId": f"('{submitted(server).unique_id}')"}
        (held,) = read_document_entries(messages.query(server, messages.GET_DOCUMENTS, slots).envelope)
        answer = messages.submit(server, an_update(held, title="Titre corrigé"), action)
        assert answer.status == "Success", answer.contexts


def removes_metadata(server: Server) -> None:
    """All that a submission brought [ITI-62]."""
    entry_uuid = stored_uuid(server, str(submitted(server).unique_id))
    found = messages.query(server, _GET_SUBMISSION_SETS, {"$uuid": f"('{entry_uuid}')"})
    gone = [str(one.get("id")) for one in found.envelope.iter("{*}RegistryPackage", "{*}Association")]
    answer = messages.remove_metadata(server, entry_uuid, *gone)
    assert answer.status == "Success", answer.contexts


def registers_on_demand(server: Server) -> None:
    absent = dict.fromkeys(("hash", "size", "creation_time", "legal_authenticator"))
    entry = replace(an_entry(), object_type=ObjectType.ON_DEMAND, **absent)
    answer = messages.submit(server, a_submission(entry), messages.ON_DEMAND)
    assert answer.status == "Success", answer.contexts


def lists_by_fhir(server: Server) -> None:
    who = f"patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"
    assert server.request("GET", f"/fhir/List?{who}&code=submissionset&status=current").status == 200
    assert server.request("GET", f"/fhir/Patient?identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}").status == 200


_GET_SUBMISSION_SETS = "urn:uuid:51224314-5390-4169-9b91-b1980040715a"
_STATUSES = ("$XDSDocumentEntryStatus", "$XDSSubmissionSetStatus", "$XDSFolderStatus", "$XDSAssociationStatus")
TRANSACTIONS = (
    submitted,
    replaces,
    searches,
    searches_by_fhir,
    retrieves,
    retrieves_by_fhir,
    asks_every_stored_query,
    updates,
    removes_metadata,
    removes_a_document,
    registers_on_demand,
    lists_by_fhir,
)


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda one: one.__name__)
def test_a_transaction_about_one_patient_asks_one_machine_or_is_named(
    transaction: Any, server: Server, issued: Issued
) -> None:
    transaction(server)
    assert any("registry_object" in one for one in issued.texts)
    assert issued.strays == {}, "\n".join(issued.strays)


def test_what_comes_by_fhir_asks_one_machine(database_url: str, issued: Issued, tmp_path: Path) -> None:
    """A Bundle [ITI-65] and a document alone [ITI-105], in a domain that takes both."""
    settings = servers.settings_for(tmp_path, database_url, audit="on", domain="ihe")
    with servers.in_process(settings) as running:
        subject = fhir_requests.fed(running, fhir_bundles.a_patient())
        fhir_requests.provide(running, fhir_bundles.a_provide_bundle(subject))
        published = fhir_requests.a_publication(subject)
        assert fhir_requests.send(running, "POST", "/fhir/DocumentReference", published).status == 201
    assert issued.strays == {}, "\n".join(issued.strays)


@pytest.mark.parametrize("kind", [DocumentEntry, SubmissionSet, Folder, Association])
def test_what_a_policy_lets_be_seen_of_a_record_is_asked_of_one_machine(
    kind: type[RegistryObject], tmp_path: Path, issued: Issued
) -> None:
    """By both doors' statements, by a plain question, one of many values, and one by id."""
    with opened(f"sqlite:///{tmp_path / 'carnet.sqlite'}") as units:
        registry = policed(registry_of(units), Records(a_record()))
        units.write(lambda unit: registry.add_patient(unit, PATIENT))
        submit(registry, a_submission(an_entry(), folders=(a_folder(),)))
        for criteria in (
            Criteria(kind=kind, patient=PATIENT.key),
            Criteria(kind=kind, patient=PATIENT.key, source_ids=("1.2.3", "1.2.4")),
            Criteria(kind=kind, unique_ids=("1.2.3",)),
        ):
            _asked(registry, criteria)
    assert any("traits &" in one for one in issued.texts), "nothing was hidden from anybody"
    assert issued.strays == {}, "\n".join(issued.strays)


def _asked(registry: Registry, criteria: Criteria) -> None:
    for caller in (proved(), proved(roles=NURSE), proved_patient()):
        with registry.seen_by(caller, Purpose.METADATA) as snapshot:
            snapshot.find(criteria)
            snapshot.count(criteria)
            snapshot.joined(criteria, size=20, frame=Frame(before="", between="", behind=""))


def test_a_question_that_nobody_named_is_a_stray() -> None:
    """The proof can fail, and a name covers what it says and nothing else."""
    many = next(one for one in ACROSS if "[ITI-51]" in one.what)
    assert names(many, ("registry/sql/find.py:find", many.code))
    assert not names(many, ("registry/sql/find.py:find", f"{many.code.partition(':')[0]}:find_documents"))


@pytest.mark.parametrize("code", [one.code for one in ACROSS])
def test_what_is_named_across_machines_is_there(code: str) -> None:
    """A name that nothing has any more says nothing."""
    file, _, function = code.partition(":")
    places = [ROOT / file] if function else list(ROOT.glob(f"{file}*"))
    assert places, code
    assert not function or f"def {function}(" in places[0].read_text(encoding="utf-8"), code


@pytest.mark.postgresql
@pytest.mark.parametrize("has_citus", [False, True])
def test_a_cluster_is_known_by_its_extension(
    has_citus: bool, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which a plain PostgreSQL says it has not."""
    if has_citus:
        monkeypatch.setattr(engine, "_has_citus", lambda _: True)
    units = PostgresqlUnits(engine.open_engine(postgresql_url))
    with units.read() as connection:
        assert engine.is_divided(connection) is has_citus
    units.write(lambda unit: engine.is_divided(unit.connection) is has_citus or pytest.fail())
    units.close()


def test_uses_of_assertions_ask_one_machine_or_are_named(units: Units, issued: Issued) -> None:
    """A new one, one that is known, and those whose time is over."""
    uses, now = StoredAssertionUses(units), datetime(2026, 1, 1, tzinfo=UTC)
    of_one = {"issuer": "an issuer", "assertion_id": "_1", "client": "a client"}
    assert [uses.first_client(**of_one, until=now, now=now) for _ in range(2)] == [None, "a client"]
    assert any(one.startswith("DELETE FROM assertion_use") for one in issued.texts)
    assert issued.strays == {}, "\n".join(issued.strays)


def test_the_page_of_the_cluster_names_every_question_across_machines() -> None:
    assert across_table() in (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_the_script_names_every_table_once() -> None:
    lines = script().splitlines()
    for name in BY_TABLE:
        assert len([line for line in lines if f"'{name}'" in line.split(",")[0] or line.startswith(f"-- {name}:")]) == 1


# Functions of the names of Citus' that refuse what Citus refuses; that is all they have of a cluster.
_STAND_INS = """
CREATE TABLE divided (name regclass PRIMARY KEY, kind regtype);
CREATE FUNCTION create_distributed_table(divided_table regclass, divider text, colocate_with text) RETURNS void AS $$
DECLARE place smallint; kind_of regtype; refused text;
BEGIN
    SELECT attnum, atttypid INTO STRICT place, kind_of FROM pg_attribute
        WHERE attrelid = divided_table AND attname = divider AND attnotnull;
    SELECT indexrelid::regclass INTO refused FROM pg_index
        WHERE indrelid = divided_table AND indisunique AND NOT place = ANY(indkey);
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION USING MESSAGE = refused || ' is unique without ' || divider;
    END IF;
    IF colocate_with <> 'none' THEN
        PERFORM FROM divided WHERE divided.name = colocate_with::regclass AND divided.kind = kind_of;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING MESSAGE = divided_table::text || ' cannot lie beside ' || colocate_with;
        END IF;
    END IF;
    INSERT INTO divided VALUES (divided_table, kind_of);
END $$ LANGUAGE plpgsql;
CREATE FUNCTION create_reference_table(name regclass) RETURNS void AS 'INSERT INTO divided VALUES ($1, NULL)' LANGUAGE sql;
"""


@pytest.mark.postgresql
def test_the_script_runs_on_the_newest_schema(shared_postgresql_url: str) -> None:
    """Every table, column and key that it speaks of is there as Citus wants it; Citus itself is not."""
    opened = engine.open_engine(shared_postgresql_url)
    with opened.connect() as connection, connection.begin() as unit:
        connection.exec_driver_sql(_STAND_INS)
        for statement in statements():
            connection.exec_driver_sql(statement)
        count = connection.exec_driver_sql("SELECT count(*) FROM divided").scalar_one()
        assert count == sum(line.startswith("SELECT ") for line in script().splitlines())
        with pytest.raises(DatabaseError, match="is unique without object_key"):
            connection.exec_driver_sql("SELECT create_distributed_table('identity', 'object_key', 'none')")
        unit.rollback()
    opened.dispose()
