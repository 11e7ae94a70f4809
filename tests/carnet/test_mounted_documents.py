"""A folder of documents that is not there, or is another's, keeps the server from starting; nothing is written into it."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from carnet.mounted_documents import check_documents
from carnet.registry_wiring import open_units
from carnet.settings import Settings, SettingsError
from repository.filesystem_store import FilesystemStore
from repository.s3_store import S3Address, S3BlobStore
from tests import forked, newest_schema, servers
from tests.blob_stores import BUCKET, object_store
from tests.repository.holdings import hold

CONTENT = b"<ClinicalDocument/>"
OURS = "1.2.250.1.213.4.1.1.1.2"


def settings_for(tmp_path: Path, **given: object) -> Settings:
    return servers.settings_for(tmp_path, documents=(tmp_path / "documents").as_uri(), **given)


def unreached(url: str, problem: Exception) -> None:
    pytest.fail(f"{url} was not reached: {problem}")


def check(settings: Settings) -> None:
    units = open_units(settings)
    try:
        check_documents(settings, units, on_unreached=unreached)
    finally:
        units.close()


def filled(settings: Settings, folder: Path) -> None:
    """A database with one document, whose octets lie in the folder."""
    newest_schema.give(settings)
    units = open_units(settings)
    hold(units, FilesystemStore(folder), "2.25.1", CONTENT)
    units.close()


def files(folder: Path) -> list[str]:
    return [one.name for one in folder.rglob("*") if one.is_file()]


def test_a_new_folder_is_marked_as_ours(tmp_path: Path) -> None:
    check(settings_for(tmp_path))
    assert (tmp_path / "documents" / "carnet-repository").read_text() == f"{OURS}\n"
    assert list(FilesystemStore(tmp_path / "documents").blobs()) == []


def test_a_folder_that_is_away_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    check(settings)
    filled(settings, tmp_path / "documents")
    (tmp_path / "documents").rename(tmp_path / "away")
    with pytest.raises(SettingsError, match="none of the documents of the database: is it mounted"):
        check(settings)
    assert files(tmp_path / "documents") == []


def test_a_folder_from_before_there_were_marks_is_known_by_its_documents(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    filled(settings, tmp_path / "documents")
    check(settings)
    assert FilesystemStore(tmp_path / "documents").owner() == OURS


def test_a_marked_folder_passes_whatever_is_missing_in_it(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    check(settings)
    filled(settings, tmp_path / "elsewhere")
    check(settings)


def test_the_folder_of_another_repository_is_refused(tmp_path: Path) -> None:
    check(settings_for(tmp_path))
    with pytest.raises(SettingsError, match=f"that of repository {OURS}, expected 1.2.3"):
        check(settings_for(tmp_path, repository_id="1.2.3"))


def test_documents_that_are_moved_lie_in_the_former_folder(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    filled(settings, tmp_path / "former")
    moving = replace(settings, documents_former=(tmp_path / "former").as_uri())
    check(moving)
    assert FilesystemStore(tmp_path / "documents").owner() == OURS
    (tmp_path / "former").rename(tmp_path / "away")
    with pytest.raises(SettingsError, match="is it mounted"):
        check(moving)


def kept(store: FilesystemStore, number: int) -> None:
    for one in range(number):
        with store.receive() as blob:
            blob.write(str(one).encode())
            blob.keep()


def test_a_new_database_beside_documents_is_refused(tmp_path: Path) -> None:
    """The documents are mounted, the database is not: a server would begin an empty record."""
    settings = settings_for(tmp_path)
    check(settings)
    kept(FilesystemStore(tmp_path / "documents"), 101)
    with pytest.raises(SettingsError, match="is the folder of the database mounted"):
        check(settings)
    filled(settings, tmp_path / "documents")
    check(settings)


def test_what_crashes_left_behind_keeps_no_new_server_from_starting(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    kept(FilesystemStore(tmp_path / "documents"), 100)
    check(settings)


def test_the_server_says_so_in_one_sentence(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    filled(settings, tmp_path / "elsewhere")
    done = serving(settings)
    assert done.returncode == 2
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("carnet: the store of documents file://") and "is it mounted" in sentence


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with object_store() as url:
        yield url


def bucket_settings(tmp_path: Path, endpoint: str, prefix: str, bucket: str = BUCKET, **given: object) -> Settings:
    return servers.settings_for(tmp_path, documents=f"s3://{bucket}/{prefix}", s3_endpoint=endpoint, **given)


def bucket_of(endpoint: str, prefix: str) -> S3BlobStore:
    return S3BlobStore(S3Address(bucket=BUCKET, prefix=prefix, endpoint=endpoint))


def test_a_new_bucket_is_marked_as_ours(tmp_path: Path, endpoint: str) -> None:
    check(bucket_settings(tmp_path, endpoint, "new"))
    assert bucket_of(endpoint, "new").owner() == OURS
    assert list(bucket_of(endpoint, "new").blobs()) == []


def test_the_bucket_of_another_repository_is_refused(tmp_path: Path, endpoint: str) -> None:
    check(bucket_settings(tmp_path, endpoint, "marked"))
    with pytest.raises(SettingsError, match=f"that of repository {OURS}, expected 1.2.3"):
        check(bucket_settings(tmp_path, endpoint, "marked", repository_id="1.2.3"))


def test_a_bucket_without_the_documents_of_the_database_is_refused(tmp_path: Path, endpoint: str) -> None:
    settings = bucket_settings(tmp_path, endpoint, "right")
    units = open_units(settings)
    hold(units, bucket_of(endpoint, "right"), "2.25.1", CONTENT)
    units.close()
    with pytest.raises(SettingsError, match="none of the documents of the database"):
        check(bucket_settings(tmp_path, endpoint, "wrong"))
    check(settings)


def serving(settings: Settings) -> "subprocess.CompletedProcess[str]":
    places = ["--data", settings.data, "--documents", settings.documents, "--s3-endpoint", settings.s3_endpoint]
    return forked.run(["serve", "--security", "open", "--port", str(settings.port), *places])


def test_a_server_whose_bucket_does_not_exist_says_so_and_does_not_start(tmp_path: Path, endpoint: str) -> None:
    done = serving(bucket_settings(tmp_path, endpoint, "", bucket="nowhere"))
    assert done.returncode == 2
    assert done.stderr == "carnet: setting documents: s3://nowhere/: the object store refuses: NoSuchBucket\n"


def test_a_server_starts_while_its_store_is_away(tmp_path: Path) -> None:
    """Nobody listens on that port: metadata is served, and the log says what is missing."""
    settings = bucket_settings(tmp_path, f"http://127.0.0.1:{servers.free_port()}", "")
    with servers.started(settings) as server:
        assert server.log_with("store of documents not reached")
