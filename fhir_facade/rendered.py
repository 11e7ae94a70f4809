"""Resources as one reader may see them: a reference to what may not be seen is not there either. DMP 12; MHD 2:3.67

Renderings are stored once for all readers, and say what a document relates to and what a List has. ebRIM says that by
associations, which are hidden with either of their ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fhir_facade.fhir_json import read_own_json, write_json
from registry.criteria import ALL, Criteria, Form, Found, Page
from registry.snapshot import Snapshot
from xds.identifiers import UUID_PREFIX
from xds.metadata import DocumentEntry, Folder, RegistryObject

# Within a string of JSON the quotes would stand behind backslashes. Looking for both would take twice as long: half a
# millisecond more for 200 documents.
_OF_DOCUMENT, _OF_LIST = b'"relatesTo":[', b'"entry":['
_KINDS: Mapping[str, type[RegistryObject]] = {"DocumentReference": DocumentEntry, "List": Folder}


def find_rendered(snapshot: Snapshot, criteria: Criteria, page: Page = ALL) -> tuple[Found, ...]:
    """What is found, with its FHIR rendering for this reader; URLs carry the placeholder."""
    found = snapshot.find(criteria, page, Form.FHIR)
    if snapshot.visibility.grants is None:
        return found
    referring = (one for one in found if refers(one.rendering, criteria.kind))
    read = {one.object_key: read_own_json(one.rendering.decode()) for one in referring}
    visible = _visible(snapshot, read.values())
    return tuple(
        one._replace(rendering=write_json(_without_hidden(read[one.object_key], visible)))
        if one.object_key in read
        else one
        for one in found
    )


def refers(renderings: bytes, kind: type[RegistryObject]) -> bool:
    """Whether one of these renderings of objects of this kind refers to others that may have to be hidden."""
    return (_OF_DOCUMENT if kind is DocumentEntry else _OF_LIST) in renderings


def _visible(snapshot: Snapshot, resources: Iterable[Mapping[str, Any]]) -> set[str]:
    """Of all that these refer to, the references that may be told."""
    told = {reference for resource in resources for reference in _references(resource)}
    visible = set()
    for name, kind in _KINDS.items():
        ids = [one.removeprefix(f"{name}/") for one in told if one.startswith(f"{name}/")]
        if ids:
            uuids = tuple(sorted(f"{UUID_PREFIX}{one}" for one in ids))
            wanted = Criteria(kind=kind, entry_uuids=uuids, on_demand=True, all_versions=True)
            found = snapshot.find(wanted, form=Form.REFERENCE)
            visible |= {f"{name}/{one.entry_uuid.removeprefix(UUID_PREFIX)}" for one in found}
    return visible


def _references(resource: Mapping[str, Any]) -> list[str]:
    return [_reference(one) for one in (*resource.get("relatesTo", ()), *resource.get("entry", ()))]


def _reference(part: Mapping[str, Any]) -> str:
    """Of an element of relatesTo, or of the entries of a List."""
    return str((part.get("target") or part["item"])["reference"])


def _without_hidden(resource: Mapping[str, Any], visible: set[str]) -> dict[str, Any]:
    left: dict[str, Any] = {}
    for name, value in resource.items():
        if name in ("relatesTo", "entry"):
            kept: Sequence[Mapping[str, Any]] = [one for one in value if _reference(one) in visible]
            left |= {name: kept} if kept else {}
        else:
            left[name] = value
    return left
