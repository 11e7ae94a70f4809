"""Conditions on the times of an object, and on what it has at all. ITI TF-2: 3.18.4.1.2.3.3."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, false, not_, or_

from registry.criteria import PresenceCriterion, TimeCriterion
from registry.sql import list_authors
from registry.sql.having import IN_ATTRIBUTES, has_any, in_attributes
from registry.sql.tables import TIME_COLUMNS, VALUE_ATTRIBUTES, registry_object

_o = registry_object.c


def presence(criterion: PresenceCriterion) -> ColumnElement[bool]:
    given = or_(*map(_given, criterion.attributes))
    return not_(given) if criterion.is_missing else given


def _given(attribute: str) -> ColumnElement[bool]:
    """The object has a value of the attribute."""
    if attribute in VALUE_ATTRIBUTES:
        return has_any(attribute)
    if attribute == list_authors.INSTITUTION:
        return list_authors.has_institution()
    if attribute in IN_ATTRIBUTES:
        return in_attributes(attribute).is_not(None)
    return _o[TIME_COLUMNS.get(attribute, attribute)].is_not(None)


def within(criterion: TimeCriterion) -> Iterator[ColumnElement[bool]]:
    """From <= time < To; an object without the time is not excluded, unless it is required."""
    column = _o[TIME_COLUMNS.get(criterion.attribute, criterion.attribute)]
    missing = false() if criterion.is_required else column.is_(None)
    if criterion.is_outside:
        yield or_(missing, column < criterion.start, column >= criterion.stop)
        return
    if criterion.start is not None:
        yield or_(missing, column >= criterion.start)
    if criterion.stop is not None:
        yield or_(missing, column < criterion.stop)
