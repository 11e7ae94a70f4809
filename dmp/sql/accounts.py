"""Rows of the holders' web accounts and of where their one-time passwords go. DMP 3 (TD1.5)"""

from sqlalchemy import Connection, delete, insert, select

from dmp.account import Account
from dmp.sql.tables import record_access, record_channel

_a, _c = record_access.c, record_channel.c


def find(connection: Connection, key: int) -> Account | None:
    row = connection.execute(select(record_access).where(_a.record_key == key)).mappings().first()
    return None if row is None else Account(**{name: row[name] for name in ("login", "salt", "password", "since")})


def put(connection: Connection, key: int, account: Account) -> None:
    connection.execute(delete(record_access).where(_a.record_key == key))
    row = {name: getattr(account, name) for name in ("login", "salt", "password", "since")}
    connection.execute(insert(record_access).values(row | {"record_key": key}))


def channels(connection: Connection, key: int) -> dict[str, str]:
    """Kind of channel -> address."""
    rows = connection.execute(select(_c.kind, _c.address).where(_c.record_key == key))
    return {row[0]: row[1] for row in rows}


def put_channel(connection: Connection, key: int, kind: str, address: str) -> None:
    remove_channel(connection, key, kind)
    connection.execute(insert(record_channel).values(record_key=key, kind=kind, address=address))


def remove_channel(connection: Connection, key: int, kind: str) -> None:
    connection.execute(delete(record_channel).where(_c.record_key == key, _c.kind == kind))


def remove_all(connection: Connection, key: int) -> None:
    """Nothing of the holder's account is left."""
    connection.execute(delete(record_access).where(_a.record_key == key))
    connection.execute(delete(record_channel).where(_c.record_key == key))
