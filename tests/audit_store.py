"""What a server under test has recorded, read from its database."""

from typing import Any

from sqlalchemy import create_engine, text

from audit.dicom import read_message
from audit.events import NODE_EVENTS
from audit.record import Record
from tests.servers import Server

_OF_NODE = {one.name for one in NODE_EVENTS}


class Trail:
    """The records that were added since it was looked at last, those of the node itself left out."""

    def __init__(self, server: Server, *, with_node: bool = False) -> None:
        self._url, self._with_node = server.settings.database_url, with_node
        self._seen: set[int] = set()
        self.messages()

    def messages(self) -> list[bytes]:
        rows = rows_of(self._url)
        new = [row for row in rows if row.record_key not in self._seen]
        self._seen |= {row.record_key for row in rows}
        return [row.message for row in new if self._with_node or row.event not in _OF_NODE]

    def records(self) -> list[Record]:
        return [read_message(one) for one in self.messages()]


def rows_of(url: str) -> list[Any]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return list(connection.execute(text("SELECT * FROM audit_record ORDER BY record_key")))
    finally:
        engine.dispose()


def told(record: Record) -> dict[str, Any]:
    """A record field by field, without what differs from run to run: its time, ports and process ids."""
    return {
        "event": (record.event_id.code, record.event_id.text),
        "type": tuple((one.code, one.system, one.text) for one in record.type_codes),
        "action": str(record.action),
        "outcome": int(record.outcome),
        "description": record.description,
        "source": (record.source.id, record.source.site),
        "participants": [
            (
                one.user_id.rpartition("/xds")[1] + one.user_id.rpartition("/xds")[2]
                if "/xds" in one.user_id
                else "/fhir"
                if one.user_id.endswith("/fhir")
                else one.user_id,
                "process" if one.alternative_user_id.isdigit() else one.alternative_user_id,
                one.is_requestor,
                [role.code for role in one.roles],
                one.network_type,
            )
            for one in record.participants
        ],
        "objects": [
            (
                one.type,
                one.role,
                one.id_type.code,
                one.id,
                one.life_cycle,
                one.query is not None,
                [(detail.type, detail.value.decode()) for detail in one.details],
            )
            for one in record.objects
        ],
    }
