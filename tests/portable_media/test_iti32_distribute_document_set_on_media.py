"""What a medium holds, and that it is whole or not there at all."""

import hashlib
import re
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import text

from access_policy.caller import Caller
from audit.record import Record as AuditRecord
from audit.recorder import caller_of
from carnet.wiring import Actors
from portable_media import iti32_distribute_document_set_on_media as iti32
from portable_media import layout, pages
from portable_media.iti32_distribute_document_set_on_media import Choice, ExportFailed
from portable_media.record import LeftOut, Record
from tests.audit.happenings import a_trail, kept
from tests.builders import OTHER_PATIENT, PATIENT, a_submission, an_author, an_entry
from tests.portable_media.holdings import COVER, export, holding, octets, submit
from xds.ebrim.read import read_submission
from xds.ebrim.schema import schema_findings
from xds.errors import ErrorCode, Rejected
from xds.identifiers import new_uuid_urn
from xds.metadata import DocumentEntry
from xds.xml import parse

CONTENT = b"<ClinicalDocument/>"
ISO_9660 = re.compile(r"[A-Z0-9_]{1,8}(\.[A-Z0-9_]{1,3})?")


def held(actors: Actors, content: bytes = CONTENT, **changes: object) -> DocumentEntry:
    entry = an_entry(entry_uuid=new_uuid_urn(), content=content, **changes)
    submit(actors, a_submission(entry, patient_id=entry.patient_id), {entry.entry_uuid: content})
    return entry


def test_the_medium_has_the_files_of_xdm_under_names_that_any_file_system_carries(tmp_path: Path) -> None:
    with holding(tmp_path / "data") as actors:
        report, scan = held(actors), held(actors, b"%PDF-1.7", mime_type="application/pdf")
        export(actors, tmp_path / "m.zip")
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        assert archive.namelist() == [
            "README.TXT",
            "INDEX.HTM",
            "IHE_XDM/SUBSET01/METADATA.XML",
            "IHE_XDM/SUBSET01/DOC00001.XML",
            "IHE_XDM/SUBSET02/METADATA.XML",
            "IHE_XDM/SUBSET02/DOC00001.PDF",
        ]
        assert all(ISO_9660.fullmatch(part) for name in archive.namelist() for part in name.split("/"))
        for number, entry in enumerate((report, scan), start=1):
            folder = f"IHE_XDM/SUBSET{number:02}"
            request = parse(archive.read(f"{folder}/METADATA.XML"))
            assert schema_findings(request) == ()
            reading = read_submission(request)
            assert reading.errors == ()
            (found,) = reading.submission.document_entries
            content = archive.read(f"{folder}/{found.uri}")
            assert (found.unique_id, found.hash, found.size) == (
                entry.unique_id,
                hashlib.sha1(content).hexdigest(),
                len(content),
            )


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    with holding(tmp_path / "data") as actors:
        held(actors)
        export(actors, tmp_path / "m.zip")
    assert (tmp_path / "m.zip").stat().st_mode & 0o077 == 0


def test_who_sees_nothing_exports_nothing(tmp_path: Path) -> None:
    with holding(tmp_path / "data") as actors:
        held(actors)
        prepared = iti32.prepare(
            actors.registry, actors.repository, PATIENT, Caller(name="nobody"), choice=Choice(), cover=COVER
        )
    assert (prepared.record.submissions, prepared.record.left_out, prepared.stored) == ((), (), {})


def test_the_documents_of_others_stay_where_they_are(tmp_path: Path) -> None:
    with holding(tmp_path / "data", patients=(PATIENT, OTHER_PATIENT)) as actors:
        mine, _ = held(actors), held(actors, patient_id=OTHER_PATIENT)
        prepared = iti32.prepare(
            actors.registry, actors.repository, PATIENT, Caller(name="o", is_open=True), choice=Choice(), cover=COVER
        )
    assert [entry.unique_id for entry in prepared.record.document_entries] == [mine.unique_id]


def test_an_unknown_patient_is_refused(tmp_path: Path) -> None:
    with holding(tmp_path / "data") as actors, pytest.raises(Rejected) as refused:
        export(actors, tmp_path / "m.zip", patient=OTHER_PATIENT)
    assert refused.value.errors[0].code is ErrorCode.UNKNOWN_PATIENT_ID
    assert not (tmp_path / "m.zip").exists()


def damage(data: Path, content: bytes) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    blob = next(path for path in (data / "documents").rglob("*") if path.name.startswith(sha256))
    blob.chmod(0o600)
    blob.write_bytes(content[::-1])


def test_a_damaged_document_is_left_out_and_named_and_the_others_are_exported(tmp_path: Path) -> None:
    other, large = b"<another/>", bytes(17 * 2**20)
    with holding(tmp_path / "data") as actors:
        damaged, sound = held(actors), held(actors, other)
        later = held(actors, large + b"x", mime_type="application/pdf")
        damage(tmp_path / "data", CONTENT)
        damage(tmp_path / "data", large + b"x")
        actors.registry.recorder = a_trail(actors.units)
        exported = export(actors, tmp_path / "m.zip")
        assert len(_records(actors)) == 1
    assert exported.damaged == (damaged.unique_id, later.unique_id)
    assert (exported.documents, exported.octets, exported.submission_sets) == (1, len(other), 1)
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        assert f"{damaged.unique_id}: the stored octets are damaged" in archive.read("README.TXT").decode("ascii")
        documents = [archive.read(name) for name in archive.namelist() if "/DOC" in name]
        metadata = [archive.read(name).decode() for name in archive.namelist() if name.endswith("METADATA.XML")]
    assert documents == [other]
    assert [sound.unique_id in one and damaged.unique_id not in one for one in metadata] == [True]


