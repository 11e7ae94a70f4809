"""Two at once: of two replacements of one document, and of two updates of one version, exactly one wins."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from registry import iti42_register_document_set_b as iti42
from registry import iti57_update_document_set as iti57
from registry.store import Registry
from storage.engine import open_engine
from storage.migrate import upgrade
from storage.unit_of_work import Units
from tests.builders import PATIENT, a_replacement, a_submission, an_entry, an_update
from tests.registry.racing import WON, Outcome, a_registry, attempt, compete
from tests.registry.registries import a_stored_entry
from xds.metadata import DocumentEntry, Submission

RACES = [pytest.param(100, id="100"), pytest.param(2000, id="2000", marks=pytest.mark.long)]


def a_competing_replacement(entry: DocumentEntry) -> Submission:
    new = an_entry(entry_uuid="Document02")
    return a_submission(new, associations=(a_replacement(new, entry.entry_uuid),))


KINDS = [
    pytest.param(
        iti42.handle, a_competing_replacement, frozenset({"XDSRegistryDeprecatedDocumentError"}), id="replace"
    ),
    pytest.param(iti57.handle, an_update, frozenset({"XDSMetadataVersionError"}), id="update"),
]


def race(registry: Registry, submissions: list[Submission], handle: Callable[..., Any]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    start = threading.Barrier(len(submissions))

    def run(submission: Submission) -> None:
        start.wait()
        outcomes.append(attempt(registry, submission, handle))

    threads = [threading.Thread(target=run, args=(submission,)) for submission in submissions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.parametrize("races", RACES)
@pytest.mark.parametrize(("handle", "submission_of", "lost"), KINDS)
def test_of_two_threads_exactly_one_wins(
    registry: Registry,
    races: int,
    handle: Callable[..., Any],
    submission_of: Callable[[DocumentEntry], Submission],
    lost: Outcome,
) -> None:
    for _ in range(races):
        entry = a_stored_entry(registry)
        outcomes = race(registry, [submission_of(entry), submission_of(entry)], handle)
        assert sorted(outcomes, key=len) == [WON, lost]


@pytest.mark.parametrize("versions", [pytest.param(25, id="25"), pytest.param(500, id="500", marks=pytest.mark.long)])
def test_who_follows_one_document_is_never_refused_for_what_others_do(registry: Registry, versions: int) -> None:
    """Each thread gives a document of the same patient its versions, one after the answer to the other."""
    entries = [a_stored_entry(registry) for _ in range(4)]
    outcomes: list[Outcome] = []

    def follow(entry: DocumentEntry) -> None:
        for version in range(1, versions + 1):
            update = an_update(entry, entry_uuid=f"Update{version}", previous_version=version)
            outcomes.append(attempt(registry, update, iti57.handle))

    threads = [threading.Thread(target=follow, args=(entry,)) for entry in entries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [WON] * 4 * versions


@pytest.fixture
def competitors(postgresql_url: str) -> Iterator[Callable[[Any], tuple[Any, Any]]]:
    """Starts two processes that race for a handle; gives the queues of submissions and the one of outcomes."""
    context = multiprocessing.get_context("spawn")
    running: list[tuple[Any, Any, Any]] = []

    def start(handle: Any) -> tuple[Any, Any]:
        barrier, outcomes = context.Barrier(2), context.Queue()
        queues = [context.Queue(), context.Queue()]
        for queue in queues:
            process = context.Process(target=compete, args=(postgresql_url, handle, barrier, queue, outcomes))
            process.start()
            running.append((process, queue, barrier))
        return queues, outcomes

    yield start
    for process, queue, _ in running:
        queue.put(None)
        process.join(timeout=30)
        if process.is_alive():
            process.kill()


@pytest.mark.postgresql
@pytest.mark.parametrize("races", RACES)
@pytest.mark.parametrize(("handle", "submission_of", "lost"), KINDS)
def test_of_two_processes_exactly_one_wins(
    postgresql_url: str,
    competitors: Callable[[Any], tuple[Any, Any]],
    races: int,
    handle: Callable[..., Any],
    submission_of: Callable[[DocumentEntry], Submission],
    lost: Outcome,
) -> None:
    registry, units = _prepared(postgresql_url)
    queues, outcomes = competitors(handle)
    for _ in range(races):
        entry = a_stored_entry(registry)
        for queue in queues:
            queue.put(submission_of(entry))
        assert sorted((outcomes.get(timeout=60), outcomes.get(timeout=60)), key=len) == [WON, lost]
    units.close()


def _prepared(url: str) -> tuple[Registry, Units]:
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()
    registry, units = a_registry(url)
    units.write(lambda unit: registry.add_patient(unit, PATIENT))
    return registry, units
