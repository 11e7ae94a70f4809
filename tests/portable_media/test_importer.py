"""What an importer takes from a medium and what it refuses, with the reason; nothing refused leaves a trace."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from carnet.wiring import Actors
from portable_media.importer import Fate, Report
from portable_media.medium import MediumRefused
from tests.builders import OTHER_PATIENT, PATIENT, a_submission, an_entry
from tests.portable_media.holdings import export, holding, import_into, objects, octets, submit
from xds.identifiers import new_uuid_urn

CONTENT = b"<ClinicalDocument/>"
METADATA, DOCUMENT = "IHE_XDM/SUBSET01/METADATA.XML", "IHE_XDM/SUBSET01/DOC00001.XML"
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A medium with two submissions of one document each."""
    folder = tmp_path_factory.mktemp("sound")
    with holding(folder / "from") as source:
        for _ in range(2):
            entry = an_entry(entry_uuid=new_uuid_urn(), content=CONTENT)
            submit(source, a_submission(entry), {entry.entry_uuid: CONTENT})
        export(source, folder / "medium.zip")
    return (folder / "medium.zip").read_bytes()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Actors]:
    with holding(tmp_path / "to") as actors:
        yield actors


def changed(sound: bytes, tmp_path: Path, change: Callable[[Files], None]) -> Path:
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    path = tmp_path / "changed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def fates(report: Report) -> list[Fate]:
    return [outcome.fate for outcome in report.outcomes]


def first_reason(report: Report) -> str:
    error = report.of(Fate.REFUSED)[0].reasons[0]
    return f"{error.code}: {error.context}"


def _replaced(name: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda files: files.pop(DOCUMENT), "found no file of this name"),
        (_replaced(DOCUMENT, b"Clinical", b"clinical"), "hash: found"),
        (_replaced(DOCUMENT, b"<Clin", b"<Cin"), "hash: found"),
        (_replaced(METADATA, b"<rim:Value>19</", b"<rim:Value>18</"), "size: found 19, expected 18"),
        (_replaced(METADATA, b"<lcm:", b'<!DOCTYPE x [<!ENTITY e "e">]><lcm:'), "document type declaration"),
        (_replaced(METADATA, b"<lcm:", b"<?php ?><lcm:"), "processing instruction"),
        (_replaced(METADATA, b"DOC00001.XML", b"../DOC00001.XML"), "expected a relative path"),
        (_replaced(METADATA, b"DOC00001.XML", b"%2e%2e/SUBSET02/DOC00001.XML"), "expected a relative path"),
        (_replaced(METADATA, b"DOC00001.XML", b"/etc/passwd"), "expected a relative path"),
        (_replaced(METADATA, b"SubmitObjectsRequest", b"SubmitObjectRequest"), "expected {urn:oasis"),
        (_replaced(METADATA, b"rim:ExtrinsicObject", b"rim:ExtrinsicObjekt"), "ExtrinsicObjekt"),
        (lambda files: files.update({METADATA: b"<unfinished"}), "not well-formed"),
        (lambda files: files.update({METADATA: b" " * (64 * 2**20 + 1)}), "expected at most"),
        (_replaced(METADATA, b"279035121518989", b"100000000000000"), "XDSUnknownPatientId"),
    ],
)
def test_a_broken_submission_is_refused_and_the_next_one_imported(
    sound: bytes, tmp_path: Path, target: Actors, change: Callable[[Files], None], reason: str
) -> None:
    report = import_into(target, changed(sound, tmp_path, change))
    assert fates(report) == [Fate.REFUSED, Fate.IMPORTED]
    assert reason in first_reason(report)
    assert len(octets(target)) == 1


def _metadata(sound: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        return archive.read(METADATA)


def test_an_import_goes_on_where_it_was_interrupted(sound: bytes, tmp_path: Path, target: Actors) -> None:
    def first_only(files: Files) -> None:
        del files["IHE_XDM/SUBSET02/METADATA.XML"]

    assert fates(import_into(target, changed(sound, tmp_path, first_only))) == [Fate.IMPORTED]
    (tmp_path / "sound.zip").write_bytes(sound)
    assert fates(import_into(target, tmp_path / "sound.zip")) == [Fate.SKIPPED, Fate.IMPORTED]
    before = objects(target)
    assert fates(import_into(target, tmp_path / "sound.zip")) == [Fate.SKIPPED, Fate.SKIPPED]
    assert objects(target) == before


def test_a_document_that_is_in_with_other_octets_is_refused(sound: bytes, tmp_path: Path, target: Actors) -> None:
    (tmp_path / "sound.zip").write_bytes(sound)
    import_into(target, tmp_path / "sound.zip")
    other = b"<ClinicalDocument id='other'/>"

    def forged(files: Files) -> None:
        entry = an_entry(content=other)
        files[DOCUMENT] = other
        metadata = files[METADATA].replace(an_entry(content=CONTENT).hash.encode(), entry.hash.encode())  # type: ignore[union-attr]  # given
        files[METADATA] = metadata.replace(b"<rim:Value>19</", f"<rim:Value>{len(other)}</".encode())

    before = octets(target)
    report = import_into(target, changed(sound, tmp_path, forged))
    assert fates(report) == [Fate.REFUSED, Fate.SKIPPED]
    assert "XDSNonIdenticalHash" in first_reason(report)
    assert octets(target) == before


def test_without_hash_and_size_the_octets_themselves_are_compared(sound: bytes, tmp_path: Path, target: Actors) -> None:
    def bare(files: Files) -> None:
        for name in ("hash", "size"):
            slot = rf'<rim:Slot name="{name}">.*?</rim:Slot>'.encode()
            files[METADATA] = re.sub(slot, b"", files[METADATA])

    medium = changed(sound, tmp_path, bare)
    assert b'name="hash"' in _metadata(sound)
    assert fates(import_into(target, medium)) == [Fate.IMPORTED, Fate.IMPORTED]
    assert fates(import_into(target, medium)) == [Fate.SKIPPED, Fate.SKIPPED]

    def other(files: Files) -> None:
        bare(files)
        files[DOCUMENT] = b"other octets, same length"[:19]

    report = import_into(target, changed(sound, tmp_path, other))
    assert "XDSNonIdenticalHash" in first_reason(report)


def test_media_of_other_makers_may_put_ihe_xdm_deeper(sound: bytes, tmp_path: Path, target: Actors) -> None:
    def deeper(files: Files) -> None:
        for name in list(files):
            files[f"EXPORT/{name.lower()}"] = files.pop(name)

    assert fates(import_into(target, changed(sound, tmp_path, deeper))) == [Fate.IMPORTED, Fate.IMPORTED]


def test_several_patients_cannot_be_given_one_identifier(tmp_path: Path, sound: bytes, target: Actors) -> None:
    change = _replaced(METADATA, PATIENT.id.encode(), OTHER_PATIENT.id.encode())
    with pytest.raises(MediumRefused, match="2 patients"):
        import_into(target, changed(sound, tmp_path, change), patient_id=PATIENT)
    assert octets(target) == {}
