"""What is done to a repository while it is killed or loses power, with each acknowledgement on disk.

Threads submit pairs of documents, replace documents and remove documents, and write a line to
`acknowledged` after each answer. The seeded bugs are what the harness must be able to see.
"""

import errno
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import carnet.wiring
import repository.filesystem_store as filesystem_store
import storage.engine
from access_policy.caller import OPEN_CALLER
from carnet.settings import Settings
from carnet.wiring import Actors, open_actors
from repository import iti41_provide_and_register_document_set_b as iti41
from repository import iti86_remove_documents as iti86
from repository.document_request import DocumentRequest
from repository.document_rules import no_document_rules
from repository.filesystem_store import IncomingFile
from repository.registration import Entered
from storage.sqlite_units import SqliteUnits, _Unit
from tests import newest_schema
from tests.builders import PATIENT, REPOSITORY, a_replacement, a_submission, an_entry
from xds.ebrim.read import Reading
from xds.errors import Rejected
from xds.identifiers import new_uuid_urn

THREADS = 2


def prepare(data: Path) -> None:
    """A repository with the one patient of the scenario, closed again."""
    settings = Settings(data=str(data), security="open")
    newest_schema.give(settings)
    actors = open_actors(settings)
    actors.units.write(lambda unit: actors.registry.add_patient(unit, PATIENT))
    actors.units.close()


def run(data: Path, *, name: str, steps: int, bug: str = "") -> None:
    """Do so many steps in each thread; `name` makes the uniqueIds of this run its own."""
    carnet.wiring.upgrade = lambda _engine: ""  # the schema is there; looking costs more than a step
    if bug:
        BUGS[bug]()
    actors = open_actors(Settings(data=str(data), security="open"))
    descriptor = os.open(data / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    threads = [
        threading.Thread(target=_work, args=(actors, descriptor, f"2.25.{name}.{number}", steps))
        for number in range(1, THREADS + 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    actors.units.close()


def _work(actors: Actors, descriptor: int, prefix: str, steps: int) -> None:
    previous: tuple[str, str] | None = None
    for step in range(1, steps + 1):
        try:
            replaced = previous if step % 3 == 0 else None
            previous = _submit(actors, descriptor, f"{prefix}.{step}", replaced)
            if step % 4 == 0:
                _remove(actors, descriptor, f"{prefix}.{step}.2")
        except (Rejected, OSError):
            previous = None


def _submit(actors: Actors, descriptor: int, prefix: str, replaced: tuple[str, str] | None) -> tuple[str, str]:
    """Two documents, the first of which may replace one; returns entryUUID and uniqueId of the first."""
    contents = {f"{prefix}.{number}": f"{prefix}.{number} ".encode() * 50 for number in (1, 2)}
    entries = [
        an_entry(entry_uuid=new_uuid_urn(), unique_id=unique_id, content=content)
        for unique_id, content in contents.items()
    ]
    links = () if replaced is None else (a_replacement(entries[0], replaced[0]),)
    submission = a_submission(*entries, unique_id=f"{prefix}.0", associations=links)
    blobs = {}
    for entry in entries:
        blob = actors.repository.blobs.receive()
        blob.write(contents[str(entry.unique_id)])
        blobs[entry.entry_uuid] = blob
    try:
        iti41.handle(actors.repository, Reading(submission=submission), iti41.Received(blobs=blobs), OPEN_CALLER)
    finally:
        for blob in blobs.values():
            blob.discard()
    digests = {str(entry.unique_id): blobs[entry.entry_uuid].digest().sha256 for entry in entries}
    _acknowledge(descriptor, {"stored": digests, "replaced": replaced[1] if replaced else ""})
    return entries[0].entry_uuid, str(entries[0].unique_id)


def _remove(actors: Actors, descriptor: int, unique_id: str) -> None:
    request = DocumentRequest(repository_unique_id=REPOSITORY, document_unique_id=unique_id)
    if iti86.handle(actors.repository, [request], OPEN_CALLER).removed:
        _acknowledge(descriptor, {"removed": unique_id})


def _acknowledge(descriptor: int, answer: dict[str, object]) -> None:
    os.write(descriptor, (json.dumps(answer) + "\n").encode())


def _sync_normal() -> None:
    storage.engine.SQLITE_PRAGMAS = {**storage.engine.SQLITE_PRAGMAS, "synchronous": "1"}


def _no_folder_sync() -> None:
    filesystem_store.sync_folder = lambda _folder: None


def _no_file_sync() -> None:
    sync = os.fsync
    os.fsync = lambda descriptor: sync(descriptor) if stat.S_ISDIR(os.fstat(descriptor).st_mode) else None


def _swallowed_eio() -> None:
    sync = os.fsync

    def careless(descriptor: int) -> None:
        try:
            sync(descriptor)
        except OSError as problem:
            if problem.errno != errno.EIO:
                raise

    os.fsync = careless


class _Promised(Entered):
    """What a unit would have returned, before it ran: a submission without warnings, or no removals and none that wait."""

    def __iter__(self) -> Iterator[object]:
        return iter(({}, set()))


def _answer_before_commit() -> None:
    def write(self: SqliteUnits, work: Callable[..., object]) -> object:
        self._queue.put(_Unit(work))
        return _Promised()

    SqliteUnits.write = write  # type: ignore[method-assign, assignment]


def _metadata_before_blob() -> None:
    keep, discard = IncomingFile.keep, IncomingFile.discard

    def promise(self: IncomingFile, name: str = "") -> str:
        self._promised = filesystem_store.new_key(self.digest().sha256)  # type: ignore[attr-defined]
        return str(self._promised)  # type: ignore[attr-defined]

    def keep_now(self: IncomingFile) -> None:
        keep(self, self._promised.partition("/")[2])  # type: ignore[attr-defined]
        discard(self)

    carnet.wiring.cda_document_rules = lambda **_: no_document_rules  # type: ignore[assignment]  # they would miss the blob
    IncomingFile.keep = promise  # type: ignore[method-assign]
    IncomingFile.discard = keep_now  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    "synchronous=NORMAL": _sync_normal,
    "no folder fsync": _no_folder_sync,
    "no file fsync": _no_file_sync,
    "swallowed EIO": _swallowed_eio,
    "answer before commit": _answer_before_commit,
    "metadata before blob": _metadata_before_blob,
}
