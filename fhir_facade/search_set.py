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
    links = _links(f"{base_url}/{resource}?", applied, next_after, count)
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


def searchset_of(
    resource: str,
    found: Sequence[tuple[str, bytes]],
    *,
    total: int,
    base_url: str,
    applied: Sequence[tuple[str, str]],
    next_after: str,
    count: int,
) -> bytes:
    """The same of (id, resource as JSON) that are rendered for this answer alone."""
    links = _links(f"{base_url}/{resource}?", applied, next_after, count)
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links}
    entries = [
        {"fullUrl": f"{base_url}/{resource}/{name}", "resource": orjson.Fragment(one), "search": {"mode": "match"}}
        for name, one in found
    ]
    return orjson.dumps(bundle | ({"entry": entries} if entries else {}))


def _links(address: str, applied: Sequence[tuple[str, str]], next_after: str, count: int) -> list[dict[str, str]]:
    shown = [*applied, ("_count", str(count))]
    links = [{"relation": "self", "url": address + _encoded(shown)}]
    if next_after:
        links.append({"relation": "next", "url": address + _encoded([*shown, ("_after", next_after)])})
    return links


def _encoded(parameters: Sequence[tuple[str, str]]) -> str:
    return urlencode(parameters, quote_via=quote, safe=":|,./~")
