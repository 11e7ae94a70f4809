"""The rows that a submission left, inserted again and again without Carnet: no HTTP, no XML, no rules.

Each time is a transaction of its own, under fresh keys and identifiers of the same length, with the same
settings of the database; as many connections as the client has, one on SQLite, which has one writer.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle
from typing import Any

from sqlalchemy import Connection, Engine, Table, select, tuple_

from benchmarks.closed_loop import Sample, sample_of
from registry.sql.identities import object_keys_of
from registry.sql.tables import identity, object_value, registry_object
from storage.engine import open_engine
from storage.keys import Keys

_KEYS = ("object_key", "submission_key")
_WRITTEN_BEFORE_COMMIT = (registry_object, identity, object_value)
Rows = Mapping[str, Sequence[dict[str, Any]]]


def rows_of_submissions(connection: Connection, entry_uuids: Sequence[str]) -> list[Rows]:
    """Every row of the submissions that brought these documents, by table."""
    o, places = registry_object.c, object_keys_of(connection, entry_uuids)
    named = [place for one in entry_uuids for place in places[one]]
    brought = select(o.patient_key, o.submission_key).where(tuple_(o.patient_key, o.object_key).in_(named))
    of_submission: dict[int, int] = {}
    found: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for row in _all(connection, registry_object, tuple_(o.patient_key, o.submission_key).in_(brought)):
        of_submission[row["object_key"]] = row["submission_key"]
        found.setdefault(row["submission_key"], {}).setdefault(registry_object.name, []).append(row)
    for table in (identity, object_value):
        for row in _all(connection, table, table.c.object_key.in_(list(of_submission))):
            found[of_submission[row["object_key"]]].setdefault(table.name, []).append(row)
    return list(found.values())


def _all(connection: Connection, table: Table, *where: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table).where(*where)).mappings()]


class BareTransactions:
    """Inserts the rows of submissions in turn, each time with new keys; one is named by a document that it brought."""

    def __init__(self, url: str, *entry_uuids: str) -> None:
        self._engine, self._keys = open_engine(url), Keys()
        with self._engine.connect() as connection:
            self._submissions = cycle(rows_of_submissions(connection, entry_uuids))
        self._texts = {table.name: _insert(table, self._engine) for table in _WRITTEN_BEFORE_COMMIT}

    def run(self, connections: int, seconds: float) -> Sample:
        """Insert for so many seconds."""
        threads = 1 if self._engine.dialect.name == "sqlite" else connections
        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            times = list(pool.map(lambda _: list(self._until(began + seconds)), range(threads)))
        return sample_of([one for part in times for one in part], time.perf_counter() - began)

    def close(self) -> None:
        self._engine.dispose()

    def _until(self, end: float) -> Iterator[float]:
        """Seconds of each transaction, of which there is one at least."""
        with closing(self._engine.raw_connection()) as connection:
            began, ended = time.perf_counter(), 0.0
            while ended < end:
                self._insert(connection)
                ended = time.perf_counter()
                yield ended - began
                began = ended

    def _insert(self, connection: Any) -> None:
        cursor, renewed = connection.cursor(), _Renewal(self._keys)
        if self._engine.dialect.name == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")
        for name, rows in next(self._submissions).items():
            if rows:
                cursor.executemany(self._texts[name], [renewed(name, row) for row in rows])
        connection.commit()
        cursor.close()


class _Renewal:
    """Other keys for the rows of one transaction, the same one wherever it stands, and other identifiers."""

    def __init__(self, keys: Keys) -> None:
        self._keys, self._given = keys, {0: 0}

    def __call__(self, table: str, row: dict[str, Any]) -> tuple[Any, ...]:
        changed = {name: self._key(row[name]) for name in _KEYS if name in row}
        if table == identity.name:
            changed["value"] = f"{self._keys.new():020d}".ljust(len(row["value"]), "0")
        return tuple({**row, **changed}.values())

    def _key(self, former: int) -> int:
        if former not in self._given:
            self._given[former] = self._keys.new()
        return self._given[former]


def _insert(table: Table, engine: Engine) -> str:
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    names = [column.name for column in table.columns]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"
