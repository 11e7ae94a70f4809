"""Documents as files: nothing counts before `keep`, and a disk that fails once is not trusted again."""

import errno
import hashlib
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.blob_store import StoreUnavailable
from repository.filesystem_store import LEFTOVER_SECONDS, FilesystemStore

CONTENT = b"<ClinicalDocument/>\r\n"


def files(root: Path) -> list[str]:
    return sorted(name for _, _, names in os.walk(root) for name in names)


@given(text=st.text(max_size=120))
def test_no_text_but_a_key_becomes_a_path(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ValueError, match="not a blob key"):
        FilesystemStore(Path(folder)).delete(text)


def test_only_old_leftovers_are_cleared_at_start(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for name, age in (("old", LEFTOVER_SECONDS + 60), ("young", 60)):
        (incoming / name).write_bytes(b"half")
        changed = (incoming / name).stat().st_mtime - age
        os.utime(incoming / name, (changed, changed))
    FilesystemStore(tmp_path)
    assert files(tmp_path) == ["young"]


def test_a_blob_counts_as_kept_when_it_was_kept_and_not_when_its_last_octet_came(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    blob = store.receive()
    blob.write(CONTENT)
    blob.finish()
    [file] = (tmp_path / "incoming").iterdir()
    os.utime(file, (1, 1))
    blob.keep()
    [found] = store.blobs()
    assert found.kept_at > 1_000_000_000


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was synced, in this order."""
    paths: list[Path] = []
    really = os.fsync

    def sync(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        really(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    return paths


def test_every_folder_that_is_made_is_durable_in_the_one_above(tmp_path: Path, synced: list[Path]) -> None:
    root = tmp_path / "data" / "documents"
    FilesystemStore(root)
    assert synced == [tmp_path, tmp_path / "data", root]
    FilesystemStore(root)
    assert len(synced) == 3


def test_a_folder_that_somebody_else_made_is_not_trusted_to_be_durable(tmp_path: Path, synced: list[Path]) -> None:
    store = FilesystemStore(tmp_path / "documents")
    made = store.root / hashlib.sha256(CONTENT).hexdigest()[:3]
    made.mkdir()
    synced.clear()
    for _ in range(2):
        with store.receive() as blob:
            blob.write(CONTENT)
            blob.keep()
    assert [path for path in synced if path.is_dir()] == [store.root, made, made]


def test_after_a_failed_sync_nothing_is_accepted_until_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FilesystemStore(tmp_path)
    before, after = store.receive(), store.receive()

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="input/output error"):
            before.keep()
    with pytest.raises(StoreUnavailable):
        after.keep()
    with pytest.raises(StoreUnavailable):
        store.receive()
    for blob in (before, after):
        blob.discard()
    FilesystemStore(tmp_path).receive().discard()
    assert files(tmp_path) == []


def test_a_full_disk_is_no_reason_to_stop_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FilesystemStore(tmp_path)
    blob = store.receive()

    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="no space"):
            blob.keep()
    blob.discard()
    assert store.receive().keep()


@pytest.fixture
def no_file_over_100_kb() -> Iterator[None]:
    """Longer writes fail as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("no_file_over_100_kb")
def test_octets_that_no_longer_fit_leave_nothing(tmp_path: Path) -> None:
    """What is still in memory cannot be written either when the file is closed."""
    incoming = FilesystemStore(tmp_path).receive()
    with pytest.raises(OSError):
        for _ in range(100):
            incoming.write(b"x" * 5_000)
    incoming.discard()
    assert files(tmp_path) == []
