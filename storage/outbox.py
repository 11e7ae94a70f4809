"""What must be told to others, kept in the transaction that caused it.

A record exists if and only if what it tells about was committed. Readers keep a cursor each; nothing is deleted
by being read. Audit records have a store of their own.
"""

import json
from collections.abc import Mapping, Sequence
from enum import IntEnum

from sqlalchemy import BigInteger, Column, Connection, MetaData, SmallInteger, Table, Text

from storage.prepared import insertion

metadata = MetaData()

outbox = Table(
    "outbox",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", SmallInteger, nullable=False),
    Column("patient_key", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    comment="Audit records and notifications that committed with what they tell about",
)


class Topic(IntEnum):
    """Who reads a record. A notice is for a person, and its patient key that of the person's record."""

    NOTIFICATION = 2
    NOTICE = 3


def post(
    connection: Connection,
    topic: Topic,
    *,
    record_key: int,
    patient_key: int,
    record: Mapping[str, str | Sequence[str]],
) -> None:
    """Keep a record; it becomes readable when the unit of work commits."""
    text = json.dumps(record, ensure_ascii=False, sort_keys=True)
    row = {"record_key": record_key, "topic": int(topic), "patient_key": patient_key, "record": text}
    insertion(outbox, connection.dialect).write(connection, [row])
