"""What an importer reads from: files under names, whichever way they are packed. ITI TF-2: 3.32.4.1.3.

A medium comes from outside. Names are looked up, never followed: nothing is unpacked, no link is read, and
what a medium claims about itself is bounded before anything of it is read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from xds.failure import Failure

CHUNK = 64 * 1024
LONGEST_NAME = 1024


class MediumRefused(Failure, ValueError):
    """The medium as a whole is refused, nothing of it was imported; the text says why."""


class UnreadableFile(ValueError):
    """One file of the medium is missing, or cannot be read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumLimits:
    """What a medium may hold; more is refused before it is read.

    `ratio`: how many times larger than its compressed form a file of more than `ratio_free_octets` may be.
    Clinical XML reaches 20 to 40, a bomb a thousand. `directory_octets` is the list of files of an archive,
    which is read into memory.
    """

    files: int = 10_000
    document_octets: int = 500 * 10**6
    total_octets: int = 100 * 10**9
    ratio: int = 200
    ratio_free_octets: int = 10 * 10**6
    directory_octets: int = 16 * 2**20


DEFAULT_LIMITS = MediumLimits()


class Medium(Protocol):
    """Files by their name (folders parted by `/`), each with its length in octets."""

    @property
    def files(self) -> Mapping[str, int]: ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """The octets of a file of `files`. Raises UnreadableFile."""
        ...

    def close(self) -> None: ...


def check_name(name: str) -> None:
    """A relative name that stays inside, in plain parts. Raises MediumRefused."""
    parts = name.removesuffix("/").split("/")
    plain = all(part not in ("", ".", "..") for part in parts) and not any(char in name for char in "\\:\0")
    if not plain or len(name) > LONGEST_NAME or not name.isprintable():
        raise MediumRefused(
            f"found the name {name[:100]!r}, expected relative names without . and .., colons and backslashes"
        )


def check_distinct(names: Iterable[str]) -> None:
    """No two names that some file system takes for one. Raises MediumRefused."""
    seen: set[str] = set()
    for name in names:
        folded = name.removesuffix("/").casefold()
        if folded in seen:
            raise MediumRefused(f"found the name {name[:100]!r} more than once")
        seen.add(folded)


def check_sizes(files: Mapping[str, int], limits: MediumLimits) -> None:
    """Raises MediumRefused when one file or all together are larger than allowed."""
    if len(files) > limits.files:
        raise MediumRefused(f"found {len(files)} files, expected at most {limits.files}")
    for name, size in files.items():
        if size > limits.document_octets:
            raise MediumRefused(f"{name}: found {size} octets, expected at most {limits.document_octets}")
    total = sum(files.values())
    if total > limits.total_octets:
        raise MediumRefused(f"found {total} octets in all files, expected at most {limits.total_octets}")


def whole(medium: Medium, name: str, *, at_most: int) -> bytes:
    """A small file at once. Raises UnreadableFile."""
    if medium.files[name] > at_most:
        raise UnreadableFile(f"{name}: found {medium.files[name]} octets, expected at most {at_most}")
    return b"".join(medium.chunks(name))


def beside(medium: Medium, name: str, reference: str) -> str:
    """The file that a relative URI names, seen from the folder of `name`. Raises UnreadableFile.

    Case is folded where no file has the very name: file systems of media do that.
    """
    parts = PurePosixPath(reference).parts
    if not reference or reference.startswith("/") or ".." in parts or any(char in reference for char in "\\:\0"):
        raise UnreadableFile(f"found the URI {reference[:100]!r}, expected a relative path below METADATA.XML")
    wanted = str(PurePosixPath(name).parent / reference)
    if wanted in medium.files:
        return wanted
    for found in medium.files:
        if found.casefold() == wanted.casefold():
            return found
    raise UnreadableFile(f"{wanted[:200]}: found no file of this name on the medium")
