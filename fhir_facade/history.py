"""The versions of a DocumentReference or List that the registry keeps: history and vread. FHIR R4 3.1.0.3, 3.1.0.12.

Each is as the registry has it now: a former version is Deprecated there, which is `superseded` here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from access_policy.caller import Caller
from access_policy.visibility import Purpose
from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.newest import current
from fhir_facade.operation_outcome import FhirProblem, bad_request, not_found
from fhir_facade.rendered import find_rendered
from fhir_facade.searching import DEFAULT_COUNT, MAX_COUNT, number
from fhir_facade.shared_elements import BASE_URL
from fhir_facade.times import search_range, to_date_time
from fhir_facade.version_tags import version_tag
from registry.criteria import Criteria
from registry.snapshot import Snapshot
from registry.store import Registry
from xds.datatypes import DTM
from xds.identifiers import UUID_PREFIX, is_uuid_urn
from xds.metadata import DocumentEntry, Folder, RegistryObject, SubmissionSet

_CHANGED_BY = {"DocumentReference": "PATCH", "List": "PUT"}
_PARAMETERS = ("_count", "_since", "_before", "_format", "_pretty", "_summary", "_elements")
Resource = dict[str, Any]
KINDS: Mapping[str, tuple[type[RegistryObject], ...]] = {
    "DocumentReference": (DocumentEntry,),
    "List": (SubmissionSet, Folder),
}


def vread(registry: Registry, fhir_id: str, caller: Caller, *, resource: str, version_id: str, base_url: str) -> bytes:
    """One version. Raises FhirProblem 404 when unknown or not visible, 410 when it is one that was deleted."""
    for version in _versions(registry, resource, fhir_id, caller, base_url):
        if version["meta"]["versionId"] == version_id:
            if version["status"] == "entered-in-error":
                raise FhirProblem(410, "deleted", "the document was deleted")
            return write_json(version)
    raise not_found()


def history(
    registry: Registry,
    resource: str,
    fhir_id: str,
    parameters: Sequence[tuple[str, str]],
    caller: Caller,
    *,
    base_url: str,
) -> bytes:
    """The Bundle of the versions that the caller may see, newest first, `_count` of them in a page.

    `_since` leaves out what was last changed before. Raises FhirProblem 400, 404.
    """
    _check(parameters)
    versions = _versions(registry, resource, fhir_id, caller, base_url)
    if not versions:
        raise not_found()
    since, before = _since(parameters), number(parameters, "_before")
    counted = [one for one in versions if one["meta"]["lastUpdated"] >= since]
    asked = number(parameters, "_count")
    count = DEFAULT_COUNT if asked is None else min(asked, MAX_COUNT)
    left = [one for one in counted if before is None or int(one["meta"]["versionId"]) < before]
    address = f"{base_url}/{resource}/{versions[0]['id']}/_history"
    kept = [f"{name}={value}" for name, value in parameters if name in ("_since", "_count")]
    links = [{"relation": "self", "url": "?".join([address, *(["&".join(kept)] if kept else [])])}]
    if 0 < count < len(left):
        after = [*kept, f"_before={left[count - 1]['meta']['versionId']}"]
        links.append({"relation": "next", "url": f"{address}?{'&'.join(after)}"})
    bundle = {"resourceType": "Bundle", "type": "history", "total": len(counted), "link": links}
    entries = [_entry(one, base_url) for one in left[:count]]
    return write_json(bundle | ({"entry": entries} if entries else {}))


def _versions(registry: Registry, resource: str, fhir_id: str, caller: Caller, base_url: str) -> list[Resource]:
    """Those of one object that may be seen, newest first, by its logical id or the entryUUID of any of them."""
    uuid = f"{UUID_PREFIX}{fhir_id}"
    if not is_uuid_urn(uuid):
        raise not_found()
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        found = [
            read_own_json(one.replace(BASE_URL, base_url.encode()).decode())
            for one in _stored(snapshot, KINDS[resource], uuid)
        ]
    return sorted(found, key=lambda one: int(one["meta"]["versionId"]), reverse=True)


def _stored(snapshot: Snapshot, kinds: Sequence[type[RegistryObject]], uuid: str) -> list[bytes]:
    for kind in kinds:
        newest = current(snapshot, kind, uuid)
        if newest is not None:
            criteria = Criteria(kind=kind, logical_ids=(newest.logical_id,), on_demand=True, all_versions=True)
            return [one.rendering for one in find_rendered(snapshot, criteria)]
    return []


def _check(parameters: Sequence[tuple[str, str]]) -> None:
    for name, _ in parameters:
        if name not in _PARAMETERS:
            raise bad_request(f"{name} is not supported in a history", code="not-supported", expression=name)


def _since(parameters: Sequence[tuple[str, str]]) -> str:
    """As the instant that versions are compared with; empty for all of them."""
    for name, value in parameters:
        if name == "_since":
            try:
                return to_date_time(DTM(search_range(value)[0]))
            except ValueError as problem:
                raise bad_request(f"_since: {problem}", expression="_since") from None
    return ""


def _entry(resource: Resource, base_url: str) -> Resource:
    """A version and how it came about: the first by a submission, the others by updates. FHIR R4 3.1.0.12"""
    is_first = resource["meta"]["versionId"] == "1"
    kind = resource["resourceType"]
    place, changed = f"{kind}/{resource['id']}", _CHANGED_BY[kind]
    return {
        "fullUrl": f"{base_url}/{place}",
        "resource": resource,
        "request": {"method": "POST", "url": kind} if is_first else {"method": changed, "url": place},
        "response": {
            "status": "201" if is_first else "200",
            "etag": version_tag(resource),
            "lastModified": resource["meta"]["lastUpdated"],
        },
    }
