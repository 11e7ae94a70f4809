"""A record exported from one server and imported into an empty one is the same record, octet for octet."""

import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from carnet.media_receivers import LocalReceiver
from carnet.wiring import Actors
from portable_media import layout
from portable_media.importer import Fate
from portable_media.iti32_distribute_document_set_on_media import ExportFailed
from portable_media.medium import MediumRefused
from tests import memory, strategies
from tests.audit.happenings import a_trail, kept
from tests.builders import (
    OTHER_PATIENT,
    PATIENT,
    a_folder,
    a_replacement,
    a_status_update,
    a_submission,
    a_submission_set,
    a_submitted_association,
    an_association,
    an_entry,
    an_oid,
    an_update,
)
from tests.portable_media.holdings import export, holding, import_into, objects, octets, submit, update
from xds.identifiers import new_uuid_urn
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission
from xds.vocabulary import AssociationType, AvailabilityStatus

contents = st.one_of(st.binary(min_size=1, max_size=300), st.just(b"<a>" + b" " * 200_000 + b"</a>"))


def _submittable(entry: DocumentEntry) -> DocumentEntry:
    """A drawn entry with what Provide and Register demands, and without what the registry sets."""
    demanded = an_entry()
    absent = {
        name: getattr(demanded, name)
        for name in demanded.__dataclass_fields__
        if name not in ("uri", "comments") and getattr(entry, name) in (None, ())
    }
    fixed = {
        "entry_uuid": new_uuid_urn(),
        "logical_id": None,
        "version": None,
        "availability_status": None,
        "object_type": demanded.object_type,
        "patient_id": PATIENT,
        "unique_id": an_oid(),
        "repository_unique_id": None,
        "hash": None,
        "size": None,
        "service_start_time": None,
    }
    return replace(entry, **(absent | fixed))


entries = strategies.document_entries.map(_submittable)


# A submission, its documents by entryUUID, and the new titles that documents get by an update after it.
Step = tuple[Submission, dict[str, bytes], dict[str, str]]


@st.composite
def submissions(draw: st.DrawFn) -> list[Step]:
    """A few submissions: new documents, replacements, addenda, folders that grow; updates of documents after each."""
    done: list[Step] = []
    current: list[DocumentEntry] = []
    folders: list[Folder] = []
    addenda: dict[str, list[DocumentEntry]] = {}
    for _ in range(draw(st.integers(1, 4))):
        new = draw(st.lists(entries, min_size=1, max_size=2))
        extra: list[Association] = []
        made: tuple[Folder, ...] = ()
        owner = a_submission_set(entry_uuid=new_uuid_urn(), comments=draw(strategies.maybe(strategies.texts)))
        step = draw(st.sampled_from(["new", "replace", "append", "folder", "enter"]))
        if step == "replace" and current:
            old = current.pop(draw(st.integers(0, len(current) - 1)))
            extra = [a_replacement(new[0], old.entry_uuid)]
            gone = addenda.pop(old.entry_uuid, [])
            for one in gone:  # with what they are addenda to, they are deprecated
                gone += addenda.pop(one.entry_uuid, [])
            current = [one for one in current if one not in gone]
        elif step == "append" and current:
            extra = [a_replacement(new[0], current[0].entry_uuid, AssociationType.APND)]
            addenda.setdefault(current[0].entry_uuid, []).append(new[0])
        elif step == "folder":
            made = (a_folder(entry_uuid=new_uuid_urn()),)
            extra = _entering(owner.entry_uuid, made[0], new[0])
            folders += made
        elif step == "enter" and folders:
            extra = _entering(owner.entry_uuid, folders[0], new[0])
        submission = a_submission(*new, submission_set=owner, folders=made, associations=_named(extra))
        current += new
        updated = draw(st.lists(st.sampled_from(current), max_size=2, unique_by=lambda one: one.entry_uuid))
        titles = {entry.entry_uuid: draw(strategies.texts) for entry in updated}
        done.append((submission, {entry.entry_uuid: draw(contents) for entry in new}, titles))
    return done


def _named(associations: list[Association]) -> tuple[Association, ...]:
    """Relationships with UUIDs of their own, so that both registries keep the same."""
    return tuple(
        replace(one, entry_uuid=new_uuid_urn()) if not one.entry_uuid.startswith("urn:uuid:") else one
        for one in associations
    )


