"""Searches [ITI-18, TD3.1] and metadata updates [ITI-57, TD3.3]. ITI TF-2: 3.18.4.1.2.3; 3.57.4.1.3; DMP 8.7, 9."""

import re
from collections.abc import Mapping

from lxml import etree

from conformance.client.exchanges import Exchange, Laboratory, Problems
from conformance.client.rules.metadata import missing_in
from conformance.client.rules.metadata_reading import HAS_MEMBER, UPDATE_STATUS, associations, every_entry
from conformance.client.rules.patients import query_patient
from conformance.client.rules.rule import Rule, among, expected, on
from conformance.client.rules.vihf_reading import vihf_of
from conformance.nist.registry_objects import slot_values
from conformance.nist.vocabulary import QUERY, RIM

APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
_ENTRY_IDS = ("$XDSDocumentEntryEntryUUID", "$XDSDocumentEntryUniqueId")
# Query -> its mandatory parameters; a tuple: one of them. ITI TF-2: 3.18.4.1.2.3.7; DMP 9
QUERIES: Mapping[str, tuple[str | tuple[str, ...], ...]] = {
    FIND_DOCUMENTS: ("$XDSDocumentEntryPatientId", "$XDSDocumentEntryStatus"),
    "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9": ("$XDSSubmissionSetPatientId", "$XDSSubmissionSetStatus"),
    "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4": (_ENTRY_IDS,),
    "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155": ("$uuid",),
    "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a": (_ENTRY_IDS,),
    "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492": (
        "$XDSDocumentEntryPatientId",
        "$XDSDocumentEntryStatus",
        "$XDSDocumentEntryReferenceIdList",
    ),
}
_RETURN_TYPES = ("LeafClass", "ObjectRef")
_CODED = re.compile(r"\(?\s*'[^']*(''[^']*)*'(\s*,\s*'[^']*(''[^']*)*')*\s*\)?")
_STATUSES = (APPROVED, *(f"urn:asip:ci-sis:2010:StatusType:{one}" for one in ("Archived", "Deleted")))


def query_of(exchange: Exchange) -> etree._Element | None:
    """`rim:AdhocQuery` of a search."""
    payload = exchange.received.payload
    return None if payload is None else payload.find(f"{{{RIM}}}AdhocQuery")


def parameter(exchange: Exchange, name: str) -> list[str]:
    """Values of a parameter as they were written; empty without it."""
    query = query_of(exchange)
    return [] if query is None else slot_values(query, name) or []


def _is_known(exchange: Exchange, _: Laboratory) -> Problems:
    query, payload = query_of(exchange), exchange.received.payload
    yield from among("" if query is None else query.get("id", ""), tuple(QUERIES), "AdhocQuery/@id")
    option = None if payload is None else payload.find(f"{{{QUERY}}}ResponseOption")
    yield from among("" if option is None else option.get("returnType", ""), _RETURN_TYPES, "@returnType")


def _has_its_parameters(exchange: Exchange, _: Laboratory) -> Problems:
    query = query_of(exchange)
    if query is None:
        return
    for wanted in QUERIES.get(query.get("id", ""), ()):
        names = (wanted,) if isinstance(wanted, str) else wanted
        if not any(parameter(exchange, name) for name in names):
            yield expected("", " / ".join(names), " / ".join(names), "AdhocQuery/Slot")
    for slot in query.findall(f"{{{RIM}}}Slot"):
        for value in slot_values(query, slot.get("name", "")) or []:
            if not (_CODED.fullmatch(value) or value.isdigit()):
                fr, en = "une valeur entre apostrophes", "a value in single quotes"
                yield expected(value, fr, en, f"Slot[@name='{slot.get('name')}']")


def _is_about_the_patient(exchange: Exchange, _: Laboratory) -> Problems:
    vihf, found = vihf_of(exchange.received), query_patient(exchange)
    if vihf is not None and found and found != vihf.patient:
        fr, en = f"{vihf.patient}, le patient du VIHF", f"{vihf.patient}, the patient of the VIHF"
        yield expected(found, fr, en, "$XDSDocumentEntryPatientId")


def _asks_for_approved(exchange: Exchange, _: Laboratory) -> Problems:
    found = [part for one in parameter(exchange, "$XDSDocumentEntryStatus") for part in re.findall("'([^']*)'", one)]
    if found and found != [APPROVED]:
        yield expected(", ".join(found), APPROVED, APPROVED, "$XDSDocumentEntryStatus")


def _is_find(exchange: Exchange) -> bool:
    query = query_of(exchange)
    return query is not None and query.get("id") == FIND_DOCUMENTS and exchange.transaction == "ITI-18"


def _brings_the_whole_entry(exchange: Exchange, _: Laboratory) -> Problems:
    for entry in every_entry(exchange):
        if not entry.object.element.get("lid"):
            yield expected("", "lid", "lid", f"{entry.place}/@lid")
        for name in missing_in(entry):
            yield expected("", name, name, f"{entry.place}/{name}")
        members = [one for one in associations(exchange, HAS_MEMBER) if one.get("targetObject") == entry.object.id]
        versions = [value for one in members for value in slot_values(one, "PreviousVersion") or []]
        if not versions or not versions[0].isdigit():
            found = versions[0] if versions else ""
            yield expected(found, "un numéro de version", "a version number", "Association/PreviousVersion")


def _names_both_statuses(exchange: Exchange, _: Laboratory) -> Problems:
    for one in associations(exchange, UPDATE_STATUS):
        for name in ("OriginalStatus", "NewStatus"):
            found = (slot_values(one, name) or [""])[0]
            yield from among(found, _STATUSES, f"Association/Slot[@name='{name}']")


def _updates_an_entry(exchange: Exchange) -> bool:
    return exchange.transaction == "ITI-57" and bool(every_entry(exchange))


def _updates_a_status(exchange: Exchange) -> bool:
    return exchange.transaction == "ITI-57" and not every_entry(exchange)


RULES = (
    Rule(requirement="CLIENT-QRY-01", applies=on("ITI-18"), check=_is_known),
    Rule(requirement="CLIENT-QRY-02", applies=on("ITI-18"), check=_has_its_parameters),
    Rule(requirement="CLIENT-QRY-03", applies=on("ITI-18"), check=_is_about_the_patient),
    Rule(requirement="CLIENT-QRY-04", applies=_is_find, check=_asks_for_approved),
    Rule(requirement="CLIENT-UPD-01", applies=_updates_an_entry, check=_brings_the_whole_entry),
    Rule(requirement="CLIENT-UPD-03", applies=_updates_a_status, check=_names_both_statuses),
)
