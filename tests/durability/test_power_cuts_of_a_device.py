"""The power of a whole device is cut while a server writes to it: the copy is mounted, the server started on it.

As root, on a loop device; the rootless form is `test_power_cuts.py`. Nothing acknowledged is lost, nothing is half
visible, nothing dangles; three bugs that only a power cut shows prove that it can be seen.
"""

import hashlib
import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from access_policy.caller import OPEN_CALLER
from carnet.settings import Settings
from carnet.wiring import open_actors
from repository import iti43_retrieve_document_set as iti43
from repository.document_request import DocumentRequest
from tests import messages, servers
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.durability import checker, scenario
from tests.durability.fork_server import Forks, forks
from tests.durability.loop_image import Volume, mounted, new_image, why_no_loop

NO_LOOP = why_no_loop()
pytestmark = pytest.mark.skipif(bool(NO_LOOP), reason=NO_LOOP or "an image can be mounted")
SEED = 20261128
CUTS = [pytest.param(50, id="50"), pytest.param(500, id="500", marks=pytest.mark.long)]
SERVER_CUTS = [pytest.param(2, id="2"), pytest.param(60, id="60", marks=pytest.mark.long)]
CUTS_PER_IMAGE = 25
MOST_CUTS_PER_BUG = 120
LONGEST_PAUSE_SECONDS = 0.08
BUGS = ("synchronous=NORMAL", "no folder fsync", "no file fsync")


@pytest.fixture(scope="module")
def server() -> Iterator[Forks]:
    with forks() as running:
        yield running


@contextmanager
def a_volume(memory: Path, number: int) -> Iterator[Volume]:
    """An image with a repository that knows its patient."""
    image = new_image(memory / f"{number}.img")
    with mounted(image, memory / "live") as volume:
        scenario.prepare(volume.folder / "data")
        os.sync()
        yield volume
    image.unlink()


def told(data: Path) -> checker.Acknowledged:
    file = data / "acknowledged"
    return checker.acknowledged(file.read_text().splitlines(keepends=True) if file.exists() else [])


def broken(server: Forks, memory: Path, *, cuts: int, bug: str = "") -> Iterator[str]:
    """Violations after each of so many cuts, by chance in time, of a device that is written to all the while."""
    chance, acknowledged = random.Random(SEED), 0
    for first in range(0, cuts, CUTS_PER_IMAGE):
        with a_volume(memory, first) as volume:
            data = volume.folder / "data"
            pid = server.begin(data, name=str(first + 1), steps=10_000, bug=bug)
            try:
                wait_for_checkpoint(data)
                for number in range(first, min(first + CUTS_PER_IMAGE, cuts)):
                    wait_for_more(data)
                    threading.Event().wait(chance.uniform(0, LONGEST_PAUSE_SECONDS))
                    volume.cut(pid, memory / "cut.img")
                    answers = told(data)
                    yield from (f"seed {SEED}, cut {number}: {one}" for one in after_a_cut(memory, answers))
                    acknowledged = max(acknowledged, len(answers.stored))
                    os.kill(pid, signal.SIGCONT)
            finally:
                os.kill(pid, signal.SIGKILL)
                server.end()
    print(f"{cuts} cuts, up to {acknowledged} documents acknowledged before one")
    assert acknowledged


def wait_for_checkpoint(data: Path) -> None:
    """Until the log of the database begins anew. Then it grows no more, and no sync of it keeps the names of files too."""
    database = data / "carnet.sqlite"
    before = database.stat().st_mtime_ns
    for _ in range(10_000):
        if database.stat().st_mtime_ns != before:
            return
        threading.Event().wait(0.002)
    pytest.fail("no checkpoint in 20 s")


def wait_for_more(data: Path) -> None:
    """Until the run has acknowledged something more, so that every cut has something to lose."""
    before = len(told(data).stored)
    for _ in range(10_000):
        if len(told(data).stored) > before:
            return
        threading.Event().wait(0.002)
    pytest.fail("nothing acknowledged in 20 s")


def after_a_cut(memory: Path, answers: checker.Acknowledged) -> list[str]:
    """The journal is replayed, the server is started, then everything is looked at."""
    with mounted(memory / "cut.img", memory / "after") as volume:
        return [*not_delivered(volume.folder / "data", answers), *checker.violations(volume.folder / "data", answers)]


