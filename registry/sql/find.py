"""Criteria -> SELECT. ITI TF-2: 3.18.4.1.2.3."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import starmap
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.engine.interfaces import Dialect

from access_policy.visibility import Visibility
from registry.criteria import (
    CodeCriterion,
    Criteria,
    Form,
    Found,
    LikeCriterion,
    Page,
    TimeCriterion,
)
from registry.sql import identities, visible
from registry.sql.conditions import presence, within
from registry.sql.having import MOST_JOINS, Having, having_given, single_value, wanted
from registry.sql.lists import one_of, one_of_pairs
from registry.sql.order import paged
from registry.sql.places import Places
from registry.sql.tables import (
    KINDS,
    STATUSES,
    registry_object,
)
from storage.deflated import inflated
from storage.prepared import Prepared, prepare
from xds.metadata import DocumentEntry
from xds.vocabulary import AvailabilityStatus

_o = registry_object.c
_RENDERING = {Form.EBRIM: _o.ebrim, Form.FHIR: _o.fhir}
_FOUND = (_o.patient_key, _o.object_key, _o.entry_uuid, _o.logical_id, _o.unique_id, _o.source, _o.target)
# Criteria that only few combinations of exist: a statement is kept for each.
_PLAIN = ("kind", "statuses", "stable", "on_demand", "online", "offline", "deprecated", "all_versions")
_IDS = ("entry_uuids", "logical_ids", "unique_ids")
_plain, _ids = attrgetter(*_PLAIN), attrgetter(*_IDS)
_others = attrgetter(*(one.name for one in fields(Criteria) if one.name not in (*_PLAIN, *_IDS, "patient", "likes")))
_nothing_else = _others(Criteria())


def find(
    connection: Connection, places: Places, criteria: Criteria, visibility: Visibility, page: Page, form: Form
) -> tuple[Found, ...]:
    """The objects that fit and may be seen, in the order of the page."""
    if criteria.patient is not None and not visibility.admits(criteria.patient):
        return ()
    if visibility.shows_nothing:
        return ()
    rows = _rows_of_kept_statement(connection, places, criteria, visibility, page, form)
    if rows is None:
        condition = _condition(
            _place(places, criteria), criteria, visible.may_be_seen(visibility, criteria.kind, places)
        )
        rows = connection.execute(_selected(condition, criteria, page, form)).fetchall()
    found = tuple(starmap(Found, rows if form is Form.REFERENCE else _inflated(rows)))
    if criteria.kind is not DocumentEntry:  # what refers to a document may belong to another patient
        places.learn(found)
    return found


def _inflated(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """With the rendering, which is last, as it was written."""
    return ((*others, rendering and inflated(rendering)) for *others, rendering in rows)


def _rows_of_kept_statement(
    connection: Connection, places: Places, criteria: Criteria, visibility: Visibility, page: Page, form: Form
) -> Sequence[Any] | None:
    """What most questions are: about one patient, or one id that one object has. None for any other question."""
    if page.after is not None:
        return None
    question = patient_question(places, criteria, visibility)
    if question is not None:
        kept, given = question
        return _prepared_of_patient(connection.dialect, kept, page, form).rows(connection, **given)
    if _others(criteria) != _nothing_else:
        return None
    ids = [(name, value) for name, values in zip(_IDS, _ids(criteria), strict=True) for value in values]
    values = visible.values(visibility)
    if criteria.patient is not None or criteria.likes or len(ids) != 1:
        return None
    ((name, value),) = ids
    place = places.only(value, or_nowhere=visibility.grants is not None)
    if place is None:
        return None
    prepared = _prepared(connection.dialect, _plain(criteria), visible.unnamed(visibility), name, page, form)
    if visibility.patient:
        values |= identities.parts_of(visibility.patient)
    return prepared.rows(connection, patient_key=place[0], object_key=place[1], value=value, **values)


class PatientQuestion(NamedTuple):
    """A question about any one patient, by the values of `_PLAIN`, and as far as that patient may be seen.

    `attributes`: those in which the objects have a value that is given when a statement is run. `by_key`: so is the key
    of the patient, which the statement else looks up by itself.
    """

    plain: tuple[Any, ...]
    visibility: Visibility
    attributes: tuple[str, ...]
    by_key: bool

    def condition(self) -> tuple[Criteria, ColumnElement[bool]]:
        """The criteria without what is given when it is run, and what the WHERE says."""
        criteria = Criteria(**dict(zip(_PLAIN, self.plain, strict=True)))
        patient = _given_key("patient_key") if self.by_key else identities.key_of_patient().scalar_subquery()
        seen = visible.shown(self.visibility, criteria.kind, patient)
        having = map(having_given, self.attributes, _names_of_values(self.attributes))
        return criteria, and_(_condition(_o.patient_key == patient, criteria, seen), *having)


def patient_question(
    places: Places, criteria: Criteria, visibility: Visibility
) -> tuple[PatientQuestion, dict[str, Any]] | None:
    """What a kept statement is made of, and run with: everything of one patient, or what has these author persons and
    reference ids, one value of each criterion and no pattern. None for any other question."""
    if criteria.patient is None or any(_ids(criteria)) or _others(criteria) != _nothing_else:
        return None
    single = [value for like in criteria.likes if (value := single_value(like)) is not None]
    if len(single) < len(criteria.likes) or len(single) > MOST_JOINS:
        return None
    attributes = tuple(like.attribute for like in criteria.likes)
    by_key = places.are_divided
    patient = {"patient_key": places.patient(criteria.patient)} if by_key else identities.parts_of(criteria.patient)
    given = visible.values(visibility) | patient | dict(zip(_names_of_values(attributes), single, strict=True))
    return PatientQuestion(_plain(criteria), visible.unnamed(visibility), attributes, by_key), given


def _names_of_values(attributes: Sequence[str]) -> list[str]:
    return [f"value_{number}" for number in range(len(attributes))]


@lru_cache(maxsize=1024)
def _prepared_of_patient(dialect: Dialect, question: PatientQuestion, page: Page, form: Form) -> Prepared:
    """For one patient the visibility is that patient's; its values are given when the statement is run."""
    criteria, condition = question.condition()
    return prepare(_selected(condition, criteria, page, form), dialect)


