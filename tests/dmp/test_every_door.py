"""Lives of records at random, with everybody who may ask: every door is compared with a model written from the facts.

An act is done by those who may and those who may not, by command or through a door; then somebody looks, and what a
door shows must be what `dossier_model` says, no more and no less. CSP L.1111-14 to -22; DMP 3, 6, 12, 13
"""

import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from inspect import signature
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from access_policy.record_facts import Authorisation
from carnet import job_commands, on_demand_commands, patient_commands, record_options
from carnet.application import application
from carnet.command_line import commands
from carnet.wiring import Actors, open_actors
from dmp.refusal import RecordRefused
from tests import servers
from tests.builders import a_replacement, an_entry
from tests.dmp import doors
from tests.dmp.doors import EVERY_STATUS, Doors, cx_of, in_this_process, over_network
from tests.dmp.dossier_model import G15, SYSTEMS, Asker, Dossier, Paper, hidden_until, matrix, rows
from tests.dmp.record_model import Person, Refused, joined
from tests.servers import settings_for
from xds.datatypes import Code
from xds.errors import Rejected

BEGIN = datetime(2026, 3, 10, 10)  # noqa: DTZ001 - UTC by contract
PERSONS = ("258063500000188", "258063500000287", "258063500000386")
CLINIC, OTHER_CLINIC = "1690000014", "1750000018"
DOCTOR, SECOND = "801234567897", "810000000001"
PAUSES = tuple(timedelta(days=days) for days in (0, 1, 1, 14, 14, 31, 42, 92, 366, 3653))
# Types that some columns of the matrix open and others do not, and one that patients deposit.
TYPES = ("11488-4", "67851-6", "11502-2", "57833-6", "SYNTH", "DOCPAT03")
RESTRICTIONS = ("", "", "MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX")
WISHES = {
    "opposes_break_glass": ("oppose", "--break-glass"),
    "opposes_regulation": ("oppose", "--regulation"),
    "masked_in_emergency": ("allow", "--masked-in-emergency"),
    "occupational_consent": ("allow", "--occupational-doctor"),
}
LIFE = ("suspend", "resume", "close", "reactivate", "request_erasure", "oppose", "withdraw", "resume", "reactivate")
CHANGES = ("mask", "unmask", "make_visible_to_patient", "archive", "unarchive", "delete")
SPECIALITIES, SECTIONS, ROLES = "1.2.250.1.71.4.2.5", "1.2.250.1.71.4.2.6", "1.2.250.1.213.1.6.1.107"
THE_LIST = Paper(unique_id="", logical_id="", type_code="SYNTH", author="", structure="")
_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_numbers = itertools.count(1)


def _second(column: dict[str, str], profession: str) -> tuple[tuple[str, str], ...]:
    """What a VIHF says beside the profession, where the profession alone is not enough. 6.2"""
    if profession == "G15:10":
        return (("SM04", SPECIALITIES),)
    if profession == "G15:21":
        return ((column["cnop_sections"].split("|")[0], SECTIONS),)
    if profession == "R291:99":
        return (("318", ROLES), (column["genre_r22"], "1.2.250.1.213.1.6.1.19"))
    return ()


