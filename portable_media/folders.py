"""A medium in a folder: a disc, a memory stick, an archive that somebody unpacked.

Links are refused wherever they lead; nothing outside the folder is ever opened.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from portable_media.medium import (
    CHUNK,
    DEFAULT_LIMITS,
    MediumLimits,
    MediumRefused,
    UnreadableFile,
    check_distinct,
    check_name,
    check_sizes,
)

_DEEPEST = 16


class FolderMedium:
    """`portable_media.medium.Medium` in a folder. Raises MediumRefused, OSError."""

    def __init__(self, root: Path, limits: MediumLimits = DEFAULT_LIMITS) -> None:
        self._root = root
        self._files: dict[str, int] = {}
        for name, size in _walk(root, "", limits):
            self._files[name] = size
        check_distinct(self._files)
        check_sizes(self._files, limits)

    @property
    def files(self) -> Mapping[str, int]:
        return self._files

    def chunks(self, name: str) -> Iterator[bytes]:
        """As many octets as there were when the folder was read, or UnreadableFile."""
        left = self._files[name]
        try:
            descriptor = os.open(self._root / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                while chunk := file.read(min(CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        break
                    yield chunk
        except OSError as problem:
            raise UnreadableFile(f"{name}: {problem.strerror}") from problem
        if left:
            raise UnreadableFile(f"{name}: the file changed while it was read")

    def close(self) -> None:
        """Nothing is open between two files."""


def _walk(folder: Path, prefix: str, limits: MediumLimits) -> Iterator[tuple[str, int]]:
    """Files below a folder by their names, parted by `/`; hidden ones are left out."""
    if prefix.count("/") > _DEEPEST:
        raise MediumRefused(f"found folders deeper than {_DEEPEST}")
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if len(entries) > limits.files:
        raise MediumRefused(f"found {len(entries)} files, expected at most {limits.files}")
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.name.startswith("."):
            continue
        check_name(name)
        if entry.is_symlink():
            raise MediumRefused(f"{name}: found a link, expected files and folders")
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{name}/", limits)
            continue
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise MediumRefused(f"{name}: found a device, expected files and folders")
        yield name, status.st_size
