"""Attributes that FHIR cannot hold exactly, beside the elements that say them as well as they can.

An extension of the resource names each of them and gives its value as the registry keeps it, so that XDS -> FHIR ->
XDS loses nothing. Read back, a value counts only as long as the elements still say the same: whoever changes an
element has changed the attribute.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from fhir_facade.fhir_json import first
from xds.ebrim.value_rules import value_rules
from xds.metadata import DocumentEntry, Folder, SubmissionSet
from xds.metadata_json import attributes_of, from_json

URL = "urn:carnet:xds-attributes"
T = TypeVar("T", DocumentEntry, SubmissionSet, Folder)
_KEPT_APART = ("submittedFhir",)


def exact_values(thing: T, read_again: T) -> list[dict[str, Any]]:
    """The extension for the attributes that were not read back from the elements as they are; none where all were."""
    told, again = _attributes(thing), _attributes(read_again)
    names = sorted(name for name in told.keys() | again.keys() if told.get(name) != again.get(name))
    values = [{"url": name, "valueString": orjson.dumps(told.get(name)).decode()} for name in names]
    return [{"url": URL, "extension": values}] if values else []


def with_exact_values(thing: T, resource: Mapping[str, Any], render_and_read: Callable[[T], T]) -> T:
    """What was read from the elements, with the exact values that these elements still stand for.

    `render_and_read` gives what another object would be read as, once it is rendered without this extension.
    """
    exact = _given(resource)
    if not exact:
        return thing
    read = _attributes(thing)
    try:
        wanted = _object(thing, read | exact)
        if any(value_rules(wanted)):
            return thing
        again = _attributes(render_and_read(wanted))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return thing  # what stands there is none of our values
    agreed = {name: value for name, value in exact.items() if again.get(name) == read.get(name)}
    return _object(thing, read | agreed)


def _given(resource: Mapping[str, Any]) -> dict[str, Any]:
    found = first(one for one in resource.get("extension", ()) if one.get("url") == URL)
    try:
        return {one["url"]: orjson.loads(one["valueString"]) for one in found.get("extension", ())}
    except (KeyError, orjson.JSONDecodeError):
        return {}


def _attributes(thing: T) -> dict[str, Any]:
    return {name: value for name, value in attributes_of(thing).items() if name not in _KEPT_APART}


def _object(thing: T, attributes: Mapping[str, Any]) -> T:
    given = {name: value for name, value in attributes.items() if value is not None}
    return from_json(type(thing), orjson.dumps(given))
