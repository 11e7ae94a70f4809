"""Rows of administrative data: what is known of the persons whom records are about. DMP 3 (TD1.3)"""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from access_policy.record_facts import RecordState
from dmp.sql.tables import dmp_record, record_person
from hl7v3.person import Address, Person

_p, _r = record_person.c, dmp_record.c


def find(connection: Connection, key: int) -> Person | None:
    """The person of a record, None where nobody said anything of them."""
    row = connection.execute(select(_p.person).where(_p.record_key == key)).scalar_one_or_none()
    return None if row is None else _read(row)


def put(connection: Connection, key: int, person: Person) -> None:
    """Keep this in place of what was known."""
    remove(connection, key)
    row = {
        "record_key": key,
        "birth_family": folded(person.birth_family),
        "usual_family": folded(person.usual_family),
        "birth_time": person.birth_time[:8],
        "person": json.dumps(asdict(person), ensure_ascii=False),
    }
    connection.execute(insert(record_person).values(row))


def remove(connection: Connection, key: int) -> None:
    connection.execute(delete(record_person).where(_p.record_key == key))


def hand_over(connection: Connection, key: int, target: int) -> None:
    """What is known of a person whose record becomes another: where that one says something, it stands."""
    known = select(_p.record_key).where(_p.record_key == target).exists()
    connection.execute(update(record_person).where(_p.record_key == key, ~known).values(record_key=target))
    remove(connection, key)


def named(connection: Connection, families: tuple[str, ...], *, limit: int) -> Iterator[tuple[Any, Person]]:
    """(row of the record, person) of open records whose birth or usual name begins with one of these."""
    starts = [column.startswith(folded(one), autoescape=True) for one in families for column in _FAMILIES]
    statement = (
        select(dmp_record, _p.person)
        .join(record_person, _p.record_key == _r.record_key)
        .where(or_(*starts), _r.state == str(RecordState.OPEN))
        .order_by(_p.usual_family, _p.birth_family, _p.record_key)
        .limit(limit)
    )
    for row in connection.execute(statement).mappings():
        yield row, _read(row["person"])


_FAMILIES = (_p.birth_family, _p.usual_family)


def folded(text: str) -> str:
    """Without accents, marks and case: how names are compared. RNIV: traits are upper case without accents"""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join("".join(one if one.isalnum() else " " for one in plain.upper()).split())


def _read(text: str) -> Person:
    given = json.loads(text)
    address = given.pop("address")
    given |= {name: tuple(given[name]) for name in ("given", "telecoms")}
    return Person(**given, address=Address(**address | {"lines": tuple(address["lines"])}))
