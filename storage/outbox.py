"""What persons must be told, kept in the transaction that caused it.

A record exists if and only if what it tells about was committed. Audit records have a store of their own, and so have
the notifications of subscribers.
"""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text

from storage.prepared import insertion

metadata = MetaData()

outbox = Table(
    "outbox",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("patient_key", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    comment="Notices to persons that committed with what they tell about",
)


def post(
    connection: Connection, *, record_key: int, patient_key: int, record: Mapping[str, str | Sequence[str]]
) -> None:
    """Keep a notice; it becomes readable when the unit of work commits. `patient_key`: that of the person's record."""
    text = json.dumps(record, ensure_ascii=False, sort_keys=True)
    insertion(outbox, connection.dialect).write(
        connection, [{"record_key": record_key, "patient_key": patient_key, "record": text}]
    )
