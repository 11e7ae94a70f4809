"""Three records on a server and in the model: what is done with them by command and by software, to be the same in both.

CSP L.1111-14 to -22; DMP 3, 6, 13
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from carnet import job_commands, on_demand_commands, patient_commands, record_options
from carnet.application import application
from carnet.command_line import commands
from carnet.wiring import Actors, open_actors
from dmp.refusal import RecordRefused
from tests import one_dialect, servers
from tests.dmp.askers import BEGIN, PERSONS, WISHES
from tests.dmp.doors import Doors, in_this_process, over_network
from tests.dmp.dossier_model import Asker, Dossier
from tests.dmp.record_model import Person, Refused, joined
from tests.servers import settings_for
from xds.errors import Rejected

_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


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


class LivingRecords:
    """Three persons who may turn out to be one, represent each other, and have records; everybody asks."""

    def __init__(self, opened: int, *, over_http: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="carnet-doors-", dir=_IN_MEMORY))
        shutil.copytree(template(), self.folder / "data")
        self.clock = self.folder / "clock"
        self.now = BEGIN
        self.set_clock()
        given = settings_for(self.folder / "data", clock=f"@{self.clock}", audit="off")
        self.options = ["--data", given.data, "--clock", given.clock]
        with one_dialect.shared():
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
        """A command; raises what it refuses. It says what is wrong with its words, and what it leaves undone."""
        done = CliRunner().invoke(commands, [*words, *(self.options if options else self.options[:2])])
        assert not isinstance(done.exception, SystemExit), done.output
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
        """TD1.1; a creation comes in no secret connection, and a closed record is reactivated instead."""
        asker, dossier, ins = self.as_asked(asker, ins)
        person = dossier.person

        def in_model() -> None:
            before = person.birth
            person.birth = datetime(1958, 6, 17)  # noqa: DTZ001 - of the message
            try:
                if asker.secret or person.state == "closed" or not dossier.administers(asker, self.now):
                    raise Refused
                person.open(self.now)
            except Refused:
                person.birth = before
                raise

        if self.both(in_model, lambda: self._administered(asker, ins, "open")):
            self.opened(True, ins)
            self.traits |= dossier.names

    def administer(self, ins: str, asker: Asker, what: str) -> None:
        """TD1.2, TD1.4: of records that *Mon espace santé* does not reach."""
        asker, dossier, ins = self.as_asked(asker, ins)

        def in_model() -> None:
            if dossier.person.attached or not dossier.administers(asker, self.now):
                raise Refused
            getattr(dossier.person, what)(self.now)

        self.both(in_model, lambda: self._administered(asker, ins, what))

    def _administered(self, asker: Asker, ins: str, what: str) -> None:
        if self.doors.administer(asker, ins, what) != "AA":
            raise Refused

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

    def as_asked(self, asker: Asker, ins: str) -> tuple[Asker, Dossier, str]:
        """The asker about a person by the present identifier; who names somebody else is a representative."""
        dossier, present = self.of[ins], self.present[ins]
        if asker.side == "professional":
            return asker, dossier, present
        name = self.present[asker.name]
        return replace(asker, name=name, side="patient" if name == present else "representative"), dossier, present
