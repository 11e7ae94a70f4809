"""Repository and registry in two processes: a crash at every step, kills at any moment. 0 lost, 0 half visible, 0 dangling.

The steps are enumerated in one process, where a crash is an exception that nothing catches; seeded orders of writing
prove that the check sees. Real processes are killed by SIGKILL under load.
"""

import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from access_policy.caller import OPEN_CALLER, Caller
from repository import awaited
from repository.blob_store import BlobStore
from repository.filesystem_store import FilesystemStore
from repository.index import StoredDocument
from repository.registration import Entered, RegistrationUnknown, RegistryNotAvailable
from repository.registration_elsewhere import Elsewhere
from storage.engine import open_engine
from storage.migrate import upgrade
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import UnitOfWork, Units
from tests import messages, servers
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.repository.far_registry import (
    FarRegistry,
    Step,
    a_repository,
    an_elsewhere,
    delivered,
    loses_the_request,
    not_there,
    provide,
    refuses,
    takes,
    takes_and_fails,
    takes_and_goes,
    takes_without_answer,
)
from tests.servers import Apart
from xds.ebrim.read import Reading
from xds.errors import RegistryError, Rejected

CONTENT = b"<a/>"
# More steps than any submission has: kept, told three times at most, settled, each before and after.
STEPS = 12
FATES: dict[str, Sequence[Step]] = {
    "registered": [takes],
    "answer lost": [takes_without_answer],
    "request lost": [loses_the_request],
    "every request lost": [loses_the_request] * 3,
    "registry gone after it": [takes_and_goes],
    "refused": [refuses],
    "not there": [not_there],
    "failed after the commit": [takes_and_fails],
}
numbers = itertools.count(1)


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Crashes:
    """Ends the process at the nth step."""

    at: int
    steps: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Crash


@dataclass
class CrashingUnits:
    """Units whose commits are two steps: before and after."""

    units: Units
    crashes: Crashes

    def write(self, work: Callable[[UnitOfWork], object]) -> object:
        self.crashes.step()
        result = self.units.write(work)
        self.crashes.step()
        return result

    def read(self) -> object:
        return self.units.read()


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Units]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('index') / 'carnet.sqlite'}")
    upgrade(engine)
    opened = SqliteUnits(engine)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path)


def violations(
    units: Units, store: BlobStore, fate: str, *, at: int, kind: type[Elsewhere] = Elsewhere
) -> Iterator[str]:
    """What is wrong after one submission and a crash at a step of it, as a process started afterwards sees it."""
    crashes, far, submission = Crashes(at), FarRegistry(list(FATES[fate])), f"2.25.{next(numbers)}"
    unique_id, is_acknowledged = f"{submission}.1", False

    def register(reading: Reading, caller: Caller) -> Sequence[RegistryError]:
        crashes.step()
        answer = far.register(reading, caller)
        crashes.step()
        return answer

    there = an_elsewhere(CrashingUnits(units, crashes), far, kind=kind, register=register)
    with suppress(Crash, Rejected, RegistryNotAvailable, RegistrationUnknown):
        provide(a_repository(units, store, there, far), CONTENT, submission=submission)
        is_acknowledged = True
    assert crashes.steps < STEPS
    far.is_away, far.steps = False, []
    found = delivered(a_repository(units, store, an_elsewhere(units, far), far), unique_id)
    is_registered = unique_id in far.readable(OPEN_CALLER, {unique_id})
    if is_acknowledged and not is_registered:
        yield "acknowledged and lost"
    if is_registered and found != CONTENT:
        yield "registered and dangling"
    if not is_registered and found is not None:
        yield "delivered and not registered"


@pytest.mark.parametrize("fate", FATES)
def test_a_crash_at_any_step_loses_nothing_and_leaves_nothing_dangling(
    units: Units, store: BlobStore, fate: str
) -> None:
    for at in range(STEPS):
        assert list(violations(units, store, fate, at=at)) == [], f"crash at step {at}"


class MetadataFirst(Elsewhere):
    """The registry is told before the documents are kept."""

    def enter(self, reading: Reading, documents: Mapping[str, StoredDocument], caller: Caller) -> Entered:
        self.register(reading, caller)
        self.units.write(lambda unit: awaited.begin(unit.connection, ATTEMPT, list(documents.values())))
        return Entered()


class ForgetsWhatIsUnknown(Elsewhere):
    """A submission without an answer is taken for one that was refused."""

    def enter(self, reading: Reading, documents: Mapping[str, StoredDocument], caller: Caller) -> Entered:
        try:
            return super().enter(reading, documents, caller)
        except RegistrationUnknown:
            with self.units.read() as connection:
                found = awaited.among(connection, {one.unique_id for one in documents.values()})
            for one in found:
                self._write(one.attempt, self._give_up)
            raise


