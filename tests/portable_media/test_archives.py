"""Hostile and damaged ZIP files are refused before anything of them is imported."""

import contextlib
import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portable_media.archives import ZipMedium
from portable_media.medium import MediumLimits, MediumRefused, UnreadableFile, whole


def archive(tmp_path: Path, *files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = tmp_path / "medium.zip"
    with zipfile.ZipFile(path, "w", method) as written:
        for name, content in files:
            written.writestr(name, content)
    return path


def refusal(path: Path, limits: MediumLimits | None = None) -> str:
    with pytest.raises(MediumRefused) as refused:
        ZipMedium(path, limits or MediumLimits())
    return str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.xml",
        "IHE_XDM/../../outside.xml",
        "/etc/passwd",
        "C:/outside.xml",
        "IHE_XDM\\..\\outside.xml",
        "IHE_XDM//METADATA.XML",
        "./METADATA.XML",
        "IHE_XDM/\x01.XML",
        "A" * 1025,
    ],
)
def test_names_that_could_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    assert "found the name" in refusal(archive(tmp_path, (name, b"x")))


def test_a_name_cut_by_a_zero_octet_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, ("IHE_XDM/AB.XML", b"x"))
    path.write_bytes(path.read_bytes().replace(b"AB.XML", b"A\0.XML"))
    assert "found the name" in refusal(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind: int, tmp_path: Path) -> None:
    member = zipfile.ZipInfo("IHE_XDM/SUBSET01/DOC00001.XML")
    member.external_attr = (kind | 0o777) << 16
    assert "link or device" in refusal(archive(tmp_path, (member, b"/etc/passwd")))


@pytest.mark.parametrize("second", ["A.XML", "a.xml"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_found_twice_is_refused(second: str, tmp_path: Path) -> None:
    assert "more than once" in refusal(archive(tmp_path, ("A.XML", b"x"), (second, b"y")))


def test_encrypted_files_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, ("A.XML", b"x"))
    octets = bytearray(path.read_bytes())
    at = octets.rfind(b"PK\x01\x02")
    octets[at + 8] |= 1
    path.write_bytes(octets)
    assert "encrypted" in refusal(path)


def test_other_compression_methods_are_refused(tmp_path: Path) -> None:
    assert "compression method" in refusal(archive(tmp_path, ("A.XML", b"x" * 100), method=zipfile.ZIP_BZIP2))


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    path = archive(tmp_path, ("A.XML", bytes(20 * 10**6)))
    assert path.stat().st_size < 30_000
    assert "times as many" in refusal(path)


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (MediumLimits(files=1), "2 files"),
        (MediumLimits(document_octets=9), "at most 9"),
        (MediumLimits(total_octets=19), "20 octets in all files"),
        (MediumLimits(directory_octets=10), "octets of file names"),
    ],
)
def test_more_than_the_limits_allow_is_refused(limits: MediumLimits, word: str, tmp_path: Path) -> None:
    path = archive(tmp_path, ("A.XML", b"0123456789"), ("B.XML", b"0123456789"))
    assert word in refusal(path, limits)
    medium = ZipMedium(path)
    assert len(medium.files) == 2
    medium.close()


def test_files_that_share_octets_are_refused(tmp_path: Path) -> None:
    """Two entries of the directory point at one file: the trick of bombs that no ratio shows."""
    path = archive(tmp_path, ("A.XML", b"0123456789"), ("B.XML", b"0123456789"), method=zipfile.ZIP_STORED)
    octets = bytearray(path.read_bytes())
    second = octets.rfind(b"PK\x01\x02")
    struct.pack_into("<L", octets, second + 42, 0)
    path.write_bytes(octets)
    assert "another file" in refusal(path)


def test_a_size_that_is_a_lie_is_found_while_reading(tmp_path: Path) -> None:
    """The directory says less than there is: no more than it says is given, and that is not taken for the file."""
    path = archive(tmp_path, ("A.XML", b"0123456789" * 100))
    octets = bytearray(path.read_bytes())
    struct.pack_into("<L", octets, octets.rfind(b"PK\x01\x02") + 24, 10)
    path.write_bytes(octets)
    medium = ZipMedium(path)
    with pytest.raises(UnreadableFile):
        whole(medium, "A.XML", at_most=10**6)
    medium.close()


def test_a_flipped_octet_is_found_while_reading(tmp_path: Path) -> None:
    path = archive(tmp_path, ("A.XML", b"0123456789"), method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456780"))
    medium = ZipMedium(path)
    with pytest.raises(UnreadableFile, match="damaged"):
        whole(medium, "A.XML", at_most=10**6)
    medium.close()


@pytest.mark.parametrize("cut", [lambda o: b"", lambda o: o[:-1], lambda o: o[: len(o) // 2], lambda o: o[5:]])
def test_a_cut_archive_is_refused(cut: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = archive(tmp_path, ("IHE_XDM/SUBSET01/METADATA.XML", b"<x/>"), ("B.XML", b"y" * 1000))
    path.write_bytes(cut(path.read_bytes()))
    try:
        medium = ZipMedium(path)
    except MediumRefused:
        return
    with pytest.raises(UnreadableFile):
        for name in medium.files:
            whole(medium, name, at_most=10**6)
    medium.close()


def _sound() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("IHE_XDM/SUBSET01/METADATA.XML", b"<x/>" * 50)
        written.writestr("IHE_XDM/SUBSET01/DOC00001.XML", b"y" * 300)
    return buffer.getvalue()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_sound()) - 1), st.integers(0, 255)), max_size=6), st.binary(max_size=30))
@example([(7, 8), (30, 128)], b"")  # the second name of a file is not UTF-8, though it says so
def test_noise_is_refused_or_read_and_never_an_accident(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], tail: bytes
) -> None:
    octets = bytearray(_sound())
    for at, value in changes:
        octets[at] = value
    path = tmp_path_factory.getbasetemp() / "noise.zip"
    path.write_bytes(bytes(octets) + tail)
    try:
        medium = ZipMedium(path)
    except MediumRefused:
        return
    with contextlib.closing(medium):
        for name in medium.files:
            try:
                assert len(whole(medium, name, at_most=10**9)) == medium.files[name]
            except UnreadableFile:
                continue
