"""A searchset joined from stored bytes: no resource is rebuilt. FHIR R4 3.1.1.5."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

import orjson

from fhir_facade.included import Included
from fhir_facade.shared_elements import BASE_URL, fhir_id
from registry.criteria import Found


def search_set(
    resource: str,
    found: Sequence[Found],
    *,
    total: int,
    base_url: str,
    applied: Sequence[tuple[str, str]],
    next_after: str,
    count: int,
    beside: Sequence[Included] = (),
) -> bytes:
    """The Bundle as JSON. `applied` are the parameters that the self link shows; `next_after` is the place of
    the last one shown, empty on the last page; `beside` is no match."""
    address = f"{base_url}/{resource}?"
    shown = [*applied, ("_count", str(count))]
    links = [{"relation": "self", "url": address + _encoded(shown)}]
    if next_after:
        links.append({"relation": "next", "url": address + _encoded([*shown, ("_after", next_after)])})
    head = b'{"resourceType":"Bundle","type":"searchset","total":%d,"link":%s' % (total, orjson.dumps(links))
    if not found:
        return head + b"}"
    base, name = base_url.encode(), resource.encode()
    entries = b",".join(
        b'{"fullUrl":"%s/%s/%s","resource":%s,"search":{"mode":"match"}}'
        % (base, name, fhir_id(one.logical_id).encode(), one.rendering)
        for one in found
    )
    for one in beside:
        place = f'{{"fullUrl":"{base_url}/{one.resource}/{one.fhir_id}","resource":'.encode()
        entries += b"," + place + one.rendering + b',"search":{"mode":"include"}}'
    return head + b',"entry":[' + entries.replace(BASE_URL, base) + b"]}"


def _encoded(parameters: Sequence[tuple[str, str]]) -> str:
    return urlencode(parameters, quote_via=quote, safe=":|,./~")