def _entering(owner: str, folder: Folder, entry: DocumentEntry) -> list[Association]:
    inner = an_association(entry_uuid=new_uuid_urn(), source=folder.entry_uuid, target=entry.entry_uuid)
    return [inner, an_association(entry_uuid=new_uuid_urn(), source=owner, target=inner.entry_uuid)]


# A failing example stays as drawn: making it smaller would take minutes, since every try opens two databases.
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(submissions())
def test_every_attribute_every_version_and_every_octet_comes_back(record: list[Step]) -> None:
    with memory.folder() as folder:
        with holding(folder / "from") as source:
            _play(source, record)
            export(source, folder / "record.zip", deprecated_too=True)
            expected, expected_octets = objects(source), octets(source)
        with holding(folder / "to") as target:
            report = import_into(target, folder / "record.zip")
            assert not report.of(Fate.REFUSED), report.of(Fate.REFUSED)
            found = objects(target)
            assert content_of(found) == content_of(expected)
            assert octets(target) == expected_octets
            assert {one.fate for one in import_into(target, folder / "record.zip").outcomes} == {Fate.SKIPPED}
            assert objects(target) == found


def _play(source: Actors, record: list[Step]) -> None:
    newest: dict[str, str] = {}
    for submission, documents, titles in record:
        links = tuple(replace(one, target=newest.get(one.target, one.target)) for one in submission.associations)
        submit(source, replace(submission, associations=links), documents)
        for entry_uuid, title in titles.items():
            newest[entry_uuid] = _updated(source, newest.get(entry_uuid, entry_uuid), title=title)


def content_of(found: dict[str, RegistryObject]) -> tuple[dict[str, RegistryObject], Counter[tuple[object, ...]]]:
    """Objects by their entryUUID, and links by what they say: the registry names those that it makes itself anew."""
    links = {one.entry_uuid: one for one in found.values() if isinstance(one, Association)}

    def said(link: Association) -> tuple[object, ...]:
        target = said(links[link.target]) if link.target in links else link.target
        changed = replace(link, entry_uuid="", logical_id=None, target="")
        return (changed, target)

    others = {uuid: one for uuid, one in found.items() if uuid not in links}
    return others, Counter(said(link) for link in links.values())


def assert_comes_back(tmp_path: Path, source: Actors) -> None:
    """Every version of every object, every link, every octet; and a second import changes nothing."""
    exported = export(source, tmp_path / "record.zip", deprecated_too=True)
    assert exported.lost_links == ()
    with holding(tmp_path / "to") as target:
        report = import_into(target, tmp_path / "record.zip")
        assert (report.of(Fate.REFUSED), report.notes) == ([], [])
        assert content_of(objects(target)) == content_of(objects(source))
        assert octets(target) == octets(source)
        found = objects(target)
        again = import_into(target, tmp_path / "record.zip")
        assert {one.fate for one in again.outcomes} == {Fate.SKIPPED}
        assert objects(target) == found


def test_every_version_of_an_updated_document_comes_back(tmp_path: Path) -> None:
    with holding(tmp_path / "from") as source:
        _submit_updated_record(source)
        assert len([one for one in objects(source).values() if isinstance(one, DocumentEntry)]) == 3
        assert_comes_back(tmp_path, source)


def test_what_came_between_two_versions_comes_back_between_them(tmp_path: Path) -> None:
    """An addendum to the first version, a replacement of the second, a Folder with a new title in between."""
    first, folder = an_entry(entry_uuid=new_uuid_urn()), a_folder(entry_uuid=new_uuid_urn())
    owner, content = a_submission_set(entry_uuid=new_uuid_urn()), b"<ClinicalDocument/>"
    with holding(tmp_path / "from") as source:
        entering = tuple(_entering(owner.entry_uuid, folder, first))
        begun = a_submission(first, submission_set=owner, folders=(folder,), associations=entering)
        submit(source, begun, {first.entry_uuid: content})
        addendum = an_entry(entry_uuid=new_uuid_urn())
        link = a_replacement(addendum, first.entry_uuid, AssociationType.APND)
        submit(source, a_submission(addendum, associations=(link,)), {addendum.entry_uuid: content})
        second = _updated(source, first.entry_uuid, title="Second")
        _updated(source, folder.entry_uuid, title="Autre")
        third = _updated(source, second, comments="Troisième")
        successor = an_entry(entry_uuid=new_uuid_urn())
        replacing = a_submission(successor, associations=(a_replacement(successor, third),))
        submit(source, replacing, {successor.entry_uuid: content})
        assert_comes_back(tmp_path, source)


