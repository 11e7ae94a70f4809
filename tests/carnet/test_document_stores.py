"""Where documents are kept: URLs, endpoints, and what is refused."""

from pathlib import Path

import pytest

from carnet.document_stores import is_one_place, open_documents, open_store
from carnet.settings import Settings, SettingsError, load
from repository.filesystem_store import FilesystemStore
from repository.s3_store import S3BlobStore
from repository.store_with_former import StoreWithFormer


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_documents_lie_in_the_data_folder_by_default(tmp_path: Path) -> None:
    store = open_documents(Settings(data=str(tmp_path / "with space é")))
    assert isinstance(store, FilesystemStore)
    assert store.root == tmp_path / "with space é" / "documents"


def test_a_former_store_stands_behind_the_present_one(tmp_path: Path) -> None:
    settings = load(
        {"documents": "s3://b/p", "documents_former": f"file://{tmp_path}", "s3_endpoint": "http://[::1]:9"}
    )
    assert isinstance(open_documents(settings), StoreWithFormer)


def test_a_store_is_one_place_whatever_it_is_called(tmp_path: Path) -> None:
    settings = Settings(s3_endpoint="https://s3.example.org")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    urls = (
        f"file://{tmp_path}/a",
        f"file://{tmp_path}/b/",
        "s3://b/p",
        "s3://b/p/",
        "s3://b/q",
        f"file://{tmp_path}/c",
    )
    stores = [open_store(settings, url) for url in urls]
    same = [[is_one_place(one, other) for other in stores].count(True) for one in stores]
    assert same == [2, 2, 2, 2, 1, 1]


@pytest.mark.parametrize("url", ["ftp://x/y", "file://host/x", "file:", "s3:///x", "s3://b?x", "documents", "/srv/x"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="expected file:///FOLDER or s3://BUCKET/PREFIX"):
        open_store(Settings(), url)


@pytest.mark.parametrize("name", ["documents", "documents_former"])
def test_settings_name_the_url_they_refuse(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: found 'http://x'"):
        load({name: "http://x"})


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "http://localhost:9000/", "https://s3.example.org"])
def test_http_is_for_loopback(endpoint: str) -> None:
    assert isinstance(open_store(Settings(s3_endpoint=endpoint), "s3://bucket/prefix"), S3BlobStore)


@pytest.mark.parametrize("variable", ["", "AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_http_beyond_loopback_needs_to_be_allowed(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    endpoint = "http://s3.example.org"
    if variable:
        monkeypatch.setenv(variable, endpoint)
    settings = Settings(s3_endpoint="" if variable else endpoint)
    with pytest.raises(SettingsError, match="s3-plain-http"):
        open_store(settings, "s3://bucket")
    allowed = Settings(s3_endpoint=settings.s3_endpoint, s3_plain_http=True)
    assert isinstance(open_store(allowed, "s3://bucket"), S3BlobStore)


def test_an_endpoint_is_a_url() -> None:
    with pytest.raises(SettingsError, match="s3_endpoint"):
        open_store(Settings(s3_endpoint="s3.example.org"), "s3://bucket")
