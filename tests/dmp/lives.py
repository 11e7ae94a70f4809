"""What the doors show of living records, compared with what the model says: no more and no less. DMP 3, 12."""

import json
from dataclasses import replace
from typing import Any

from tests.dmp import doors
from tests.dmp.doors import EVERY_STATUS, cx_of
from tests.dmp.dossier_model import Asker, Dossier, Paper
from tests.dmp.living_documents import LivingDocuments

THE_LIST = Paper(unique_id="", logical_id="", type_code="SYNTH", author="", structure="")


class Lives(LivingDocuments):
    """Somebody looks: by stored query, by retrieving, by FHIR, by the transactions on records, by command."""

    def look_by_stored_queries(self, asker: Asker, ins: str, status: str, way: str) -> None:
        """ITI-18: found and told of by patient, all of a patient, by uniqueId. ITI-51 is closed to a VIHF."""
        asker, dossier, ins = self.as_asked(asker, ins)
        if ins not in self.known:
            return
        if way == "several":
            assert self.doors.of_several_patients(asker, ins).status == "Failure"
            return
        statuses = ("approved", status) if way == "find" else EVERY_STATUS
        expected = dossier.seen("search_reference", asker, self.now, *statuses)
        answer = self._asked_for(asker, dossier, ins, way, statuses)
        if answer is None:
            return
        if not dossier.tells_references_alone(asker):
            assert doors.unique_ids(answer) == expected
        elif way != "all":  # of everything there are references to SubmissionSets too
            assert (doors.unique_ids(answer), len(doors.references(answer))) == (set(), len(expected))

    def _asked_for(
        self, asker: Asker, dossier: Dossier, ins: str, way: str, statuses: tuple[str, ...]
    ) -> doors.Answered | None:
        if way == "find":
            return self.doors.find(asker, ins, *statuses)
        if way == "all":
            return self.doors.everything(asker, ins)
        named = [one.unique_id for one in dossier.papers]
        return self.doors.get(asker, ins, named) if named else None

    def look_by_retrieving(self, asker: Asker, ins: str) -> None:
        """ITI-43, and the list that is made when it is retrieved."""
        asker, dossier, ins = self.as_asked(asker, ins)
        if dossier.papers:
            named = [one.unique_id for one in dossier.papers]
            expected = dossier.seen("read_unmasked", asker, self.now, *EVERY_STATUS)
            assert doors.retrieved(self.doors.retrieve(asker, ins, named)) == expected

    def look_at_the_list(self, asker: Asker, ins: str) -> None:
        asker, dossier, ins = self.as_asked(asker, ins)
        if not dossier.has_list:
            return
        slots = {"XDSDocumentEntryPatientId": f"'{cx_of(ins).key}'"}
        slots |= {"XDSDocumentEntryStatus": f"('{doors.STATUSES['approved']}')"}
        slots |= {"XDSDocumentEntryType": "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')"}
        entries = self.doors.query(None, ins, doors.messages.FIND_DOCUMENTS, **slots)
        for unique_id in doors.unique_ids(entries):
            answer = self.doors.retrieve(asker, ins, [unique_id])
            if not self.answered(
                dossier.sees("read_unmasked", asker, THE_LIST, self.now), answer.status == "Success", ""
            ):
                continue
            shown = doors.listed_titles(answer)
            assert shown == dossier.seen("read_unmasked", asker, self.now, "approved", "obsolete")

    def look_by_fhir(self, asker: Asker, ins: str, pick: int, way: str) -> None:
        """ITI-67 and ITI-66 with their totals, reads, ITI-68."""
        asker, dossier, ins = self.as_asked(asker, ins)
        if ins not in self.known:
            return
        if way == "search":
            expected = dossier.seen("search_metadata", asker, self.now, "approved", "archived", "obsolete")
            bundle = self.doors.search(asker, ins, "DocumentReference")
            found = {one["resource"]["masterIdentifier"]["value"][8:] for one in bundle.get("entry", ())}
            assert (found, bundle["total"]) == (expected, len(expected))
            deleted = self.doors.search(asker, ins, "DocumentReference", "&status=entered-in-error")
            assert deleted["total"] == len(dossier.seen("search_metadata", asker, self.now, "deleted"))
            count = self.doors.search(asker, ins, "DocumentReference", "&_summary=count")
            assert count["total"] == len(expected)
        elif way == "lists":
            seen = dossier.seen("search_metadata", asker, self.now, *EVERY_STATUS)
            if dossier.has_list and dossier.sees("search_metadata", asker, THE_LIST, self.now):
                seen.add("list")  # its SubmissionSet
            assert (self.doors.search(asker, ins, "List", "&code=submissionset")["total"] > 0) == bool(seen)
        elif dossier.papers:
            paper = dossier.papers[pick % len(dossier.papers)]
            for resource, action in (("DocumentReference", "search_metadata"), ("Binary", "read_unmasked")):
                path = f"/{resource}/{paper.logical_id.removeprefix('urn:uuid:')}"
                expected_status = 200 if dossier.sees(action, asker, paper, self.now) else 404
                assert self.doors.fhir(asker, ins, path)[0] == expected_status

    def look_at_records(self, asker: Asker, ins: str) -> None:
        """TD0.2, TD0.4, TD0.5."""
        asker, dossier, ins = self.as_asked(asker, ins)
        person = dossier.person
        is_nobody = asker.side == "representative" and not person.may_act(asker.name, self.now)
        if is_nobody or not dossier.lets("record.test_existence", asker, None):
            assert self.doors.existence(asker, ins)[0] == "AE"
        elif person.state in ("open", "suspended", "closed"):
            is_doctor = asker.side == "professional" and asker.card != "INDIRECTE" and person.doctor == asker.name
            state = "active" if person.state == "open" else "terminated"
            expected = ("OK", dossier.authorisation(asker, self.now), "true" if is_doctor else "false", state)
            assert self.doors.existence(asker, ins) == expected
        else:
            assert self.doors.existence(asker, ins)[0] == "NF"
        every = {id(one): one for one in self.of.values()}.values()
        assert self.doors.listed(asker, ins) == self._listed(asker, dossier, every)
        candidates = None
        if dossier.lets("patient.search_without_ins", asker, None):
            open_ones = [self.present_of(one) for one in every if one.person.state == "open"]
            candidates = {one for one in open_ones if one in self.traits}
        assert self.doors.candidates(asker, ins) == candidates

    def _listed(self, asker: Asker, dossier: Dossier, every: Any) -> set[str] | None:
        cell = dossier.cell("record.list_authorized", asker)
        if cell in ("deny", "retired"):
            return None
        of_structure = cell != "allow"
        whole = replace(asker, name="") if of_structure else replace(asker, structure="")
        return {
            self.present_of(one)
            for one in every
            if one.person.state == "open"
            and one.authorisation(whole, self.now) == "VALIDE"
            and one.authorisation(asker, self.now) != "INTERDIT"
        }

    def look_by_command(self, ins: str) -> None:
        """`carnet record show`, as an administrator sees it."""
        person = self.of[ins].person
        if not person.has_row:
            return
        shown = json.loads(self.run("record", "show", ins, "--json"))
        assert shown["state"] == person.state
        held = {one["holder"]: one["authorisation"] == "INTERDIT" for one in shown["rights"]}
        assert held == dict.fromkeys(person.authorised, False) | dict.fromkeys(person.blocked, True)
        named = {one["patient"].partition("^")[0] for one in shown["representatives"]}
        assert named == set(person.representatives)
        assert shown.get("treatingDoctor", "") == person.doctor
