"""The Bundle of ITI-65: which entries it has, on which level of metadata; rules of the whole. MHD 2:3.65.4.1.2."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fhir_facade.fhir_json import texts_of
from fhir_facade.issues import Issue
from fhir_facade.profile_rules import (
    COMPREHENSIVE_FOLDER,
    DOCUMENT_REFERENCE,
    FOLDER,
    SUBMISSION_SET,
    Level,
    Row,
    profile_rules,
)
from fhir_facade.read_list import list_code
from fhir_facade.reader import identifier_kind
from xds.identifiers import OID_PREFIX, UUID_PREFIX

_PROFILE = "profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD."
_PDSM = "interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/"
_LEVELS = {
    f"{_PROFILE}Minimal.ProvideBundle": Level.MINIMAL,
    f"{_PROFILE}UnContained.Comprehensive.ProvideBundle": Level.UNCONTAINED,
    f"{_PROFILE}Comprehensive.ProvideBundle": Level.COMPREHENSIVE,
    f"{_PDSM}pdsm-comprehensive-provide-document-bundle": Level.PDSM,
}
MOST_ENTRIES = 2000
# FHIR R4 3.1.0.11.2
CONDITIONS = ("ifNoneMatch", "ifModifiedSince", "ifMatch", "ifNoneExist")
_END = re.compile(r"\Ahttps?://.*/([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})\Z")


class Slice(Enum):
    """What an entry is. MHD 3.65.4.1.2"""

    SUBMISSION_SET = "SubmissionSet"
    DOCUMENT_REFERENCE = "DocumentRefs"
    PATCH = "UpdateDocumentRefs"
    BINARY = "Documents"
    FHIR_DOCUMENT = "FhirDocuments"
    FOLDER = "Folders"
    PATIENT = "Patient"


_METHODS = {
    Slice.SUBMISSION_SET: ("POST",),
    Slice.DOCUMENT_REFERENCE: ("POST",),
    Slice.PATCH: ("PATCH",),
    Slice.BINARY: ("POST",),
    Slice.FHIR_DOCUMENT: ("POST",),
    Slice.FOLDER: ("POST", "PUT"),
    Slice.PATIENT: ("GET", "POST", "PUT"),
}
# A submission is carried out whole: it may be of a version, and a Patient alone may be there already.
_CONDITIONAL = (
    ("ifNoneExist", Slice.PATIENT, "POST"),
    ("ifMatch", Slice.PATCH, "PATCH"),
    ("ifMatch", Slice.FOLDER, "PUT"),
    ("ifMatch", Slice.PATIENT, "PUT"),
)
_PROFILES: Mapping[Slice, Sequence[Row]] = {
    Slice.SUBMISSION_SET: SUBMISSION_SET,
    Slice.DOCUMENT_REFERENCE: DOCUMENT_REFERENCE,
    Slice.FOLDER: FOLDER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleEntry:
    """One entry: where it stands, what it is, what it asks for."""

    number: int
    slice: Slice | None
    full_url: str
    method: str
    url: str
    resource: Mapping[str, Any]
    conditions: Mapping[str, str]

    @property
    def at(self) -> str:
        return f"Bundle.entry[{self.number}].resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvideBundle:
    """The entries in their order, and by what a reference may call them; the level on which they are checked."""

    level: Level
    entries: tuple[BundleEntry, ...]
    by_full_url: Mapping[str, BundleEntry]

    def of(self, *slices: Slice) -> tuple[BundleEntry, ...]:
        return tuple(one for one in self.entries if one.slice in slices)


def read_provide_bundle(bundle: Mapping[str, Any], issues: list[Issue]) -> ProvideBundle:
    """The Bundle, which is structurally sound; what breaks a rule of MHD is added to the issues."""
    level = _level(bundle)
    if bundle["type"] != "transaction":
        issues.append(Issue("value", f"found a Bundle of type {bundle['type']}, expected transaction", "Bundle.type"))
    if level is None:
        sentence = (
            "found no profile of a Provide Document Bundle of MHD 4, expected "
            "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Minimal.ProvideBundle, "
            "Comprehensive.ProvideBundle or UnContained.Comprehensive.ProvideBundle, or that of PDSm"
        )
        issues.append(Issue("value", sentence, "Bundle.meta.profile"))
    entries = tuple(_entry(number, one) for number, one in enumerate(bundle.get("entry", ())))
    read = ProvideBundle(
        level=Level.MINIMAL if level is None else level, entries=entries, by_full_url=_by_full_url(entries)
    )
    issues += _bundle_rules(read)
    for entry in entries:
        issues += _entry_rules(entry, read.level)
    return read


def _level(bundle: Mapping[str, Any]) -> Level | None:
    """The strictest level named, `http:` and `https:` alike."""
    profiles = (one.partition("|")[0].partition("://")[2] for one in texts_of(bundle.get("meta", {}), "profile"))
    return max((_LEVELS[one] for one in profiles if one in _LEVELS), default=None)


def _entry(number: int, entry: Mapping[str, Any]) -> BundleEntry:
    request, resource = entry.get("request", {}), entry.get("resource", {})
    method = request.get("method", "")
    return BundleEntry(
        number=number,
        slice=_slice(resource, request),
        full_url=entry.get("fullUrl", ""),
        method=method,
        url=request.get("url", ""),
        resource=resource,
        conditions={name: request[name] for name in CONDITIONS if name in request},
    )


def _by_full_url(entries: Sequence[BundleEntry]) -> dict[str, BundleEntry]:
    """Of a URL its end too, `Binary/1`. FHIR R4 2.36.4.1"""
    named = {one.full_url: one for one in entries if one.full_url}
    ends = ((_END.search(url), one) for url, one in named.items())
    return {match[1]: one for match, one in ends if match is not None} | named


def _slice(resource: Mapping[str, Any], request: Mapping[str, Any]) -> Slice | None:
    name = resource.get("resourceType", "")
    if name == "List":
        return {"submissionset": Slice.SUBMISSION_SET, "folder": Slice.FOLDER}.get(list_code(resource))
    if name == "Bundle":
        return Slice.FHIR_DOCUMENT if resource.get("type") == "document" else None
    if not name and request.get("method") == "GET" and request.get("url", "").startswith("Patient"):
        return Slice.PATIENT
    return {
        "DocumentReference": Slice.DOCUMENT_REFERENCE,
        "Parameters": Slice.PATCH,
        "Binary": Slice.BINARY,
        "Patient": Slice.PATIENT,
    }.get(name)


def _bundle_rules(bundle: ProvideBundle) -> Iterator[Issue]:
    """R1, R2, R8 of what a Provide Document Bundle must hold, and a bound on its entries."""
    sets = len(bundle.of(Slice.SUBMISSION_SET))
    if sets != 1:
        sentence = f"found {sets} Lists with the code submissionset, expected exactly one"
        yield Issue("required" if not sets else "structure", sentence, "Bundle.entry")
    if not bundle.of(Slice.DOCUMENT_REFERENCE):
        yield Issue("required", "found no DocumentReference, expected at least one", "Bundle.entry")
    if len(bundle.entries) > MOST_ENTRIES:
        yield Issue(
            "too-costly", f"found {len(bundle.entries)} entries, expected at most {MOST_ENTRIES}", "Bundle.entry"
        )
    full_urls = Counter(one.full_url for one in bundle.entries if one.full_url)
    for entry in bundle.entries:
        if full_urls[entry.full_url] > 1:
            yield Issue("invariant", "found the same fullUrl twice", f"Bundle.entry[{entry.number}].fullUrl")
    named = Counter(
        one.resource.get("masterIdentifier", {}).get("value") for one in bundle.of(Slice.DOCUMENT_REFERENCE)
    )
    for entry in bundle.of(Slice.DOCUMENT_REFERENCE):
        value = entry.resource.get("masterIdentifier", {}).get("value")
        if value is not None and named[value] > 1:
            yield Issue(
                "invariant", "found the same masterIdentifier twice in the Bundle", f"{entry.at}.masterIdentifier"
            )


def _entry_rules(entry: BundleEntry, level: Level) -> Iterator[Issue]:
    if entry.slice is None:
        yield Issue("not-supported", "found an entry that a Provide Document Bundle does not have", entry.at)
        return
    if entry.method not in _METHODS[entry.slice]:
        expected = " or ".join(_METHODS[entry.slice])
        sentence = f"found the method {entry.method or 'none'}, expected {expected}"
        yield Issue("value", sentence, f"Bundle.entry[{entry.number}].request.method")
    for name in entry.conditions:
        if (name, entry.slice, entry.method) not in _CONDITIONAL:
            sentence = "found a condition, expected an entry that is carried out: a Patient may be there already, an "
            sentence += "update of a version"
            yield Issue("not-supported", sentence, f"Bundle.entry[{entry.number}].request.{name}")
    yield from profile_rules(_PROFILES.get(entry.slice, ()), level, entry.resource, entry.at)
    if entry.slice is Slice.SUBMISSION_SET:
        yield from _submission_set_rules(entry)
    if entry.slice is Slice.DOCUMENT_REFERENCE:
        yield from _document_reference_rules(entry)
    if entry.slice is Slice.FOLDER and level is not Level.MINIMAL:
        for found in profile_rules(COMPREHENSIVE_FOLDER, level, entry.resource, entry.at):
            yield found._replace(severity="warning")


def _submission_set_rules(entry: BundleEntry) -> Iterator[Issue]:
    """R3: a uniqueId; and the status of something new."""
    identifiers = entry.resource.get("identifier", ())
    if not any(identifier_kind(one) == "uniqueId" and one.get("value") for one in identifiers):
        sentence = f"found no identifier that is the uniqueId ({OID_PREFIX}…), expected exactly one"
        yield Issue("required", sentence, f"{entry.at}.identifier")
    if entry.resource.get("status") != "current":
        yield Issue("value", "expected current for a new SubmissionSet", f"{entry.at}.status")


def _document_reference_rules(entry: BundleEntry) -> Iterator[Issue]:
    if entry.resource.get("status") != "current":
        yield Issue("value", "expected current for a new DocumentReference", f"{entry.at}.status")


def unresolved(bundle: ProvideBundle) -> Iterator[Issue]:
    """R4, R5: a `urn:uuid:` or `urn:oid:` that is no entry, a `#id` that is not contained."""
    known = bundle.by_full_url.keys()
    for entry in bundle.entries:
        if entry.slice is Slice.FHIR_DOCUMENT:
            continue
        contained = {f"#{one.get('id')}" for one in entry.resource.get("contained", ())} | {"#"}
        for text, path in references_of(entry.resource, entry.at):
            if text.startswith("#") and text not in contained:
                yield Issue("not-found", "found a reference to a contained resource that is not there", path)
            elif text.startswith((UUID_PREFIX, OID_PREFIX)) and text not in known:
                yield Issue("not-found", "found a reference to an entry that the Bundle does not have", path)


def references_of(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(text, FHIRPath) of every Reference and of the URL of every attachment."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from references_of(one, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, one in value.items():
            if name == "reference" and isinstance(one, str):
                yield one, f"{path}.reference"
            elif name == "attachment" and isinstance(one, dict) and isinstance(one.get("url"), str):
                yield one["url"], f"{path}.attachment.url"
            else:
                yield from references_of(one, f"{path}.{name}")


def says_superseded(parameters: Mapping[str, Any]) -> bool:
    """Whether Parameters are the one update of a stored document that MHD has. MHD 2:3.65.4.1.2.2"""
    operations = parameters.get("parameter", ())
    if len(operations) != 1 or operations[0].get("name") != "operation":
        return False
    said = {}
    for part in operations[0].get("part", ()):
        values = [value for name, value in part.items() if name.startswith("value")]
        said[part.get("name")] = values[0] if len(values) == 1 else None
    return said == {"type": "replace", "path": "DocumentReference.status", "value": "superseded"}