@lru_cache(maxsize=1024)
def _prepared(
    dialect: Dialect, plain: tuple[Any, ...], visibility: Visibility, name: str, page: Page, form: Form
) -> Prepared:
    """The statement for any one id in this field, by these values of `_PLAIN`."""
    criteria = Criteria(**{**dict(zip(_PLAIN, plain, strict=True)), name: (bindparam("value", ""),)})
    seen = visible.shown(visibility, criteria.kind, _given_key("patient_key"))
    if visibility.patient:
        seen = and_(_o.patient_key == identities.key_of_patient().scalar_subquery(), seen)
    condition = _condition(_place(_AnyPlace(), criteria), criteria, seen)
    return prepare(_selected(condition, criteria, page, form), dialect)


def _given_key(name: str) -> BindParameter[int]:
    return bindparam(name, 0, type_=_o.patient_key.type)


class _AnyPlace:
    """The keys of one object, given when the statement is run; a list of statuses is written out before."""

    def __init__(self) -> None:
        self._patient, self._object = _given_key("patient_key"), _given_key("object_key")

    def patients(self, _patient_ids: Collection[str]) -> list[Any]:
        return [self._patient]

    def objects(self, _values: Collection[str]) -> list[tuple[Any, Any]]:
        return [(self._patient, self._object)]

    def shards(self, _values: Collection[str]) -> list[Any]:
        return [self._patient]


def _selected(condition: ColumnElement[bool], criteria: Criteria, page: Page, form: Form) -> Select[Any]:
    columns = _FOUND if form is Form.REFERENCE else (*_FOUND, _RENDERING[form])
    return paged(select(*columns).where(condition), page, criteria)


def count(connection: Connection, places: Places, criteria: Criteria, visibility: Visibility) -> int:
    """How many objects fit and may be seen."""
    condition = _condition(_place(places, criteria), criteria, visible.may_be_seen(visibility, criteria.kind, places))
    return connection.execute(select(func.count()).select_from(registry_object).where(condition)).scalar_one()


def _condition(place: ColumnElement[bool], criteria: Criteria, may_be_seen: ColumnElement[bool]) -> ColumnElement[bool]:
    """What the WHERE says. What may be seen is part of it, so that nothing else is counted or gone on from."""
    having = Having(criteria)

    def holds(criterion: CodeCriterion | LikeCriterion | TimeCriterion) -> ColumnElement[bool]:
        return and_(*within(criterion)) if isinstance(criterion, TimeCriterion) else having(criterion)

    return and_(
        place,
        _o.kind == KINDS[criteria.kind],
        *_columns(criteria),
        *_document_columns(criteria),
        may_be_seen,
        *(part for criterion in criteria.times for part in within(criterion)),
        *(having(criterion) for criterion in wanted(criteria)),
        *map(presence, criteria.present),
        *(_not_all(map(holds, group)) for group in criteria.excluded),
    )


def _not_all(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    """An object without the attribute is not excluded."""
    return not_(and_(true(), *(func.coalesce(condition, false()) for condition in conditions)))


def _place(places: Places | _AnyPlace, criteria: Criteria) -> ColumnElement[bool]:
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


def _versions(places: Places | _AnyPlace, logical_ids: Sequence[str]) -> ColumnElement[bool]:
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
