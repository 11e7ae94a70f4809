"""Who finds, reads, feeds and changes what of a record: written from the published facts and tables, and from nothing else.

It imports no code of the program: `dmp.md` §3, §6, §8.7, §12, §13 and the tables beside it, read as plain CSV. Slow and
plain; the doors of a server are compared with it.
"""

import csv
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

from tests.dmp.record_model import Person, months_after

TABLES = Path(__file__).resolve().parents[2] / "schemas" / "policy"
G15, G16 = "1.2.250.1.71.1.2.7", "1.2.250.1.71.1.2.8"
SYSTEMS = {"G15": G15, "G16": G16, "R94": "1.2.250.1.213.1.6.1.4", "R291": "1.2.250.1.213.1.6.1.140"}
EMERGENCY = {"bris_de_glace": "break_glass", "centre_15": "regulation", "normal": "normal"}
OCCUPATIONAL = {"SM25", "C41", "SCH35", "CAPA11", "FON-29"}


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    lines = (TABLES / name).read_text(encoding="utf-8").splitlines()
    return tuple(csv.DictReader(line for line in lines if not line.startswith("#")))


@cache
def cells() -> dict[tuple[str, ...], str]:
    names = ("action", "auth", "actor", "mode", "document_scope")
    return {
        tuple(row[one] for one in names): row["decision"]
        for file in ("rights.csv", "holder_rights.csv")
        for row in rows(file)
    }


@cache
def matrix() -> dict[str, dict[str, str]]:
    return {row["type_code"]: row for row in rows("matrix.csv")}


@dataclass(frozen=True, kw_only=True, repr=False)
class Asker:
    """Who asks: `side` is professional, patient or representative; the name of the patient side is an INS.

    `roles` are (code, system), `card` the mode of authentication of a VIHF. `column` is the asker's in the matrix.
    """

    label: str
    name: str
    structure: str = "1690000014"
    roles: tuple[tuple[str, str], ...] = ()
    card: str = "DIRECTE"
    purpose: str = "normal"
    column: str = ""
    side: str = "professional"
    secret: bool = False
    sector: str = "SA07"

    def __repr__(self) -> str:
        """Short: a life that fails is read by people."""
        return f"<{self.label} {self.name} {self.card} {self.purpose}{' secret' if self.secret else ''}>"

    @property
    def mode(self) -> str:
        return EMERGENCY[self.purpose]

    @property
    def acts_for_structure(self) -> bool:
        return self.side == "professional" and not self._is_person

    @property
    def _is_person(self) -> bool:
        known = self.column != "" or self.roles[0][1] in (G15, G16)
        return self.card != "INDIRECTE" and known

    def quality(self, dossier: "Dossier") -> tuple[str, str]:
        """(authentication, actor) of the tables."""
        if self.side != "professional":
            return "patient_portal", self.side
        if self.card == "INDIRECTE":
            return "indirect", "facility_certificate"
        auth = "air" if self.card == "INDIRECTE_RENFORCEE" else "direct_cps"
        if not self._is_person:
            return ("air", "non_ps") if auth == "air" else ("direct_cpe", "cpe_holder")
        if self.roles[0] not in ((("10"), G15), ("10", G16)):
            return auth, "non_doctor_ps"
        if any(code in OCCUPATIONAL for code, _ in self.roles[1:]):
            return auth, "occupational_doctor"
        is_treating = dossier.person.doctor == self.name and self.mode != "regulation"
        return auth, "treating_doctor" if is_treating else "doctor"


@dataclass
class Paper:
    """One document. `hidden_until` None: not hidden; `status` one of approved, archived, obsolete, deleted."""

    unique_id: str
    logical_id: str
    type_code: str
    author: str
    structure: str
    by_patient: bool = False
    masked: bool = False
    hidden_until: datetime | None = None
    secret: bool = False
    status: str = "approved"