def _updated(actors: Actors, entry_uuid: str, **changes: object) -> str:
    stored, new = objects(actors)[entry_uuid], new_uuid_urn()
    assert isinstance(stored, DocumentEntry | Folder)
    update(actors, an_update(stored, entry_uuid=new, **changes))
    return new


def test_without_its_history_an_updated_document_comes_in_its_newest_version(tmp_path: Path) -> None:
    """As any other importer reads the medium."""
    with holding(tmp_path / "from") as source:
        _submit_updated_record(source)
        export(source, tmp_path / "record.zip", deprecated_too=True)
        newest = [one for one in objects(source).values() if isinstance(one, DocumentEntry) and one.version == 2]
    with zipfile.ZipFile(tmp_path / "record.zip") as whole, zipfile.ZipFile(tmp_path / "xdm.zip", "w") as plain:
        assert "CARNET/VERSIONS.XML" in whole.namelist()
        for name in whole.namelist():
            if not name.startswith("CARNET/"):
                plain.writestr(name, whole.read(name))
    with holding(tmp_path / "to") as target:
        report = import_into(target, tmp_path / "xdm.zip")
        assert (report.of(Fate.REFUSED), report.notes) == ([], [])
        found = {one.entry_uuid: one for one in objects(target).values() if isinstance(one, DocumentEntry)}
        for entry in newest:
            first = replace(entry, logical_id=entry.entry_uuid, version=1)
            assert found[entry.entry_uuid] == first
        links = [
            (one.association_type, one.target)
            for one in objects(target).values()
            if isinstance(one, Association) and one.association_type is AssociationType.APND
        ]
        assert links == [(AssociationType.APND, newest[0].entry_uuid)]
        again = import_into(target, tmp_path / "record.zip")
        assert {one.fate for one in again.outcomes} == {Fate.SKIPPED}
        assert ["in already as another entry" in note for note in again.notes] == [True]


def test_a_history_with_a_gap_is_refused(tmp_path: Path) -> None:
    with holding(tmp_path / "from") as source:
        _submit_updated_record(source)
        export(source, tmp_path / "record.zip", deprecated_too=True)
    with zipfile.ZipFile(tmp_path / "record.zip") as whole, zipfile.ZipFile(tmp_path / "cut.zip", "w") as cut:
        for name in whole.namelist():
            cut.writestr(name, whole.read(name).replace(b'versionName="2"', b'versionName="3"'))
    with holding(tmp_path / "to") as target, pytest.raises(MediumRefused, match="every version of an object"):
        import_into(target, tmp_path / "cut.zip")


def test_metadata_larger_than_a_message_come_back(tmp_path: Path) -> None:
    """A record of many years: more than the 8 MB that one message may have."""
    with holding(tmp_path / "from") as source:
        _submit_updated_record(source)
        export(source, tmp_path / "record.zip", deprecated_too=True)
    with zipfile.ZipFile(tmp_path / "record.zip") as whole, zipfile.ZipFile(tmp_path / "large.zip", "w") as large:
        for name in whole.namelist():
            padding = b"<!--" + b" " * (9 * 2**20) + b"-->" if name.endswith(("VERSIONS.XML", "METADATA.XML")) else b""
            large.writestr(name, whole.read(name) + padding)
    with holding(tmp_path / "to") as target:
        report = import_into(target, tmp_path / "large.zip")
        assert (report.of(Fate.REFUSED), report.notes) == ([], [])
        assert len([one for one in objects(target).values() if isinstance(one, DocumentEntry)]) == 3


def test_a_history_that_no_import_would_take_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "METADATA_LIMITS", replace(layout.METADATA_LIMITS, octets=100))
    with holding(tmp_path / "from") as source:
        _submit_updated_record(source)
        with pytest.raises(ExportFailed, match="an import takes 100"):
            export(source, tmp_path / "record.zip", deprecated_too=True)
    assert not (tmp_path / "record.zip").exists()


