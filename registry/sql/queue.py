"""Submissions that wait for their patient: kept whole, seen by nobody."""

import json
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from registry.sql.tables import KIND_OF, KINDS, queued_submission
from xds.metadata import RegistryObject
from xds.metadata_json import from_json, to_json

_q = queued_submission.c


def add(connection: Connection, unique_id: str, *, received: str, things: Sequence[RegistryObject]) -> None:
    """Keep the objects of one submission under the uniqueId of its SubmissionSet."""
    objects = json.dumps([[KINDS[type(thing)], to_json(thing).decode()] for thing in things], ensure_ascii=False)
    connection.execute(insert(queued_submission).values(unique_id=unique_id, received=received, objects=objects))


def find(connection: Connection, unique_id: str) -> Mapping[str, str] | None:
    rows = connection.execute(select(queued_submission).where(_q.unique_id == unique_id)).mappings()
    return next((dict(row) for row in rows), None)


def all_of(connection: Connection) -> list[Mapping[str, str]]:
    rows = connection.execute(select(queued_submission).order_by(_q.received, _q.unique_id)).mappings()
    return [dict(row) for row in rows]


def remove(connection: Connection, unique_id: str) -> None:
    connection.execute(delete(queued_submission).where(_q.unique_id == unique_id))


def things_of(row: Mapping[str, str]) -> Iterator[RegistryObject]:
    """The objects of a row, as they were submitted."""
    for kind, text in json.loads(row["objects"]):
        yield from_json(KIND_OF[kind], text)
