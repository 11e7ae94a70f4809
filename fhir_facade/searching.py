"""A search of any resource type, answered page by page. FHIR R4 3.1.1; MHD 2:3.66, 2:3.67."""

from collections.abc import Mapping, Sequence
from typing import Any

from access_policy.caller import Caller
from access_policy.visibility import Purpose
from fhir_facade.fhir_json import read_own_json
from fhir_facade.included import Included, included
from fhir_facade.newest import current
from fhir_facade.operation_outcome import bad_request, not_found
from fhir_facade.patients import Patients
from fhir_facade.search import ReadSearch
from fhir_facade.search_set import search_set
from fhir_facade.search_shape import SHAPING, read_shape
from fhir_facade.shared_elements import BASE_URL
from fhir_facade.sorting import place_of, read_page, read_sort
from registry.criteria import Criteria, Form, Found
from registry.snapshot import Snapshot
from registry.store import Registry
from xds.identifiers import UUID_PREFIX, is_uuid_urn
from xds.metadata import RegistryObject

DEFAULT_COUNT, MAX_COUNT = 50, 500


def answer(
    registry: Registry,
    resource: str,
    search: ReadSearch,
    parameters: Sequence[tuple[str, str]],
    patients: Patients,
) -> bytes:
    """The searchset of what the caller may see, as `_sort` says, else newest registration first. Raises FhirProblem.

    `Bundle.total` is exact and counts every page. A page goes on behind the last object of the one before, so that
    nothing is shown twice or left out whatever is written meanwhile.
    """
    count, sort = number(parameters, "_count"), read_sort(resource, parameters)
    shape = read_shape(resource, parameters)
    size = 0 if shape.counts_only else DEFAULT_COUNT if count is None else min(count, MAX_COUNT)
    page = read_page(parameters, sort, size=size + 1)
    found, beside, total, place = tuple[Found, ...](), tuple[Included, ...](), 0, ""
    if not search.finds_nothing:
        with registry.seen_by(patients.caller, Purpose.METADATA) as snapshot:
            found = snapshot.find(search.criteria, page, Form.FHIR) if size else ()
            total = _total(snapshot, search.criteria, found, size=size, is_first=page.after is None)
            if len(found) > size > 0:
                place = place_of(found[size - 1].object_key, snapshot.sorted_by(sort, found[size - 1]))
            if shape.includes or shape.reverse_includes:
                beside = tuple(included(snapshot, found[:size], shape, patients, _subjects(found[:size])))
    shown = found[:size]
    if shape.is_partial:
        found_parts = (one._replace(rendering=shape.shown(resource, one.rendering)) for one in shown)
        shown = tuple(found_parts)
    return search_set(
        resource,
        shown,
        total=total,
        base_url=patients.base_url,
        applied=(*search.applied, *(one for one in parameters if one[0] in (*SHAPING, "_sort"))),
        next_after=place,
        count=size,
        beside=beside,
    )


def _subjects(found: Sequence[Found]) -> list[Mapping[str, Any]]:
    return [subject for one in found if (subject := read_own_json(one.rendering.decode()).get("subject"))]


def _total(snapshot: Snapshot, criteria: Criteria, found: Sequence[Found], *, size: int, is_first: bool) -> int:
    """What was found is all there is where it fits the first page."""
    return len(found) if is_first and 0 < len(found) <= size else snapshot.count(criteria)


def read(
    registry: Registry, kinds: Sequence[type[RegistryObject]], fhir_id: str, caller: Caller, *, base_url: str
) -> bytes:
    """The current version of one resource, by its logical id or by the entryUUID of any version.

    Raises FhirProblem 404 when unknown or not visible.
    """
    uuid = f"{UUID_PREFIX}{fhir_id}"
    if not is_uuid_urn(uuid):
        raise not_found()
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        for kind in kinds:
            found = current(snapshot, kind, uuid)
            if found is not None:
                return found.rendering.replace(BASE_URL, base_url.encode())
    raise not_found()


def number(parameters: Sequence[tuple[str, str]], name: str) -> int | None:
    values = [value for key, value in parameters if key == name]
    if not values:
        return None
    if len(values) > 1 or not (values[0].isascii() and values[0].isdigit()) or len(values[0]) > 18:
        raise bad_request(f"{name}: expected one whole number", expression=name)
    return int(values[0])
