"""What FHIR submitted and XDS has no place for: kept with the object, and given back as it was sent. ADR 0011.

The resource is kept whole, with a digest of the attributes it was read as. As long as these are the attributes of
the object, what is given back is that resource, but for what the registry owns. Once they changed, what is given back
says the attributes, and beside them the elements that no attribute stands for.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from fhir_facade.archived import archived, archived_values, is_archived, other_extensions
from fhir_facade.fhir_json import read_own_json, without_empty, write_json
from xds.metadata import DocumentEntry, Folder, SubmissionSet
from xds.metadata_json import to_json

T = TypeVar("T", DocumentEntry, SubmissionSet, Folder)
# Attributes that the repository and the registry complete: no change of what was submitted.
_COMPLETED = (
    *("entryUUID", "logicalID", "version", "availabilityStatus", "hash", "size", "repositoryUniqueId"),
    *("lastUpdateTime", "submittedFhir"),
)
# Elements that the registry owns, in either resource.
_OWNED = ("resourceType", "id", "status", "relatesTo", "entry")
# Elements that no attribute stands for.
_FHIR_ONLY = {
    "DocumentReference": ("language", "text", "custodian", "docStatus"),
    "List": ("language", "text", "encounter", "orderedBy"),
}
_OWNED_BY_ATTACHMENT = ("url", "size", "hash")


def keep(thing: T, resource: Mapping[str, Any]) -> T:
    """The object with the resource it was read from."""
    kept = {"of": _digest(thing), "resource": resource}
    return replace(thing, submitted_fhir=write_json(kept).decode())


def as_submitted(thing: DocumentEntry | SubmissionSet | Folder, rendered: dict[str, Any]) -> dict[str, Any]:
    """What is given back of an object that is rendered like this."""
    if thing.submitted_fhir is None:
        return rendered
    kept = read_own_json(thing.submitted_fhir)
    sent: dict[str, Any] = kept["resource"]
    given = _unchanged(sent, rendered) if kept["of"] == _digest(thing) else _changed(sent, rendered)
    return without_empty({"resourceType": rendered["resourceType"], "id": rendered["id"], **given})


def _unchanged(sent: dict[str, Any], rendered: dict[str, Any]) -> dict[str, Any]:
    owned = {name: rendered[name] for name in _OWNED if name in rendered}
    given = {name: value for name, value in sent.items() if name not in _OWNED} | owned
    given["meta"] = {**sent.get("meta", {}), **rendered["meta"]}
    given["extension"] = _extensions(sent, rendered)
    given["identifier"] = [*(_typed(one, rendered) for one in sent.get("identifier", ())), *_further(sent, rendered)]
    if "masterIdentifier" in sent:
        given["masterIdentifier"] = _typed(sent["masterIdentifier"], rendered)
    if "content" in rendered:
        given["content"] = [_content(sent, rendered)]
    elif "date" in rendered and rendered.get("code", {}).get("coding", [{}])[0].get("code") == "folder":
        given["date"] = rendered["date"]
    return given


def _extensions(sent: dict[str, Any], rendered: dict[str, Any]) -> list[Mapping[str, Any]]:
    """As they were sent, but for whether it is archived, which the registry knows."""
    given = sent.get("extension", ())
    if not is_archived(rendered) and not archived_values(given):
        return list(given)
    return [*other_extensions(given), archived(value=is_archived(rendered))]


def _content(sent: dict[str, Any], rendered: dict[str, Any]) -> dict[str, Any]:
    attachment = dict(sent["content"][0]["attachment"])
    attachment.pop("data", None)
    told = rendered["content"][0]["attachment"]
    attachment |= {name: told[name] for name in _OWNED_BY_ATTACHMENT if name in told}
    return {**sent["content"][0], "attachment": attachment}


def _typed(identifier: dict[str, Any], rendered: dict[str, Any]) -> dict[str, Any]:
    """As it was sent, and with the type and use that later versions of MHD tell uniqueId and entryUUID by."""
    same = (one for one in rendered.get("identifier", ()) if one["value"] == identifier.get("value"))
    return next(same, {}) | identifier


def _further(sent: dict[str, Any], rendered: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Identifiers of the registry that were not sent."""
    known = {one.get("value") for one in sent.get("identifier", ())}
    yield from (one for one in rendered.get("identifier", ()) if one["value"] not in known)


def _changed(sent: dict[str, Any], rendered: dict[str, Any]) -> dict[str, Any]:
    name = rendered["resourceType"]
    only = {element: sent[element] for element in _FHIR_ONLY[name] if element in sent}
    named = set(_references(only))
    contained = [one for one in sent.get("contained", ()) if f"#{one.get('id')}" in named]
    taken = {one["id"] for one in rendered.get("contained", ())}
    if any(one["id"] in taken for one in contained):
        only = {element: value for element, value in only.items() if not set(_references(value)) & named}
        contained = []
    return only | rendered | {"contained": [*rendered.get("contained", ()), *contained]}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            if name == "reference" and isinstance(one, str):
                yield one
            else:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def _digest(thing: DocumentEntry | SubmissionSet | Folder) -> str:
    attributes = {name: value for name, value in orjson.loads(to_json(thing)).items() if name not in _COMPLETED}
    return hashlib.sha256(orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)).hexdigest()
