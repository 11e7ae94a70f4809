"""fsck and gc as their users run them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from repository.filesystem_store import FilesystemStore, path_of
from tests import forked, messages, servers
from tests.builders import PATIENT, REPOSITORY, a_submission, an_entry
from tests.repository.holdings import flip, kept, keys
from tests.servers import Server
from xds.ebrim.read import read_registry_objects
from xds.identifiers import new_uuid_urn

_APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
ALL_OF_PATIENT = {
    "$patientId": f"'{PATIENT.key}'",
    "$XDSDocumentEntryStatus": f"('{_APPROVED}')",
    "$XDSSubmissionSetStatus": f"('{_APPROVED}')",
    "$XDSFolderStatus": f"('{_APPROVED}')",
}


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path)
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        yield running


@pytest.fixture
def store(server: Server) -> FilesystemStore:
    return FilesystemStore(Path(server.settings.data) / "documents")


def carnet(server: Server, *arguments: str) -> Run:
    done = forked.run([*arguments, "--data", server.settings.data])
    return Run(done.returncode, done.stdout, done.stderr)


def pushed(server: Server, content: bytes) -> str:
    entry = an_entry(content=content)
    assert messages.provide(server, a_submission(entry), {entry.entry_uuid: content}).status == "Success"
    return str(entry.unique_id)


def key_of(server: Server, unique_id: str) -> str:
    engine = create_engine(server.settings.database_url)
    with engine.connect() as connection:
        statement = text("SELECT blob_key FROM document WHERE unique_id = :id")
        key: str = connection.execute(statement, {"id": unique_id}).scalar_one()
    engine.dispose()
    return key


def changed(server: Server, statement: str, **values: str) -> None:
    engine = create_engine(server.settings.database_url)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def findings(run: Run) -> list[tuple[str, str, bool]]:
    found = run.json["findings"]
    assert isinstance(found, list)
    return [(one["kind"], one["unique_id"], one["is_repaired"]) for one in found]


def test_a_sound_repository_is_sound(server: Server) -> None:
    pushed(server, b"sound")
    run = carnet(server, "fsck")
    assert (run.code, run.out) == (0, "1 documents, 5 octets checked: sound\n"), run.err
    assert carnet(server, "fsck", "--quick", "--json").json == {
        "documents": 1,
        "octets": 5,
        "findings": [],
        "remaining": 0,
    }


def test_a_removed_document_is_no_finding(server: Server) -> None:
    unique_id = pushed(server, b"removed")
    assert messages.remove(server, (REPOSITORY, unique_id)).status == "Success"
    assert carnet(server, "fsck").code == 0


def test_a_document_whose_metadata_was_removed_is_told_and_is_no_fault(server: Server) -> None:
    entry = an_entry(content=b"left behind", entry_uuid=new_uuid_urn())
    owner = a_submission(entry, entry_uuid=new_uuid_urn())
    assert messages.provide(server, owner, {entry.entry_uuid: b"left behind"}).status == "Success"
    whole = messages.query(server, messages.GET_ALL, ALL_OF_PATIENT)
    removed = [thing.entry_uuid for thing in read_registry_objects(whole.body)]
    assert messages.remove_metadata(server, *removed).status == "Success"
    run = carnet(server, "fsck")
    assert run.code == 0
    assert run.out.startswith(f"document whose metadata was removed: {entry.unique_id} ")
    assert "sound; 1 × document whose metadata was removed: Remove Documents [ITI-86]" in run.out
    assert findings(carnet(server, "fsck", "--json")) == [
        ("document whose metadata was removed", entry.unique_id, False)
    ]
    assert messages.remove(server, (REPOSITORY, entry.unique_id or "")).status == "Success"
    assert carnet(server, "fsck", "--json").json["findings"] == []


def test_every_kind_of_finding_is_told_and_the_exit_code_is_1(server: Server, store: FilesystemStore) -> None:
    missing, damaged, unindexed, differing = (pushed(server, b"document %d" % number) for number in range(4))
    path_of(store.root, key_of(server, missing)).unlink()
    flip(store.root, key_of(server, damaged))
    changed(server, "DELETE FROM document WHERE unique_id = :id", id=unindexed)
    changed(server, "UPDATE registry_object SET hash = 'other' WHERE unique_id = :id", id=differing)
    kept(store, b"orphan")
    run = carnet(server, "fsck", "--json", "--grace-hours", "-1")
    assert run.code == 1
    assert sorted(findings(run)) == sorted(
        [
            ("document without blob", missing, False),
            ("blob with other octets than were stored", damaged, False),
            ("entry without document", unindexed, False),
            ("entry with another hash or size than its document", differing, False),
            ("blob without document", "", False),
        ]
    )
    assert run.json["remaining"] == 5
    text_of_it = carnet(server, "fsck", "--grace-hours", "-1")
    assert f"document without blob: {missing} " in text_of_it.out
    assert "1 × blob without document" in text_of_it.out


def test_repair_restores_what_it_can_and_says_so(server: Server, store: FilesystemStore) -> None:
    lost, _twin = pushed(server, b"same octets"), pushed(server, b"same octets")
    path_of(store.root, key_of(server, lost)).unlink()
    orphan, _ = kept(store, b"orphan")
    run = carnet(server, "fsck", "--repair", "--json", "--grace-hours", "-1")
    assert run.code == 0, run.err
    assert findings(run) == [("document without blob", lost, True), ("blob without document", "", True)]
    assert orphan not in keys(store)
    assert messages.contents(messages.retrieve(server, (REPOSITORY, lost))) == [b"same octets"]
    assert carnet(server, "fsck", "--grace-hours", "-1").code == 0


def test_gc_deletes_orphans_past_the_grace_and_keeps_documents(server: Server, store: FilesystemStore) -> None:
    unique_id = pushed(server, b"stays")
    kept(store, b"orphan")
    assert carnet(server, "gc", "--json").json == {"blobs": 0, "octets": 0, "leftovers": 0, "failed": 0}
    run = carnet(server, "gc", "--grace-hours", "-1")
    assert (run.code, run.out) == (0, "1 blobs and 0 leftovers deleted, 0 could not be\n")
    assert messages.contents(messages.retrieve(server, (REPOSITORY, unique_id))) == [b"stays"]


def test_gc_beside_the_wrong_database_refuses(server: Server, store: FilesystemStore, tmp_path: Path) -> None:
    for number in range(21):
        kept(store, b"%d" % number)
    other = f"sqlite:///{tmp_path / 'other.sqlite'}"
    assert carnet(server, "db", "upgrade", "--database", other).code == 0
    run = carnet(server, "gc", "--grace-hours", "-1", "--database", other)
    assert run.code == 1
    assert "unknown to this database" in run.err
    assert len(keys(store)) == 21


def test_a_move_while_the_server_runs_loses_nothing(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path)
    target = f"file://{tmp_path / 'new'}"
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        ids = [pushed(server, b"before")]
        first = carnet(server, "documents", "move", "--to", target, "--json")
        assert (first.code, first.json["copied"]) == (0, 1), first.err
        ids.append(pushed(server, b"meanwhile"))
        assert carnet(server, "documents", "move", "--to", target, "--delete").code == 2
    former = f"file://{tmp_path / 'documents'}"
    with servers.in_process(servers.settings_for(tmp_path, documents=target, documents_former=former)) as server:
        ids.append(pushed(server, b"after"))
        wanted = [(REPOSITORY, one) for one in ids]
        assert messages.contents(messages.retrieve(server, *wanted)) == [b"before", b"meanwhile", b"after"]
        arguments = ("--to", target, "--from", former, "--documents", target, "--delete", "--json")
        second = carnet(server, "documents", "move", *arguments).json
        assert (second["copied"], second["present"], second["deleted"]) == (1, 2, 2)
        assert messages.contents(messages.retrieve(server, *wanted)) == [b"before", b"meanwhile", b"after"]
    assert not keys(FilesystemStore(tmp_path / "documents"))


@pytest.mark.parametrize("name", ["link", "./documents", "documents/../documents", "docu%6Dents"])
def test_a_store_is_not_moved_into_itself_under_another_name(
    server: Server, store: FilesystemStore, tmp_path: Path, name: str
) -> None:
    pushed(server, b"the only copy")
    (tmp_path / "link").symlink_to(store.root)
    present = f"file://{store.root}"
    for arguments in (["--from", f"file://{tmp_path}/{name}", "--to", present], ["--to", f"file://{tmp_path}/{name}"]):
        run = carnet(server, "documents", "move", *arguments, "--delete")
        assert (run.code, "are one store, expected two" in run.err) == (2, True), run
    assert len(keys(store)) == 1


def test_a_mistyped_folder_to_move_from_is_told_and_not_made(server: Server, tmp_path: Path) -> None:
    run = carnet(
        server, "documents", "move", "--from", f"file://{tmp_path}/documants", "--to", f"file://{tmp_path}/new"
    )
    assert (run.code, "documants', expected a store with documents" in run.err) == (2, True), run
    assert not (tmp_path / "documants").exists() and not (tmp_path / "new").exists()


def test_damaged_and_missing_documents_come_back_from_a_backup(
    server: Server, store: FilesystemStore, tmp_path: Path
) -> None:
    ids = [pushed(server, b"document %d" % number) for number in range(3)]
    assert carnet(server, "backup", str(tmp_path / "backup")).code == 0
    flip(store.root, key_of(server, ids[0]))
    path_of(store.root, key_of(server, ids[1])).unlink()
    assert carnet(server, "fsck", "--repair").code == 1
    arguments = ("--from", f"file://{tmp_path}/backup/documents", "--to", f"file://{store.root}", "--json")
    run = carnet(server, "documents", "move", *arguments)
    assert (run.code, run.json["copied"], run.json["present"]) == (0, 2, 1), run.err
    assert carnet(server, "fsck").code == 0
    answer = messages.retrieve(server, *((REPOSITORY, one) for one in ids))
    assert messages.contents(answer) == [b"document 0", b"document 1", b"document 2"]
