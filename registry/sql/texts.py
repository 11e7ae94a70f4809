"""The wide columns of a registry row: its renderings, and the truth that they are made from. ADR 0019

They are kept deflated, and no database looks into that. What questions ask of in JSON stands apart, in `attributes`:
title, author institutions, what FHIR submitted, and as `shown` who made the object, of its FHIR rendering. A row that
was written before has the whole truth in `attributes` and nothing in `whole`; its renderings are as they are.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import LargeBinary, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from registry.sql.tables import registry_object
from storage.deflated import deflated
from xds.metadata import RegistryObject
from xds.metadata_json import attributes_of

_o = registry_object.c
DEFLATED = ("ebrim", "fhir", "whole")
ACTS = "acts"
_AS_THEY_ARE = ("title", "submittedFhir")
_OF_AN_AUTHOR = ("identifier", "name", "deviceName", "display")


def texts_of(thing: RegistryObject, *, ebrim: bytes, fhir: bytes | None, updated: str) -> dict[str, Any]:
    """The wide columns of an object with these renderings, made at a time: DTM of 14 digits, UTC."""
    texts = readable_texts_of(thing, ebrim=ebrim, fhir=fhir, updated=updated)
    return texts | {name: texts[name] and deflated(texts[name]) for name in DEFLATED}


def readable_texts_of(thing: RegistryObject, *, ebrim: bytes, fhir: bytes | None, updated: str) -> dict[str, Any]:
    """The same before anything is deflated."""
    attributes = attributes_of(thing)
    return {
        "attributes": orjson.dumps(dict(_asked_for(attributes, fhir))).decode(),
        "ebrim": ebrim,
        "fhir": fhir,
        "whole": orjson.dumps(attributes),
        "last_updated": updated,
    }


def _asked_for(attributes: Mapping[str, Any], fhir: bytes | None) -> Iterator[tuple[str, Any]]:
    yield from ((name, attributes[name]) for name in _AS_THEY_ARE if name in attributes)
    institutions = [_institutions(one) for one in attributes.get("author", ()) if one.get("authorInstitution")]
    if institutions:
        yield "author", institutions
    shown = {} if fhir is None else _makers(orjson.loads(fhir))
    if shown:
        yield "shown", shown


def _institutions(author: Mapping[str, Any]) -> dict[str, Any]:
    """Of one author, and whether there is more to it: somebody who acts for the first of them."""
    return {"authorInstitution": author["authorInstitution"], **({ACTS: True} if len(author) > 1 else {})}


def _makers(resource: Mapping[str, Any]) -> dict[str, Any]:
    """`author` or `source` of a resource, each with its type, authors with what is asked of them, in place of a
    reference to what the resource contains. A person stands for a role.
    """
    contained = {f"#{one.get('id')}": one for one in resource.get("contained", ())}
    shown: dict[str, Any] = {}
    if "author" in resource:
        shown["author"] = [_author(one, contained) for one in resource["author"]]
    if "source" in resource:
        shown["source"] = _type(resource["source"], contained)
    return shown


def _type(reference: Mapping[str, Any], contained: Mapping[str, Any]) -> dict[str, Any]:
    found = contained.get(reference.get("reference", ""))
    if found is not None:
        return {"type": found["resourceType"]}
    return {name: reference[name] for name in ("type", "reference") if name in reference}


def _author(reference: Mapping[str, Any], contained: Mapping[str, Any]) -> dict[str, Any]:
    found = contained.get(reference.get("reference", ""), reference)
    role = found.get("practitioner", found)
    person = contained.get(role.get("reference", ""), role)
    return _type(reference, contained) | {name: person[name] for name in _OF_AN_AUTHOR if name in person}


class Truth(FunctionElement[bytes]):
    """All attributes of an object as JSON, to be inflated."""

    name = "truth"
    type = LargeBinary()
    inherit_cache = True

    def __init__(self) -> None:
        super().__init__(_o.whole, _o.attributes)


@compiles(Truth, "sqlite")
def _truth_on_sqlite(element: Truth, compiler: Any, **options: Any) -> str:
    whole, attributes = (compiler.process(one, **options) for one in element.clauses)
    return f"coalesce({whole}, CAST({attributes} AS BLOB))"


@compiles(Truth, "postgresql")
def _truth_on_postgresql(element: Truth, compiler: Any, **options: Any) -> str:
    whole, attributes = (compiler.process(one, **options) for one in element.clauses)
    return f"coalesce({whole}, convert_to({attributes}, 'UTF8'))"


class ShownMakers(FunctionElement[str]):
    """JSON with the `author` or `source` of the FHIR rendering, as text."""

    name = "shown_makers"
    type = String()
    inherit_cache = True

    def __init__(self) -> None:
        super().__init__(_o.whole, _o.fhir, _o.attributes)


@compiles(ShownMakers, "sqlite")
def _shown_on_sqlite(element: ShownMakers, compiler: Any, **options: Any) -> str:
    whole, fhir, attributes = (compiler.process(one, **options) for one in element.clauses)
    return f"CASE WHEN {whole} IS NULL THEN CAST({fhir} AS TEXT) ELSE json_extract({attributes}, '$.shown') END"


@compiles(ShownMakers, "postgresql")
def _shown_on_postgresql(element: ShownMakers, compiler: Any, **options: Any) -> str:
    whole, fhir, attributes = (compiler.process(one, **options) for one in element.clauses)
    shown = f"CAST({attributes} AS json) ->> 'shown'"
    return f"(CASE WHEN {whole} IS NULL THEN convert_from({fhir}, 'UTF8') ELSE {shown} END)"
