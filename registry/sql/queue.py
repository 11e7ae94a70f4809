"""Submissions that wait for their patient: kept whole, seen by nobody."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, delete, insert, or_, select

from registry.sql.tables import KIND_OF, KINDS, queued_submission
from xds.metadata import DocumentEntry, RegistryObject
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


def waiting_documents(connection: Connection, unique_ids: Collection[str]) -> frozenset[str]:
    """Those of the uniqueIds that are documents of submissions that wait."""
    if not unique_ids:
        return frozenset()
    mentioned = or_(*(_q.objects.contains(_as_kept(one), autoescape=True) for one in unique_ids))
    rows = connection.execute(select(queued_submission).where(mentioned)).mappings()
    things = (thing for row in rows for thing in things_of(dict(row)))
    return frozenset(
        {one.unique_id for one in things if isinstance(one, DocumentEntry) and one.unique_id} & {*unique_ids}
    )


def _as_kept(text: str) -> str:
    """A text as it stands in a row: JSON inside JSON."""
    return json.dumps(json.dumps(text, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1]


def things_of(row: Mapping[str, str]) -> Iterator[RegistryObject]:
    """The objects of a row, as they were submitted."""
    for kind, text in json.loads(row["objects"]):
        yield from_json(KIND_OF[kind], text)
