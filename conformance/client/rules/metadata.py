"""Metadata of a submission, French profile. DMP 8.1, 8.2; ITI TF-3: 4.2, 4.3.1."""

import hashlib
import re

from conformance.client.exchanges import Exchange, Laboratory, Problems, parsed
from conformance.client.rules.metadata_reading import (
    HAS_MEMBER,
    HIDING,
    RPLC,
    Metadata,
    associations,
    entries,
    every_entry,
    submission_sets,
)
from conformance.client.rules.patients import INS_CX
from conformance.client.rules.rule import Rule, among, expected, on
from conformance.client.rules.vihf_reading import STRUCTURE, vihf_of
from conformance.nist.datatypes import is_oid, is_sha1
from conformance.nist.vocabulary import RIM

_ENTRY_SLOTS = ("creationTime", "languageCode", "legalAuthenticator", "serviceStartTime", "sourcePatientId")
_ENTRY_CODES = (
    *("classCode", "typeCode", "formatCode", "confidentialityCode"),
    *("healthcareFacilityTypeCode", "practiceSettingCode"),
)
_VALUE_SETS = {
    "classCode": "JDV_J57",
    "typeCode": "JDV_J66",
    "formatCode": "JDV_J60",
    "healthcareFacilityTypeCode": "JDV_J61",
    "practiceSettingCode": "JDV_J62",
    "confidentialityCode": "JDV_J58",
}
_TIME = re.compile(r"[0-9]{4}([0-9]{2}){0,5}")
_PERSON = re.compile(r"[^\^]+\^[^\^]+\^[^\^]*\^{6}&[0-9.]+&ISO\^[A-Z]\^\^\^[A-Z]+")
_ENTRY_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _has_one_set_with_its_members(exchange: Exchange, _: Laboratory) -> Problems:
    sets = submission_sets(exchange)
    if len(sets) != 1:
        yield expected(f"{len(sets)} SubmissionSet", "un seul", "one", "RegistryPackage")
        return
    members = {
        one.get("targetObject", "")
        for one in associations(exchange, HAS_MEMBER)
        if one.get("sourceObject") == sets[0].object.id
    }
    for entry in every_entry(exchange):
        if entry.object.id not in members:
            yield expected("", "une association HasMember", "a HasMember association", entry.place)


def _entries_are_complete(exchange: Exchange, _: Laboratory) -> Problems:
    for entry in entries(exchange):
        for name in missing_in(entry):
            yield expected("", name, name, f"{entry.place}/{name}")


def missing_in(entry: Metadata) -> list[str]:
    """Mandatory attributes that a DocumentEntry lacks; those with a rule of their own are not counted."""
    found = {name: bool(entry.slot(name)) for name in _ENTRY_SLOTS}
    found |= {name: bool(entry.codes(name)) for name in _ENTRY_CODES if name != "confidentialityCode"}
    found |= {name: bool(entry.identifier(name)) for name in ("patientId", "uniqueId")}
    found |= {"author": bool(entry.authors), "title": bool(entry.title), "mimeType": bool(entry.mime_type)}
    return [name for name, is_there in found.items() if not is_there]


def _set_is_complete(exchange: Exchange, _: Laboratory) -> Problems:
    for one in submission_sets(exchange):
        found = {name: bool(one.identifier(name)) for name in ("patientId", "sourceId", "uniqueId")}
        found |= {"author": bool(one.authors), "contentTypeCode": bool(one.codes("contentTypeCode"))}
        found |= {"submissionTime": bool(one.slot("submissionTime"))}
        for name in (name for name, is_there in found.items() if not is_there):
            yield expected("", name, name, f"{one.place}/{name}")


def _patient_is_an_ins(exchange: Exchange, _: Laboratory) -> Problems:
    for one in (*submission_sets(exchange), *every_entry(exchange)):
        found = one.identifier("patientId")
        if found and not INS_CX.fullmatch(found):
            yield expected(found, "INS^^^&OID&ISO^NH", "INS^^^&OID&ISO^NH", f"{one.place}/patientId")


