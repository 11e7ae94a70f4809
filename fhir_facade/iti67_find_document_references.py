"""Find Document References [ITI-67], and the read of one DocumentReference. MHD 2:3.67."""

from collections.abc import Sequence

from access_policy.caller import Caller
from access_policy.visibility import Purpose
from fhir_facade.document_reference import BASE_URL
from fhir_facade.operation_outcome import bad_request, not_found
from fhir_facade.search_parameters import read_search
from fhir_facade.search_set import search_set
from registry.criteria import Criteria, Form, Order, Page
from registry.store import Registry
from xds.identifiers import UUID_PREFIX, is_uuid_urn

DEFAULT_COUNT, MAX_COUNT = 50, 500


def handle(
    registry: Registry,
    parameters: Sequence[tuple[str, str]],
    caller: Caller,
    *,
    base_url: str,
    strict: bool = False,
) -> bytes:
    """The searchset of what the caller may see, newest registration first. Raises FhirProblem.

    `Bundle.total` is exact and counts every page.
    """
    search = read_search(parameters, strict=strict)
    count, after = _number(parameters, "_count"), _number(parameters, "_after")
    size = DEFAULT_COUNT if count is None else min(count, MAX_COUNT)
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        page = Page(size=size + 1, after=after, order=Order.NEWEST)
        found = snapshot.find(search.criteria, page, Form.FHIR) if size else ()
        is_whole = after is None and 0 < len(found) <= size
        total = len(found) if is_whole else snapshot.count(search.criteria)
    shown = found[:size]
    return search_set(
        shown,
        total=total,
        base_url=base_url,
        applied=search.applied,
        next_after=shown[-1].object_key if len(found) > size else None,
        count=size,
    )


def read(registry: Registry, fhir_id: str, caller: Caller, *, base_url: str) -> bytes:
    """The current version of one DocumentReference. Raises FhirProblem 404 when unknown or not visible."""
    entry_uuid = f"{UUID_PREFIX}{fhir_id}"
    if not is_uuid_urn(entry_uuid):
        raise not_found()
    criteria = Criteria(logical_ids=(entry_uuid,), on_demand=True)
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        found = snapshot.find(criteria, Page(size=1), Form.FHIR)
    if not found:
        raise not_found()
    return found[0].rendering.replace(BASE_URL, base_url.encode())


def _number(parameters: Sequence[tuple[str, str]], name: str) -> int | None:
    values = [value for key, value in parameters if key == name]
    if not values:
        return None
    if len(values) > 1 or not (values[0].isascii() and values[0].isdigit()) or len(values[0]) > 18:
        raise bad_request(f"{name}: expected one whole number", expression=name)
    return int(values[0])
