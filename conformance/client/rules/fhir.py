"""Messages of a FHIR client: tokens, Bundles that feed, searches. MHD 4.2.4 2:3.65 to 2:3.68; PDSm 3.1; IUA 3.72."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.client.exchanges import Exchange, Laboratory, Problems
from conformance.client.fhir_messages import (
    FORM,
    JSON,
    SEARCHES,
    XML,
    Provided,
    each,
    fed_documents,
    first,
    ins_of,
    octets_of,
    parameters_of,
    provided,
)
from conformance.client.rules.metadata import has_right_key
from conformance.client.rules.patients import INS_OIDS
from conformance.client.rules.rule import Rule, among, expected, on
from conformance.client.rules.vihf_reading import vihf_of

_FEEDING, _DOCUMENTS = on("ITI-65"), on("ITI-65", "ITI-105")
_PROFILE = re.compile(r"ProvideBundle|provide-document-bundle")
_URN = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_METHODS: Mapping[str, tuple[str, ...]] = {"Parameters": ("PATCH",), "Patient": ("POST", "PUT", "GET")}
_OF_DOCUMENT = (
    *("masterIdentifier.value", "status", "type.coding.code", "category.coding.code", "subject", "custodian", "date"),
    *("author", "securityLabel.coding.code", "content.attachment.contentType", "content.attachment.title"),
    *("content.attachment.creation", "content.attachment.size", "content.attachment.hash", "content.format.code"),
    *("context.period.start", "context.facilityType.coding.code", "context.practiceSetting.coding.code"),
    "context.sourcePatientInfo",
)
_OF_SUBMISSION = ("identifier.value", "status", "mode", "code.coding.code", "subject", "date", "source", "title")
_EXTENSIONS = ("ihe-designationType", "ihe-sourceId")
# Coded element -> value set. DMP 8.1
_VALUE_SETS = {
    "category.coding": "JDV_J57",
    "type.coding": "JDV_J66",
    "content.format": "JDV_J60",
    "context.facilityType.coding": "JDV_J61",
    "context.practiceSetting.coding": "JDV_J62",
}
# Addresses of systems -> the OIDs of the value sets.
_SYSTEMS = {
    "http://loinc.org": "2.16.840.1.113883.6.1",
    "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode": "1.3.6.1.4.1.19376.1.2.3",
}


def _has_token(exchange: Exchange, _: Laboratory) -> Problems:
    shown = exchange.received.headers.get("authorization", "")
    if not re.fullmatch(r"Bearer +[A-Za-z0-9_.=~+/-]+", shown):
        wanted = "Authorization: Bearer"
        yield expected(shown[:40], wanted, wanted, "Authorization")
    if "access_token=" in exchange.received.path:
        fr, en = "aucun jeton dans l'adresse", "no token in the address"
        yield expected("access_token", fr, en, "URL")


def _is_readable(exchange: Exchange, _: Laboratory) -> Problems:
    yield from among(exchange.received.media[0], (JSON, XML), "Content-Type")
    if not exchange.received.resource:
        yield expected(exchange.received.body[:80].decode("utf-8", "replace"), "une ressource", "a resource", "body")


def _is_transaction(exchange: Exchange, _: Laboratory) -> Problems:
    bundle = exchange.received.resource
    yield from among(first(bundle, "resourceType"), ("Bundle",), "resourceType")
    yield from among(first(bundle, "type"), ("transaction",), "Bundle.type")
    profiles = [str(one) for one in each(bundle, "meta.profile")]
    if not any(_PROFILE.search(one) for one in profiles):
        yield expected(" ".join(profiles), "un profil ProvideBundle", "a ProvideBundle profile", "Bundle.meta.profile")


def submissions(exchange: Exchange) -> list[Provided]:
    """The Lists that are SubmissionSets."""
    lists = (one for one in provided(exchange.received.resource) if one.kind == "List")
    return [one for one in lists if "submissionset" in each(one.resource, "code.coding.code")]


def references(exchange: Exchange) -> list[Provided]:
    return [one for one in provided(exchange.received.resource) if one.kind == "DocumentReference"]


def _has_one_list_with_its_members(exchange: Exchange, _: Laboratory) -> Problems:
    found = submissions(exchange)
    if len(found) != 1:
        yield expected(f"{len(found)} List submissionset", "une seule", "one", "Bundle.entry")
        return
    members = {str(one) for one in each(found[0].resource, "entry.item.reference")}
    for one in references(exchange):
        if one.full_url not in members:
            yield expected(one.full_url, "un item de la List", "an item of the List", f"{one.at}.fullUrl")


def _entries_are_requests(exchange: Exchange, _: Laboratory) -> Problems:
    known: set[str] = set()
    for one in provided(exchange.received.resource):
        if one.kind not in ("Parameters", "Patient") and (not _URN.fullmatch(one.full_url) or one.full_url in known):
            fr, en = "un urn:uuid: qui lui est propre", "a urn:uuid: of its own"
            yield expected(one.full_url, fr, en, f"{one.at}.fullUrl")
        known.add(one.full_url)
        yield from among(one.method, _METHODS.get(one.kind, ("POST",)), f"{one.at}.request.method")
        if one.method == "POST":
            yield from among(one.url, (one.kind,), f"{one.at}.request.url")


def _has_its_binary(exchange: Exchange, _: Laboratory) -> Problems:
    for one, fed in fed_documents(exchange.received.resource):
        if fed.content is None:
            found = first(one.resource, "content.attachment.url")
            yield expected(found, "un Binary du lot", "a Binary of the Bundle", f"{one.at}.content.attachment.url")


def _tells_its_octets(exchange: Exchange, _: Laboratory) -> Problems:
    """Where they are told: that they are is another requirement."""
    for one, fed in fed_documents(exchange.received.resource):
        size, hash_ = (first(one.resource, f"content.attachment.{name}") for name in ("size", "hash"))
        if fed.content is None:
            continue
        wanted = base64.b64encode(hashlib.sha1(fed.content, usedforsecurity=False).digest()).decode()
        if size and size != str(len(fed.content)):
            yield expected(size, str(len(fed.content)), str(len(fed.content)), f"{one.at}.content.attachment.size")
        if hash_ and octets_of(hash_) != octets_of(wanted):
            yield expected(hash_, wanted, wanted, f"{one.at}.content.attachment.hash")


def _missing(one: Provided, names: tuple[str, ...]) -> Problems:
    for name in names:
        if not each(one.resource, name):
            yield expected("", name, name, f"{one.at}.{name}")


def _documents_are_complete(exchange: Exchange, _: Laboratory) -> Problems:
    for one in references(exchange):
        yield from _missing(one, _OF_DOCUMENT)


def _submission_is_complete(exchange: Exchange, _: Laboratory) -> Problems:
    for one in submissions(exchange):
        yield from _missing(one, _OF_SUBMISSION)
        known = [str(each_one).rpartition("/")[2] for each_one in each(one.resource, "extension.url")]
        for name in _EXTENSIONS:
            if name not in known:
                yield expected("", name, name, f"{one.at}.extension")


def _is_about_an_ins(exchange: Exchange, _: Laboratory) -> Problems:
    for one in (*submissions(exchange), *references(exchange)):
        system, value = ins_of(each(one.resource, "subject"))
        is_ins = re.fullmatch(r"[0-9][0-9AB]{14}", value) is not None and has_right_key(value)
        if system.removeprefix("urn:oid:") not in INS_OIDS or not is_ins:
            fr, en = "un INS avec son OID et sa clé", "an INS with its OID and key"
            yield expected(f"{system}|{value}", fr, en, f"{one.at}.subject.identifier")


def _coded(element: Any) -> tuple[str, str]:
    system = first(element, "system")
    return first(element, "code"), _SYSTEMS.get(system, system.removeprefix("urn:oid:"))


def _codes_are_french(exchange: Exchange, laboratory: Laboratory) -> Problems:
    """A system that is named by an address of the NOS is not compared: the code is."""
    for one in references(exchange):
        for name, value_set in _VALUE_SETS.items():
            allowed = laboratory.codes(value_set)
            for element in each(one.resource, name):
                code, system = _coded(element) if isinstance(element, Mapping) else ("", "")
                is_known = (code, system) in allowed or ("/NOS/" in system and code in {each_[0] for each_ in allowed})
                if not is_known:
                    yield expected(f"{system}|{code}", value_set, value_set, f"{one.at}.{name}")


def _asked(exchange: Exchange) -> dict[str, str]:
    """Parameters of a search, modifiers left out."""
    is_form = exchange.received.media[0] == FORM
    body = exchange.received.body if is_form else b""
    return {name.partition(":")[0]: value for name, value in parameters_of(exchange.received.path, body)}


def _asks_by_patient_and_status(exchange: Exchange, _: Laboratory) -> Problems:
    """A search by identifier needs no status. PDSm4DMP TD3.1b"""
    asked = _asked(exchange)
    wanted = ["code"] if exchange.transaction == "ITI-66" else []
    wanted += [] if "identifier" in asked else ["status"]
    for name in wanted:
        if not asked.get(name):
            yield expected("", name, name, "URL")
    if not asked.get("patient") and not asked.get("patient.identifier"):
        yield expected("", "patient.identifier", "patient.identifier", "URL")


def _asks_about_the_patient(exchange: Exchange, _: Laboratory) -> Problems:
    vihf, asked = vihf_of(exchange.received), _asked(exchange).get("patient.identifier", "")
    found = asked.rpartition("|")[2]
    if vihf is not None and vihf.patient and found and found != vihf.patient:
        yield expected(found, vihf.patient, vihf.patient, "patient.identifier")


def _on_fhir(exchange: Exchange) -> bool:
    return exchange.received.is_fhir


def _searches_with_vihf(exchange: Exchange) -> bool:
    return exchange.transaction in SEARCHES and exchange.received.assertion is not None


def rules() -> Iterator[Rule]:
    """CLIENT-FHIR-10 and CLIENT-FHIR-14 are about several messages, CLIENT-FHIR-16 is in `tokens`."""
    yield Rule(requirement="CLIENT-FHIR-01", applies=_on_fhir, check=_has_token)
    for number, check in (
        (2, _is_readable),
        (7, _tells_its_octets),
        (8, _documents_are_complete),
        (11, _is_about_an_ins),
        (15, _codes_are_french),
    ):
        yield Rule(requirement=f"CLIENT-FHIR-{number:02}", applies=_DOCUMENTS, check=check)
    for number, check in (
        (3, _is_transaction),
        (4, _has_one_list_with_its_members),
        (5, _entries_are_requests),
        (6, _has_its_binary),
        (9, _submission_is_complete),
    ):
        yield Rule(requirement=f"CLIENT-FHIR-{number:02}", applies=_FEEDING, check=check)
    yield Rule(requirement="CLIENT-FHIR-12", applies=on(*SEARCHES), check=_asks_by_patient_and_status)
    yield Rule(requirement="CLIENT-FHIR-13", applies=_searches_with_vihf, check=_asks_about_the_patient)


RULES = tuple(rules())
