"""Folders as media: links are refused, and files that change while they are read."""

import os
from pathlib import Path

import pytest

from portable_media.folders import FolderMedium
from portable_media.medium import MediumLimits, MediumRefused, UnreadableFile, beside, whole


def test_files_are_read_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "IHE_XDM").mkdir()
    (tmp_path / "IHE_XDM" / "METADATA.XML").write_bytes(b"<x/>")
    (tmp_path / ".hidden").write_bytes(b"not part of the medium")
    medium = FolderMedium(tmp_path)
    assert medium.files == {"IHE_XDM/METADATA.XML": 4}
    assert whole(medium, "IHE_XDM/METADATA.XML", at_most=4) == b"<x/>"
    with pytest.raises(UnreadableFile, match="expected at most 3"):
        whole(medium, "IHE_XDM/METADATA.XML", at_most=3)


@pytest.mark.parametrize("is_folder", [False, True])
def test_links_are_refused_wherever_they_lead(is_folder: bool, tmp_path: Path) -> None:
    target = tmp_path / "target"
    if is_folder:
        target.mkdir()
    else:
        target.write_bytes(b"secret")
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / "DOC00001.XML").symlink_to(target)
    with pytest.raises(MediumRefused, match="found a link"):
        FolderMedium(medium)


def test_a_file_replaced_by_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    medium_folder = tmp_path / "medium"
    medium_folder.mkdir()
    (medium_folder / "A.XML").write_bytes(b"123456")
    medium = FolderMedium(medium_folder)
    (medium_folder / "A.XML").unlink()
    (medium_folder / "A.XML").symlink_to(tmp_path / "secret")
    with pytest.raises(UnreadableFile):
        whole(medium, "A.XML", at_most=100)


@pytest.mark.parametrize("content", [b"123", b"123456789"])
def test_a_file_that_grew_or_shrank_is_not_taken(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "A.XML").write_bytes(b"123456")
    medium = FolderMedium(tmp_path)
    (tmp_path / "A.XML").write_bytes(content)
    with pytest.raises(UnreadableFile, match="changed"):
        whole(medium, "A.XML", at_most=100)


def test_devices_and_too_many_files_are_refused(tmp_path: Path) -> None:
    for name in ("A.XML", "B.XML"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(MediumRefused, match="2 files"):
        FolderMedium(tmp_path, MediumLimits(files=1))
    os.mkfifo(tmp_path / "C.XML")
    with pytest.raises(MediumRefused, match="device"):
        FolderMedium(tmp_path)


@pytest.mark.parametrize("reference", ["", "/etc/passwd", "../B.XML", "a/../../B.XML", "file:///B.XML", "..\\B.XML"])
def test_a_uri_that_leads_out_finds_nothing(reference: str, tmp_path: Path) -> None:
    (tmp_path / "B.XML").write_bytes(b"x")
    (tmp_path / "S").mkdir()
    (tmp_path / "S" / "METADATA.XML").write_bytes(b"x")
    with pytest.raises(UnreadableFile):
        beside(FolderMedium(tmp_path), "S/METADATA.XML", reference)


def test_a_uri_finds_its_file_whatever_the_case(tmp_path: Path) -> None:
    (tmp_path / "S").mkdir()
    (tmp_path / "S" / "metadata.xml").write_bytes(b"x")
    (tmp_path / "S" / "doc00001.xml").write_bytes(b"x")
    assert beside(FolderMedium(tmp_path), "S/metadata.xml", "DOC00001.XML") == "S/doc00001.xml"
