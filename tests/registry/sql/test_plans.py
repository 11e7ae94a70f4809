"""No stored query reads a whole table: the plans of all their statements, on a small registry.

SQLite plans by the form of a statement alone, or by the statistics that ANALYZE left, which are those of
a registry of 100,000 documents here. PostgreSQL would rather read a small table than use its index, so it
is told not to: what it reads whole then has no index that serves.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from access_policy.caller import OPEN_CALLER
from registry import iti18_registry_stored_query as iti18
from registry.sql import held, identities
from registry.store import Registry
from storage import prepared
from tests.registry.a_record import AWAY, VALUES, A, B, the_record
from tests.registry.asking import ALL_QUERIES, Given, opened, read, registry_of
from tests.registry.test_query_parameters import least
from tests.registry.worlds import store
from xds.stored_queries import Parameter, StoredQuery

Statement = tuple[str, Any]
# Rows of the index, then rows for each value of its first column, of its first two, and so on.
STATISTICS = {
    ("identity", "sqlite_autoindex_identity_1"): "503867 1 1",
    ("registry_object", "ix_registry_object_facility"): "100000 14286",
    ("registry_object", "ix_registry_object_class_code"): "100000 16667",
    ("registry_object", "ix_registry_object_target"): "103867 22 1",
    ("registry_object", "ix_registry_object_source"): "103867 22 1",
    ("registry_object", "ix_registry_object_kind"): "303867 63 21 1",
    ("registry_object", "sqlite_autoindex_registry_object_1"): "303867 63 1",
    ("object_value", "ix_object_value_value"): "105796 52898 3",
    ("object_value", "sqlite_autoindex_object_value_1"): "420793 87 3 1 1",
    ("patient", "sqlite_autoindex_patient_2"): "5000 5000 1",
    ("patient", "sqlite_autoindex_patient_1"): "5000 1",
}
WHOLE_TABLE = re.compile(r"(?:SCAN|Seq Scan on) (?:registry_object|object_value|identity|patient)\b")
# A question across patients by a common code: SQLite, told so by its statistics, walks through the rows in the
# order of the answer until the page is full, and need not sort what the index finds.
IN_ORDER = "SCAN registry_object USING INDEX sqlite_autoindex_registry_object_1"
ACROSS = "ORDER BY registry_object.patient_key, registry_object.object_key"
NOTHING = re.compile(r"WHERE (?:0 = 1|false) ORDER BY")
ARRANGEMENTS = ["sqlite", "sqlite analyzed", pytest.param("postgresql", marks=pytest.mark.postgresql)]
QUERIES = [pytest.param(query, id=query.name) for query in ALL_QUERIES.values()]


@pytest.fixture(scope="module", params=ARRANGEMENTS)
def registry(request: pytest.FixtureRequest, shared_memory: Path) -> Iterator[Registry]:
    is_postgresql = request.param == "postgresql"
    file = shared_memory / "carnet.sqlite"
    url = request.getfixturevalue("shared_postgresql_url") if is_postgresql else f"sqlite:///{file}"
    with opened(url) as units:
        store(units, the_record())
        if request.param == "sqlite analyzed":
            units.write(lambda unit: _pretend_size(unit.connection))
        yield registry_of(units)


def _pretend_size(connection: Connection) -> None:
    connection.execute(text("ANALYZE"))
    connection.execute(text("DELETE FROM sqlite_stat1"))
    rows = [{"tbl": table, "idx": index, "stat": stat} for (table, index), stat in STATISTICS.items()]
    connection.execute(text("INSERT INTO sqlite_stat1 VALUES (:tbl, :idx, :stat)"), rows)


class Recorder:
    """Statements as they go to the database."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, registry: Registry) -> None:
        self.statements: list[Statement] = []
        run = prepared.Prepared.rows

        def recorded(statement: prepared.Prepared, connection: Connection, **values: Any) -> Any:
            self.statements.append((statement.text, statement.parameters(values)))
            return run(statement, connection, **values)

        monkeypatch.setattr(prepared.Prepared, "rows", recorded)
        with registry.units.read() as connection:
            self._engine = connection.engine
        event.listen(self._engine, "before_cursor_execute", self._executed)

    def _executed(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            self.statements.append((statement, parameters))

    def stop(self) -> None:
        event.remove(self._engine, "before_cursor_execute", self._executed)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, registry: Registry) -> Iterator[Recorder]:
    made = Recorder(monkeypatch, registry)
    yield made
    made.stop()


def plans(registry: Registry, statements: Sequence[Statement]) -> dict[str, list[str]]:
    """Statement -> the lines of its plan."""
    found = {}
    with registry.units.read() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("ANALYZE sqlite_schema")  # read the statistics, if any, again
            for statement, parameters in statements:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                found[statement] = [row[3] for row in rows]
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            for statement, parameters in statements:
                found[statement] = _explained(connection, statement, parameters)
    return found


def _explained(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """A kept statement has its values in their order, for places as PostgreSQL itself writes them."""
    if isinstance(parameters, tuple):
        cursor = psycopg.RawCursor(connection.connection.driver_connection)  # type: ignore[arg-type]
        return [row[0] for row in cursor.execute(f"EXPLAIN {statement}".encode(), parameters)]
    return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)]


def check_plans(registry: Registry, statements: Sequence[Statement]) -> None:
    assert statements
    for statement, lines in plans(registry, statements).items():
        allowed = {IN_ORDER} if ACROSS in statement and "_code" in statement else set()
        whole = [line for line in lines if WHOLE_TABLE.search(line) and line not in allowed]
        assert not whole or NOTHING.search(statement), "\n".join([statement, *lines])


def questions(query: StoredQuery) -> Iterator[Given]:
    """The query with as little as it needs, with each parameter beside, and with everything at once."""

    def both(parameter: Parameter) -> list[list[str]]:
        listed = VALUES[parameter.negates or parameter.name]
        return [list(listed)] if parameter.many else [[listed[0]]]

    for parameter in query.parameters:
        yield {**least(query, parameter), parameter.name: both(parameter)}
    alternatives = {one.name for one in query.parameters if one.alternative}
    kept = [one for one in query.parameters if one.name not in sorted(alternatives)[1:] and not one.negates]
    yield {one.name: both(one) for one in kept}
    for name in query.at_least_one:
        yield {one.name: both(one) for one in query.parameters if one.required or one.name == name}


@pytest.mark.parametrize("query", QUERIES)
def test_no_stored_query_reads_a_whole_table(registry: Registry, recorder: Recorder, query: StoredQuery) -> None:
    for given in questions(query):
        iti18.handle(registry, read(query, given, "ObjectRef"), OPEN_CALLER)
    check_plans(registry, recorder.statements)


def test_no_update_or_removal_reads_a_whole_table(registry: Registry, recorder: Recorder) -> None:
    with registry.units.read() as connection:
        held.by_entry_uuid(connection, {A, B, AWAY})
        held.touching(connection, {A, B})
        held.versions(connection, {A, B})
        identities.rows_of(connection, [A, B])
    check_plans(registry, recorder.statements)


def test_a_scan_would_be_seen(registry: Registry) -> None:
    """What this file looks for is what the databases say."""
    statement = "SELECT count(*) FROM registry_object WHERE hash = 'x'"
    with pytest.raises(AssertionError, match="registry_object"):
        check_plans(registry, [(statement, ())])