def _ins_has_its_key(exchange: Exchange, _: Laboratory) -> Problems:
    numbers = {one.identifier("patientId").partition("^")[0] for one in every_entry(exchange)}
    for number in sorted(numbers):
        if re.fullmatch(r"[0-9][0-9AB]{14}", number) and not has_right_key(number):
            yield expected(number, "une clé modulo 97", "a key modulo 97", "patientId")


def has_right_key(number: str) -> bool:
    """Of 13 characters and a key; 2A and 2B stand for Corsica."""
    head = number[:13].replace("2A", "19").replace("2B", "18")
    return head.isdigit() and 97 - int(head) % 97 == int(number[13:])


def _codes_are_french(exchange: Exchange, laboratory: Laboratory) -> Problems:
    for entry in entries(exchange):
        for name, value_set in _VALUE_SETS.items():
            for found in entry.codes(name):
                if found not in laboratory.codes(value_set):
                    yield expected("^^".join(found), value_set, value_set, f"{entry.place}/{name}")
    for one in submission_sets(exchange):
        found = one.code("contentTypeCode")
        if one.codes("contentTypeCode") and found not in laboratory.codes("JDV_J59"):
            yield expected("^^".join(found), "JDV_J59", "JDV_J59", f"{one.place}/contentTypeCode")


def _class_is_that_of_the_type(exchange: Exchange, laboratory: Laboratory) -> Problems:
    classes = {(row["code"], row["system"]): row["class"] for row in laboratory.rows("JDV_J66")}
    for entry in entries(exchange):
        wanted, found = classes.get(entry.code("typeCode")), entry.code("classCode")[0]
        if wanted and found and found != wanted and entry.code("classCode") in laboratory.codes("JDV_J57"):
            yield expected(found, wanted, wanted, f"{entry.place}/classCode")


def _confidentiality_is_allowed(exchange: Exchange, _: Laboratory) -> Problems:
    for entry in entries(exchange):
        codes = {code for code, _scheme in entry.codes("confidentialityCode")}
        if not codes & {"N", "R", "V"} or codes.issuperset(HIDING):
            fr = "N, R ou V, et au plus un de MASQUE_PS et INVISIBLE_PATIENT"
            en = "N, R or V, and at most one of MASQUE_PS and INVISIBLE_PATIENT"
            yield expected(", ".join(sorted(codes)), fr, en, f"{entry.place}/confidentialityCode")


def _unique_ids_are_oids(exchange: Exchange, _: Laboratory) -> Problems:
    for one in (*submission_sets(exchange), *every_entry(exchange)):
        found = one.identifier("uniqueId")
        if found and (not is_oid(found) or len(found) > 64):
            fr, en = "un OID sans extension, 64 caractères au plus", "an OID without extension, 64 characters at most"
            yield expected(found, fr, en, f"{one.place}/uniqueId")


def _times_are_utc(exchange: Exchange, _: Laboratory) -> Problems:
    for one in (*submission_sets(exchange), *every_entry(exchange)):
        for name in ("creationTime", "serviceStartTime", "serviceStopTime", "submissionTime"):
            found = one.slot(name)
            if found and not _TIME.fullmatch(found):
                yield expected(found, "YYYYMMDDhhmmss en UTC", "YYYYMMDDhhmmss in UTC", f"{one.place}/{name}")


def _language_is_french(exchange: Exchange, _: Laboratory) -> Problems:
    for entry in entries(exchange):
        if entry.slot("languageCode"):
            yield from among(entry.slot("languageCode"), ("fr-FR",), f"{entry.place}/languageCode")


def _hash_and_size_are_right(exchange: Exchange, _: Laboratory) -> Problems:
    for entry in every_entry(exchange):
        content = exchange.documents.get(entry.object.id)
        if content is None:
            continue
        sha1, size = entry.slot("hash"), entry.slot("size")
        right = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        if is_sha1(sha1) and sha1.lower() != right:
            yield expected(sha1, right, right, f"{entry.place}/hash")
        if size not in ("", "0") and size != str(len(content)):
            yield expected(size, str(len(content)), str(len(content)), f"{entry.place}/size")


