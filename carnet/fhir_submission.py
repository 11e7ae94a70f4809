"""A Bundle made from CDA reports: what `carnet push --fhir` sends. MHD 2:3.65.4.1.2, comprehensive metadata."""

import base64
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from carnet.reports import CONTENT_TYPE, Report, submission_of
from fhir_facade import document_list, document_reference
from xds.datatypes import XON, Code
from xds.metadata import DocumentEntry

PROFILE = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle"
_STRUCTURES = "urn:oid:1.2.250.1.71.4.2.2"
Resource = dict[str, Any]


def bundle_of(
    reports: Sequence[Report],
    *,
    content_type: Code = CONTENT_TYPE,
    replaced: Mapping[str, str] | None = None,
    unique_id: str = "",
) -> Resource:
    """A transaction with a List, and a DocumentReference and a Binary for each report.

    `replaced`: entry id of a report → address of the DocumentReference that it replaces.
    """
    owner = submission_of(reports, content_type=content_type, unique_id=unique_id).submission_set
    if owner is None:
        raise TypeError("expected a SubmissionSet")
    now = str(owner.submission_time)
    listed = document_list.elements_of(owner, (), now)
    listed["entry"], entries = [], []
    for report in reports:
        urls = [f"urn:uuid:{uuid.uuid4()}" for _ in range(2)]
        listed["entry"].append({"item": {"reference": urls[0]}})
        reference = _reference(report, now, urls[1], (replaced or {}).get(report.entry.entry_uuid, ""))
        data = base64.b64encode(report.content).decode()
        binary = {"resourceType": "Binary", "contentType": report.entry.mime_type, "data": data}
        entries += [_posted(urls[0], reference), _posted(urls[1], binary)]
    bundle = [_posted(f"urn:uuid:{uuid.uuid4()}", listed), *entries]
    return {"resourceType": "Bundle", "meta": {"profile": [PROFILE]}, "type": "transaction", "entry": bundle}


def _reference(report: Report, now: str, binary: str, replaces: str) -> Resource:
    content = report.content
    entry = replace(report.entry, hash=hashlib.sha1(content, usedforsecurity=False).hexdigest(), size=len(content))
    reference = document_reference.elements_of(entry, (), now)
    reference["content"][0]["attachment"]["url"] = binary
    reference["custodian"] = {"identifier": {"system": _STRUCTURES, "value": _structure(entry)}}
    if replaces:
        reference["relatesTo"] = [{"code": "replaces", "target": {"reference": replaces}}]
    return reference


def _structure(entry: DocumentEntry) -> str:
    """Who keeps the document: the structure of its first author, as the metadata of XDS have it."""
    institutions: Sequence[XON] = entry.author[0].author_institution if entry.author else ()
    return institutions[0].id if institutions else ""


def _posted(url: str, resource: Resource) -> Resource:
    """Without what the server gives."""
    given = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    given["identifier"] = [one for one in resource.get("identifier", ()) if one.get("use") == "usual"]
    kept = {name: value for name, value in given.items() if value}
    return {"fullUrl": url, "resource": kept, "request": {"method": "POST", "url": resource["resourceType"]}}
