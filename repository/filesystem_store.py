"""Documents as files: written aside, synced, then moved into place; nothing counts before that.

A key `<sha256>/<uuid>` lives at `<first 3 digits>/<sha256>-<uuid>`: 4,096 folders keep each small.
"""

import contextlib
import hashlib
import os
import re
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from repository.blob_store import CHUNK, DamagedBlob, Digest, Digesting, Octets

LEFTOVER_SECONDS = 24 * 3600
_FAN_OUT = 3
_KEY = re.compile(r"([0-9a-f]{64})/([0-9a-f-]{36})\Z")


class FilesystemStore:
    """`repository.blob_store.BlobStore` in a folder of one local file system."""

    def __init__(self, root: Path) -> None:
        """Creates the folder if needed and clears what was left half written a day ago or before.

        Younger files may belong to another process that shares the folder.
        """
        self._root, self._incoming = root, root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        _clear(self._incoming, before=time.time() - LEFTOVER_SECONDS)

    def receive(self) -> "IncomingFile":
        return IncomingFile(self._root, self._incoming)

    def read(self, key: str, *, sha256: str) -> Octets:
        try:
            file = _path(self._root, key).open("rb")
        except OSError as problem:
            raise DamagedBlob(f"blob {key} cannot be opened: {problem.strerror}") from problem
        try:
            return _Octets(file, _verified(file, key, sha256))
        except BaseException:
            file.close()
            raise

    def delete(self, key: str) -> None:
        _path(self._root, key).unlink(missing_ok=True)


class IncomingFile:
    """A file under `incoming/` that becomes a blob by `keep`."""

    def __init__(self, root: Path, incoming: Path) -> None:
        descriptor, name = tempfile.mkstemp(dir=incoming)
        self._root, self._path = root, Path(name)
        self._file = os.fdopen(descriptor, "wb", buffering=CHUNK)
        self._digesting = Digesting()

    def write(self, chunk: bytes) -> None:
        self._digesting.update(chunk)
        self._file.write(chunk)

    def digest(self) -> Digest:
        return self._digesting.digest()

    def keep(self) -> str:
        """fsync, rename, fsync of the folder: in this order a power cut leaves all or nothing."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        key = f"{self.digest().sha256}/{uuid.uuid4()}"
        target = _path(self._root, key)
        _make_folder(target.parent)
        self._path.rename(target)
        _sync_folder(target.parent)
        return key

    def discard(self) -> None:
        """On a full disk closing fails too, for it writes what is still in memory; the file goes all the same."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)


def _clear(folder: Path, *, before: float) -> None:
    for leftover in folder.iterdir():
        if leftover.stat().st_mtime < before:
            leftover.unlink(missing_ok=True)


def _path(root: Path, key: str) -> Path:
    """Keys are ours alone; anything else never becomes a path."""
    match = _KEY.match(key)
    if match is None:
        raise ValueError("not a blob key")
    return root / key[:_FAN_OUT] / f"{match[1]}-{match[2]}"


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Octets:
    """The octets of a verified file; closed when they are read, or by `close` when nobody wants them."""

    def __init__(self, file: BinaryIO, first: bytes) -> None:
        self._file, self._next = file, first

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self._next
        if not chunk:
            self.close()
            raise StopIteration
        self._next = self._file.read(CHUNK)
        return chunk

    def close(self) -> None:
        self._file.close()


def _verified(file: BinaryIO, key: str, sha256: str) -> bytes:
    """Check the octets and rewind; returns the first chunk, which is read already."""
    digest, first = hashlib.sha256(), file.read(CHUNK)
    chunk = first
    while chunk:
        digest.update(chunk)
        chunk = file.read(CHUNK)
    if digest.hexdigest() != sha256:
        raise DamagedBlob(f"blob {key} has other octets than were stored")
    file.seek(len(first))
    return first
