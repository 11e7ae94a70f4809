"""References of what FHIR submitted, of which XDS has no attribute. They are looked for where few objects are left."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, bindparam, literal_column, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from registry.criteria import TextCriterion
from registry.sql.tables import registry_object

_o = registry_object.c


def refers(criterion: TextCriterion) -> ColumnElement[bool]:
    """The submitted resource has one of the references, in one of the places that the attribute stands for."""
    places = ATTRIBUTES[criterion.attribute]
    return or_(*(place(bindparam(None, one)) for one in criterion.any_of for place in places))


class SubmittedText(FunctionElement[str]):
    """The text at a place of the submitted resource, null where there is none."""

    name = "submitted_text"
    type = String()
    inherit_cache = True


@compiles(SubmittedText, "sqlite")
def _text_on_sqlite(element: SubmittedText, compiler: Any, **options: Any) -> str:
    json, path, _ = (compiler.process(one, **options) for one in element.clauses)
    return f"json_extract(json_extract({json}, '$.submittedFhir'), {path})"


@compiles(SubmittedText, "postgresql")
def _text_on_postgresql(element: SubmittedText, compiler: Any, **options: Any) -> str:
    json, _, path = (compiler.process(one, **options) for one in element.clauses)
    return f"(CAST(CAST({json} AS json) ->> 'submittedFhir' AS json) #>> {path})"


class SubmittedReference(FunctionElement[bool]):
    """Whether an element of the submitted resource, one with several values, has this reference among them: at a place
    within each value, whose `url`, if it has one, ends so.
    """

    name = "submitted_reference"
    type = Boolean()
    inherit_cache = True


@compiles(SubmittedReference, "sqlite")
def _among_on_sqlite(element: SubmittedReference, compiler: Any, **options: Any) -> str:
    json, path, _, within, _, url, wanted_text = (compiler.process(one, **options) for one in element.clauses)
    values = f"json_each(json_extract({json}, '$.submittedFhir'), {path})"
    fits = f"json_extract(one.value, {within}) = {wanted_text}"
    named = f"coalesce(json_extract(one.value, '$.url'), '') LIKE {url}"
    return f"EXISTS (SELECT 1 FROM {values} AS one WHERE {fits} AND {named})"  # noqa: S608 - of compiled clauses


@compiles(SubmittedReference, "postgresql")
def _among_on_postgresql(element: SubmittedReference, compiler: Any, **options: Any) -> str:
    json, _, path, _, within, url, wanted_text = (compiler.process(one, **options) for one in element.clauses)
    values = f"json_array_elements(CAST(CAST({json} AS json) ->> 'submittedFhir' AS json) #> {path})"
    fits = f"one #>> {within} = {wanted_text}"
    named = f"coalesce(one ->> 'url', '') LIKE {url}"
    return f"EXISTS (SELECT 1 FROM {values} AS one WHERE {fits} AND {named})"  # noqa: S608 - of compiled clauses


def _path(*steps: str) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """A place in JSON, as SQLite has paths and as PostgreSQL does."""
    return literal_column(f"'$.{'.'.join(steps)}'"), literal_column(f"'{{{','.join(steps)}}}'")


Place = Callable[[ColumnElement[str]], ColumnElement[bool]]


def _only(*names: str) -> Place:
    """An element that has one value."""
    return lambda wanted: SubmittedText(_o.attributes, *_path("resource", *names, "reference")) == wanted


def _among(*names: str) -> Place:
    """An element that has several."""
    path, within = _path("resource", *names), _path("reference")
    return lambda wanted: SubmittedReference(_o.attributes, *path, *within, literal_column("'%'"), wanted)


def _extended(name: str, *names: str) -> Place:
    """An extension of MHD with this name."""
    path, within = _path("resource", *names, "extension"), _path("valueReference", "reference")
    return lambda wanted: SubmittedReference(_o.attributes, *path, *within, literal_column(f"'%/{name}'"), wanted)


# What a search asks for -> where it lies. An organisation that made a List: its profile and PDSm differ (T14).
ATTRIBUTES: Mapping[str, tuple[Place, ...]] = {
    "context.related": (_among("context", "related"),),
    "author": (_among("author"),),
    "source": (_only("source"),),
    "author_org": (_extended("ihe-authorOrg", "source"), _extended("ihe-authorOrg")),
}
