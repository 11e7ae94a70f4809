"""Scrubbing: reading stored documents again and again, slowly, so that damage is found before it is asked for."""

import fcntl
import threading
from pathlib import Path
from typing import BinaryIO

import structlog
from sqlalchemy.exc import SQLAlchemyError

from carnet.wiring import Actors
from repository.consistency import Kind, documents, finding_of
from repository.store import Repository

_MEGABYTE = 10**6
_RETRY_SECONDS = 60.0
_DAMAGE = (Kind.MISSING_BLOB, Kind.DAMAGED_BLOB)


class _Stopped(Exception):
    """The server stops."""


class Scrubber(threading.Thread):
    """Reads every document once a round, at most so many octets a second, in one process of those that share a folder.

    The round goes on after a restart where it was: the uniqueId checked last stands in `scrub.position`.
    """

    def __init__(self, repository: Repository, *, data: Path, octets_per_second: int) -> None:
        super().__init__(name="scrubber", daemon=True)
        self._repository, self._rate = repository, octets_per_second
        self._position = data / "scrub.position"
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until it is stopped: a database or a disk that fails is tried again after a while."""
        while not self._stopping.is_set():
            try:
                self._in_turn()
            except _Stopped:
                return
            except (SQLAlchemyError, OSError) as problem:
                structlog.get_logger().warning("scrubbing interrupted", problem=type(problem).__name__)
            self._stopping.wait(_RETRY_SECONDS)

    def stop(self) -> None:
        """Ask it to stop and wait; it may be in the middle of a document."""
        self._stopping.set()
        if self.is_alive():
            self.join()

    def _in_turn(self) -> None:
        self._position.parent.mkdir(parents=True, exist_ok=True)
        with self._position.open("a+b") as file:
            if _is_mine(file):
                while True:
                    self._round(file)
                    self._wait(_RETRY_SECONDS)

    def _round(self, file: BinaryIO) -> None:
        """Every document from the one on that stands in the file; an empty repository is a round too."""
        checked = damaged = unread = 0
        file.seek(0)
        for one in documents(self._repository.units, after=file.read().decode()):
            finding = finding_of(self._repository.units, self._repository.blobs, one, on_progress=self._pause)
            if finding is not None and finding.kind in _DAMAGE:
                self._repository.report_damage(one.blob_key)
                damaged += 1
            unread += finding is not None and finding.kind is Kind.UNREADABLE
            checked += 1
            self._pause(1)
            _remember(file, one.unique_id)
        _remember(file, "")
        structlog.get_logger().info("scrubbing round done", documents=checked, damaged=damaged, unread=unread)

    def _pause(self, octets: int) -> None:
        self._wait(octets / self._rate)

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _Stopped


def started_scrubber(actors: Actors) -> Scrubber | None:
    """A running scrubber, or none when the settings want none."""
    settings = actors.settings
    if not settings.scrub_mb_per_s or actors.repository is None:
        return None
    rate = settings.scrub_mb_per_s * _MEGABYTE
    scrubber = Scrubber(actors.repository, data=settings.data_folder, octets_per_second=rate)
    scrubber.start()
    return scrubber


def _is_mine(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remember(file: BinaryIO, unique_id: str) -> None:
    file.truncate(0)
    file.write(unique_id.encode())
    file.flush()
