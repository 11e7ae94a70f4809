"""Invented people: persons with a record, professionals, callers; and the acts of a record in units of work."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from access_policy.caller import AuthenticationMode, Caller, Credentials, Kind
from dmp.actor import OPERATOR, Actor, ActorKind
from dmp.life import Opening, open_record
from dmp.record import Record
from dmp.records import Records
from dmp.rights import Whom
from storage.outbox import outbox
from storage.unit_of_work import Units
from xds.datatypes import CX, Code

AUTHORITY = "1.2.250.1.213.1.4.10"
NOW = "20260310100000"
DOCTOR, NURSE, CLINIC = "899700218896", "899700218904", "10B0000000"
HOLDER = Actor(kind=ActorKind.HOLDER)
DESK = Actor(kind=ActorKind.STAFF, name="3A12", structure="10B0000000")


def an_ins(number: int) -> str:
    """The CX key of an invented person, with its key."""
    body = f"2580635{number:06d}"
    return f"{body}{97 - int(body) % 97:02d}^^^&{AUTHORITY}&ISO"


PATIENT, OTHER, CHILD = an_ins(1), an_ins(2), an_ins(3)


def a_professional(name: str = DOCTOR, *, structure: str = CLINIC, **changes: Any) -> Caller:
    values: dict[str, Any] = {
        "name": name,
        "roles": (Code(code="10", coding_scheme="1.2.250.1.71.1.2.7", display_name="Médecin"),),
        "organisations": (structure,),
        "mode": AuthenticationMode.DIRECT,
        "patient_id": CX(PATIENT),
        "credentials": Credentials(
            kind=Kind.VIHF,
            assertion_id="_1",
            issuer="CN=test",
            expires=datetime(2026, 3, 10, 11, tzinfo=UTC),
            client="",
            signer="",
        ),
    }
    return Caller(**(values | changes))


class Desk:
    """Acts on the records of a database, one unit of work each, at a time that moves."""

    def __init__(self, units: Units, dmp: Records | None = None, now: str = NOW) -> None:
        self.units, self.dmp, self.now = units, dmp or Records(), now

    def act(self, function: Callable[..., Any], patient: str, *given: Any, by: Actor = OPERATOR, **named: Any) -> Any:
        values = {"by": by, "now": self.now} | named
        return self.units.write(lambda unit: function(self.dmp, unit, patient, *given, **values))


def an_opening(channel: str = "accueil", **changes: Any) -> Opening:
    return Opening(channel=channel, **changes)


def whom(name: str = DOCTOR, **changes: Any) -> Whom:
    return Whom(id=name, **changes)


def opened(desk: Desk, patient: str = PATIENT, **changes: Any) -> Record:
    record: Record = desk.act(open_record, patient, an_opening(**changes))
    return record


def notices(units: Units) -> list[dict[str, str]]:
    """Everything that persons are told, oldest first."""
    with units.read() as connection:
        rows = connection.execute(select(outbox.c.record).order_by(outbox.c.record_key))
        return [json.loads(row[0]) for row in rows]
