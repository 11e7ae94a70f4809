"""A medium in a ZIP file, read without unpacking it. ITI TF-2: 3.32.4.1.2, XDM over e-mail and ZIP over media.

Refused as a whole: names that lead out, links and devices, encrypted files, names that occur twice, files that
share octets with another, other methods than stored and deflated, more or larger files than the limits allow.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

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

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What reading a file of a damaged archive raises; its name is read again, from beside its octets.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError),
    *(UnicodeError, struct.error),
)
_ENCRYPTED = 0x1
_LOCAL_HEADER = 30
_END, _END_SIZE = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_END_64, _END_64_SIZE = b"PK\x06\x06", 56
_LONGEST_COMMENT = 0xFFFF
_IN_ZIP64 = 0xFFFFFFFF


class ZipMedium:
    """`portable_media.medium.Medium` in an archive. Raises MediumRefused, OSError."""

    def __init__(self, path: Path, limits: MediumLimits = DEFAULT_LIMITS) -> None:
        self._file = path.open("rb")
        try:
            _check_directory_size(self._file, limits)
            self._archive = zipfile.ZipFile(self._file)
            self._members = _checked(self._archive.infolist(), limits, start_of_directory=self._archive.start_dir)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeError, struct.error) as problem:
            self._file.close()
            raise MediumRefused("found no sound ZIP file") from problem
        except BaseException:
            self._file.close()
            raise

    @property
    def files(self) -> Mapping[str, int]:
        return {name: member.file_size for name, member in self._members.items()}

    def chunks(self, name: str) -> Iterator[bytes]:
        """Checked against the CRC and length of the archive when the last chunk was given."""
        left = self._members[name].file_size
        try:
            with self._archive.open(self._members[name]) as file:
                while chunk := file.read(CHUNK):
                    left -= len(chunk)
                    yield chunk
        except _DAMAGED as problem:
            raise UnreadableFile(f"{name}: the archive is damaged there") from problem
        if left:
            raise UnreadableFile(f"{name}: the archive is damaged there, {left} octets are missing")

    def close(self) -> None:
        self._archive.close()
        self._file.close()


def _checked(
    members: Sequence[zipfile.ZipInfo], limits: MediumLimits, *, start_of_directory: int
) -> dict[str, zipfile.ZipInfo]:
    for member in members:
        check_name(member.orig_filename)
        _check_member(member, limits)
    check_distinct(member.filename for member in members)
    files = {member.filename: member for member in members if not member.is_dir()}
    check_sizes({name: member.file_size for name, member in files.items()}, limits)
    _check_overlaps(members, start_of_directory)
    return files


def _check_member(member: zipfile.ZipInfo, limits: MediumLimits) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise MediumRefused(f"{member.filename}: found a link or device, expected files and folders")
    if member.flag_bits & _ENCRYPTED:
        raise MediumRefused(f"{member.filename}: found an encrypted file, expected none")
    if member.compress_type not in _METHODS:
        raise MediumRefused(f"{member.filename}: found compression method {member.compress_type}, expected deflate")
    if member.file_size > limits.ratio_free_octets and member.file_size > limits.ratio * member.compress_size:
        raise MediumRefused(
            f"{member.filename}: found {member.file_size} octets in {member.compress_size}, "
            f"expected at most {limits.ratio} times as many"
        )


def _check_overlaps(members: Sequence[zipfile.ZipInfo], start_of_directory: int) -> None:
    """Every file has octets of its own: shared ones make a small archive huge."""
    ordered = sorted(members, key=lambda member: member.header_offset)
    ends = [member.header_offset for member in ordered[1:]] + [start_of_directory]
    for member, end in zip(ordered, ends, strict=True):
        if member.header_offset < 0 or member.header_offset + _LOCAL_HEADER + member.compress_size > end:
            raise MediumRefused(f"{member.filename}: found octets that belong to another file too")


def _check_directory_size(file: BinaryIO, limits: MediumLimits) -> None:
    """The list of files is read into memory, so its length is asked for before that. APPNOTE 4.3.14, 4.3.16"""
    length = file.seek(0, 2)
    file.seek(max(0, length - _END_SIZE - _LONGEST_COMMENT - _LOCATOR_SIZE))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise MediumRefused("found no ZIP file, or one that is cut off before its list of files")
    size: int = struct.unpack_from("<L", tail, at + 12)[0]
    if size == _IN_ZIP64 or tail[max(0, at - _LOCATOR_SIZE) : at].startswith(_LOCATOR):
        size = _directory_size_64(file, tail[max(0, at - _LOCATOR_SIZE) : at])
    if size > limits.directory_octets:
        raise MediumRefused(f"found {size} octets of file names, expected at most {limits.directory_octets}")
    file.seek(0)


def _directory_size_64(file: BinaryIO, locator: bytes) -> int:
    if not locator.startswith(_LOCATOR):
        raise MediumRefused("found no sound ZIP file")
    file.seek(min(struct.unpack_from("<Q", locator, 8)[0], 2**62))
    end = file.read(_END_64_SIZE)
    if not end.startswith(_END_64) or len(end) < _END_64_SIZE:
        raise MediumRefused("found no sound ZIP file")
    size: int = struct.unpack_from("<Q", end, 40)[0]
    return size