def test_a_history_is_of_the_patient_that_the_medium_is_given_to(tmp_path: Path) -> None:
    with holding(tmp_path / "from") as source:
        _submit_updated_record(source)
        export(source, tmp_path / "record.zip", deprecated_too=True)
    with holding(tmp_path / "to", patients=(OTHER_PATIENT,)) as target:
        report = import_into(target, tmp_path / "record.zip", patient_id=OTHER_PATIENT)
        assert report.of(Fate.REFUSED) == []
        versions = [one for one in objects(target, OTHER_PATIENT).values() if isinstance(one, DocumentEntry)]
        assert sorted(one.version or 0 for one in versions) == [1, 1, 2]


def _submit_updated_record(actors: Actors) -> None:
    """A document, an addendum to it, then a new title for it: the addendum is propagated to the new version."""
    first = an_entry(entry_uuid=new_uuid_urn())
    addendum = an_entry(entry_uuid=new_uuid_urn())
    submit(actors, a_submission(first), {first.entry_uuid: b"<ClinicalDocument/>"})
    link = a_replacement(addendum, first.entry_uuid, AssociationType.APND)
    submit(actors, a_submission(addendum, associations=(link,)), {addendum.entry_uuid: b"<ClinicalDocument/>"})
    stored = objects(actors)[first.entry_uuid]
    assert isinstance(stored, DocumentEntry)
    update(actors, an_update(stored, title="Titre corrigé", entry_uuid=new_uuid_urn()))


def test_a_document_deprecated_without_successor_is_deprecated_again(tmp_path: Path) -> None:
    entry = an_entry(entry_uuid=new_uuid_urn())
    with holding(tmp_path / "from") as source:
        submit(source, a_submission(entry), {entry.entry_uuid: b"<ClinicalDocument/>"})
        update(source, a_status_update(entry.entry_uuid, "Approved", "Deprecated"))
        assert export(source, tmp_path / "current.zip").documents == 0
        assert export(source, tmp_path / "all.zip", deprecated_too=True).documents == 1
    with holding(tmp_path / "to") as target:
        assert import_into(target, tmp_path / "all.zip").notes == []
        assert objects(target)[entry.entry_uuid].availability_status is AvailabilityStatus.DEPRECATED


@pytest.mark.parametrize("status", [AvailabilityStatus.ARCHIVED, AvailabilityStatus.DELETED])
def test_archived_and_deleted_documents_keep_their_status(tmp_path: Path, status: AvailabilityStatus) -> None:
    entry = an_entry(entry_uuid=new_uuid_urn())
    with holding(tmp_path / "from") as source:
        submit(source, a_submission(entry), {entry.entry_uuid: b"<ClinicalDocument/>"})
        source.registry.recorder = a_trail(source.units)
        assert LocalReceiver(source).take_status(entry.entry_uuid, status)
        assert objects(source)[entry.entry_uuid].availability_status is status
        (record,) = kept(source.units)
        assert (record.type_codes[0].code, record.patient) == ("ITI-57", PATIENT.key)
        assert export(source, tmp_path / "current.zip").documents == 0
        assert export(source, tmp_path / "all.zip", deprecated_too=True).documents == 1
    with holding(tmp_path / "to") as target:
        assert import_into(target, tmp_path / "all.zip").notes == []
        assert objects(target)[entry.entry_uuid].availability_status is status


def test_links_that_a_medium_cannot_hold_are_named(tmp_path: Path) -> None:
    old, new, last = (an_entry(entry_uuid=new_uuid_urn()) for _ in range(3))
    content = b"<ClinicalDocument/>"
    with holding(tmp_path / "from") as source:
        for entry in (old, new):
            submit(source, a_submission(entry), {entry.entry_uuid: content})
        late = a_submitted_association(old.entry_uuid, new.entry_uuid, AssociationType.APND)
        update(source, late)
        replacing = a_submission(last, associations=(a_replacement(last, new.entry_uuid),))
        submit(source, replacing, {last.entry_uuid: content})
        current = export(source, tmp_path / "current.zip")
        whole = export(source, tmp_path / "all.zip", deprecated_too=True)
    [later] = whole.lost_links
    assert (later.association_type, later.source, later.target) == ("APND", old.unique_id, new.unique_id)
    assert "registered later" in later.reason
    assert {(one.association_type, one.reason) for one in current.lost_links} == {
        ("APND", "one end is left out"),
        ("RPLC", "one end is left out"),
    }
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        readme = archive.read("README.TXT").decode("ascii")
    assert f"{old.unique_id} APND {new.unique_id}: the other end was registered later" in readme


