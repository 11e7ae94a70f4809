"""Documents as files: written aside, synced, then moved into place; nothing counts before that.

A key `<sha256>/<uuid>` lives at `<first 3 digits>/<sha256>-<uuid>`: 4,096 folders keep each small.
"""

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from repository.blob_store import (
    CHUNK,
    DamagedBlob,
    Digest,
    Digesting,
    KeptBlob,
    StoreUnavailable,
    is_key,
    new_key,
    parts_of,
)
from storage.durable_folders import make_folder, sync_folder
from storage.unit_of_work import OnSyncLost, go_on

LEFTOVER_SECONDS = 24 * 3600
_FAN_OUT = 3
_INCOMING, _OWNER = "incoming", "carnet-repository"
_LOST = (errno.ENOENT, errno.EIO, errno.EISDIR, errno.ENOTDIR)


class FilesystemStore:
    """`repository.blob_store.BlobStore` in a folder of one local file system."""

    def __init__(self, root: Path, *, on_sync_lost: OnSyncLost = go_on) -> None:
        """Creates the folder if needed and clears what was left half written a day ago or before.

        Younger files may belong to another process that shares the folder. `on_sync_lost` is told that the disk
        failed to keep something.
        """
        self._root, self._incoming = root, root / _INCOMING
        make_folder(self._incoming)
        self._state = _State(on_sync_lost)
        self.clear_leftovers(before=time.time() - LEFTOVER_SECONDS)

    @property
    def root(self) -> Path:
        return self._root

    def owner(self) -> str:
        """OID of the repository whose documents the folder was marked to hold; empty when it was not."""
        try:
            return (self._root / _OWNER).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""

    def mark(self, repository_id: str) -> None:
        """Say durably in the folder whose documents it holds."""
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{repository_id}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(self._root / _OWNER)
        sync_folder(self._root)

    def reach(self) -> None:
        """The place where it should be mounted has no folder for what comes in."""
        self._state.check()
        self._incoming.stat()

    def receive(self) -> "IncomingFile":
        self._state.check()
        return IncomingFile(self._root, self._incoming, self._state)

    def open(self, key: str) -> "FileReader":
        path = path_of(self._root, key)
        try:
            return FileReader(key, os.open(path, os.O_RDONLY))
        except OSError as problem:
            raise _problem(key, problem) from problem

    def delete(self, key: str) -> None:
        path_of(self._root, key).unlink(missing_ok=True)

    def blobs(self, *, sha256: str = "") -> Iterator[KeptBlob]:
        folders = [self._root / sha256[:_FAN_OUT]] if sha256 else sorted(self._root.iterdir())
        for folder in folders:
            if folder.name != _INCOMING and folder.is_dir():
                yield from (one for one in _blobs_in(folder) if one.key.startswith(sha256))

    def clear_leftovers(self, *, before: float) -> int:
        return sum(_cleared(leftover, before) for leftover in self._incoming.iterdir())


class _State:
    """Whether the disk still keeps what it is told to. After a failed fsync a second one may lie."""

    def __init__(self, on_sync_lost: OnSyncLost) -> None:
        self._on_sync_lost, self._has_failed = on_sync_lost, False
        self._durable: set[Path] = set()

    def fail(self) -> None:
        self._has_failed = True
        self._on_sync_lost()

    def check(self) -> None:
        if self._has_failed:
            raise StoreUnavailable(errno.EIO, "documents could not be synced; nothing is accepted until a restart")

    def make_durable(self, folder: Path) -> None:
        """Make a folder, or only its name durable: who made one that is there may not have come to that yet."""
        if folder not in self._durable or not folder.is_dir():
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)
            self._durable.add(folder)


class IncomingFile:
    """A file under `incoming/` that becomes a blob by `keep`."""

    def __init__(self, root: Path, incoming: Path, state: _State) -> None:
        descriptor, name = tempfile.mkstemp(dir=incoming)
        self._root, self._path, self._state = root, Path(name), state
        self._file = os.fdopen(descriptor, "wb", buffering=CHUNK)
        self._digesting = Digesting()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, chunk: bytes) -> None:
        self._digesting.update(chunk)
        self._file.write(chunk)

    def finish(self) -> None:
        self._file.flush()

    def digest(self) -> Digest:
        return self._digesting.digest()

    def keep(self, name: str = "") -> str:
        """fsync, rename, fsync of the folder: in this order a power cut leaves all or nothing."""
        self._state.check()
        self._file.flush()
        key = new_key(self.digest().sha256, name)
        target = path_of(self._root, key)
        try:
            os.utime(self._file.fileno())
            os.fsync(self._file.fileno())
            self._file.close()
            self._state.make_durable(target.parent)
            self._path.rename(target)
            sync_folder(target.parent)
        except OSError as problem:
            if problem.errno == errno.EIO:
                self._state.fail()
            raise
        return key

    def discard(self) -> None:
        """On a full disk closing fails too, for it writes what is still in memory; the file goes all the same."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)


class FileReader:
    """An open file; what is deleted meanwhile can still be read to its end."""

    def __init__(self, key: str, descriptor: int) -> None:
        self._key, self._descriptor = key, descriptor
        self.size = os.fstat(descriptor).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        pieces = []
        try:
            while length > 0 and (piece := os.pread(self._descriptor, length, offset)):
                pieces.append(piece)
                offset, length = offset + len(piece), length - len(piece)
        except OSError as problem:
            raise _problem(self._key, problem) from problem
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def path_of(root: Path, key: str) -> Path:
    """Where the blob of this key lies; ValueError for anything that is not a key."""
    sha256, name = parts_of(key)
    return root / sha256[:_FAN_OUT] / f"{sha256}-{name}"


def _problem(key: str, problem: OSError) -> Exception:
    """A file that is not there or cannot be read is damage; too many open files, say, is not."""
    if problem.errno in _LOST:
        return DamagedBlob(f"blob {key} cannot be read: {problem.strerror}")
    return StoreUnavailable(problem.errno, f"blob {key} cannot be opened now: {problem.strerror}")


def _blobs_in(folder: Path) -> Iterator[KeptBlob]:
    with os.scandir(folder) as files:
        for file in files:
            key = file.name.replace("-", "/", 1)
            if is_key(key) and file.is_file(follow_symlinks=False):
                try:
                    found = file.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield KeptBlob(key=key, size=found.st_size, kept_at=found.st_mtime)


def _cleared(leftover: Path, before: float) -> bool:
    """Whether a file was old and is gone; one that became a blob meanwhile is not there any more."""
    try:
        if leftover.stat().st_mtime >= before:
            return False
    except FileNotFoundError:
        return False
    leftover.unlink(missing_ok=True)
    return True
