"""A searchset joined from stored bytes: no resource is rebuilt. FHIR R4 3.1.1.5."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlencode

import orjson

from fhir_facade.included import Included
from fhir_facade.shared_elements import BASE_URL, fhir_id
from registry.criteria import Found, Frame


def frame(resource: str, base_url: str) -> Frame:
    """What stands around the rendering of a match."""
    return Frame(
        before=f'{{"fullUrl":"{base_url}/{resource}/', between='","resource":', behind=',"search":{"mode":"match"}}'
    )


def entries_of(found: Sequence[Found], around: Frame) -> bytes:
    """The matches, each in its frame."""
    before, between, behind = (part.encode() for part in around)
    return b",".join(before + fhir_id(one.logical_id).encode() + between + one.rendering + behind for one in found)


def included_entries(beside: Sequence[Included], base_url: str) -> Iterator[bytes]:
    """What is no match, behind the matches."""
    for one in beside:
        place = f'{{"fullUrl":"{base_url}/{one.resource}/{one.fhir_id}","resource":'.encode()
        yield b"," + place + one.rendering + b',"search":{"mode":"include"}}'


def search_set(
    resource: str,
    entries: bytes,
    *,
    total: int,
    base_url: str,
    applied: Sequence[tuple[str, str]],
    next_after: str,
    count: int,
) -> bytes:
    """The Bundle as JSON. `applied` are the parameters that the self link shows; `next_after` is the place of
    the last one shown, empty on the last page."""
    links = _links(f"{base_url}/{resource}?", applied, next_after, count)
    head = b'{"resourceType":"Bundle","type":"searchset","total":%d,"link":%s' % (total, orjson.dumps(links))
    if not entries:
        return head + b"}"
    pieces = entries.split(BASE_URL)  # faster than `replace`, and the answer is put together once
    pieces[0] = b"".join((head, b',"entry":[', pieces[0]))
    pieces[-1] += b"]}"
    return base_url.encode().join(pieces)


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
