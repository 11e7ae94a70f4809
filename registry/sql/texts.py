"""The wide columns of a registry row: its renderings, and the truth that they are made from. ADR 0019

They are kept deflated, and no database looks into that. What questions ask of in JSON stands apart, in `attributes`:
title, author institutions, what FHIR submitted, and as `shown` who made the object, of its FHIR rendering. A row that
was written before has the whole truth in `attributes` and nothing in `whole`; its renderings are as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
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
_AS_THEY_ARE = ("title", "submittedFhir")
_MAKERS = ("author", "source")
_OF_A_MAKER = ("resourceType", "id", "identifier", "name", "deviceName", "practitioner")


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
    institutions = [found for one in attributes.get("author", ()) if (found := one.get("authorInstitution"))]
    if institutions:
        yield "author", [{"authorInstitution": found} for found in institutions]
    shown = {} if fhir is None else _makers(orjson.loads(fhir))
    if shown:
        yield "shown", shown


def _makers(resource: Mapping[str, Any]) -> dict[str, Any]:
    """`author` or `source` of a resource, and what it contains of them and of the persons whose roles they are."""
    shown = {name: resource[name] for name in _MAKERS if name in resource}
    contained = {f"#{one.get('id')}": one for one in resource.get("contained", ())}
    wanted = [
        one for maker in shown.values() for one in _found(contained, maker if isinstance(maker, list) else [maker])
    ]
    wanted += _found(contained, [one["practitioner"] for one in wanted if "practitioner" in one])
    if wanted:
        each = {one["id"]: {name: one[name] for name in _OF_A_MAKER if name in one} for one in wanted}
        shown["contained"] = list(each.values())
    return shown


def _found(contained: Mapping[str, Any], references: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [contained[name] for one in references if (name := one.get("reference")) in contained]


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
    """`author` or `source` and `contained` of the FHIR rendering, as the text of a JSON object."""

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
