"""The CDA documents of a submission. CI-SIS Structuration minimale 1.16.8; ANS testContenuCDA 3.0.

Schema, header and model rules are those of `carnet cda check`, run as a command once for each document; which
requirement a finding belongs to is decided by its layer and its place.
"""

import base64
import binascii
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from conformance.client.exchanges import Exchange, Laboratory, Problem, Problems, parsed
from conformance.client.fhir_messages import Fed, Provided, each, fed_documents, first, ins_of
from conformance.client.rules.metadata import has_right_key
from conformance.client.rules.metadata_reading import Metadata, entries
from conformance.client.rules.rule import Rule, among, child_text, child_value, expected, on

_SECONDS = 120
_ON_FEEDING = on("ITI-41", "ITI-65", "ITI-105")
_MEDIA = ("image/jpeg", "image/tiff", "text/rtf", "text/plain", "application/pdf")
_ACTIVE = re.compile(rb"<[^>]*script[\s>/]|javascript:|<[^>]*iframe", re.IGNORECASE)
V3 = "urn:hl7-org:v3"


def by_command(arguments: Sequence[str]) -> tuple[str, str]:
    """Output and errors of a command of Carnet."""
    command = [sys.executable, "-m", "carnet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    return done.stdout, done.stderr


@dataclass(frozen=True, slots=True)
class DocumentCheck:
    """Findings of `carnet cda check` by the SHA-256 of a document, each document once, those of a message together."""

    carnet: Callable[[Sequence[str]], tuple[str, str]] = by_command
    known: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)

    def findings(self, content: bytes, together: Iterable[bytes] = ()) -> tuple[dict[str, Any], ...]:
        """Errors of one document; `together`: others that will be asked for next."""
        key = _key(content)
        if key not in self.known:
            new = {_key(one): one for one in (content, *together) if _key(one) not in self.known}
            self.known.update(self._checked(new))
        return self.known[key]

    def _checked(self, contents: Mapping[str, bytes]) -> dict[str, tuple[dict[str, Any], ...]]:
        with tempfile.TemporaryDirectory() as folder:
            for key, content in contents.items():
                (Path(folder) / f"{key}.xml").write_bytes(content)
            output, errors = self.carnet(("cda", "check", folder, "--json", "--jobs", "1"))
        try:
            reports = {Path(one["file"]).stem: one["findings"] for one in json.loads(output)}
        except ValueError:
            reports = {}
        unread = {"layer": "XSD", "location": "/", "found": errors[-500:], "expected": _A_CDA}
        unread |= {"severity": "error"}
        found = {key: reports.get(key, [unread]) for key in contents}
        return {key: tuple(one for one in told if one["severity"] == "error") for key, told in found.items()}