def test_a_document_approved_again_before_a_repeated_import_stays_approved(tmp_path: Path) -> None:
    entry = an_entry(entry_uuid=new_uuid_urn())
    with holding(tmp_path / "from") as source:
        submit(source, a_submission(entry), {entry.entry_uuid: b"<ClinicalDocument/>"})
        update(source, a_status_update(entry.entry_uuid, "Approved", "Deprecated"))
        export(source, tmp_path / "all.zip", deprecated_too=True)
        update(source, a_status_update(entry.entry_uuid, "Deprecated", "Approved"))
        report = import_into(source, tmp_path / "all.zip")
        assert [one.fate for one in report.outcomes] == [Fate.SKIPPED]
        assert report.notes == [
            f"document {entry.unique_id}: Deprecated on the medium, Approved here: it was in already"
        ]
        assert objects(source)[entry.entry_uuid].availability_status is AvailabilityStatus.APPROVED


def test_without_deprecated_documents_the_successor_stands_alone(tmp_path: Path) -> None:
    old, new = an_entry(entry_uuid=new_uuid_urn()), an_entry(entry_uuid=new_uuid_urn())
    content = b"<ClinicalDocument/>"
    with holding(tmp_path / "from") as source:
        submit(source, a_submission(old), {old.entry_uuid: content})
        replacing = a_submission(new, associations=(a_replacement(new, old.entry_uuid),))
        submit(source, replacing, {new.entry_uuid: content})
        assert export(source, tmp_path / "record.zip").documents == 1
    with holding(tmp_path / "to") as target:
        assert [one.fate for one in import_into(target, tmp_path / "record.zip").outcomes] == [Fate.IMPORTED]
        assert set(octets(target)) == {new.unique_id}


def test_one_set_holds_every_current_document_and_folder(tmp_path: Path) -> None:
    first, second = an_entry(entry_uuid=new_uuid_urn()), an_entry(entry_uuid=new_uuid_urn())
    folder, owner = a_folder(entry_uuid=new_uuid_urn()), a_submission_set(entry_uuid=new_uuid_urn())
    content = b"<ClinicalDocument/>"
    with holding(tmp_path / "from") as source:
        entering = _entering(owner.entry_uuid, folder, first)
        with_folder = a_submission(first, submission_set=owner, folders=(folder,), associations=tuple(entering))
        submit(source, with_folder, {first.entry_uuid: content})
        addendum = a_replacement(second, first.entry_uuid, AssociationType.APND)
        submit(source, a_submission(second, associations=(addendum,)), {second.entry_uuid: content})
        exported = export(source, tmp_path / "copy.zip", one_set=True)
        assert (exported.submission_sets, exported.documents) == (1, 2)
    with holding(tmp_path / "to") as target:
        report = import_into(target, tmp_path / "copy.zip")
        assert [one.fate for one in report.outcomes] == [Fate.IMPORTED], report.of(Fate.REFUSED)
        found = objects(target)
        assert {first.entry_uuid, second.entry_uuid, folder.entry_uuid} <= found.keys()
        links = {(one.source, one.target) for one in found.values() if isinstance(one, Association)}
        assert {(folder.entry_uuid, first.entry_uuid), (second.entry_uuid, first.entry_uuid)} <= links


def test_a_medium_can_be_given_to_a_patient_of_here(tmp_path: Path) -> None:
    entry = an_entry(entry_uuid=new_uuid_urn())
    with holding(tmp_path / "from") as source:
        submit(source, a_submission(entry), {entry.entry_uuid: b"<ClinicalDocument/>"})
        export(source, tmp_path / "record.zip")
    with holding(tmp_path / "to", patients=[OTHER_PATIENT]) as target:
        report = import_into(target, tmp_path / "record.zip", patient_id=OTHER_PATIENT)
        assert [one.fate for one in report.outcomes] == [Fate.IMPORTED], report.of(Fate.REFUSED)
        assert set(octets(target, OTHER_PATIENT)) == {entry.unique_id}
