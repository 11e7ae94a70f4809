"""A search of any resource type, answered page by page. FHIR R4 3.1.1; MHD 2:3.66, 2:3.67."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from access_policy.caller import Caller
from access_policy.visibility import Purpose
from fhir_facade.fhir_json import read_own_json
from fhir_facade.included import included
from fhir_facade.newest import current
from fhir_facade.operation_outcome import bad_request, not_found
from fhir_facade.patients import Patients
from fhir_facade.rendered import find_rendered, refers
from fhir_facade.search import ReadSearch
from fhir_facade.search_set import entries_of, frame, included_entries, search_set
from fhir_facade.search_shape import SHAPING, Shape, read_shape
from fhir_facade.shared_elements import BASE_URL
from fhir_facade.sorting import place_of, read_page, read_sort
from registry.criteria import Criteria, Found, Page
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
    result = _NOTHING
    if not search.finds_nothing:
        with registry.seen_by(patients.caller, Purpose.METADATA) as snapshot:
            result = _first_page(snapshot, resource, search.criteria, page, shape, patients) or _page(
                snapshot, resource, search.criteria, page, shape, patients
            )
    return search_set(
        resource,
        result.entries,
        total=result.total,
        base_url=patients.base_url,
        applied=(*search.applied, *(one for one in parameters if one[0] in (*SHAPING, "_sort"))),
        next_after=result.next_after,
        count=size,
    )


class _Result(NamedTuple):
    """The entries of a page, how many matches there are on all pages, and where the next one begins."""

    entries: bytes
    total: int
    next_after: str


_NOTHING = _Result(b"", 0, "")


def _first_page(
    snapshot: Snapshot, resource: str, criteria: Criteria, page: Page, shape: Shape, patients: Patients
) -> _Result | None:
    """Whole resources, newest first, nothing beside or hidden in them: joined by the database. None for others."""
    if page.after is not None or page.sort or page.size == 1 or not shape.is_plain:
        return None
    hides = snapshot.visibility.grants is not None
    if hides and resource == "List":
        return None
    size = (page.size or 0) - 1
    found = snapshot.joined(criteria, size=size, frame=frame(resource, patients.base_url))
    if found is None or (hides and refers(found.octets, criteria.kind)):
        return None
    return _Result(found.octets, found.total, place_of(found.last, ()) if found.total > size else "")


def _page(
    snapshot: Snapshot, resource: str, criteria: Criteria, page: Page, shape: Shape, patients: Patients
) -> _Result:
    """Any page, resource by resource: parts of them, in any order, with others beside them."""
    size, place = (page.size or 0) - 1, ""
    found = find_rendered(snapshot, criteria, page) if size else ()
    total = _total(snapshot, criteria, found, size=size, is_first=page.after is None)
    if len(found) > size > 0:
        place = place_of(found[size - 1].object_key, snapshot.sorted_by(page.sort, found[size - 1]))
    shown = found[:size]
    beside = tuple(included(snapshot, shown, shape, patients, _subjects(shown))) if shape.is_including else ()
    if shape.is_partial:
        shown = tuple(one._replace(rendering=shape.shown(resource, one.rendering)) for one in shown)
    entries = entries_of(shown, frame(resource, patients.base_url))
    return _Result(b"".join((entries, *included_entries(beside, patients.base_url))), total, place)


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