def _professionals() -> Iterator[Asker]:
    """One of each of the 19 columns, then those whom the tables treat in a way of their own."""
    for number, column in enumerate(rows("matrix_columns.csv"), start=1):
        profession = column["profession_keys"].split("|")[0]
        system, code = profession.split(":")
        roles = ((code, SYSTEMS[system]), *_second(column, profession))
        name, structure = f"8100000000{number:02}", (CLINIC, OTHER_CLINIC)[number % 2]
        yield Asker(label=column["column_id"], name=name, structure=structure, roles=roles, column=column["column_id"])
    doctor: tuple[tuple[str, str], ...] = (("10", G15), ("SM04", SPECIALITIES))
    yield Asker(label="doctor", name=DOCTOR, roles=doctor, column="medecin")
    yield Asker(label="second doctor", name=SECOND, roles=doctor, column="medecin")
    yield Asker(label="doctor by AIR", name=DOCTOR, roles=doctor, column="medecin", card="INDIRECTE_RENFORCEE")
    occupational = (doctor[0], ("SM25", SPECIALITIES))
    yield Asker(label="occupational doctor", name="810000000050", roles=occupational, column="medecin")
    yield Asker(label="in no column", name="810000000051", roles=(("35", G15),))
    office = (("SECRETARIAT_MEDICAL", "1.2.250.1.213.1.1.4.6"),)
    yield Asker(label="secretary by CPE", name="31690000014/secretary", roles=office)
    yield Asker(label="secretary by AIR", name="31690000014/secretary", roles=office, card="INDIRECTE_RENFORCEE")
    yield Asker(label="clinic", name="31690000014/system", roles=office, card="INDIRECTE")


PROFESSIONALS = tuple(_professionals())
FREQUENT = tuple(one for one in PROFESSIONALS if one.label in ("doctor", "second doctor", "infirmier", "clinic"))
PURPOSES = ("normal", "normal", "normal", "bris_de_glace", "centre_15")
PATIENT_SIDE = tuple(Asker(label="patient side", name=ins, card="INDIRECTE", side="patient") for ins in PERSONS)
ASKERS = (
    *(replace(one, purpose=purpose) for one in PROFESSIONALS for purpose in PURPOSES),
    *(replace(one, purpose=purpose) for one in FREQUENT for purpose in PURPOSES * 8),
    *PATIENT_SIDE * 30,
)
# How often each step is taken, and from what its arguments are drawn.
STEPS: dict[str, tuple[int, dict[str, tuple[Any, ...]]]] = {
    "time_passes": (3, {"pause": PAUSES}),
    "do_what_is_due": (2, {}),
    "inform": (1, {"ins": PERSONS, "birth": ("", "19580615", "20120229")}),
    "open": (4, {"ins": PERSONS}),
    "create_by_software": (1, {"ins": PERSONS}),
    "live": (3, {"ins": PERSONS, "step": LIFE}),
    "decide_on": (6, {"ins": PERSONS, "step": ("authorise", "authorise", "authorise", "block", "unblock", "unblock")}),
    "take_authorisation_back": (1, {"ins": PERSONS}),
    "authorise_oneself": (3, {"ins": PERSONS, "action": ("AJOUT", "AJOUT", "SUPPRESSION")}),
    "declare_doctor": (2, {"ins": PERSONS, "who": (DOCTOR, SECOND)}),
    "drop_doctor": (1, {"ins": PERSONS}),
    "wish": (3, {"ins": PERSONS, "name": tuple(WISHES), "value": (True, False)}),
    "represent": (2, {"ins": PERSONS, "other": PERSONS}),
    "merge": (1, {"subsumed": PERSONS, "surviving": PERSONS}),
    "feed": (14, {"ins": PERSONS, "kind": TYPES, "code": RESTRICTIONS, "pick": tuple(range(51))}),
    "change_through_the_door": (10, {"ins": PERSONS, "pick": tuple(range(51)), "change": CHANGES}),
    "change_by_command": (
        3,
        {"ins": PERSONS, "pick": tuple(range(51)), "change": ("mask", "unmask", "show-to-patient")},
    ),
    "add_list": (2, {"ins": PERSONS}),
    "look_by_stored_queries": (12, {"ins": PERSONS, "status": EVERY_STATUS, "way": ("find", "all", "get", "several")}),
    "look_by_retrieving": (9, {"ins": PERSONS}),
    "look_at_the_list": (5, {"ins": PERSONS}),
    "look_by_fhir": (10, {"ins": PERSONS, "pick": tuple(range(51)), "way": ("search", "lists", "read")}),
    "look_at_records": (6, {"ins": PERSONS}),
    "look_by_command": (2, {"ins": PERSONS}),
}
NAMES = tuple(name for name, (often, _) in STEPS.items() for _ in range(often))