def not_delivered(data: Path, answers: checker.Acknowledged) -> Iterator[str]:
    """What the repository, opened as a server opens it, does not give back as it was."""
    actors = open_actors(Settings(data=str(data), security="open"))
    try:
        assert actors.repository is not None
        kept = {
            one: sha256
            for one, sha256 in answers.stored.items()
            if one not in answers.removed and not checker.may_be_removed(one)
        }
        requests = [DocumentRequest(repository_unique_id=REPOSITORY, document_unique_id=one) for one in kept]
        found = {
            one.request.document_unique_id: hashlib.sha256(b"".join(one.octets)).hexdigest()
            for one in iti43.handle(actors.repository, requests, OPEN_CALLER).delivered
        }
    finally:
        actors.units.close()
    yield from (f"not delivered: {one}" for one in kept if found.get(one) != kept[one])


@pytest.mark.parametrize("cuts", CUTS)
def test_no_power_cut_loses_anything(server: Forks, memory: Path, cuts: int) -> None:
    assert list(broken(server, memory, cuts=cuts)) == []


@pytest.mark.parametrize("bug", BUGS)
def test_a_power_cut_shows_the_seeded_bug(server: Forks, memory: Path, bug: str) -> None:
    cuts = broken(server, memory, cuts=MOST_CUTS_PER_BUG, bug=bug)
    try:
        assert next(cuts, ""), f"{bug}: not seen in {MOST_CUTS_PER_BUG} cuts"
    finally:
        cuts.close()  # type: ignore[attr-defined]


# --- the server that users start -------------------------------------------------------------


@pytest.mark.parametrize("cuts", SERVER_CUTS)
def test_a_server_started_after_a_power_cut_has_everything_it_acknowledged(memory: Path, cuts: int) -> None:
    """`carnet serve` under load over HTTP; another one is started on each copy of its device."""
    acknowledged: dict[str, bytes] = {}
    with mounted(new_image(memory / "server.img", size=512 * 2**20), memory / "live") as volume:
        settings = servers.settings_for(volume.folder / "data")
        with servers.killable(settings) as running:
            servers.know_patients(settings)
            for number in range(cuts):
                with submitting(running, acknowledged):
                    enough(acknowledged, len(acknowledged) + 3 + number % 7)
                    assert running.process is not None
                    volume.cut(-running.process.pid, memory / "cut.img")
                    before = dict(acknowledged)
                    os.killpg(running.process.pid, signal.SIGCONT)
                with mounted(memory / "cut.img", memory / "after") as copy:
                    has_everything(copy.folder / "data", before)
    print(f"{cuts} cuts, {len(acknowledged)} documents acknowledged")


@contextmanager
def submitting(server: servers.Server, acknowledged: dict[str, bytes]) -> Iterator[None]:
    """Three sources submit one document after the other while the block runs."""
    is_over = threading.Event()

    def submit() -> None:
        while not is_over.is_set():
            content = f"<a>{os.urandom(8).hex()}</a>".encode()
            entry = an_entry(content=content)
            with suppress(OSError):
                if messages.provide(server, a_submission(entry), {entry.entry_uuid: content}).status == "Success":
                    acknowledged[str(entry.unique_id)] = content

    sources = [threading.Thread(target=submit) for _ in range(3)]
    for source in sources:
        source.start()
    try:
        yield
    finally:
        is_over.set()
        for source in sources:
            source.join()


def enough(acknowledged: dict[str, bytes], number: int) -> None:
    for _ in range(6_000):
        if len(acknowledged) >= number:
            return
        threading.Event().wait(0.01)
    pytest.fail(f"{len(acknowledged)} of {number} submissions acknowledged in 60 s")


def has_everything(data: Path, acknowledged: dict[str, bytes]) -> None:
    """By ITI-43 from a server on this data folder, then by `carnet fsck`."""
    with servers.started(servers.settings_for(data)) as server:
        for unique_id, content in acknowledged.items():
            assert messages.contents(messages.retrieve(server, (REPOSITORY, unique_id))) == [content]
        done = servers.carnet(server, "fsck", "--json")
    assert [one for one in json.loads(done.stdout)["findings"] if one["kind"] != "blob without document"] == []
