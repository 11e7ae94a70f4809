"""Criteria -> SELECT. ITI TF-2: 3.18.4.1.2.3."""

from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import starmap
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select
from sqlalchemy.engine.interfaces import Dialect

from access_policy.visibility import Visibility
from registry.criteria import (
    CodeCriterion,
    CodePattern,
    Criteria,
    Form,
    Found,
    LikeCriterion,
    Order,
    Page,
    TimeCriterion,
)
from registry.sql import identities
from registry.sql.one_of import one_of
from registry.sql.prepared import Prepared, prepare
from registry.sql.tables import CODE_COLUMNS, KINDS, STATUSES, VALUE_ATTRIBUTES, object_value, registry_object
from xds.datatypes import CX, normalised
from xds.metadata import DocumentEntry

_o = registry_object.c
_NO_ESCAPE = "\x01"  # the LIKE of stored queries has no escape character
_RENDERING = {Form.EBRIM: _o.ebrim, Form.FHIR: _o.fhir}
# Criteria that only few combinations of exist: a statement is kept for each.
_PLAIN = ("kind", "statuses", "stable", "on_demand", "all_versions")
_plain = attrgetter(*_PLAIN)
_others = attrgetter(*(one.name for one in fields(Criteria) if one.name not in (*_PLAIN, "patient")))
_nothing_else = _others(Criteria())


def find(
    connection: Connection, criteria: Criteria, visibility: Visibility, page: Page, form: Form
) -> tuple[Found, ...]:
    """The objects that fit and may be seen, in the order of the page."""
    if criteria.patient is not None and page.after is None and _others(criteria) == _nothing_else:
        cx = CX(criteria.patient)
        prepared = _prepared(connection.dialect, _plain(criteria), visibility, page, form)
        rows = prepared.rows(connection, authority=cx.authority, identifier=cx.id)
    else:
        patients = _patient_keys(connection, criteria)
        condition = _condition(one_of(_o.patient_key, patients) if patients else false(), criteria, visibility)
        rows = connection.execute(_selected(condition, page, form)).fetchall()
    return tuple(starmap(Found, rows))


@lru_cache(maxsize=256)
def _prepared(dialect: Dialect, plain: tuple[Any, ...], visibility: Visibility, page: Page, form: Form) -> Prepared:
    """The statement that finds objects of any one patient by these values of `_PLAIN`, as most questions do."""
    of_patient = _o.patient_key == identities.key_of_patient().scalar_subquery()
    condition = _condition(of_patient, Criteria(**dict(zip(_PLAIN, plain, strict=True))), visibility)
    return prepare(_selected(condition, page, form), dialect)


def _selected(condition: ColumnElement[bool], page: Page, form: Form) -> Select[Any]:
    columns = [_o.patient_key, _o.object_key, _o.entry_uuid, _o.logical_id, _o.unique_id]
    if form is not Form.REFERENCE:
        columns.append(_RENDERING[form])
    return _paged(select(*columns).where(condition), page)


def count(connection: Connection, criteria: Criteria, visibility: Visibility) -> int:
    """How many objects fit and may be seen."""
    patients = _patient_keys(connection, criteria)
    condition = _condition(one_of(_o.patient_key, patients) if patients else false(), criteria, visibility)
    return connection.execute(select(func.count()).select_from(registry_object).where(condition)).scalar_one()


def _paged(statement: Select[Any], page: Page) -> Select[Any]:
    newest = page.order is Order.NEWEST
    if page.after is not None:
        statement = statement.where(_o.object_key < page.after if newest else _o.object_key > page.after)
    statement = statement.order_by(_o.object_key.desc() if newest else _o.object_key)
    return statement if page.size is None else statement.limit(page.size)


def _condition(of_patients: ColumnElement[bool], criteria: Criteria, visibility: Visibility) -> ColumnElement[bool]:
    if not visibility.everything:
        return false()
    return and_(
        of_patients,
        _o.kind == KINDS[criteria.kind],
        *_columns(criteria),
        *_document_columns(criteria),
        *(_code(criterion) for criterion in criteria.codes),
        *(part for criterion in criteria.times for part in _time(criterion)),
        *(_like(criterion) for criterion in criteria.likes),
    )


def _patient_keys(connection: Connection, criteria: Criteria) -> Sequence[int]:
    """The shards the question concerns: by patient, or by the identities it names."""
    if criteria.patient is not None:
        key = identities.patient_key(connection, criteria.patient)
        return [] if key is None else [key]
    named = {*criteria.entry_uuids, *criteria.unique_ids, *criteria.logical_ids, *criteria.touching}
    return identities.patient_keys_of(connection, sorted(named))


def _columns(criteria: Criteria) -> list[ColumnElement[bool]]:
    parts: list[ColumnElement[bool]] = []
    if criteria.statuses:
        parts.append(one_of(_o.status, [STATUSES[status] for status in criteria.statuses]))
    for column, values in (
        (_o.entry_uuid, criteria.entry_uuids),
        (_o.logical_id, criteria.logical_ids),
        (_o.unique_id, criteria.unique_ids),
        (_o.source_id, criteria.source_ids),
    ):
        if values:
            parts.append(one_of(column, values))
    if criteria.touching:
        parts.append(or_(one_of(_o.source, criteria.touching), one_of(_o.target, criteria.touching)))
    if not criteria.all_versions:
        parts.append(_o.is_current)
    return parts


def _document_columns(criteria: Criteria) -> list[ColumnElement[bool]]:
    """Stable, on-demand or both. ITI TF-2: 3.18.4.1.2.3.6.2"""
    if criteria.kind is not DocumentEntry or (criteria.stable and criteria.on_demand):
        return []
    if not (criteria.stable or criteria.on_demand):
        return [false()]
    return [_o.is_on_demand if criteria.on_demand else ~_o.is_on_demand]


def _code(criterion: CodeCriterion) -> ColumnElement[bool]:
    if criterion.attribute in CODE_COLUMNS:
        return or_(*(_matches(_o[criterion.attribute], pattern) for pattern in criterion.any_of))
    return _has_value(criterion.attribute, *(_matches(object_value.c.value, pattern) for pattern in criterion.any_of))


def _matches(column: ColumnElement[str], pattern: CodePattern) -> ColumnElement[bool]:
    if pattern.code is not None and pattern.coding_scheme is not None:
        return column == f"{pattern.code}^^{pattern.coding_scheme}"
    if pattern.code is not None:
        return column.startswith(f"{pattern.code}^^", autoescape=True)
    return column.endswith(f"^^{pattern.coding_scheme}", autoescape=True)


def _time(criterion: TimeCriterion) -> list[ColumnElement[bool]]:
    """From <= time < To; an object without the time is not excluded."""
    column = _o[criterion.attribute]
    parts = []
    if criterion.start is not None:
        parts.append(or_(column.is_(None), column >= criterion.start))
    if criterion.stop is not None:
        parts.append(or_(column.is_(None), column < criterion.stop))
    return parts


def _like(criterion: LikeCriterion) -> ColumnElement[bool]:
    patterns = (normalised(pattern) for pattern in criterion.any_of)
    return _has_value(
        criterion.attribute, *(object_value.c.value.like(pattern, escape=_NO_ESCAPE) for pattern in patterns)
    )


def _has_value(attribute: str, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        select(object_value.c.object_key)
        .where(
            object_value.c.patient_key == _o.patient_key,
            object_value.c.object_key == _o.object_key,
            object_value.c.attribute == VALUE_ATTRIBUTES[attribute],
            or_(*conditions),
        )
        .exists()
    )
