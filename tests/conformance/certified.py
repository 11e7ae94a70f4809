"""A certification that the own tools have played, for every test of a module that looks at it or starts from it."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from conformance.client import preparation
from conformance.client.behaviours import HOLD
from conformance.client.certification import Certification, open_certification
from conformance.client.judging import message_rules
from conformance.client.preparation import Prepared, prepare
from conformance.client.rules.documents import DocumentCheck, by_command
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import People, read_people, steps_of
from conformance.judgement import Heading, Run
from conformance.requirements import Actor
from conformance.run_folder import RunFolder
from tests import forked
from tests.conformance.faulty_clients import Workbench
from tests.conformance.fhir_software import fhir_plays
from tests.conformance.vendor_software import PLAYS, Software, play

STEPS = tuple(replace(one, seconds=6.0) if one.behaviour == HOLD else one for one in steps_of(["all", "fhir"]))
HEADING = Heading(actor=Actor.CLIENT, subject="Carnet", profiles=("all",), started=datetime.now(UTC))


@pytest.fixture(scope="module")
def people() -> People:
    return read_people()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, people: People) -> Prepared:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "_carnet", _mostly_forked(preparation._carnet))
        return prepare(tmp_path_factory.mktemp("laboratory"), people, ("localhost", "127.0.0.1"))


def _mostly_forked(start: Callable[..., str]) -> Callable[..., str]:
    """The first command of each kind is started as it is on a vendor's machine; those like it are forks."""
    begun = set[str]()

    def command(*arguments: str) -> str:
        if arguments[0] not in begun:
            begun.add(arguments[0])
            return start(*arguments)
        done = forked.run(arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return command


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory, prepared: Prepared) -> Prepared:
    """As it was prepared, for a second server."""
    folder = tmp_path_factory.mktemp("another") / "laboratory"
    shutil.copytree(prepared.folder, folder)
    return Prepared(folder=folder)


@dataclass(frozen=True)
class Played:
    """A certification that is over, its server still there."""

    opened: Certification
    folder: RunFolder
    software: Software

    @property
    def run(self) -> Run:
        return self.folder.load()


@pytest.fixture(scope="module")
def rules() -> tuple[Rule, ...]:
    """Those of all sessions: a document is checked once, the first by the command as it is started."""
    begun = list[bool]()

    def carnet(arguments: Sequence[str]) -> tuple[str, str]:
        if not begun:
            begun.append(True)
            return by_command(arguments)
        done = forked.run(arguments)
        return done.stdout, done.stderr

    return message_rules(DocumentCheck(carnet))


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory,
    prepared: Prepared,
    another: Prepared,
    people: People,
    rules: tuple[Rule, ...],
) -> Iterator[Played]:
    """After the laboratory was copied: from here on its server writes."""
    folder = RunFolder(path=tmp_path_factory.mktemp("run"))
    folder.start(HEADING)
    with open_certification(prepared, people, STEPS, folder, ("127.0.0.1", 0), patience=2.0, rules=rules) as opened:
        software = Software(opened.url, prepared, people)
        play(software, opened.page, {**PLAYS, **fhir_plays(software)})
        yield Played(opened, folder, software)


@pytest.fixture(scope="module")
def workbench(played: Played, rules: tuple[Rule, ...], tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    steps = {one.key: one for one in STEPS}
    folder, backend = tmp_path_factory.mktemp("faulty"), played.opened.backend
    return Workbench(played.software, played.run, steps, rules, folder, backend)
