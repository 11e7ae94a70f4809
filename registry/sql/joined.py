"""A page of renderings joined by the database: one value crosses into this process, however many objects it has.

Reading row by row costs more than the rows: a driver lets go of Python's lock for each, and each becomes objects.
Renderings are inflated here, and put into their frames.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Select,
    String,
    bindparam,
    case,
    func,
    select,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from access_policy.visibility import Visibility
from registry.criteria import Criteria, Frame, Joined, Order, Page
from registry.sql.find import PatientQuestion, patient_question
from registry.sql.order import paged
from registry.sql.places import Places
from registry.sql.tables import registry_object
from storage.deflated import inflated
from storage.prepared import Prepared, prepare

_o = registry_object.c
_URN = len("urn:uuid:")
# Between a rendering and its UUID, and between two: neither has them.
_OF, _NEXT = "/", ","


_NOTHING = Joined(0, 0, 0, b"")


def joined(
    connection: Connection, places: Places, criteria: Criteria, visibility: Visibility, *, size: int, frame: Frame
) -> Joined | None:
    """The first `size` FHIR renderings, newest registration first; None for a question that no kept statement is for.

    The total is exact, counted under the same visibility.
    """
    if visibility.shows_nothing or (criteria.patient is not None and not visibility.admits(criteria.patient)):
        return _NOTHING
    question = patient_question(places, criteria, visibility)
    if question is None:
        return None
    kept, values = question
    ((shown, last, total, entries),) = _prepared(connection.dialect, kept).rows(connection, size=size, **values)
    return Joined(shown, total, last or 0, _framed(entries or "", frame))


def _framed(entries: str, frame: Frame) -> bytes:
    """The renderings of a page as octets, each in its frame."""
    before, between, behind = (part.encode() for part in frame)
    parts = (one.partition(_OF) for one in entries.split(_NEXT) if one)
    return b",".join(
        b"".join((before, uuid.encode(), between, inflated(bytes.fromhex(rendering)), behind))
        for rendering, _, uuid in parts
    )


@lru_cache(maxsize=512)
def _prepared(dialect: Dialect, question: PatientQuestion) -> Prepared:
    """Counting goes on beyond the page only where the page is full."""
    criteria, condition = question.condition()
    size = bindparam("size", 0, type_=Integer())
    newest = paged(select(_o.object_key, _o.logical_id, _o.fhir).where(condition), Page(order=Order.NEWEST), criteria)
    page = newest.limit(size).subquery("page")
    matching = select(func.count()).select_from(registry_object).where(condition).scalar_subquery()
    total = case((func.count() < size, func.count()), else_=matching)
    entries = _Entries(page.c.object_key, page.c.logical_id, page.c.fhir)
    statement: Select[Any] = select(func.count(), func.min(page.c.object_key), total, entries).select_from(page)
    return prepare(statement, dialect)


class _Entries(FunctionElement[str]):
    """Of a page with key, logicalID and rendering of each row: the renderings in hexadecimal, each with its UUID."""

    name = "entries"
    type = String()
    inherit_cache = True


@compiles(_Entries, "sqlite")
def _on_sqlite(element: _Entries, compiler: Any, **options: Any) -> str:
    """Rows come to an aggregate in the order of the page that they are read from."""
    _, uuid, rendering = (compiler.process(one, **options) for one in element.clauses)
    return f"group_concat(hex({rendering}) || '{_OF}' || substr({uuid}, {_URN + 1}), '{_NEXT}')"


@compiles(_Entries, "postgresql")
def _on_postgresql(element: _Entries, compiler: Any, **options: Any) -> str:
    key, uuid, rendering = (compiler.process(one, **options) for one in element.clauses)
    one = f"encode({rendering}, 'hex') || '{_OF}' || substr({uuid}, {_URN + 1})"
    return f"string_agg({one}, '{_NEXT}' ORDER BY {key} DESC)"