def _authors_are_persons(exchange: Exchange, _: Laboratory) -> Problems:
    for one in (*submission_sets(exchange), *entries(exchange)):
        for author in one.authors:
            found = (author.values("authorPerson") or [""])[0]
            if not _PERSON.fullmatch(found):
                wanted = "PS_IdNat^NOM^PRENOM^^^^^^&OID&ISO^D^^^IDNPS"
                yield expected(found, wanted, wanted, f"{one.place}/author/authorPerson")


def _institution_is_that_of_the_vihf(exchange: Exchange, _: Laboratory) -> Problems:
    vihf = vihf_of(exchange.received)
    wanted = "" if vihf is None else vihf.text(STRUCTURE)
    for one in submission_sets(exchange):
        institutions = [
            value.rpartition("^")[2] for author in one.authors for value in author.values("authorInstitution")
        ]
        if wanted and one.authors and wanted not in institutions:
            yield expected(", ".join(institutions), wanted, wanted, f"{one.place}/author/authorInstitution")


def _patient_has_traits(exchange: Exchange, _: Laboratory) -> Problems:
    for entry in entries(exchange):
        fields = {
            value.partition("|")[0]: value.partition("|")[2] for value in entry.object.slot("sourcePatientInfo") or []
        }
        for name in ("PID-5", "PID-7", "PID-8"):
            if not fields.get(name, "").strip("^"):
                yield expected("", name, name, f"{entry.place}/sourcePatientInfo")


def _replaced_is_an_entry_uuid(exchange: Exchange, _: Laboratory) -> Problems:
    for one in associations(exchange, RPLC):
        found = one.get("targetObject", "")
        if not _ENTRY_UUID.fullmatch(found.lower()):
            fr, en = "l'entryUUID de la fiche remplacée", "the entryUUID of the replaced entry"
            yield expected(found, fr, en, "Association/@targetObject")


def _leaves_status_to_the_registry(exchange: Exchange, _: Laboratory) -> Problems:
    for one in (*submission_sets(exchange), *every_entry(exchange)):
        status = one.object.element.get("status", "")
        version = one.object.element.find(f"{{{RIM}}}VersionInfo")
        if status or version is not None:
            yield expected(status or "VersionInfo", "rien", "nothing", f"{one.place}/@status")


def _format_is_that_of_the_document(exchange: Exchange, laboratory: Laboratory) -> Problems:
    """ANS ASS_A11 by template, ASS_A12 by the media type of an unstructured body."""
    templates = {row["source"]: row["code"] for row in laboratory.rows("ASS_A11")}
    media = {row["source"]: row["code"] for row in laboratory.rows("ASS_A12")}
    for entry in entries(exchange):
        document = parsed(exchange.documents.get(entry.object.id, b""))
        if document is None or not entry.codes("formatCode"):
            continue
        body = document.find("{*}component/{*}nonXMLBody/{*}text")
        if body is not None:
            wanted = {media.get(body.get("mediaType", ""), "")}
        else:
            wanted = {templates.get(one.get("root", ""), "") for one in document.findall("{*}templateId")}
        found = entry.code("formatCode")
        if wanted - {""} and found[0] not in wanted and found in laboratory.codes("JDV_J60"):
            shown = ", ".join(sorted(wanted - {""}))
            yield expected(found[0], shown, shown, f"{entry.place}/formatCode")


_CHECKS = {
    1: _has_one_set_with_its_members,
    2: _entries_are_complete,
    3: _set_is_complete,
    4: _patient_is_an_ins,
    5: _ins_has_its_key,
    6: _codes_are_french,
    7: _class_is_that_of_the_type,
    8: _confidentiality_is_allowed,
    9: _unique_ids_are_oids,
    10: _times_are_utc,
    11: _language_is_french,
    12: _hash_and_size_are_right,
    13: _authors_are_persons,
    14: _institution_is_that_of_the_vihf,
    15: _patient_has_traits,
    17: _leaves_status_to_the_registry,
    18: _format_is_that_of_the_document,
}


def _replaces(exchange: Exchange) -> bool:
    return exchange.transaction == "ITI-41" and bool(associations(exchange, RPLC))


RULES = (
    *(Rule(requirement=f"CLIENT-META-{n:02}", applies=on("ITI-41"), check=check) for n, check in _CHECKS.items()),
    Rule(requirement="CLIENT-META-16", applies=_replaces, check=_replaced_is_an_entry_uuid),
)