class ClaimsWhatIsUnknown(Elsewhere):
    """A submission without an answer is taken for done."""

    def enter(self, reading: Reading, documents: Mapping[str, StoredDocument], caller: Caller) -> Entered:
        with suppress(RegistrationUnknown):
            return super().enter(reading, documents, caller)
        return Entered()


class BelievesTheSecondAnswer(Elsewhere):
    """A repeated request that is refused is taken for refused, whatever became of the first."""

    def _had(self, *_: object) -> bool:
        return False


ATTEMPT = awaited.Attempt(id="seeded", submission="SubmissionSet01", submission_unique_id="2.25.0")


@pytest.mark.parametrize(
    ("kind", "fate", "expected"),
    [
        (MetadataFirst, "registered", "registered and dangling"),
        (ForgetsWhatIsUnknown, "registry gone after it", "registered and dangling"),
        (ClaimsWhatIsUnknown, "every request lost", "acknowledged and lost"),
        (BelievesTheSecondAnswer, "answer lost", "registered and dangling"),
        (BelievesTheSecondAnswer, "failed after the commit", "registered and dangling"),
    ],
)
def test_seeded_orders_of_writing_are_seen(
    units: Units, store: BlobStore, kind: type[Elsewhere], fate: str, expected: str
) -> None:
    found = {one for at in range(STEPS) for one in violations(units, store, fate, at=at, kind=kind)}
    assert expected in found


# --- real processes --------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [4, pytest.param(60, marks=pytest.mark.long)])
def test_a_kill_of_either_process_loses_nothing_and_leaves_nothing_dangling(tmp_path: Path, kills: int) -> None:
    """SIGKILL to one, then the other, under load; every acknowledged and every registered document is then read."""
    acknowledged: dict[str, bytes] = {}
    refused: list[str] = []
    with servers.apart(tmp_path, servers.killable) as pair:
        servers.know_patients(pair.registry.settings)
        for number in range(kills):
            victim = (pair, pair.registry)[number % 2].process
            assert victim is not None
            is_over = threading.Event()
            pushing = [
                threading.Thread(target=push_until, args=(is_over, pair, acknowledged, refused)) for _ in range(3)
            ]
            for thread in pushing:
                thread.start()
            try:
                enough(acknowledged, len(acknowledged) + 2 + number % 5, refused)
                victim.kill()
            finally:
                is_over.set()
                for thread in pushing:
                    thread.join()
            victim.start()
        registered = every_unique_id(pair)
        assert registered >= acknowledged.keys()
        for unique_id in registered:
            [content] = messages.contents(messages.retrieve(pair, (REPOSITORY, unique_id)))
            assert content == acknowledged.get(unique_id, content)
        done = servers.carnet(pair, "fsck", "--json")
        assert json.loads(done.stdout)["findings"] == []
        assert rows(pair.settings.database_url, "SELECT unique_id FROM document") == registered
    print(f"{kills} kills, {len(acknowledged)} acknowledged, {len(registered) - len(acknowledged)} registered besides")


def push_until(is_over: threading.Event, pair: Apart, acknowledged: dict[str, bytes], refused: list[str]) -> None:
    """A source goes on after an answer that says to try again later; each submission is a new one."""
    while not is_over.is_set():
        content = f"<a>{os.urandom(8).hex()}</a>".encode()
        entry = an_entry(content=content)
        try:
            answer = messages.provide(pair, a_submission(entry), {entry.entry_uuid: content})
        except OSError as problem:
            refused.append(repr(problem))
            continue
        if answer.status == "Success":
            acknowledged[str(entry.unique_id)] = content
        else:
            refused += answer.codes


def enough(acknowledged: dict[str, bytes], number: int, refused: list[str]) -> None:
    for _ in range(1200):
        if len(acknowledged) >= number:
            return
        threading.Event().wait(0.05)
    pytest.fail(f"{len(acknowledged)} of {number} submissions acknowledged in 60 s; refused: {refused[-10:]}")


def every_unique_id(pair: Apart) -> set[str]:
    return rows(pair.registry.settings.database_url, "SELECT unique_id FROM registry_object WHERE kind = 1")


def rows(database: str, statement: str) -> set[str]:
    engine = create_engine(database)
    with engine.connect() as connection:
        found = {str(one) for one in connection.execute(text(statement)).scalars()}
    engine.dispose()
    return found
