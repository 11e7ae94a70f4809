"""What a FHIR client sent, read as far as it can be: which transaction, the resource, the documents in a Bundle.

Never raises, as with SOAP: what is missing or broken is empty here, and a finding of a rule. MHD 4.2.4; FHIR R4.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lxml import etree

from conformance.nist.xml import BadXml, local_name, parse

Resource = Mapping[str, Any]
BASE = "/fhir"
JSON, XML = "application/fhir+json", "application/fhir+xml"
FORM = "application/x-www-form-urlencoded"
SEARCHES = ("ITI-66", "ITI-67")
# Method and path -> transaction; a change is none of IHE's. MHD 2:3.65 to 2:3.68, 2:3.105; PDSm 3.1, flows 3 and 4
_TRANSACTIONS = (
    (r"POST /fhir/?", "ITI-65"),
    (r"POST /fhir/DocumentReference", "ITI-105"),
    (r"PATCH /fhir/DocumentReference(/[^/]+)?", "PATCH"),
    (r"(GET /fhir/List|POST /fhir/List/_search)", "ITI-66"),
    (r"(GET /fhir/DocumentReference|POST /fhir/DocumentReference/_search)", "ITI-67"),
    (r"GET /fhir/Binary/[^/]+", "ITI-68"),
)
TRANSACTIONS = tuple(name for _, name in _TRANSACTIONS)


def transaction_of(method: str, target: str, media: str = "") -> str:
    """`ITI-65` to `ITI-68`, `ITI-105`, `PATCH`; empty for what is none of them. A form sent to a type is a search."""
    is_search = method == "POST" and media == FORM and not target.endswith("_search")
    asked = f"{method} {urlsplit(target).path}{'/_search' if is_search else ''}"
    return next((name for pattern, name in _TRANSACTIONS if re.fullmatch(pattern, asked)), "")


def parameters_of(target: str, body: bytes) -> list[tuple[str, str]]:
    """Of a search, from its address and from its form."""
    form = body.decode("utf-8", "replace")
    return [*parse_qsl(urlsplit(target).query, keep_blank_values=True), *parse_qsl(form, keep_blank_values=True)]


def resource_of(octets: bytes, media: str) -> Resource:
    """A resource in JSON or XML; empty when it is none."""
    try:
        found = _from_xml(parse(octets)) if media.endswith("xml") else json.loads(octets)
    except (ValueError, RecursionError, BadXml):
        return {}
    return found if isinstance(found, dict) else {}


def _from_xml(element: etree._Element) -> dict[str, Any]:
    """Every element a list of values, so that what occurs once and what repeats is asked for alike. FHIR R4 2.6.1"""
    return {"resourceType": local_name(element), **_children(element)}


def _children(element: etree._Element) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in element.attrib.items() if name in ("url", "id")}
    for child in element.iterchildren("*"):
        name = local_name(child)
        found.setdefault(name, []).append(value_of(child))
    return found


def value_of(child: etree._Element) -> Any:
    """Of a primitive its text, of other elements what is in them."""
    if local_name(child) in ("resource", "contained") and len(child):
        return _from_xml(child[0])
    return child.get("value") if "value" in child.attrib else _children(child)


def each(value: Any, path: str) -> list[Any]:
    """Every value on a path of names, `content.attachment.url`, whatever repeats on the way."""
    found = _flat(value)
    for name in path.split("."):
        found = [each_one for one in found if isinstance(one, Mapping) for each_one in _flat(one.get(name))]
    return found


def first(value: Any, path: str) -> str:
    """The first value on a path as text; empty without one."""
    found = each(value, path)
    return "" if not found or isinstance(found[0], Mapping) else str(found[0])


def _flat(value: Any) -> list[Any]:
    if value is None:
        return []
    return [each_one for one in value for each_one in _flat(one)] if isinstance(value, list) else [value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """An entry of a Bundle: `at` says where, `full_url` and `request` as they were given."""

    at: str
    full_url: str
    method: str
    url: str
    resource: Resource

    @property
    def kind(self) -> str:
        return first(self.resource, "resourceType")


def provided(bundle: Resource) -> list[Provided]:
    """The entries of a Bundle; a DocumentReference that is sent alone [ITI-105] is one."""
    if first(bundle, "resourceType") == "DocumentReference":
        alone = "DocumentReference"
        return [Provided(at=alone, full_url="", method="POST", url=alone, resource=bundle)]
    return [
        Provided(
            at=f"Bundle.entry[{number}]",
            full_url=first(one, "fullUrl"),
            method=first(one, "request.method"),
            url=first(one, "request.url"),
            resource=next(iter(each(one, "resource")), {}),
        )
        for number, one in enumerate(each(bundle, "entry"))
        if isinstance(one, Mapping)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """A document of a submission: octets as they were sent, and what its entry calls it."""

    unique_id: str
    mime_type: str
    place: str
    content: bytes | None


def fed_documents(bundle: Resource) -> Iterator[tuple[Provided, Fed]]:
    """DocumentReferences with the octets in their attachment, or of the Binary that it names; None without."""
    entries = provided(bundle)
    binaries = {one.full_url: one.resource for one in entries if one.kind == "Binary"}
    for one in entries:
        if one.kind == "DocumentReference":
            inside = first(one.resource, "content.attachment.data")
            binary = {"data": inside} if inside else binaries.get(first(one.resource, "content.attachment.url"))
            yield (
                one,
                Fed(
                    unique_id=first(one.resource, "masterIdentifier.value").removeprefix("urn:oid:"),
                    mime_type=first(one.resource, "content.attachment.contentType"),
                    place=one.at,
                    content=None if binary is None else octets_of(first(binary, "data")),
                ),
            )


def octets_of(text: str) -> bytes:
    """Of base64Binary; nothing where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def ins_of(subject: Any) -> tuple[str, str]:
    """System and value of a patient named by identifier, or by a search; empty for other references."""
    system, value = first(subject, "identifier.system"), first(subject, "identifier.value")
    if not value:
        _, _, query = first(subject, "reference").partition("Patient?identifier=")
        system, _, value = query.rpartition("|")
    return system, value


def bearer_assertion(authorization: str) -> etree._Element | None:
    """The assertion in a token of HTTP, base64url; None for a JWT or none. IUA 3.72, SAML Token option"""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or "." in token:
        return None
    try:
        return parse(base64.urlsafe_b64decode(token.strip() + "=" * (-len(token.strip()) % 4)))
    except (binascii.Error, ValueError, BadXml):
        return None
