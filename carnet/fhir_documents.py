"""A document as the answer of ITI-68: the octets, a part of them, or a Binary resource. MHD 2:3.68; RFC 9110: 14."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import flask

from carnet.fhir_formats import FORMATS, JSON, XML, Format, general_parameters, media_types, quality
from fhir_facade import iti68_retrieve_document as iti68
from fhir_facade.operation_outcome import FhirProblem
from repository.blob_store import Octets

HEADERS = {
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
    "Accept-Ranges": "bytes",
    "Vary": "Accept",
}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")
_CDA = frozenset({"text/xml", "application/xml"})  # two names of one type, both in use. PDSm 6


def document_answer(fhir_id: str, document: iti68.RetrievedDocument) -> flask.Response:
    """The document as stored; a Binary resource only for who asks for FHIR and not for its own type.

    Raises FhirProblem 406 where nothing that is accepted can be given; its octets are closed then.
    """
    headers = {**HEADERS, "ETag": document.etag}
    if _has_it(document.etag):
        document.octets.close()
        return flask.Response(status=304, headers=headers)
    named = general_parameters().get("_format", "").replace(" ", "+").lower()
    form = resource_wanted(document, flask.request.headers.get("Accept", ""), named)
    if form is not None:
        body = iti68.binary_resource(fhir_id, document, as_xml=form is XML)
        return flask.Response(body, headers=headers, content_type=form.content_type)
    part = _part(document)
    if part is None:
        headers["Content-Length"] = str(document.size)
        return flask.Response(document.octets, headers=headers, content_type=document.mime_type)
    headers["Content-Range"] = f"bytes {part.first}-{part.last}/{document.size}"
    headers["Content-Length"] = str(part.last - part.first + 1)
    return flask.Response(part, status=206, headers=headers, content_type=document.mime_type)


def _has_it(etag: str) -> bool:
    """If-None-Match names the entity tag, or any. RFC 9110: 13.1.2"""
    named = [one.strip().removeprefix("W/") for one in flask.request.headers.get("If-None-Match", "").split(",")]
    return etag in named or "*" in named


def resource_wanted(document: iti68.RetrievedDocument, accept: str, named: str = "") -> Format | None:
    """FHIR where `_format` (`named`) or Accept wants that and not the document itself; None for the document.

    Raises FhirProblem 406 where neither is; its octets are closed then.
    """
    kind = document.mime_type.partition(";")[0].strip().lower()
    if named in FORMATS and kind != named:
        return FORMATS[named]
    names = _CDA if kind in _CDA else frozenset({kind})
    best: tuple[float, Format | None] = (0.0, None)
    for name, parameters in media_types(accept or "*/*"):
        weight = quality(parameters.get("q", "1"))
        if weight <= best[0]:
            continue
        if name in names or name in ("*/*", "*", f"{kind.partition('/')[0]}/*"):
            best = (weight, None)
        elif name in (JSON.content_type, XML.content_type):
            best = (weight, JSON if name == JSON.content_type else XML)
    if best[0] == 0.0:
        document.octets.close()
        raise FhirProblem(406, "not-supported", f"the document is {document.mime_type}, which is not accepted")
    return best[1]


@dataclass(slots=True, kw_only=True)
class _Part:
    """The octets from `first` to `last`; the document is checked from its beginning all the same."""

    octets: Octets
    first: int
    last: int

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        for chunk in self.octets:
            start, end = max(self.first - at, 0), self.last + 1 - at
            at += len(chunk)
            if chunk[start:end]:
                yield chunk[start:end]
            if at > self.last:
                break

    def close(self) -> None:
        self.octets.close()


def _part(document: iti68.RetrievedDocument) -> _Part | None:
    """The one range that is asked for; a list of ranges, or one of another document, gets the whole. RFC 9110: 14.2

    Raises FhirProblem 416.
    """
    match = _RANGE.match(flask.request.headers.get("Range", "").replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if flask.request.headers.get("If-Range", document.etag) != document.etag:
        return None
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or document.size), document.size - 1)
    else:
        first, last = max(document.size - int(match[2]), 0), document.size - 1
    if match[1] and match[2] and int(match[2]) < int(match[1]):
        return None
    if first > last:
        document.octets.close()
        sentence = f"Range: the document has {document.size} octets"
        raise FhirProblem(416, "value", sentence, headers={"Content-Range": f"bytes */{document.size}"})
    return _Part(octets=document.octets, first=first, last=last)
