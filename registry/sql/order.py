"""In which order objects come, and where the next page begins. FHIR R4 3.1.1.5.1, 3.1.1.5.3."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from registry.criteria import Criteria, Found, Order, Page, SortKey
from registry.sql.tables import TIME_COLUMNS, registry_object

_o = registry_object.c


def paged(statement: Select[Any], page: Page, criteria: Criteria) -> Select[Any]:
    """Rows of all patients come patient by patient, the order they lie in: a full page needs no sorting."""
    newest = page.order is Order.NEWEST
    if page.after is not None:
        statement = statement.where(or_(*_behind(page, newest=newest)))
    order = [_o.object_key.desc() if newest else _o.object_key]
    sort = [_column(one).desc() if one.descending else _column(one) for one in page.sort]
    statement = statement.order_by(*sort, *([_o.patient_key] if criteria.across_patients else []), *order)
    return statement if page.size is None else statement.limit(page.size)


def _behind(page: Page, *, newest: bool) -> Iterator[ColumnElement[bool]]:
    """Behind in the first value in which they differ, or else in the key."""
    same: list[ColumnElement[bool]] = []
    for one, value in zip(page.sort, page.behind, strict=True):
        column = _column(one)
        yield and_(*same, column < value if one.descending else column > value)
        same.append(column == value)
    yield and_(*same, _o.object_key < page.after if newest else _o.object_key > page.after)


def _column(key: SortKey) -> ColumnElement[str]:
    return func.coalesce(_o[TIME_COLUMNS.get(key.attribute, key.attribute)], "")


def values_of(connection: Connection, sort: Sequence[SortKey], found: Found) -> tuple[str, ...]:
    """The values of one object that it is sorted by."""
    if not sort:
        return ()
    place = (_o.patient_key == found.patient_key, _o.object_key == found.object_key)
    return tuple(connection.execute(select(*map(_column, sort)).where(*place)).one())
