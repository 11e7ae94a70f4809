"""Conditions on codes, author persons and reference ids. ITI TF-2: 3.18.4.1.2.3.4, 3.18.4.1.2.3.5."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from registry.criteria import (
    AuthorCriterion,
    CodeCriterion,
    CodePattern,
    Criteria,
    LikeCriterion,
    TextCriterion,
    TextMatch,
)
from registry.sql import list_authors, submitted
from registry.sql.hints import unindexed
from registry.sql.lists import one_of
from registry.sql.rendered_authors import has_author
from registry.sql.tables import (
    ACROSS_PATIENTS,
    CODE_COLUMNS,
    IS_ACROSS_PATIENTS,
    VALUE_ATTRIBUTES,
    object_value,
    registry_object,
)
from xds.datatypes import normalised
from xds.query_grammar import has_wildcard

_o, _v = registry_object.c, object_value.c
_NO_ESCAPE = "\x01"  # the LIKE of stored queries has no escape character
_OF_OBJECT = (_v.patient_key == _o.patient_key, _v.object_key == _o.object_key)
IN_ATTRIBUTES = frozenset({"title"})
MOST_JOINS = 6  # of more sub-selects, PostgreSQL would weigh every order: OFFSET keeps them out of it


def wanted(criteria: Criteria) -> tuple[CodeCriterion | LikeCriterion | TextCriterion, ...]:
    """What an object must have, all of it: reference ids, which fewer documents have, before codes."""
    return (*criteria.likes, *criteria.texts, *criteria.codes)


class Having:
    """Conditions on codes, author persons and reference ids of one question.

    Attributes with several values are looked up for each object. A question across patients starts
    from the values instead, where they have an index: they are fewer than the objects, and reference ids
    fewer than codes.
    """

    def __init__(self, criteria: Criteria) -> None:
        excluded = (one for group in criteria.excluded for one in group)
        groups = (*wanted(criteria), *excluded)
        self._apart = sum(one.attribute in VALUE_ATTRIBUTES for one in groups) > MOST_JOINS
        indexed = (one for one in wanted(criteria) if one.attribute in ACROSS_PATIENTS)
        self._start = next(indexed, None) if criteria.across_patients else None
        self._starts_from_column = criteria.across_patients and self._start is None

    def __call__(self, criterion: CodeCriterion | LikeCriterion | TextCriterion) -> ColumnElement[bool]:
        if criterion.attribute in CODE_COLUMNS and isinstance(criterion, CodeCriterion):
            column: ColumnElement[str] = _o[criterion.attribute]
            return or_(*_codes(column if self._starts_from_column else unindexed(column), criterion.any_of))
        if isinstance(criterion, AuthorCriterion):
            matches = _identifiers if criterion.attribute == "identifier" else _titles
            return has_author(criterion.types, criterion.attribute, lambda value: or_(*matches(value, criterion)))
        if isinstance(criterion, TextCriterion) and criterion.attribute in IN_ATTRIBUTES:
            return or_(*_titles(in_attributes(criterion.attribute), criterion))
        if isinstance(criterion, TextCriterion) and criterion.attribute in submitted.ATTRIBUTES:
            return submitted.refers(criterion)
        if isinstance(criterion, TextCriterion) and criterion.attribute == "source_type":
            return list_authors.source_is(criterion.any_of)
        if criterion.attribute in (list_authors.INSTITUTION, list_authors.ROLE_INSTITUTION):
            of_role = criterion.attribute == list_authors.ROLE_INSTITUTION
            return list_authors.has_institution(lambda value: or_(*_values(criterion, value)), of_role=of_role)
        values = _having(criterion.attribute, or_(*_values(criterion)))
        if criterion is self._start:
            return tuple_(_o.patient_key, _o.object_key).in_(values.where(text(IS_ACROSS_PATIENTS)))
        of_object = values.where(*_OF_OBJECT)
        return (of_object.offset(0) if self._apart else of_object).exists()


def having_given(attribute: str, name: str) -> ColumnElement[bool]:
    """The object has, in an attribute with several values, the one that the statement is run with under this name."""
    return _having(attribute, _v.value == bindparam(name, "")).where(*_OF_OBJECT).exists()


def has_any(attribute: str) -> ColumnElement[bool]:
    """The object has a value in an attribute with several."""
    return _having(attribute, true()).where(*_OF_OBJECT).exists()


def single_value(criterion: LikeCriterion) -> str | None:
    """The one value it asks for, None for a pattern and for several."""
    first, *others = criterion.any_of
    return None if others or has_wildcard(first) else normalised(first)


def _having(attribute: str, condition: ColumnElement[bool]) -> Select[tuple[int, int]]:
    """Objects whose values in this attribute include one that fits."""
    number: ColumnElement[int] = literal_column(str(VALUE_ATTRIBUTES[attribute]))  # as the partial index has it
    return select(_v.patient_key, _v.object_key).where(_v.attribute == number, condition)


def _values(
    criterion: CodeCriterion | LikeCriterion | TextCriterion, value: ColumnElement[str] = _v.value
) -> Iterator[ColumnElement[bool]]:
    if isinstance(criterion, LikeCriterion):
        return _like(value, criterion.any_of)
    if isinstance(criterion, TextCriterion):
        return _texts(value, criterion)
    return _codes(value, criterion.any_of)


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


def _texts(column: ColumnElement[str], criterion: TextCriterion) -> Iterator[ColumnElement[bool]]:
    matches = _MATCHES[criterion.match]
    for wanted_text in map(normalised, criterion.any_of):
        if not criterion.components:
            yield func.substr(column, 1, len(wanted_text)) == wanted_text
        for component in criterion.components:
            yield matches(_from_component(column, component), wanted_text)


def _titles(column: ColumnElement[str], criterion: TextCriterion) -> Iterator[ColumnElement[bool]]:
    """A text as a whole, which has no components."""
    for wanted_text in criterion.any_of:
        if criterion.match is TextMatch.WHOLE:
            yield column == wanted_text
        elif criterion.match is TextMatch.WITHIN:
            yield func.lower(column).contains(wanted_text.lower(), autoescape=True)
        else:
            yield func.substr(func.lower(column), 1, len(wanted_text)) == wanted_text.lower()


def _identifiers(column: ColumnElement[str], criterion: TextCriterion) -> Iterator[ColumnElement[bool]]:
    """`system|value`, or a value alone, of any system."""
    for wanted_text in criterion.any_of:
        if "|" in wanted_text:
            yield column == wanted_text
        else:
            yield column.endswith(f"|{wanted_text}", autoescape=True)


def _at_start(rest: ColumnElement[str], wanted_text: str) -> ColumnElement[bool]:
    return func.substr(func.lower(rest), 1, len(wanted_text)) == wanted_text.lower()


def _within(rest: ColumnElement[str], wanted_text: str) -> ColumnElement[bool]:
    component = func.lower(func.substr(rest, 1, CaretPosition(rest) - 1))
    return component.contains(wanted_text.lower(), autoescape=True)


def _whole(rest: ColumnElement[str], wanted_text: str) -> ColumnElement[bool]:
    return func.substr(rest, 1, CaretPosition(rest) - 1) == wanted_text


# What follows the component in the value is cut off where it counts.
_MATCHES: Mapping[TextMatch, Callable[[ColumnElement[str], str], ColumnElement[bool]]] = {
    TextMatch.START: _at_start,
    TextMatch.WITHIN: _within,
    TextMatch.WHOLE: _whole,
}


def _from_component(column: ColumnElement[str], component: int) -> ColumnElement[str]:
    """The text behind the carets before a component, with what follows it; empty where it is not there."""
    rest = column
    for _ in range(component - 1):
        rest = func.substr(rest, CaretPosition(rest) + 1)
    return rest


class JsonText(FunctionElement[str]):
    """The text at a name of a JSON object, null where there is none."""

    name = "json_text"
    type = String()
    inherit_cache = True


@compiles(JsonText, "sqlite")
def _json_on_sqlite(element: JsonText, compiler: Any, **options: Any) -> str:
    json, name = (compiler.process(one, **options) for one in element.clauses)
    return f"json_extract({json}, '$.' || {name})"


@compiles(JsonText, "postgresql")
def _json_on_postgresql(element: JsonText, compiler: Any, **options: Any) -> str:
    json, name = (compiler.process(one, **options) for one in element.clauses)
    return f"(CAST({json} AS json) ->> {name})"


def in_attributes(name: str) -> ColumnElement[str]:
    """An attribute that has neither column nor index: it is asked about with what finds few objects."""
    return JsonText(_o.attributes, literal_column(f"'{name}'"))


class CaretPosition(FunctionElement[int]):
    """Where the first caret of a text is, its length when there is none."""

    name = "caret_position"
    type = Integer()
    inherit_cache = True


@compiles(CaretPosition, "sqlite")
def _caret_on_sqlite(element: CaretPosition, compiler: Any, **options: Any) -> str:
    (text_,) = (compiler.process(one, **options) for one in element.clauses)
    return f"instr({text_} || '^', '^')"


@compiles(CaretPosition, "postgresql")
def _caret_on_postgresql(element: CaretPosition, compiler: Any, **options: Any) -> str:
    (text_,) = (compiler.process(one, **options) for one in element.clauses)
    return f"strpos({text_} || '^', '^')"


def _like(column: ColumnElement[str], patterns: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    """`%` any string, `_` one character; what has neither is compared as it is, which an index can serve."""
    plain = [normalised(pattern) for pattern in patterns if not has_wildcard(pattern)]
    if plain:
        yield one_of(column, plain)
    for pattern in patterns:
        if has_wildcard(pattern):
            yield column.like(normalised(pattern), escape=_NO_ESCAPE)
