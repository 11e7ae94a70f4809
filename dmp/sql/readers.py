"""Rows of who read a record last, and when: looked up by record and reader, never counted. DMP 3 (TD0.4)"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from dmp.sql.tables import record_reader

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_r = record_reader.c


def note(connection: Connection, key: int, readers: Iterable[str], read: str) -> None:
    """Keep a time (DTM) at which somebody read, unless a later one is kept. `readers`: of `rights.holder_text`."""
    for one in readers:
        row = _INSERT[connection.dialect.name](record_reader).values(record_key=key, reader=one, last_read=read)
        later = {"set_": {"last_read": read}, "where": _r.last_read < read}
        connection.execute(row.on_conflict_do_update(index_elements=[_r.record_key, _r.reader], **later))


def hand_over(connection: Connection, key: int, target: int) -> None:
    """Who read a record that was merged read the one that it became."""
    for row in connection.execute(select(_r.reader, _r.last_read).where(_r.record_key == key)).all():
        note(connection, target, [row.reader], row.last_read)
    remove_all(connection, key)


def remove_all(connection: Connection, key: int) -> None:
    connection.execute(delete(record_reader).where(_r.record_key == key))
