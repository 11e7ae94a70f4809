"""The audit store: records as they will be sent, sealed in order after their commit, and a cursor for each receiver.

A record is written in the database transaction of what it records. One writer gives sequence numbers to what has
committed; nothing changes a sealed row, and nothing is deleted by being sent. DECISIONS 9, 18.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Select,
    SmallInteger,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.elements import ClauseElement

from audit.chain import GENESIS, Link, seal_of
from storage.prepared import Prepared, prepare

metadata = MetaData()
_SEALING = 7_236_318_442  # any number that no other lock has; every process that seals must use the same
_UNSEALED = "sequence IS NULL"
_SEALED_AT_ONCE, _READ_AT_ONCE = 500, 500

audit_record = Table(
    "audit_record",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded", BigInteger, nullable=False),
    Column("event", String, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("caller", String, nullable=False),
    Column("patient", String, nullable=False),
    Column("sequence", BigInteger),
    Column("octets", BigInteger),
    Column("seal", LargeBinary(32)),
    Column("message", LargeBinary, nullable=False),
    Index("ix_audit_record_sequence", "sequence", unique=True),
    Index("ix_audit_record_unsealed", "record_key", sqlite_where=text(_UNSEALED), postgresql_where=text(_UNSEALED)),
    Index("ix_audit_record_caller", "caller", "recorded"),
    Index("ix_audit_record_patient", "patient", "recorded"),
    comment="Audit records: the AuditMessage as it is sent, its place in the chain. ITI TF-2: 3.20",
)
audit_receiver = Table(
    "audit_receiver",
    metadata,
    Column("receiver", String, primary_key=True),
    Column("confirmed", BigInteger, nullable=False),
    comment="Audit record repositories, and the last sequence each has for sure",
)
audit_quarantine = Table(
    "audit_quarantine",
    metadata,
    Column("receiver", String, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    comment="Records that a receiver would not take, kept and passed over",
)
_a = audit_record.c
_LINK = select(*_a["sequence", "recorded", "message", "seal", "octets", "event", "outcome", "caller", "patient"])
_IS_UNSEALED = _a.sequence.is_(None)
_UNSEALED_NUMBER = select(func.count()).select_from(audit_record).where(_IS_UNSEALED)
_TO_SEAL = (
    select(*_a["record_key", "recorded", "message"]).where(_IS_UNSEALED).order_by(_a.record_key).limit(_SEALED_AT_ONCE)
)
_PLACE = update(audit_record).where(_a.record_key == bindparam("key"), _IS_UNSEALED)
_TRY = text("SELECT pg_try_advisory_xact_lock(:key)")
_HEAD = select(*_a["sequence", "seal", "octets"]).where(_a.sequence.is_not(None)).order_by(_a.sequence.desc()).limit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record about to be kept; `recorded` in microseconds since 1970, `patient` in CX form, empty without one."""

    record_key: int
    recorded: int
    event: str
    outcome: int
    caller: str
    patient: str
    message: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain."""

    sequence: int = 0
    seal: bytes = GENESIS
    octets: int = 0


_NEW = tuple(Row.__slots__)


def add(connection: Connection, rows: Sequence[Row]) -> None:
    """Keep records; they count when the unit of work commits."""
    _insertion(connection.dialect).write(connection, [{name: getattr(row, name) for name in _NEW} for row in rows])


@lru_cache(maxsize=4)
def _insertion(dialect: Dialect) -> Prepared:
    """Nearly every request runs it: building it takes longer than running it."""
    return prepare(insert(audit_record), dialect, columns=_NEW)


def seal(connection: Connection) -> int:
    """Put up to 500 committed records that have no place yet at the end of the chain; returns how many.

    Where another process is doing so, none: a transaction of this one would wait for it.
    """
    if not _may_seal(connection):
        return 0
    rows = _kept(_TO_SEAL, connection.dialect).rows(connection)
    if not rows:
        return 0
    last, places = head(connection), []
    for key, recorded, found in rows:
        message, sequence = _octets(found), last.sequence + 1
        chained, octets = seal_of(last.seal, sequence, recorded, message), last.octets + len(message)
        last = Head(sequence=sequence, seal=chained, octets=octets)
        places.append({"key": key, "sequence": sequence, "seal": last.seal, "octets": octets})
    _placing(connection.dialect).write(connection, places)
    return len(places)


@lru_cache(maxsize=4)
def _placing(dialect: Dialect) -> Prepared:
    return prepare(_PLACE, dialect, columns=("sequence", "seal", "octets"))


def _may_seal(connection: Connection) -> bool:
    """SQLite has one writer, which is the lock."""
    if connection.dialect.name != "postgresql":
        return True
    ((is_mine,),) = _kept(_TRY, connection.dialect).rows(connection, key=_SEALING)
    return bool(is_mine)


def head(connection: Connection) -> Head:
    rows = _kept(_HEAD, connection.dialect).rows(connection)
    return Head(sequence=rows[0][0], seal=_octets(rows[0][1]), octets=rows[0][2]) if rows else Head()


def unsealed(connection: Connection) -> int:
    ((number,),) = _kept(_UNSEALED_NUMBER, connection.dialect).rows(connection)
    return int(number)


@lru_cache(maxsize=8)
def _kept(statement: ClauseElement, dialect: Dialect) -> Prepared:
    """The sealer asks them some times a second."""
    return prepare(statement, dialect)


def links(connection: Connection, *, after: int = 0, limit: int = _READ_AT_ONCE) -> list[Link]:
    """Sealed records in their order."""
    statement = _LINK.where(audit_record.c.sequence > after).order_by(audit_record.c.sequence).limit(limit)
    return [_link(row) for row in connection.execute(statement)]


def all_links(connection: Connection) -> Iterator[Link]:
    """The whole chain, in portions."""
    last = -1
    while portion := links(connection, after=last):
        yield from portion
        last = portion[-1].sequence


def _link(row: Any) -> Link:
    return Link(
        sequence=row.sequence,
        recorded=row.recorded,
        message=_octets(row.message),
        seal=_octets(row.seal),
        octets=row.octets,
        columns=(row.event, str(row.outcome), row.caller, row.patient),
    )


def _octets(value: bytes | str | None) -> bytes:
    """SQLite gives what was put there, whatever the type of the column."""
    return value.encode() if isinstance(value, str) else value or b""


# --- receivers ---------------------------------------------------------------------------------


def know_receiver(connection: Connection, receiver: str) -> None:
    """A receiver that was never told anything begins with the first record that is still kept."""
    if confirmed(connection, receiver) is None:
        connection.execute(insert(audit_receiver).values(receiver=receiver, confirmed=0))


def receivers(connection: Connection) -> list[tuple[str, int]]:
    """(receiver, last sequence it has for sure) of all that were ever sent to."""
    statement = select(audit_receiver.c.receiver, audit_receiver.c.confirmed).order_by(audit_receiver.c.receiver)
    return [(row[0], row[1]) for row in connection.execute(statement)]


def confirmed(connection: Connection, receiver: str) -> int | None:
    statement = select(audit_receiver.c.confirmed).where(audit_receiver.c.receiver == receiver)
    return connection.execute(statement).scalar()


def confirm(connection: Connection, receiver: str, sequence: int) -> None:
    """The receiver has everything up to this sequence; a cursor never goes back."""
    connection.execute(
        update(audit_receiver)
        .where(audit_receiver.c.receiver == receiver, audit_receiver.c.confirmed < sequence)
        .values(confirmed=sequence)
    )


def quarantine(connection: Connection, receiver: str, sequence: int) -> None:
    connection.execute(insert(audit_quarantine).values(receiver=receiver, sequence=sequence))


def quarantined(connection: Connection, receiver: str) -> list[int]:
    statement = select(audit_quarantine.c.sequence).where(audit_quarantine.c.receiver == receiver)
    return list(connection.execute(statement.order_by(audit_quarantine.c.sequence)).scalars())


def octets_waiting(connection: Connection, receiver: str) -> int:
    """Octets of messages that the receiver does not have for sure."""
    last = confirmed(connection, receiver) or 0
    upto = select(audit_record.c.octets).where(audit_record.c.sequence == last)
    return head(connection).octets - (connection.execute(upto).scalar() or 0)


# --- questions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whose records, or about whom, in a period: microseconds since 1970, its end left out."""

    caller: str = ""
    patient: str = ""
    start: int = 0
    stop: int = 1 << 62