@cache
def template() -> Path:
    """A data folder with an empty database, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="carnet-doors-", dir=_IN_MEMORY))
    open_actors(settings_for(folder / "data")).units.close()
    return folder / "data"


@contextmanager
def commands_on(actors: Actors) -> Iterator[None]:
    """The commands on the database that the doors have open, so that a life costs no start of a program."""

    @contextmanager
    def opened(found: Any) -> Iterator[Any]:
        yield found

    with pytest.MonkeyPatch.context() as patch:
        for module in (record_options, patient_commands, on_demand_commands):
            patch.setattr(module, "existing_registry", lambda _settings: opened(actors.registry))
        patch.setattr(job_commands, "existing_actors", lambda _settings: opened(actors))
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is done or looked at, and who asks where somebody does; its other arguments are drawn from the seed."""

    name: str
    asker: Asker
    seed: int

    def __repr__(self) -> str:
        return f"{self.name} #{self.seed} {self.asker}"


class Lives:
    """Three persons who may turn out to be one, represent each other, and have records; everybody asks."""

    def __init__(self, opened: int, *, over_http: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="carnet-doors-", dir=_IN_MEMORY))
        shutil.copytree(template(), self.folder / "data")
        self.clock = self.folder / "clock"
        self.now = BEGIN
        self.set_clock()
        given = settings_for(self.folder / "data", clock=f"@{self.clock}", audit="off")
        self.options = ["--data", given.data, "--clock", given.clock]
        self.actors = open_actors(given)
        self.entered = commands_on(self.actors)
        self.entered.__enter__()
        self.served = servers.in_process(given) if over_http else None
        self.doors = Doors(
            in_this_process(application(self.actors)) if self.served is None else over_network(self.served.__enter__())
        )
        self.of = {ins: Dossier(person=Person(), names={ins}) for ins in PERSONS}
        self.present = {ins: ins for ins in PERSONS}
        self.traits: set[str] = set()
        self.known: set[str] = set()
        for ins in PERSONS[:opened]:
            self.open(ins)

    def end(self) -> None:
        self.entered.__exit__(None, None, None)
        if self.served is not None:
            self.served.__exit__(None, None, None)
        self.actors.units.close()
        shutil.rmtree(self.folder)

    def set_clock(self) -> None:
        self.clock.write_text(self.now.strftime("%Y%m%d%H%M%S"))

    # --- doing it in both ----------------------------------------------------------------------

    def run(self, *words: str, options: bool = True) -> Any:
        """A command; raises what it refuses."""
        done = CliRunner().invoke(commands, [*words, *(self.options if options else self.options[:2])])
        if done.exception is not None:
            raise done.exception
        return done.output

    def both(self, in_model: Callable[[], Any], really: Callable[[], Any]) -> bool:
        """Whether it was done; both must agree on that."""
        refused = []
        for attempt in (in_model, really):
            try:
                attempt()
                refused.append(False)
            except (Refused, RecordRefused, Rejected):
                refused.append(True)
        assert refused[0] == refused[1], f"the model {'refuses' if refused[0] else 'allows'} it"
        return not refused[0]

    def act(self, name: str, ins: str, *given: Any, words: tuple[str, ...]) -> bool:
        """`carnet record …` on the present or a former identifier of the person."""
        person = self.of[ins].person
        return self.both(lambda: getattr(person, name)(self.now, *given), lambda: self.run("record", *words))

    def answered(self, expected: bool, succeeded: bool, what: object) -> bool:
        assert succeeded == expected, f"the model {'allows' if expected else 'refuses'} it: {what}"
        return expected

    def take(self, step: Step) -> None:
        draw, method = Random(step.seed), getattr(self, step.name)
        given = {argument: draw.choice(values) for argument, values in STEPS[step.name][1].items()}
        if "asker" in signature(method).parameters:
            given["asker"] = step.asker
        method(**given)

    # --- time, life and rights -----------------------------------------------------------------

    def time_passes(self, pause: timedelta) -> None:
        self.now += pause
        self.set_clock()

    def do_what_is_due(self) -> None:
        self.run("jobs", "run")
        for dossier in {id(one): one for one in self.of.values()}.values():
            dossier.open_what_waited(self.now)
            dossier.person.pass_time(self.now)
            if dossier.person.state == "erased":
                self.forget(dossier)
            if dossier.person.state == "open" and self.present_of(dossier) not in self.known:
                self.known.add(self.present_of(dossier))

    def forget(self, dossier: Dossier) -> None:
        dossier.papers, dossier.has_list = [], False
        self.traits -= dossier.names

    def present_of(self, dossier: Dossier) -> str:
        return self.present[next(iter(dossier.names))]

    def inform(self, ins: str, birth: str) -> None:
        born = datetime.strptime(birth, "%Y%m%d") if birth else None  # noqa: DTZ007
        given = ("--birth-date", birth) if birth else ()
        self.act("inform", ins, born, words=("inform", ins, *given))

    def open(self, ins: str) -> None:
        self.opened(self.act("open", ins, words=("open", ins)), ins)

    def create_by_software(self, ins: str, asker: Asker) -> None:
        """TD1.1"""
        person, ins = self.of[ins].person, self.present[ins]
        if (
            asker.side != "professional"
            or asker.purpose != "normal"
            or person.state not in ("none", "open", "suspended")
        ):
            return

        def really() -> None:
            if self.doors.create(asker, ins) != "AA":
                raise Refused

        def in_model() -> None:
            before = person.birth
            person.birth = datetime(1958, 6, 17)  # noqa: DTZ001 - of the message
            try:
                person.open(self.now)
            except Refused:
                person.birth = before
                raise

        if self.both(in_model, really):
            self.opened(True, ins)
            self.traits |= self.of[ins].names

    def opened(self, is_open: bool, ins: str) -> None:
        if is_open:
            self.known.add(self.present[ins])

    def live(self, ins: str, step: str) -> None:
        words = {"request_erasure": ("request-erasure", ins), "withdraw": ("oppose", ins, "--withdraw")}
        self.act(step, ins, words=words.get(step, (step, ins)))

    def decide_on(self, ins: str, asker: Asker, step: str) -> None:
        """The holder authorises and blocks professionals; structures where somebody acts for one."""
        if asker.side != "professional":
            return
        whom = asker.structure if asker.acts_for_structure else asker.name
        kind = ("--structure",) if asker.acts_for_structure else ()
        self.act(step, ins, whom, words=(step, ins, whom, *kind))

    def take_authorisation_back(self, ins: str, asker: Asker) -> None:
        if asker.side == "professional":
            self.act("remove_authorisation", ins, asker.name, words=("authorise", ins, asker.name, "--remove"))

    def authorise_oneself(self, ins: str, asker: Asker, action: str) -> None:
        """TD0.3"""
        dossier, ins = self.of[ins], self.present[ins]
        right = {"AJOUT": "authorization.declare_self", "SUPPRESSION": "authorization.remove_self"}[action]
        cell = dossier.cell(right, asker)
        whom = asker.structure if cell in ("allow_for_structure", "allow_as_structure") else asker.name

        def in_model() -> None:
            if not dossier.is_entered(asker, self.now) or not dossier.lets(right, asker, None):
                raise Refused
            (dossier.person.authorise if action == "AJOUT" else dossier.person.remove_authorisation)(self.now, whom)

        def really() -> None:
            if self.doors.set_authorization(asker, ins, action) != "DMPOk":
                raise Refused

        self.both(in_model, really)

    def declare_doctor(self, ins: str, who: str) -> None:
        self.act("declare_doctor", ins, who, words=("treating-doctor", ins, who))

    def drop_doctor(self, ins: str) -> None:
        self.act("drop_doctor", ins, words=("treating-doctor", ins, "--drop"))

    def wish(self, ins: str, name: str, value: bool) -> None:
        command, option = WISHES[name]
        self.act("wish", ins, name, value, words=(command, ins, option, *(() if value else ("--withdraw",))))

    def represent(self, ins: str, other: str) -> None:
        dossier = self.of[ins]
        named = self.present[other]
        self.act("name_representative", ins, named, dossier.names, words=("represent", ins, named))

    def merge(self, subsumed: str, surviving: str) -> None:
        """Two identifiers of one person; both must be known to the registry. 15"""
        old, new = self.present[subsumed], self.present[surviving]
        if old == new or not {old, new} <= self.known:
            return
        self.run("patient", "merge", old, new, options=False)
        first, second = self.of[old], self.of[new]
        person = joined(first.person, second.person)
        person.has_row = True
        whole = Dossier(person=person, names=first.names | second.names, papers=[*second.papers, *first.papers])
        whole.has_list = second.has_list or first.has_list
        for one in {id(one): one for one in self.of.values()}.values():
            if old in one.person.representatives:
                one.person.representatives.setdefault(new, one.person.representatives.pop(old))
        if old in person.representatives:
            person.representatives.setdefault(new, person.representatives.pop(old))
        person.representatives.pop(new, None)
        for name in whole.names:
            self.of[name], self.present[name] = whole, new
        if whole.names & self.traits:
            self.traits |= whole.names

    # --- documents -----------------------------------------------------------------------------

    def as_asked(self, asker: Asker, ins: str) -> tuple[Asker, Dossier, str]:
        """The asker about a person by the present identifier; who names somebody else is a representative."""
        dossier, present = self.of[ins], self.present[ins]
        if asker.side == "professional":
            return asker, dossier, present
        name = self.present[asker.name]
        return replace(asker, name=name, side="patient" if name == present else "representative"), dossier, present

    def feed(self, asker: Asker, ins: str, kind: str, code: str, pick: int) -> None:
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
            masked=code == "MASQUE_PS",
            hidden_until=hidden_until(self.now) if code == "INVISIBLE_PATIENT" else None,
            secret=code == "INVISIBLE_REPRESENTANTS_LEGAUX",
        )
        former = dossier.papers[pick % len(dossier.papers)] if dossier.papers and pick % 3 == 0 else None
        may = dossier.takes(asker, self.now) and not (by_patient and (paper.hidden_until or paper.secret))
        if former is not None:
            may = may and former.status == "approved" and dossier.knows_of(asker, former, self.now)
        answer = self.doors.feed(asker, ins, self._entry(asker, ins, paper, code), **self._link(paper, former))
        if self.answered(may, answer.status == "Success", (answer.codes, answer.contexts)):
            dossier.papers.append(paper)
            if former is not None:
                former.status = "obsolete"

    def _entry(self, asker: Asker, ins: str, paper: Paper, code: str) -> Any:
        row = matrix()[paper.type_code]
        kind = Code(code=paper.type_code, coding_scheme=row["type_system"], display_name=row["type_display"])
        return doors.written_entry(
            asker,
            ins,
            unique_id=paper.unique_id,
            logical_id=paper.logical_id,
            type_code=kind,
            class_code=row["class_code"],
            codes=(code,) if code else (),
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
        may = dossier.allows(change, asker, paper, self.now)
        if change in ("archive", "unarchive", "delete"):
            after = {"archive": "archived", "unarchive": "approved", "delete": "deleted"}[change]
            answer = self.doors.set_status(asker, ins, entry, paper.status, after)
            if self.answered(may, answer.status == "Success", (answer.codes, answer.contexts)):
                paper.status = after
            return
        kept = {one.code for one in entry.confidentiality_code if one.coding_scheme == doors.RESTRICTIONS}
        kept = kept | {"MASQUE_PS"} if change == "mask" else kept - {"MASQUE_PS"}
        if change == "make_visible_to_patient":
            kept -= {"INVISIBLE_PATIENT"}
        answer = self.doors.restrict(asker, ins, entry, *sorted(kept))
        if self.answered(may, answer.status == "Success", (answer.codes, answer.contexts)):
            self._restricted(paper, change)

    def _fits(self, paper: Paper, change: str) -> bool:
        """Whether there is anything to change: an update that changes nothing is another matter."""
        if change in ("archive", "unarchive", "delete"):
            before = {"archive": ("approved",), "unarchive": ("archived",), "delete": ("approved", "archived")}
            return paper.status in before[change]
        is_hidden = paper.hidden_until is not None
        fits = {"mask": not paper.masked, "unmask": paper.masked, "make_visible_to_patient": is_hidden}[change]
        return fits and paper.status == "approved" and not (change != "unmask" and paper.masked)

    def _restricted(self, paper: Paper, change: str) -> None:
        if change == "make_visible_to_patient":
            paper.hidden_until = None
        else:
            paper.masked = change == "mask"

    def change_by_command(self, ins: str, pick: int, change: str) -> None:
        """What the holder has done at a desk."""
        dossier = self.of[ins]
        papers = [one for one in dossier.papers if one.status == "approved"]
        if not papers:
            return
        paper = papers[pick % len(papers)]

        def in_model() -> None:
            if not dossier.person.active:
                raise Refused
            if change == "show-to-patient":
                paper.hidden_until = None
            else:
                paper.masked = change == "mask"

        self.both(in_model, lambda: self.run("record", change, self.present[ins], paper.unique_id, "--by", "holder"))

    def add_list(self, ins: str) -> None:
        """The on-demand list of documents."""
        ins = self.present[ins]
        if ins in self.known and self.of[ins].person.state != "erased" and not self.of[ins].has_list:
            self.run("on-demand", "add", ins, options=False)
            self.of[ins].has_list = True

    # --- looking -------------------------------------------------------------------------------

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


def steps_of(seed: int, number: int) -> list[Step]:
    draw = Random(seed)
    return [Step(name=draw.choice(NAMES), asker=draw.choice(ASKERS), seed=draw.randrange(2**32)) for _ in range(number)]


def broken_by(steps: Sequence[Step], *, over_http: bool = False) -> Exception | None:
    """What is wrong in this life, None when nothing is."""
    lives = Lives(opened=len(PERSONS), over_http=over_http)
    try:
        for step in steps:
            lives.take(step)
    except Exception as problem:  # noqa: BLE001 - a server that fails is as wrong as one that differs
        return problem
    finally:
        lives.end()
    return None


def shortest(steps: list[Step], *, attempts: int = 150) -> list[Step]:
    """Fewer steps that still go wrong: halves are left out, then quarters, down to single ones."""
    size = len(steps) // 2
    while size and attempts:
        for start in range(0, len(steps), size):
            shorter, attempts = steps[:start] + steps[start + size :], attempts - 1
            if shorter and attempts > 0 and broken_by(shorter) is not None:
                steps = shorter
                break
        else:
            size //= 2
    return steps


def live(*, lives: int, steps: int, first: int = 1) -> None:
    for seed in range(first, first + lives):
        life = steps_of(seed, steps)
        if broken_by(life) is None:
            continue
        found = shortest(life)
        problem = broken_by(found)
        raise AssertionError("\n".join([f"life {seed}, shortened:", *map(repr, found), repr(problem)])) from problem


def test_every_door_shows_what_the_facts_say() -> None:
    live(lives=14, steps=150)


def test_a_life_over_http_is_the_same() -> None:
    assert broken_by(steps_of(7, 150), over_http=True) is None


@pytest.mark.long
def test_every_door_shows_what_the_facts_say_for_long() -> None:
    live(lives=1000, steps=200, first=1000)


def test_a_life_that_goes_wrong_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that lets everybody read is found out, and told in few steps."""
    monkeypatch.setattr("dmp.facts._authorisation", lambda *_: Authorisation.VALID)
    life = next(life for life in (steps_of(seed, 150) for seed in range(20)) if broken_by(life) is not None)
    assert len(shortest(life)) < 20