def test_an_export_that_fails_on_the_way_leaves_no_file_and_keeps_the_one_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage that comes after the document was read and found sound."""
    (tmp_path / "m.zip").write_bytes(b"before")
    with holding(tmp_path / "data") as actors:
        entry = held(actors)
        monkeypatch.setattr(iti32, "_without_damaged", lambda _repository, export: export)
        damage(tmp_path / "data", CONTENT)
        actors.registry.recorder = a_trail(actors.units)
        with pytest.raises(ExportFailed, match=entry.unique_id):
            export(actors, tmp_path / "m.zip")
        assert _records(actors) == []
    assert (tmp_path / "m.zip").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if "m.zip" in path.name] == ["m.zip"]


def test_a_document_that_is_not_that_of_its_metadata_is_not_handed_out(tmp_path: Path) -> None:
    with holding(tmp_path / "data") as actors:
        entry = held(actors)
        prepared = iti32.prepare(
            actors.registry, actors.repository, PATIENT, Caller(name="o", is_open=True), choice=Choice(), cover=COVER
        )
        (submission,) = prepared.record.submissions
        lying = replace(submission.document_entries[0], hash="0" * 40)
        record = replace(prepared.record, submissions=(replace(submission, document_entries=(lying,)),))
        lying_export = replace(prepared, record=record)
        exported = iti32.handle(actors.registry, actors.repository, lying_export, tmp_path / "m.zip")
    assert exported.documents == 0
    assert [(one.unique_id, one.reason) for one in exported.left_out] == [
        (entry.unique_id, "hash or size are not those of its metadata")
    ]


def test_what_is_not_kept_here_is_left_out_and_named(tmp_path: Path) -> None:
    with holding(tmp_path / "data") as actors:
        kept, removed = held(actors), held(actors)
        actors.units.write(
            lambda unit: unit.connection.execute(
                text("DELETE FROM document WHERE unique_id = :id"), {"id": removed.unique_id}
            )
        )
        exported = export(actors, tmp_path / "m.zip")
        assert set(octets(actors)) == {kept.unique_id}
    assert exported.left_out == (LeftOut(unique_id=removed.unique_id or "", reason="not kept any more"),)
    assert (exported.documents, exported.submission_sets) == (1, 1)
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        assert removed.unique_id in archive.read("README.TXT").decode("ascii")


def test_an_export_is_recorded_once_it_is_there(tmp_path: Path) -> None:
    with holding(tmp_path / "data") as actors:
        actors.registry.recorder = a_trail(actors.units)
        held(actors)
        export(actors, tmp_path / "m.zip")
        (record,) = _records(actors)
    assert (record.patient, int(record.outcome), caller_of(record)) == (PATIENT.key, 0, "operator")


def _records(actors: Actors) -> list[AuditRecord]:
    return [one for one in kept(actors.units) if one.type_codes[0].code == "ITI-32"]


def test_a_large_document_passes_through_little_memory(tmp_path: Path) -> None:
    content = bytes(range(256)) * (48 * 4096)
    with holding(tmp_path / "data") as actors:
        held(actors, content, mime_type="application/pdf")
        tracemalloc.start()
        export(actors, tmp_path / "m.zip")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < len(content) / 2  # the first 16 MiB are checked as one before any of them leaves
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        assert archive.read("IHE_XDM/SUBSET01/DOC00001.PDF") == content


def test_files_beyond_the_old_limit_are_zip64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit lowered: writing two gigabytes would prove the same more slowly."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    content = b"%PDF" + bytes(2000)
    with holding(tmp_path / "data") as actors:
        held(actors, content, mime_type="application/pdf")
        export(actors, tmp_path / "m.zip")
    monkeypatch.undo()
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        member = archive.getinfo("IHE_XDM/SUBSET01/DOC00001.PDF")
        assert (member.extract_version, archive.read(member)) == (zipfile.ZIP64_VERSION, content)


def test_the_pages_are_well_formed_and_lead_to_every_document(tmp_path: Path) -> None:
    entry = an_entry(title='Œdème <b>&"1"</b>', author=(an_author(),))
    page = pages.index(COVER, {"IHE_XDM/SUBSET01/DOC00001.XML": entry})
    root = etree.fromstring(page)
    links = [link.get("href") for link in root.iter("{http://www.w3.org/1999/xhtml}a")]
    assert links == ["README.TXT", "IHE_XDM/SUBSET01/DOC00001.XML"]
    shown = "".join(root.itertext())
    for word in ('Œdème <b>&"1"</b>', "CHU d'Exemple", "VILLARD ELISE", "279035121518989, MARCHAL LISE, 1979-03-17, F"):
        assert word in shown
    readme = pages.readme(
        COVER, Record(submissions=(), left_out=(LeftOut(unique_id="2.25.1", reason="kept elsewhere"),)), documents=1
    )
    assert readme.isascii()
    assert b"CHU d'Exemple" in readme
    assert b"2.25.1: kept elsewhere" in readme
    assert b"\n" not in readme.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("number", "among", "name"), [(1, 99, "SUBSET01"), (1, 100, "SUB00001"), (12345, 20000, "SUB12345")]
)
def test_folders_keep_their_order_under_eight_letters(number: int, among: int, name: str) -> None:
    assert layout.subset_folder(number, among=among) == f"IHE_XDM/{name}"
