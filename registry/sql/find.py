"""Criteria -> SELECT. ITI TF-2: 3.18.4.1.2.3."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import starmap
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.engine.interfaces import Dialect

from access_policy.visibility import EVERYTHING, Visibility
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
from registry.sql.hints import unindexed
from registry.sql.lists import one_of, one_of_pairs
from registry.sql.places import Places
from registry.sql.tables import (
    ACROSS_PATIENTS,
    CODE_COLUMNS,
    IS_ACROSS_PATIENTS,
    KINDS,
    STATUSES,
    TIME_COLUMNS,
    VALUE_ATTRIBUTES,
    object_value,
    registry_object,
)
from storage.prepared import Prepared, prepare
from xds.datatypes import CX, normalised
from xds.metadata import DocumentEntry
from xds.query_grammar import has_wildcard
from xds.vocabulary import AvailabilityStatus

_o, _v = registry_object.c, object_value.c
_NO_ESCAPE = "\x01"  # the LIKE of stored queries has no escape character
_MOST_JOINS = 6  # of more sub-selects, PostgreSQL would weigh every order: OFFSET keeps them out of it
_RENDERING = {Form.EBRIM: _o.ebrim, Form.FHIR: _o.fhir}
_FOUND = (_o.patient_key, _o.object_key, _o.entry_uuid, _o.logical_id, _o.unique_id, _o.source, _o.target)
# Criteria that only few combinations of exist: a statement is kept for each.
_PLAIN = ("kind", "statuses", "stable", "on_demand", "online", "offline", "deprecated", "all_versions")
_plain = attrgetter(*_PLAIN)
_others = attrgetter(*(one.name for one in fields(Criteria) if one.name not in (*_PLAIN, "patient")))
_nothing_else = _others(Criteria())


def find(
    connection: Connection, places: Places, criteria: Criteria, visibility: Visibility, page: Page, form: Form
) -> tuple[Found, ...]:
    """The objects that fit and may be seen, in the order of the page."""
    if criteria.patient is not None and visibility.admits(criteria.patient):
        visibility = EVERYTHING  # of that patient, of whom all is asked
    is_kept = visibility.everything and page.after is None and _others(criteria) == _nothing_else
    if criteria.patient is not None and is_kept:
        cx = CX(criteria.patient)
        prepared = _prepared(connection.dialect, _plain(criteria), page, form)
        rows = prepared.rows(connection, authority=cx.authority, identifier=cx.id)
    else:
        condition = _condition(_place(places, criteria), criteria, visibility)
        rows = connection.execute(_selected(condition, criteria, page, form)).fetchall()
    found = tuple(starmap(Found, rows))
    if criteria.kind is not DocumentEntry:  # what refers to a document may belong to another patient
        places.learn(found)
    return found


@lru_cache(maxsize=256)
def _prepared(dialect: Dialect, plain: tuple[Any, ...], page: Page, form: Form) -> Prepared:
    """The statement that finds objects of any one patient by these values of `_PLAIN`, as most questions do."""
    of_patient = _o.patient_key == identities.key_of_patient().scalar_subquery()
    criteria = Criteria(**dict(zip(_PLAIN, plain, strict=True)))
    return prepare(_selected(_condition(of_patient, criteria, EVERYTHING), criteria, page, form), dialect)


def _selected(condition: ColumnElement[bool], criteria: Criteria, page: Page, form: Form) -> Select[Any]:
    columns = _FOUND if form is Form.REFERENCE else (*_FOUND, _RENDERING[form])
    return _paged(select(*columns).where(condition), page, criteria)


def count(connection: Connection, places: Places, criteria: Criteria, visibility: Visibility) -> int:
    """How many objects fit and may be seen."""
    condition = _condition(_place(places, criteria), criteria, visibility)
    return connection.execute(select(func.count()).select_from(registry_object).where(condition)).scalar_one()


def _paged(statement: Select[Any], page: Page, criteria: Criteria) -> Select[Any]:
    """Rows of all patients come patient by patient, the order they lie in: a full page needs no sorting."""
    newest = page.order is Order.NEWEST
    if page.after is not None:
        statement = statement.where(_o.object_key < page.after if newest else _o.object_key > page.after)
    order = [_o.object_key.desc() if newest else _o.object_key]
    statement = statement.order_by(*([_o.patient_key] if criteria.across_patients else []), *order)
    return statement if page.size is None else statement.limit(page.size)


def _condition(place: ColumnElement[bool], criteria: Criteria, visibility: Visibility) -> ColumnElement[bool]:
    """What the WHERE says. What may be seen is part of it, so that nothing else is counted or gone on from."""
    having, wanted = _Having(criteria), _wanted(criteria)
    return and_(
        _may_be_seen(visibility),
        place,
        _o.kind == KINDS[criteria.kind],
        *_columns(criteria),
        *_document_columns(criteria),
        *(part for criterion in criteria.times for part in _time(criterion)),
        *(having(criterion) for criterion in wanted),
        *(_not_all(having(criterion) for criterion in group) for group in criteria.excluded),
    )


def _may_be_seen(visibility: Visibility) -> ColumnElement[bool]:
    """Everything, the objects of one patient, or nothing."""
    if visibility.everything:
        return true()
    if not visibility.patient:
        return false()
    cx = CX(visibility.patient)
    key = identities.key_of_patient().params(authority=cx.authority, identifier=cx.id)
    return _o.patient_key == key.scalar_subquery()


def _wanted(criteria: Criteria) -> tuple[CodeCriterion | LikeCriterion, ...]:
    """Reference ids, which fewer documents have, before codes."""
    return (*criteria.likes, *criteria.codes)


def _not_all(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    """An object without the attribute is not excluded."""
    return not_(and_(true(), *(func.coalesce(condition, false()) for condition in conditions)))


def _place(places: Places, criteria: Criteria) -> ColumnElement[bool]:
    """The shards the question concerns: by patient, or by the identities it names."""
    if criteria.across_patients:
        return true()
    if criteria.patient is not None or criteria.patients:
        named = criteria.patients if criteria.patient is None else (*criteria.patients, criteria.patient)
        return _of_patients(places.patients(named))
    if criteria.entry_uuids:
        return _at(places.objects(criteria.entry_uuids))
    if criteria.logical_ids:
        return _versions(places, criteria.logical_ids)
    return _of_patients(places.shards({*criteria.unique_ids, *criteria.sources, *criteria.targets, *criteria.touching}))


def _versions(places: Places, logical_ids: Sequence[str]) -> ColumnElement[bool]:
    """The first version has the logicalID for its entryUUID; the few later ones have an index."""
    first, shards = _at(places.objects(logical_ids)), _of_patients(places.shards(logical_ids))
    return or_(first, and_(shards, _o.version > literal_column("1"), one_of(_o.logical_id, logical_ids)))


def _of_patients(keys: Sequence[int]) -> ColumnElement[bool]:
    return one_of(_o.patient_key, keys) if keys else false()


def _at(objects: Sequence[tuple[int, int]]) -> ColumnElement[bool]:
    """Rows by their primary key."""
    patients = {patient for patient, _ in objects}
    if not objects:
        return false()
    if len(patients) == 1:
        return and_(_o.patient_key == patients.pop(), one_of(_o.object_key, [key for _, key in objects]))
    return one_of_pairs(_o.patient_key, _o.object_key, objects)


def _columns(criteria: Criteria) -> Iterator[ColumnElement[bool]]:
    if criteria.statuses:
        yield _o.status.in_([STATUSES[status] for status in criteria.statuses])  # few lists: the plan knows them
    for column, values in (
        (_o.entry_uuid, criteria.entry_uuids),
        (_o.logical_id, criteria.logical_ids),
        (_o.unique_id, criteria.unique_ids),
        (_o.source_id, criteria.source_ids),
        (_o.association_type, criteria.association_types),
        (_o.source, criteria.sources),
        (_o.target, criteria.targets),
    ):
        if values:
            yield one_of(column, values)
    if criteria.touching:
        yield or_(one_of(_o.source, criteria.touching), one_of(_o.target, criteria.touching))
    if not criteria.deprecated:
        yield _o.status != STATUSES[AvailabilityStatus.DEPRECATED]
    if not criteria.all_versions:
        yield _o.is_current


def _document_columns(criteria: Criteria) -> Iterator[ColumnElement[bool]]:
    """Stable or on-demand, online or offline. ITI TF-2: 3.18.4.1.2.3.6.2"""
    if criteria.kind is not DocumentEntry:
        return
    for column, shows_others, shows_these in (
        (_o.is_on_demand, criteria.stable, criteria.on_demand),
        (_o.is_offline, criteria.online, criteria.offline),
    ):
        if not (shows_others or shows_these):
            yield false()
        elif not (shows_others and shows_these):
            yield column if shows_these else ~column


class _Having:
    """Conditions on codes, author persons and reference ids of one question.

    Attributes with several values are looked up for each object. A question across patients starts
    from the values instead, where they have an index: they are fewer than the objects, and reference ids
    fewer than codes.
    """

    def __init__(self, criteria: Criteria) -> None:
        groups = (*_wanted(criteria), *(one for group in criteria.excluded for one in group))
        self._apart = sum(one.attribute in VALUE_ATTRIBUTES for one in groups) > _MOST_JOINS
        indexed = (one for one in _wanted(criteria) if one.attribute in ACROSS_PATIENTS)
        self._start = next(indexed, None) if criteria.across_patients else None
        self._starts_from_column = criteria.across_patients and self._start is None

    def __call__(self, criterion: CodeCriterion | LikeCriterion) -> ColumnElement[bool]:
        if criterion.attribute in CODE_COLUMNS and isinstance(criterion, CodeCriterion):
            column: ColumnElement[str] = _o[criterion.attribute]
            return or_(*_codes(column if self._starts_from_column else unindexed(column), criterion.any_of))
        attribute: ColumnElement[int] = literal_column(
            str(VALUE_ATTRIBUTES[criterion.attribute])
        )  # as the partial index has it
        values = select(_v.patient_key, _v.object_key).where(_v.attribute == attribute, or_(*_values(criterion)))
        if criterion is self._start:
            return tuple_(_o.patient_key, _o.object_key).in_(values.where(text(IS_ACROSS_PATIENTS)))
        of_object = values.where(_v.patient_key == _o.patient_key, _v.object_key == _o.object_key)
        return (of_object.offset(0) if self._apart else of_object).exists()


def _values(criterion: CodeCriterion | LikeCriterion) -> Iterator[ColumnElement[bool]]:
    if isinstance(criterion, LikeCriterion):
        return _like(_v.value, criterion.any_of)
    return _codes(_v.value, criterion.any_of)


def _codes(column: ColumnElement[str], patterns: Sequence[CodePattern]) -> Iterator[ColumnElement[bool]]:
    """Whole codes as one list, which an index can serve; the rest one by one."""
    whole = [one for one in patterns if one.code is not None and one.coding_scheme is not None]
    if whole:
        yield one_of(column, [normalised(f"{one.code}^^{one.coding_scheme}") for one in whole])
    for pattern in patterns:
        if pattern.coding_scheme is None:
            yield column.startswith(normalised(f"{pattern.code}^^"), autoescape=True)
        elif pattern.code is None:
            yield column.endswith(normalised(f"^^{pattern.coding_scheme}"), autoescape=True)


def _like(column: ColumnElement[str], patterns: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    """`%` any string, `_` one character; what has neither is compared as it is, which an index can serve."""
    plain = [normalised(pattern) for pattern in patterns if not has_wildcard(pattern)]
    if plain:
        yield one_of(column, plain)
    for pattern in patterns:
        if has_wildcard(pattern):
            yield column.like(normalised(pattern), escape=_NO_ESCAPE)


def _time(criterion: TimeCriterion) -> Iterator[ColumnElement[bool]]:
    """From <= time < To; an object without the time is not excluded."""
    column = _o[TIME_COLUMNS.get(criterion.attribute, criterion.attribute)]
    if criterion.start is not None:
        yield or_(column.is_(None), column >= criterion.start)
    if criterion.stop is not None:
        yield or_(column.is_(None), column < criterion.stop)
