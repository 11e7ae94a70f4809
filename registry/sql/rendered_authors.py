"""Authors of a document as its FHIR rendering has them: XDS does not say of what type an author is.

They are looked at where few objects are left.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, column, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from registry.sql.list_authors import is_one_of
from registry.sql.texts import ShownMakers

_HUMAN = ("$.name[*].family", "$.name[*].given[*]", "$.name[*].text")
# What is asked of an author -> where it stands: in a resource, or in a reference that says a name itself.
_PATHS: Mapping[str, tuple[str, ...]] = {
    "family": ("$.name[*].family", "$.display"),
    "given": ("$.name[*].given[*]",),
    "name": (*_HUMAN, "$.name", "$.deviceName[*].name", "$.display"),
}
_IDENTIFIERS = ("$.identifier[*]", "$.identifier")


def has_author(
    types: Sequence[str], element: str, fits: Callable[[ColumnElement[str]], ColumnElement[bool]]
) -> ColumnElement[bool]:
    """An author of one of the types fits, by a `family`, `given` or `name`, or by an `identifier` as `system|value`.

    The person of a role stands for the role.
    """
    authors = AuthorTexts(ShownMakers(), literal_column(f"'{element}'")).table_valued(
        column("kind", String), column("value", String)
    )
    is_of_type = is_one_of(authors.c.kind, types)
    return select(literal_column("1")).where(is_of_type, fits(authors.c.value)).select_from(authors).exists()


class AuthorTexts(FunctionElement[Any]):
    """Of a rendering and an element: (type of the author, or its reference; text of the element), a row each."""

    name = "author_texts"
    inherit_cache = True


def _joined(
    each: str, author: str, contained: str, kinds: Sequence[str], bodies: Sequence[str], on: Sequence[str]
) -> str:
    """(kind, body) of each author: what its reference leads to, and from a role the person."""
    return (
        f"SELECT coalesce({', '.join(kinds)}) AS kind, coalesce({', '.join(bodies)}) AS body "  # noqa: S608 - of compiled clauses
        f"FROM {each}({author}) AS a "
        f"LEFT JOIN {each}({contained}) AS c ON {on[0]} LEFT JOIN {each}({contained}) AS p ON {on[1]}"
    )


@compiles(AuthorTexts, "sqlite")
def _on_sqlite(element: AuthorTexts, compiler: Any, **options: Any) -> str:
    rendering, asked = (compiler.process(one, **options) for one in element.clauses)
    json = rendering

    def at(row: str, path: str) -> str:
        return f"json_extract({row}.value, '$.{path}')"

    authors = _joined(
        "json_each",
        f"{json}, '$.author'",
        f"{json}, '$.contained'",
        (at("c", "resourceType"), at("a", "type"), at("a", "reference")),
        ("p.value", at("c", "practitioner"), "c.value", "a.value"),
        (
            f"'#' || {at('c', 'id')} = {at('a', 'reference')}",
            f"'#' || {at('p', 'id')} = {at('c', 'practitioner.reference')}",
        ),
    )
    name = asked.strip("'")
    if name == "identifier":
        kinds, value = "'object'", f"coalesce({at('v', 'system')}, '') || '|' || {at('v', 'value')}"
        paths: Sequence[str] = _IDENTIFIERS
    else:
        kinds, value, paths = "'text'", "v.atom", _PATHS[name]
    places = " OR ".join(f"v.fullkey LIKE '{path.replace('*', '%')}'" for path in paths)
    return (
        f"(SELECT kind, {value} AS value FROM ({authors}), json_tree(body) AS v WHERE v.type = {kinds} AND ({places}))"  # noqa: S608 - of compiled clauses
    )


@compiles(AuthorTexts, "postgresql")
def _on_postgresql(element: AuthorTexts, compiler: Any, **options: Any) -> str:
    rendering, asked = (compiler.process(one, **options) for one in element.clauses)
    json = f"CAST({rendering} AS jsonb)"
    authors = _joined(
        "jsonb_array_elements",
        f"{json} -> 'author'",
        f"{json} -> 'contained'",
        ("c ->> 'resourceType'", "a ->> 'type'", "a ->> 'reference'"),
        ("p", "c -> 'practitioner'", "c", "a"),
        ("'#' || (c ->> 'id') = a ->> 'reference'", "'#' || (p ->> 'id') = c #>> '{practitioner,reference}'"),
    )
    name = asked.strip("'")
    if name == "identifier":
        kind, value = "object", "coalesce(v ->> 'system', '') || '|' || (v ->> 'value')"
        paths: Sequence[str] = _IDENTIFIERS
    else:
        kind, value, paths = "string", "v #>> '{}'", _PATHS[name]
    listed = ", ".join(f"CAST('{path}' AS jsonpath)" for path in paths)
    each = f"unnest(ARRAY[{listed}]) AS path, jsonb_path_query(body, path) AS v"
    return f"(SELECT kind, {value} AS value FROM ({authors}) AS author, {each} WHERE jsonb_typeof(v) = '{kind}')"  # noqa: S608 - of compiled clauses
