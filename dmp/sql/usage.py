"""Rows of the counters: documents fed, records read, and what was counted. DMP 1 (S07 to S10, S18, S34 to S37)"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, cast, delete, func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from dmp.sql.tables import document_fed, job_done, record_creation, record_event, record_read
from storage.prepared import insertion

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_f, _d, _c, _e = document_fed.c, record_read.c, record_creation.c, record_event.c


def add_fed(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    insertion(document_fed, connection.dialect).write(connection, rows)


def add_read(connection: Connection, row: Mapping[str, Any]) -> None:
    """Note a reading, once for each month, reader and record."""
    connection.execute(_INSERT[connection.dialect.name](record_read).values(**row).on_conflict_do_nothing())


def do_once(connection: Connection, job: str, subject: str, now: str) -> bool:
    """Whether it is the first time that this job does something about this subject."""
    row = {"job": job, "subject": subject, "done": now}
    statement = _INSERT[connection.dialect.name](job_done).values(**row).on_conflict_do_nothing()
    return connection.execute(statement.returning(job_done.c.subject)).first() is not None


def last_done(connection: Connection, job: str, prefix: str) -> str:
    """The last subject `PREFIX SUBJECT` of a job, without the prefix; empty for none."""
    named = job_done.c.subject.startswith(f"{prefix} ", autoescape=True)
    last = select(func.max(job_done.c.subject)).where(job_done.c.job == job, named)
    return str(connection.execute(last).scalar() or "").removeprefix(f"{prefix} ")


# --- questions: each gives rows of (group, …, number), for a period [since, until) -------------


def creations(connection: Connection, column: str, since: str, until: str) -> list[tuple[str, int]]:
    """Creations by `channel`, `territory`, `regime`, `actor`, `structure` or `age`."""
    group = _c[column]
    statement = select(group, _sum(_c.number)).where(_c.created >= since, _c.created < until).group_by(group)
    return _rows(connection, statement.order_by(group))


def creations_by_month(connection: Connection, since: str, until: str) -> list[tuple[str, int]]:
    month = func.substr(_c.created, 1, 6)
    statement = select(month, _sum(_c.number)).where(_c.created >= since, _c.created < until).group_by(month)
    return _rows(connection, statement.order_by(month))


def persons_by_act(connection: Connection, act: str, since: str, until: str) -> int:
    """How many persons an act was done about in a period; refused ones do not count."""
    statement = select(func.count(func.distinct(_e.record_key))).where(
        _e.act == act, _e.recorded >= since, _e.recorded < until, _e.refusal == ""
    )
    return connection.execute(statement).scalar_one()


def fed(connection: Connection, columns: Sequence[str], since: str, until: str) -> list[tuple[Any, ...]]:
    """Documents fed by these columns: `actor`, `structure`, `profession`, `sector`, `type_code`, `origin`."""
    groups = [_f[name] for name in columns]
    statement = select(*groups, _sum(_f.number)).where(_f.fed >= since, _f.fed < until).group_by(*groups)
    return _rows(connection, statement.order_by(*groups))


def feeders(connection: Connection, column: str, since: str, until: str) -> list[tuple[str, int]]:
    """Distinct feeders by a column: persons by `profession` or `speciality`, structures by `sector`."""
    who = _f.structure if column == "sector" else _f.actor
    statement = select(_f[column], func.count(func.distinct(who))).where(_f.fed >= since, _f.fed < until, who != "")
    return _rows(connection, statement.group_by(_f[column]).order_by(_f[column]))


def readers(connection: Connection, column: str, since: str, until: str) -> list[tuple[str, int]]:
    """Distinct readers by `profession`, `speciality` or `sector`, in the months of the period."""
    who = _d.structure if column == "sector" else _d.actor
    statement = select(_d[column], func.count(func.distinct(who))).where(*_read_in(since, until), who != "")
    return _rows(connection, statement.group_by(_d[column]).order_by(_d[column]))


def records_read(connection: Connection, column: str, since: str, until: str) -> list[tuple[str, int]]:
    """Distinct records read by `actor` or `structure`, in the months of the period."""
    statement = select(_d[column], func.count(func.distinct(_d.record_key))).where(*_read_in(since, until))
    return _rows(connection, statement.group_by(_d[column]).order_by(_d[column]))


def _read_in(since: str, until: str) -> tuple[ColumnElement[bool], ...]:
    """Read in a month that the period has a day of."""
    return _d.month >= since[:6], _d.month + literal("01") < until[:8]


def expected_feeders(
    connection: Connection, profession: str, specialities: Sequence[str], types: Sequence[str], since: str, until: str
) -> tuple[int, int]:
    """(feeders that fed one of these types, feeders) of a profession, of some of its specialities where named."""
    fitting = case((_f.type_code.in_(types), _f.actor))
    statement = select(func.count(func.distinct(fitting)), func.count(func.distinct(_f.actor))).where(
        _f.profession == profession, _f.actor != "", _f.fed >= since, _f.fed < until
    )
    if specialities:
        statement = statement.where(_f.speciality.in_(specialities))
    found = connection.execute(statement).one()
    return found[0], found[1]


def expected_structures(
    connection: Connection, sectors: Sequence[str], types: Sequence[str], since: str, until: str
) -> tuple[int, int]:
    """(structures that fed one of these types, structures that fed) of these sectors."""
    fitting = case((_f.type_code.in_(types), _f.structure))
    statement = select(func.count(func.distinct(fitting)), func.count(func.distinct(_f.structure))).where(
        _f.sector.in_(sectors), _f.structure != "", _f.fed >= since, _f.fed < until
    )
    found = connection.execute(statement).one()
    return found[0], found[1]


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    """A whole number: PostgreSQL adds those to a numeric."""
    return cast(func.sum(column), BigInteger)


# --- folding -----------------------------------------------------------------------------------

_TIMES = {"document_fed": ("fed_key", "fed"), "record_creation": ("creation_key", "created")}
_FOLDED = {table.name: table for table in (document_fed, record_creation)}
FOLDED = tuple(_FOLDED)


def days_before(connection: Connection, name: str, day: str, *, after: str) -> list[str]:
    """Days (8 digits) after one and before another of which a table has rows."""
    table, (_, time) = _FOLDED[name], _TIMES[name]
    found = func.substr(table.c[time], 1, 8)
    first = f"{after}999999" if after else ""
    statement = select(found).where(table.c[time] >= first, table.c[time] < day).distinct().order_by(found)
    return list(connection.execute(statement).scalars())


def fold(connection: Connection, name: str, day: str, new_key: Callable[[], int]) -> None:
    """One row for all of a day that are alike in everything but their time."""
    table, (key, time) = _FOLDED[name], _TIMES[name]
    of_day = (table.c[time] >= day, table.c[time] < f"{day}999999")
    alike = [column for column in table.c if column.name not in (key, time, "number")]
    statement = select(*alike, _sum(table.c.number).label("number")).where(*of_day).group_by(*alike)
    rows = [dict(row) | {key: new_key(), time: f"{day}000000"} for row in connection.execute(statement).mappings()]
    connection.execute(delete(table).where(*of_day))
    connection.execute(insert(table), rows)


def _rows(connection: Connection, statement: Select[Any]) -> list[Any]:
    return [tuple(row) for row in connection.execute(statement)]
