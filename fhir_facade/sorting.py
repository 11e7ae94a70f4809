"""In which order a search is answered, and how its next page is named. FHIR R4 3.1.1.5.1."""

import re
from collections.abc import Mapping, Sequence

from fhir_facade.operation_outcome import bad_request
from registry.criteria import Order, Page, SortKey

# Name of the parameter -> attribute that it sorts by.
SORTS: Mapping[str, Mapping[str, str]] = {
    "DocumentReference": {
        "date": "creation_time",
        "creation": "creation_time",
        "period": "service_start_time",
        "period-start": "service_start_time",
        "period-end": "service_stop_time",
        "_lastUpdated": "last_updated",
        "_id": "logical_id",
    },
    "List": {"date": "submission_time", "_lastUpdated": "last_updated", "_id": "logical_id"},
}
_PLACE = re.compile(r"(\d{1,18})((?:~[0-9a-z:.-]*)*)\Z")


def read_sort(resource: str, parameters: Sequence[tuple[str, str]]) -> tuple[SortKey, ...]:
    """What `_sort` asks for, `-` before what descends. Raises FhirProblem 400 for what is not sorted by."""
    given = [value for name, value in parameters if name == "_sort"]
    if len(given) > 1:
        raise bad_request("_sort: expected it once, its keys separated by commas", expression="_sort")
    return tuple(_key(resource, text) for value in given for text in value.split(","))


def _key(resource: str, text: str) -> SortKey:
    attribute = SORTS[resource].get(text.strip().removeprefix("-"))
    if attribute is None:
        sentence = f"_sort: expected one of {', '.join(SORTS[resource])}, each with - before it or not"
        raise bad_request(sentence, code="not-supported", expression="_sort")
    return SortKey(attribute=attribute, descending=text.strip().startswith("-"))


def read_page(parameters: Sequence[tuple[str, str]], sort: tuple[SortKey, ...], *, size: int) -> Page:
    """The page behind the object that `_after` names, newest registration first where nothing else is asked for."""
    given = [value for name, value in parameters if name == "_after"]
    if not given:
        return Page(size=size, order=Order.NEWEST, sort=sort)
    match = _PLACE.match(given[0]) if len(given) == 1 else None
    behind = tuple(match[2].split("~")[1:]) if match is not None else ()
    if match is None or len(behind) != len(sort):
        raise bad_request("_after: expected that of a next link, with its _sort", expression="_after")
    return Page(size=size, after=int(match[1]), order=Order.NEWEST, sort=sort, behind=behind)


def place_of(object_key: int, values: Sequence[str]) -> str:
    """What `_after` is in the link to the page behind an object with these values."""
    return "~".join([str(object_key), *values])
