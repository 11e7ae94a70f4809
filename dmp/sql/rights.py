"""Rows of authorisations, blocks and representatives."""

from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from access_policy.record_facts import RecordState
from dmp.record import HolderKind, Representative, Right
from dmp.sql.tables import dmp_record, record_reader, record_representative, record_right

_r, _p = record_right.c, record_representative.c
_NO_DOCTOR = "-"  # no identifier
_RIGHT = ("is_block", "since", "until", "last_action", "display", "speciality")


def holder_text(kind: HolderKind, holder: str) -> str:
    """How a professional or a structure is written in the table: neither is ever taken for the other."""
    return f"{kind}:{holder}"


def find(connection: Connection, key: int, kind: HolderKind, holder: str) -> Right | None:
    statement = select(record_right).where(_r.record_key == key, _r.holder == holder_text(kind, holder))
    row = connection.execute(statement).mappings().first()
    return None if row is None else right_of(row)


def all_of(connection: Connection, key: int) -> list[Right]:
    """Every authorisation and block of a record, in the order of their holders."""
    statement = select(record_right).where(_r.record_key == key).order_by(_r.holder)
    return [right_of(row) for row in connection.execute(statement).mappings()]


def put(connection: Connection, key: int, right: Right) -> None:
    """Keep a right in place of the one its holder had."""
    remove(connection, key, right.kind, right.holder)
    row = {name: getattr(right, name) for name in _RIGHT}
    row |= {"record_key": key, "holder": holder_text(right.kind, right.holder)}
    connection.execute(insert(record_right).values(row))


def remove(connection: Connection, key: int, kind: HolderKind, holder: str) -> None:
    one = delete(record_right).where(_r.record_key == key, _r.holder == holder_text(kind, holder))
    connection.execute(one)


def remove_all(connection: Connection, key: int) -> None:
    connection.execute(delete(record_right).where(_r.record_key == key))
    connection.execute(delete(record_representative).where(_p.record_key == key))


def records_of(connection: Connection, kind: HolderKind, holder: str) -> list[tuple[str, Right | None, str]]:
    """CX key, right and last reading of open records that somebody was authorised on, or is the treating doctor of.

    The reading (DTM) is the last one of their own, empty for none.
    """
    active = dmp_record.c.state == str(RecordState.OPEN)
    text = holder_text(kind, holder)
    joined = dmp_record.outerjoin(record_right, (_r.record_key == dmp_record.c.record_key) & (_r.holder == text))
    own = (record_reader.c.record_key == dmp_record.c.record_key) & (record_reader.c.reader == text)
    doctor = dmp_record.c.treating_doctor.in_((holder,) if kind is HolderKind.PROFESSIONAL else ())
    columns = (dmp_record.c.patient, record_reader.c.last_read, record_right)
    statement = select(*columns).select_from(joined.outerjoin(record_reader, own))
    statement = statement.where(active, or_(_r.is_block.is_(False), doctor))
    rows = connection.execute(statement.order_by(dmp_record.c.patient)).mappings()
    return [(row["patient"], None if row["holder"] is None else right_of(row), row["last_read"] or "") for row in rows]


def right_of(row: Any) -> Right:
    kind, _, holder = row["holder"].partition(":")
    return Right(kind=HolderKind(kind), holder=holder, **{name: row[name] for name in _RIGHT})


# --- representatives ---------------------------------------------------------------------------


def representatives(connection: Connection, key: int) -> list[Representative]:
    statement = select(record_representative).where(_p.record_key == key).order_by(_p.representative)
    return [
        Representative(patient=row.representative, relation=row.relation, since=row.since, until=row.until)
        for row in connection.execute(statement)
    ]


def representatives_of(connection: Connection, patient: str) -> list[Representative]:
    """The same of the record of the person with this CX key."""
    statement = select(dmp_record.c.record_key).where(dmp_record.c.patient == patient)
    return [one for key in connection.execute(statement).scalars() for one in representatives(connection, key)]


def dependants(connection: Connection, patient: str) -> list[str]:
    """CX keys of those for whom this person acts, or acted."""
    statement = (
        select(dmp_record.c.patient)
        .join(record_representative, _p.record_key == dmp_record.c.record_key)
        .where(_p.representative == patient)
    )
    return list(connection.execute(statement.order_by(dmp_record.c.patient)).scalars())


def put_representative(connection: Connection, key: int, one: Representative) -> None:
    remove_representative(connection, key, one.patient)
    row = {"record_key": key, "representative": one.patient, "relation": one.relation}
    connection.execute(insert(record_representative).values(row | {"since": one.since, "until": one.until}))


def remove_representative(connection: Connection, key: int, patient: str) -> None:
    one = delete(record_representative).where(_p.record_key == key, _p.representative == patient)
    connection.execute(one)


def rename_representative(connection: Connection, old: str, new: str) -> None:
    """A representative has another identifier now; where the new one is named already, once is enough."""
    named = select(_p.record_key).where(_p.representative == new)
    connection.execute(delete(record_representative).where(_p.representative == old, _p.record_key.in_(named)))
    connection.execute(update(record_representative).where(_p.representative == old).values(representative=new))