def _key(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_A_CDA = {"fr": "un document CDA lisible", "en": "a readable CDA document"}


def requirement_of(finding: dict[str, Any]) -> str:
    """Which requirement a finding is about."""
    place, layer = finding["location"], finding["layer"]
    if layer.startswith(("XSD", "SCHEMA")):
        return "CLIENT-CDA-01"
    if "/nonXMLBody" in place:
        return "CLIENT-CDA-08"
    if "recordTarget" in place + finding["expected"]["en"]:
        return "CLIENT-CDA-03"
    return "CLIENT-CDA-07" if "/component" in place and "/componentOf" not in place else "CLIENT-CDA-02"


def _checked_rule(identifier: str, check: DocumentCheck) -> Rule:
    def problems(exchange: Exchange, _: Laboratory) -> Problems:
        for fed, content in _documents(exchange):
            together = (other for _fed, other in _documents(exchange))
            for one in check.findings(content, together):
                if requirement_of(one) == identifier:
                    place = f"{fed.unique_id} {one['location']}"
                    yield expected(str(one["found"]), one["expected"]["fr"], one["expected"]["en"], place)

    return Rule(requirement=identifier, applies=_ON_FEEDING, check=problems)


def _fed(exchange: Exchange) -> Iterator[tuple[Fed, dict[str, str]]]:
    """Documents with what their entries state of them."""
    if exchange.received.is_fhir:
        yield from ((fed, _stated_in_fhir(one)) for one, fed in fed_documents(exchange.received.resource))
    for entry in entries(exchange):
        content, unique_id = exchange.documents.get(entry.object.id), entry.identifier("uniqueId")
        fed = Fed(unique_id=unique_id, mime_type=entry.mime_type, place=entry.place, content=content)
        yield fed, _stated(entry)


def _documents(exchange: Exchange) -> Iterator[tuple[Fed, bytes]]:
    """XML documents."""
    for fed, _stated_of_it in _fed(exchange):
        if fed.content is not None and fed.mime_type.endswith("xml"):
            yield fed, fed.content


def _header(fed: Fed) -> etree._Element | None:
    root = parsed(fed.content) if fed.content and fed.mime_type.endswith("xml") else None
    return None if root is None else next(root.iter(f"{{{V3}}}ClinicalDocument"), None)


def utc_of(time: str) -> str:
    """A time of HL7 v3 as DTM in UTC, to the second; as it is where it names no hour."""
    match = re.fullmatch(r"([0-9]{8})([0-9]{4})([0-9]{2})?([+-][0-9]{4})", time)
    if match is None:
        return time
    moment = datetime.strptime(f"{match[1]}{match[2]}{match[3] or '00'}{match[4]}", "%Y%m%d%H%M%S%z")
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def header_of(document: etree._Element) -> dict[str, str]:
    """What the entry repeats of a header, by metadata name."""
    person = "recordTarget/patientRole"
    return {
        "uniqueId": child_value(document, "id", "root"),
        "typeCode": child_value(document, "code", "code"),
        "title": child_text(document, "title"),
        "languageCode": child_value(document, "languageCode", "code"),
        "patientId": child_value(document, f"{person}/id", "extension"),
        "creationTime": utc_of(child_value(document, "effectiveTime", "value")),
        "author": child_value(document, "author/assignedAuthor/id", "extension"),
        "practiceSettingCode": child_value(
            document,
            "documentationOf/serviceEvent/performer/assignedEntity/representedOrganization/standardIndustryClassCode",
            "code",
        ),
        "healthcareFacilityTypeCode": child_value(
            document, "componentOf/encompassingEncounter/location/healthCareFacility/code", "code"
        ),
    }


def _stated(entry: Metadata) -> dict[str, str]:
    codes = {name: entry.code(name)[0] for name in ("typeCode", "practiceSettingCode", "healthcareFacilityTypeCode")}
    authors = [(one.values("authorPerson") or [""])[0].partition("^")[0] for one in entry.authors]
    return {
        **codes,
        "uniqueId": entry.identifier("uniqueId"),
        "title": entry.title,
        "languageCode": entry.slot("languageCode"),
        "patientId": entry.identifier("patientId").partition("^")[0],
        "creationTime": entry.slot("creationTime"),
        "author": authors[0] if authors else "",
    }


def _stated_in_fhir(entry: Provided) -> dict[str, str]:
    reference = entry.resource
    return {
        "typeCode": first(reference, "type.coding.code"),
        "practiceSettingCode": first(reference, "context.practiceSetting.coding.code"),
        "healthcareFacilityTypeCode": first(reference, "context.facilityType.coding.code"),
        "uniqueId": first(reference, "masterIdentifier.value").removeprefix("urn:oid:"),
        "title": first(reference, "content.attachment.title"),
        "languageCode": first(reference, "content.attachment.language"),
        "patientId": ins_of(each(reference, "subject"))[1],
        "creationTime": _utc_of_fhir(first(reference, "content.attachment.creation")),
        "author": "",  # a reference, to what is contained or elsewhere
    }


def _utc_of_fhir(instant: str) -> str:
    """A dateTime with its zone as DTM in UTC; empty for one without."""
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        return ""
    return "" if moment.tzinfo is None else moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


# Wrong forms have rules of their own; here values that have the right form are compared.
_FORMS: Mapping[str, Callable[[str], object]] = {
    "creationTime": re.compile(r"[0-9]{8,14}").fullmatch,
    "languageCode": re.compile("fr-FR").fullmatch,
    "patientId": lambda number: len(number) == 15 and has_right_key(number),
}


def _metadata_are_the_headers(exchange: Exchange, _: Laboratory) -> Problems:
    for fed, stated in _fed(exchange):
        document = _header(fed)
        for name, wanted in header_of(document).items() if document is not None else ():
            found = stated[name]
            form = _FORMS.get(name)
            if found and wanted and found != wanted and (form is None or form(found)):
                yield expected(found, wanted, wanted, f"{fed.place}/{name}")


def _is_inert(exchange: Exchange, _: Laboratory) -> Problems:
    for fed, content in _documents(exchange):
        found = _ACTIVE.search(content)
        if found:
            text = content[found.start() : found.start() + 80].decode("utf-8", "replace")
            yield expected(text, "rien d'actif", "nothing active", fed.unique_id)


def _body_is_base64(exchange: Exchange, _: Laboratory) -> Problems:
    for fed, _stated_of_it in _fed(exchange):
        document = _header(fed)
        text = None if document is None else document.find(f"{{{V3}}}component/{{{V3}}}nonXMLBody/{{{V3}}}text")
        if text is None:
            continue
        place = f"{fed.unique_id} nonXMLBody/text"
        yield from among(text.get("mediaType", ""), _MEDIA, place)
        yield from among(text.get("representation", ""), ("B64",), place)
        try:
            base64.b64decode("".join((text.text or "").split()), validate=True)
        except (binascii.Error, ValueError):
            yield Problem(fr="ce n'est pas du base64", en="this is no base64", location=place)


def document_rules(check: DocumentCheck) -> tuple[Rule, ...]:
    """CLIENT-CDA-05 is about several messages."""
    return (
        *(_checked_rule(f"CLIENT-CDA-{number:02}", check) for number in (1, 2, 3, 7)),
        Rule(requirement="CLIENT-CDA-04", applies=_ON_FEEDING, check=_metadata_are_the_headers),
        Rule(requirement="CLIENT-CDA-06", applies=_ON_FEEDING, check=_is_inert),
        Rule(requirement="CLIENT-CDA-08", applies=_ON_FEEDING, check=_body_is_base64),
    )