@dataclass
class Dossier:
    """A person's record with its documents, as it must be at `now`. `names`: the identifiers of the person."""

    person: Person
    names: set[str]
    papers: list[Paper] = field(default_factory=list)
    has_list: bool = False

    # --- the caller and the record -------------------------------------------------------------

    def names_of(self, asker: Asker) -> tuple[str, str]:
        """Whom of the holder's lists the asker is: professional, structure."""
        if asker.side != "professional":
            return "", ""
        return ("" if asker.card == "INDIRECTE" else asker.name), asker.structure

    def authorisation(self, asker: Asker, now: datetime) -> str:
        return self.person.authorisation(now, self.names_of(asker))

    def is_entered(self, asker: Asker, now: datetime) -> bool:
        """The record is open, its holder has not blocked who asks, and who says to represent does. 12.3"""
        if asker.side == "representative" and not self.person.may_act(asker.name, now):
            return False
        return self.person.state == "open" and self.authorisation(asker, now) != "INTERDIT"

    def cell(self, action: str, asker: Asker, *, by_patient: bool = False) -> str:
        auth, actor = asker.quality(self)
        for scope in ("patient_authored", "any") if by_patient else ("any",):
            for mode in (asker.mode if asker.side == "professional" else "normal", "any"):
                found = cells().get((action, auth, actor, mode, scope))
                if found:
                    return found
        return "deny"

    def lets(self, action: str, asker: Asker, paper: Paper | None) -> bool:
        """Whether a cell of the table of rights lets the asker, of this document or of any at all."""
        decision = self.cell(action, asker, by_patient=paper is not None and paper.by_patient)
        if decision == "own_only":
            return paper is None or (not asker.acts_for_structure and self.is_own(asker, paper))
        if decision == "structure_only":
            return paper is None or (not paper.by_patient and paper.structure == asker.structure)
        if decision == "if_patient_allowed":
            return "masked_in_emergency" in self.person.wishes
        return decision not in ("deny", "retired")

    def is_own(self, asker: Asker, paper: Paper) -> bool:
        if asker.side != "professional" or paper.by_patient:
            return False
        return paper.structure == asker.structure if asker.acts_for_structure else paper.author == asker.name

    def may_look(self, asker: Asker, paper: Paper, now: datetime) -> bool:
        """Authorisation in mode normal, own documents excepted; in an emergency no opposition instead. 12.3, 13"""
        if asker.side == "representative":
            return self.person.may_act(asker.name, now)
        if asker.side == "patient":
            return asker.name in self.names
        if asker.mode == "break_glass":
            return "opposes_break_glass" not in self.person.wishes
        if asker.mode == "regulation":
            return "opposes_regulation" not in self.person.wishes
        is_consented = asker.quality(self)[1] == "occupational_doctor" and "occupational_consent" in self.person.wishes
        return self.is_own(asker, paper) or self.authorisation(asker, now) == "VALIDE" or is_consented

    # --- documents -----------------------------------------------------------------------------

    def sees(self, action: str, asker: Asker, paper: Paper, now: datetime) -> bool:
        """`action`: search_reference (finds), search_metadata (knows of) or read_unmasked (reads)."""
        found = [f"document.{action}"] + (["document.search_metadata"] if action == "search_reference" else [])
        if not self.is_entered(asker, now) or not any(self.lets(one, asker, paper) for one in found):
            return False
        if not self.may_look(asker, paper, now):
            return False
        if asker.side == "representative" and paper.secret:
            return False
        needed = {"archived": "archived", "obsolete": "obsolete", "deleted": "deleted"}.get(paper.status, "")
        states = [needed] if needed else []
        states += ["masked"] if paper.masked else []
        states += ["hidden_from_patient"] if paper.hidden_until is not None and now < paper.hidden_until else []
        return all(self.lets(f"document.read_{one}", asker, paper) for one in states) and self._in_matrix(asker, paper)

    def _in_matrix(self, asker: Asker, paper: Paper) -> bool:
        """Not for one's own documents, patients, occupational doctors. 12.2"""
        is_free = asker.side != "professional" or asker.quality(self)[1] == "occupational_doctor"
        if is_free or self.is_own(asker, paper):
            return True
        row = matrix().get(paper.type_code)
        return row is not None and asker.column != "" and row[asker.column] == "1"

    def seen(self, action: str, asker: Asker, now: datetime, *statuses: str) -> set[str]:
        return {one.unique_id for one in self.papers if one.status in statuses and self.sees(action, asker, one, now)}

    def tells_references_alone(self, asker: Asker) -> bool:
        return not self.lets("document.search_metadata", asker, None)

    def knows_of(self, asker: Asker, paper: Paper, now: datetime) -> bool:
        """To change or replace a document one must find it, or have written it."""
        is_own = self.is_own(asker, paper) and self.is_entered(asker, now)
        return is_own or self.sees("search_reference", asker, paper, now)

    # --- feeding and changing ------------------------------------------------------------------

    def administers(self, asker: Asker, now: datetime) -> bool:
        """TD1.1 to TD1.5: in the normal mode, by card or certificate, by nobody who is blocked. 3, 7, 12.3"""
        if asker.card == "INDIRECTE_RENFORCEE" or asker.purpose != "normal":
            return False
        if asker.side == "representative" and not self.person.may_act(asker.name, now):
            return False
        return self.authorisation(asker, now) != "INTERDIT"

    def takes(self, asker: Asker, paper: Paper, now: datetime) -> bool:
        """Feeding needs an open record and no authorisation; AIR never feeds. 3 (TD2.1, TD2.2), 7 (EX_2.1-1050)"""
        if asker.card == "INDIRECTE_RENFORCEE" or not self.is_entered(asker, now):
            return False
        if paper.masked and paper.hidden_until is not None:
            return False
        if asker.secret and not paper.secret:
            return False
        if asker.side != "professional" and (paper.secret or paper.hidden_until is not None):
            return False
        return self.lets("document.submit", asker, None) or self.lets("document.submit_by_cpe", asker, None)

    def allows(self, action: str, asker: Asker, paper: Paper, now: datetime) -> bool:
        """mask, unmask, make_visible_to_patient, archive, unarchive, delete. 3 (TD3.3)"""
        if not self.knows_of(asker, paper, now) or not self.lets(f"document.{action}", asker, paper):
            return False
        is_own = self.is_own(asker, paper)
        return is_own or self.sees("search_reference", asker, paper, now)

    def open_what_waited(self, now: datetime) -> None:
        """The job of lifted visibility writes what the date has decided. DECISIONS 8"""
        for one in self.papers:
            if one.hidden_until is not None and one.hidden_until <= now:
                one.hidden_until = None


def hidden_until(fed: datetime) -> datetime:
    """A document hidden from its patient opens by itself a month after its deposit. CSP R.1111-53"""
    return months_after(fed, 1)
