"""A client is certified: Carnet's own tools pass every scenario, over the recorder, judged message by message."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from conformance.client.certification import Certification, open_certification
from conformance.client.command_line import steps_of
from conformance.client.preparation import Prepared, prepare
from conformance.client.scenarios import People, read_people
from conformance.judgement import Heading, Run, Verdict
from conformance.requirements import Actor
from conformance.run_folder import RunFolder
from tests.conformance.vendor_software import Software, play

HEADING = Heading(actor=Actor.CLIENT, subject="Carnet", profiles=("all",), started=datetime.now(UTC))


@pytest.fixture(scope="module")
def people() -> People:
    return read_people()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, people: People) -> Prepared:
    return prepare(tmp_path_factory.mktemp("laboratory"), people, ("localhost", "127.0.0.1"))


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
def played(tmp_path_factory: pytest.TempPathFactory, prepared: Prepared, people: People) -> Iterator[Played]:
    folder = RunFolder(path=tmp_path_factory.mktemp("run"))
    folder.start(HEADING)
    with open_certification(prepared, people, steps_of(["all"]), folder, ("127.0.0.1", 0), patience=2.0) as opened:
        software = Software(opened.url, prepared, people)
        play(software, opened.page)
        yield Played(opened, folder, software)


def test_the_own_tools_pass_every_scenario(played: Played) -> None:
    run = played.run
    failed = [
        f"{one.step} {one.requirement} {one.message} {one.text_en} {one.location}"
        for one in run.findings
        if one.verdict is Verdict.FAILED
    ]
    assert not failed, "\n".join(failed)
    assert run.ended is not None


def test_every_requirement_is_tested(played: Played) -> None:
    untested = {one for one, verdict in played.run.verdicts.items() if verdict is Verdict.NOT_TESTED}
    # The own tools act as a doctor with a card: what binds a structure with a seal is in the faulty clients.
    assert untested == {"CLIENT-VIHF-19", "CLIENT-VIHF-21"}