def find(connection: Connection, question: Question) -> Iterator[tuple[int | None, bytes]]:
    """(sequence, message) of what was asked for, oldest first; the newest may have no sequence yet."""
    statement: Select[Any] = (
        select(audit_record.c.sequence, audit_record.c.message)
        .where(audit_record.c.recorded >= question.start, audit_record.c.recorded < question.stop)
        .order_by(audit_record.c.recorded, audit_record.c.record_key)
    )
    if question.caller:
        statement = statement.where(audit_record.c.caller == question.caller)
    if question.patient:
        statement = statement.where(audit_record.c.patient == question.patient)
    for row in connection.execute(statement.execution_options(yield_per=_READ_AT_ONCE)):
        yield row[0], row[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """Records about one person that somebody may read: by each CX key the person has, or had.

    `caller`: own actions alone. `recorded`: [from, to) in microseconds since 1970. `lines`: however old, the newest
    that many. `keys`, `actions` of the table of events and `outcomes`: any of them; None for all.
    """

    patients: tuple[str, ...]
    caller: str = ""
    recorded: tuple[int, int] = (0, 1 << 62)
    lines: int = 0
    keys: tuple[int, ...] | None = None
    events: tuple[str, ...] | None = None
    outcomes: tuple[int, ...] | None = None


def seen(connection: Connection, extract: Extract, *, since: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions of an extract; of a quiet record `since` goes back to the oldest of the lines that it has."""
    chosen: list[ColumnElement[bool]] = [audit_record.c.patient.in_(extract.patients)]
    if extract.caller:
        chosen.append(audit_record.c.caller == extract.caller)
    if since and extract.lines:
        newest = select(audit_record.c.recorded).where(*chosen).order_by(audit_record.c.recorded.desc())
        last = connection.execute(newest.offset(extract.lines - 1).limit(1)).scalar()
        since = 0 if last is None else min(since, last)
    start, stop = extract.recorded
    chosen += [audit_record.c.recorded >= max(since, start), audit_record.c.recorded < stop]
    for column, values in (("record_key", extract.keys), ("event", extract.events), ("outcome", extract.outcomes)):
        if values is not None:
            chosen.append(audit_record.c[column].in_(values))
    return tuple(chosen)


def count(connection: Connection, chosen: Sequence[ColumnElement[bool]]) -> int:
    """How many records there are."""
    return connection.execute(select(func.count()).select_from(audit_record).where(*chosen)).scalar_one()


def patient_of(connection: Connection, key: int) -> str:
    """The CX key of whom a record is about; empty for nobody."""
    statement = select(audit_record.c.patient).where(audit_record.c.record_key == key)
    return str(connection.execute(statement).scalar() or "")


def newest(
    connection: Connection, chosen: Sequence[ColumnElement[bool]], *, before: int | None, limit: int
) -> list[tuple[int, bytes]]:
    """(key, message) of records, newest first, those before a key."""
    statement = select(audit_record.c.record_key, audit_record.c.message).where(*chosen)
    if before is not None:
        statement = statement.where(audit_record.c.record_key < before)
    rows = connection.execute(statement.order_by(audit_record.c.record_key.desc()).limit(limit))
    return [(row[0], _octets(row[1])) for row in rows]
