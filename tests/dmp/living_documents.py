"""Documents of living records: fed, replaced and changed by those who may and those who may not. DMP 3 (TD2, TD3.3)."""

import itertools
from dataclasses import replace
from typing import Any

from tests.builders import a_replacement, an_entry
from tests.dmp import doors
from tests.dmp.askers import HIDDEN, MASKED, PERSONS, SECRET
from tests.dmp.dossier_model import Asker, Paper, hidden_until, matrix
from tests.dmp.living_records import LivingRecords
from tests.dmp.record_model import Refused
from xds.datatypes import Code

_numbers = itertools.count(1)
# What becomes visible, by the code that goes.
_SHOWN = {"make_visible_to_patient": HIDDEN, "make_visible_to_representatives": SECRET}
_AFTER = {"archive": "archived", "unarchive": "approved", "delete": "deleted"}
_BY_COMMAND = {
    "show-to-patient": "make_visible_to_patient",
    "show-to-representatives": "make_visible_to_representatives",
}


class LivingDocuments(LivingRecords):
    """What is fed and changed, in the server and in the model."""

    def feed(self, asker: Asker, ins: str, kind: str, codes: tuple[str, ...], pick: int) -> None:
        """TD2.1, TD2.2; every third feeds in place of what is there."""
        asker, dossier, ins = self.as_asked(asker, ins)
        if ins not in self.known:
            return
        by_patient = asker.side != "professional"
        kind = "DOCPAT03" if by_patient else kind
        paper = Paper(
            unique_id=f"2.25.88.{next(_numbers)}",
            logical_id=f"urn:uuid:00000000-0000-4000-8000-{next(_numbers):012}",
            type_code=kind,
            author=asker.name,
            structure="" if by_patient else asker.structure,
            by_patient=by_patient,
            masked=MASKED in codes,
            hidden_until=hidden_until(self.now) if HIDDEN in codes else None,
            secret=SECRET in codes,
        )
        former = dossier.papers[pick % len(dossier.papers)] if dossier.papers and pick % 3 == 0 else None
        may = dossier.takes(asker, paper, self.now)
        if former is not None:
            may = may and former.status == "approved" and dossier.knows_of(asker, former, self.now)
        answer = self.doors.feed(asker, ins, self._entry(asker, ins, paper, codes), **self._link(paper, former))
        if self.answered(may, answer.status == "Success", (answer.codes, answer.contexts)):
            dossier.papers.append(paper)
            if former is not None:
                former.status = "obsolete"

    def _entry(self, asker: Asker, ins: str, paper: Paper, codes: tuple[str, ...]) -> Any:
        row = matrix()[paper.type_code]
        kind = Code(code=paper.type_code, coding_scheme=row["type_system"], display_name=row["type_display"])
        return doors.written_entry(
            asker,
            ins,
            unique_id=paper.unique_id,
            logical_id=paper.logical_id,
            type_code=kind,
            class_code=row["class_code"],
            codes=codes,
        )

    def _link(self, paper: Paper, former: Paper | None) -> dict[str, Any]:
        if former is None:
            return {}
        present = self.doors.stored(PERSONS[0], former.unique_id)
        entry = an_entry(entry_uuid=paper.logical_id)
        return {"associations": (replace(a_replacement(entry, present.entry_uuid), entry_uuid="Replacement"),)}

    def change_through_the_door(self, asker: Asker, ins: str, pick: int, change: str) -> None:
        """TD3.3a to d"""
        asker, dossier, ins = self.as_asked(asker, ins)
        if not dossier.papers:
            return
        paper = dossier.papers[pick % len(dossier.papers)]
        if not self._fits(paper, change):
            return
        entry = self.doors.stored(ins, paper.unique_id)
        right = "make_visible_to_patient" if change in _SHOWN else change
        may = dossier.allows(right, asker, paper, self.now)
        if change in ("archive", "unarchive", "delete"):
            after = _AFTER[change]
            answer = self.doors.set_status(asker, ins, entry, paper.status, after)
            if self.answered(may, answer.status == "Success", (answer.codes, answer.contexts)):
                paper.status = after
            return
        kept = {one.code for one in entry.confidentiality_code if one.coding_scheme == doors.RESTRICTIONS}
        kept = kept | {MASKED} if change == "mask" else kept - {_SHOWN.get(change, MASKED)}
        answer = self.doors.restrict(asker, ins, entry, *sorted(kept))
        if self.answered(may, answer.status == "Success", (answer.codes, answer.contexts)):
            self._restricted(paper, change)

    def _fits(self, paper: Paper, change: str) -> bool:
        """Whether there is anything to change: an update that changes nothing is another matter."""
        if change in ("archive", "unarchive", "delete"):
            before = {"archive": ("approved",), "unarchive": ("archived",), "delete": ("approved", "archived")}
            return paper.status in before[change]
        fits = {
            "mask": not paper.masked,
            "unmask": paper.masked,
            "make_visible_to_patient": paper.hidden_until is not None,
            "make_visible_to_representatives": paper.secret,
        }
        return fits[change] and paper.status == "approved"

    def _restricted(self, paper: Paper, change: str) -> None:
        if change == "make_visible_to_patient":
            paper.hidden_until = None
        elif change == "make_visible_to_representatives":
            paper.secret = False
        else:
            paper.masked = change == "mask"

    def change_by_command(self, ins: str, pick: int, change: str) -> None:
        """What the holder has done at a desk."""
        dossier = self.of[ins]
        papers = [one for one in dossier.papers if one.status == "approved" or change in _AFTER]
        if not papers:
            return
        paper = papers[pick % len(papers)]

        def in_model() -> None:
            if not dossier.person.active:
                raise Refused
            if change in _AFTER:
                if paper.status != _AFTER[change] and not self._fits(paper, change):
                    raise Refused
                paper.status = _AFTER[change]
                return
            self._restricted(paper, _BY_COMMAND.get(change, change))

        words = ("show-to-patient", "--to-representatives") if change == "show-to-representatives" else (change,)
        command, *options = words
        given = (self.present[ins], paper.unique_id, *options, "--by", "holder")
        self.both(in_model, lambda: self.run("record", command, *given))

    def add_list(self, ins: str) -> None:
        """The on-demand list of documents."""
        ins = self.present[ins]
        if ins in self.known and self.of[ins].person.state != "erased" and not self.of[ins].has_list:
            self.run("on-demand", "add", ins, options=False)
            self.of[ins].has_list = True
