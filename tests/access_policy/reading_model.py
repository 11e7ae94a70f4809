"""Who reads what, written again from the published facts: plain, slow, and without the product's policy code."""

import csv
from functools import cache
from typing import Any

from access_policy.caller import Caller
from access_policy.document_facts import DocumentFacts, Trait
from access_policy.record_facts import RecordFacts
from schemas import resource
from xds.datatypes import Code

DOCTORS = {("1.2.250.1.71.1.2.7", "10"), ("1.2.250.1.71.1.2.8", "10")}
OCCUPATIONAL = {"SM25", "C41", "SCH35", "CAPA11", "FON-29"}
HEALTH = {"1.2.250.1.71.1.2.7", "1.2.250.1.71.1.2.8"}
MODES = {"normal": "normal", "bris_de_glace": "break_glass", "centre_15": "regulation"}
STATES = {
    "urn:asip:ci-sis:2010:StatusType:Archived": "document.read_archived",
    "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated": "document.read_obsolete",
}


@cache
def rows(name: str) -> list[dict[str, str]]:
    lines = resource(f"policy/{name}").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@cache
def cells() -> dict[tuple[str, ...], str]:
    found = {}
    for row in (*rows("rights.csv"), *rows("holder_rights.csv")):
        key = (row["action"], row["auth"], row["actor"], row["mode"], row["document_scope"])
        found[key] = row["decision"]
    return found


@cache
def matrix() -> dict[tuple[str, str], dict[str, str]]:
    return {(row["type_code"], row["type_system"]): row for row in rows("matrix.csv")}


def column(caller: Caller) -> str:
    """The first column of the matrix that fits; empty without one."""
    return _column(caller.roles)


@cache
def _column(roles: tuple[Code, ...]) -> str:
    names = {"G15": "1.2.250.1.71.1.2.7", "G16": "1.2.250.1.71.1.2.8"}
    names |= {"R94": "1.2.250.1.213.1.6.1.4", "R291": "1.2.250.1.213.1.6.1.140"}
    first, seconds = roles[0], {one.code for one in roles[1:]}
    for row in rows("matrix_columns.csv"):
        keys = [(names[key.split(":")[0]], key.split(":")[1]) for key in row["profession_keys"].split("|")]
        if (first.coding_scheme, first.code) not in keys:
            continue
        if first.code == "21" and first.coding_scheme == names["G15"]:
            fits = bool(seconds & set(row["cnop_sections"].split("|")))
        elif first.code == "99":
            fits = bool(seconds & (set(row["role_r85"].split("|")) | set(row["genre_r22"].split("|"))))
        else:
            fits = True
        if fits:
            return row["column_id"]
    return ""


def quality(caller: Caller, facts: RecordFacts) -> tuple[str, str]:
    """(authentication, actor) of the rights table."""
    if caller.standing != "professional":
        return "patient_portal", str(caller.standing)
    first = caller.roles[0]
    if caller.mode == "INDIRECTE":
        return "indirect", "facility_certificate"
    known = first.coding_scheme in HEALTH or column(caller) != ""
    by_air = caller.mode == "INDIRECTE_RENFORCEE"
    if not known or ("/" in caller.name and not by_air and first.coding_scheme not in HEALTH):
        return ("air", "non_ps") if by_air else ("direct_cpe", "cpe_holder")
    actor = "non_doctor_ps"
    if (first.coding_scheme, first.code) in DOCTORS:
        codes = {one.code for one in caller.roles[1:]} | ({caller.sector.code} if caller.sector else set())
        actor = "treating_doctor" if facts.is_treating_doctor and caller.purpose != "centre_15" else "doctor"
        actor = "occupational_doctor" if codes & (OCCUPATIONAL | {"SA13"}) else actor
    return ("air" if by_air else "direct_cps"), actor


def cell(action: str, caller: Caller, facts: RecordFacts) -> str:
    auth, actor = quality(caller, facts)
    mode = MODES[caller.purpose] if caller.purpose else "any"
    for one in (mode, "any"):
        found = cells().get((action, auth, actor, one, "any"))
        if found:
            return found
    return "deny"


def mine(caller: Caller, facts: RecordFacts, document: DocumentFacts) -> bool:
    """Written by the person, or by the structure for those who act for one."""
    if caller.standing != "professional":
        return False
    if quality(caller, facts)[1] in ("facility_certificate", "cpe_holder", "non_ps"):
        return f"{caller.structure}^1.2.250.1.71.4.2.2" in document.structures
    return f"{caller.name}^1.2.250.1.71.4.2.1" in document.authors


def lets(action: str, caller: Caller, facts: RecordFacts, document: DocumentFacts) -> bool:
    decision = cell(action, caller, facts)
    if decision == "own_only":
        return mine(caller, facts, document)
    if decision == "if_patient_allowed":
        return facts.masked_in_emergency
    return decision in ("allow", "reference_only")


def sees(action: str, caller: Caller, facts: RecordFacts, document: DocumentFacts) -> bool:
    """`action` is `search` or `read`."""
    if facts.state != "open" or facts.authorisation == "INTERDIT" or document.traits & Trait.SIGNATURE:
        return False
    bases = {"read": ["document.read_unmasked"], "search": ["document.search_metadata", "document.search_reference"]}
    if not any(lets(base, caller, facts, document) for base in bases[action]):
        return False
    if not _may_enter(caller, facts, document):
        return False
    needed = [STATES[document.status]] if document.status in STATES else []
    needed += ["document.read_masked"] if document.traits & Trait.MASKED else []
    needed += ["document.read_deleted"] if document.traits & Trait.DELETED else []
    is_lifted = document.visible_from != "" and document.visible_from <= facts.now
    needed += ["document.read_hidden_from_patient"] if document.traits & Trait.HIDDEN and not is_lifted else []
    if document.traits & Trait.HIDDEN_FROM_REPRESENTATIVES and caller.standing == "representative":
        return False
    return all(lets(one, caller, facts, document) for one in needed) and _in_matrix(caller, facts, document)


def _may_enter(caller: Caller, facts: RecordFacts, document: DocumentFacts) -> bool:
    if caller.standing != "professional":
        return caller.standing == "patient" or facts.is_representative
    if caller.purpose == "bris_de_glace":
        return not facts.opposes_break_glass
    if caller.purpose == "centre_15":
        return not facts.opposes_regulation
    by_consent = quality(caller, facts)[1] == "occupational_doctor" and facts.occupational_consent
    return facts.authorisation == "VALIDE" or mine(caller, facts, document) or by_consent


def _in_matrix(caller: Caller, facts: RecordFacts, document: DocumentFacts) -> bool:
    if caller.standing != "professional" or quality(caller, facts)[1] == "occupational_doctor":
        return True
    if mine(caller, facts, document):
        return True
    code, system = document.type.split("^^")
    row: Any = matrix().get((code, system))
    if row is None and document.traits & Trait.IMAGING:
        row = matrix()["DICOM_PROCEDURE", "*"]
    return row is not None and column(caller) != "" and row[column(caller)] == "1"
