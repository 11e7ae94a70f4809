"""Who made a SubmissionSet, as far as no column says it. It is looked at where few objects are left."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, literal_column, or_, select, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from registry.sql.tables import registry_object
from registry.sql.texts import ACTS, ShownMakers

_o = registry_object.c
INSTITUTION, ROLE_INSTITUTION = "author_institution", "role_institution"
# What an author has who is more than an institution: said by the short form of one, and whatever the long form has.
_OF_A_ROLE = (ACTS, "authorPerson", "authorRole", "authorSpecialty", "authorTelecommunication")


def has_institution(
    fits: Callable[[ColumnElement[str]], ColumnElement[bool]] = lambda _: true(), *, of_role: bool = False
) -> ColumnElement[bool]:
    """An author institution of the object fits; `of_role`: that of an author who acts for it, and is not it."""
    found = AuthorInstitutions(_o.attributes).table_valued("value", "acts")
    acts = found.c.acts.is_not(None) if of_role else true()
    return select(literal_column("1")).where(acts, fits(found.c.value)).select_from(found).exists()


def source_is(types: Sequence[str]) -> ColumnElement[bool]:
    """`List.source` of the rendering is of one of these types: that of a contained resource, or what the reference
    says.
    """
    return is_one_of(SourceType(ShownMakers()), types)


def is_one_of(kind: ColumnElement[str], types: Sequence[str]) -> ColumnElement[bool]:
    """A type, or a reference that says it."""
    return or_(*(or_(kind == one, kind.like(f"{one}/%"), kind.like(f"%/{one}/%")) for one in types))


class AuthorInstitutions(FunctionElement[Any]):
    """Author institutions of an object, a row each, and what their authors have beside them."""

    name = "author_institutions"
    inherit_cache = True


@compiles(AuthorInstitutions, "sqlite")
def _institutions_on_sqlite(element: AuthorInstitutions, compiler: Any, **options: Any) -> str:
    json = compiler.process(element.clauses, **options)
    authors = f"json_each({json}, '$.author') AS author"
    each = "json_each(author.value, '$.authorInstitution') AS one"
    acts = ", ".join(f"json_extract(author.value, '$.{name}')" for name in _OF_A_ROLE)
    return f"(SELECT one.value AS value, coalesce({acts}) AS acts FROM {authors}, {each})"  # noqa: S608 - of compiled clauses


@compiles(AuthorInstitutions, "postgresql")
def _institutions_on_postgresql(element: AuthorInstitutions, compiler: Any, **options: Any) -> str:
    json = compiler.process(element.clauses, **options)
    authors = f"json_array_elements(CAST({json} AS json) -> 'author') AS author"
    each = "json_array_elements_text(author -> 'authorInstitution') AS one"
    acts = ", ".join(f"author ->> '{name}'" for name in _OF_A_ROLE)
    return f"(SELECT one AS value, coalesce({acts}) AS acts FROM {authors}, {each})"  # noqa: S608 - of compiled clauses


class SourceType(FunctionElement[str]):
    """Type of the contained resource that `List.source` refers to, else what the reference says itself."""

    name = "source_type"
    type = String()
    inherit_cache = True


@compiles(SourceType, "sqlite")
def _source_on_sqlite(element: SourceType, compiler: Any, **options: Any) -> str:
    json = compiler.process(element.clauses, **options)
    kind, reference = (f"json_extract({json}, '$.source.{name}')" for name in ("type", "reference"))
    own, named = (f"json_extract(one.value, '$.{name}')" for name in ("resourceType", "id"))
    return _type(own, f"json_each({json}, '$.contained')", named, reference, kind)


@compiles(SourceType, "postgresql")
def _source_on_postgresql(element: SourceType, compiler: Any, **options: Any) -> str:
    json = f"CAST({compiler.process(element.clauses, **options)} AS json)"
    kind, reference = (f"({json} #>> '{{source,{name}}}')" for name in ("type", "reference"))
    own, named = (f"(one ->> '{name}')" for name in ("resourceType", "id"))
    return _type(own, f"json_array_elements({json} -> 'contained')", named, reference, kind)


def _type(own: str, contained: str, named: str, reference: str, kind: str) -> str:
    of_it = f"'#' || {named} = {reference}"
    first = f"SELECT {own} FROM {contained} AS one WHERE {of_it} LIMIT 1"  # noqa: S608 - of compiled clauses
    return f"coalesce(({first}), {kind}, {reference})"
