"""Documents as files: nothing counts before `keep`, nothing damaged is ever delivered."""

import hashlib
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.blob_store import CHUNK, DamagedBlob
from repository.filesystem_store import LEFTOVER_SECONDS, FilesystemStore

CONTENT = b"<ClinicalDocument/>\r\n"


def keep(store: FilesystemStore, content: bytes) -> tuple[str, str]:
    blob = store.receive()
    for at in range(0, len(content), 1000):
        blob.write(content[at : at + 1000])
    return blob.keep(), blob.digest().sha256


def files(root: Path) -> list[str]:
    return sorted(name for _, _, names in os.walk(root) for name in names)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_what_is_kept_comes_back(tmp_path: Path, size: int) -> None:
    store, content = FilesystemStore(tmp_path), os.urandom(size)
    key, sha256 = keep(store, content)
    assert b"".join(store.read(key, sha256=sha256)) == content
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert key.startswith(f"{sha256}/")


def test_the_digest_is_of_all_octets(tmp_path: Path) -> None:
    blob = FilesystemStore(tmp_path).receive()
    blob.write(CONTENT[:5])
    blob.write(CONTENT[5:])
    digest = blob.digest()
    assert (digest.size, digest.sha1) == (len(CONTENT), hashlib.sha1(CONTENT).hexdigest())
    blob.discard()


def test_what_is_discarded_leaves_no_file(tmp_path: Path) -> None:
    blob = FilesystemStore(tmp_path).receive()
    blob.write(CONTENT)
    blob.discard()
    assert files(tmp_path) == []


def test_each_document_has_its_own_blob(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    first, second = keep(store, CONTENT)[0], keep(store, CONTENT)[0]
    assert first != second
    store.delete(first)
    store.delete(first)
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["flip", "truncate", "extend", "remove", "empty"])
@pytest.mark.parametrize("size", [100, 2 * CHUNK])
def test_a_damaged_blob_is_never_delivered(tmp_path: Path, damage: str, size: int) -> None:
    store, content = FilesystemStore(tmp_path), os.urandom(size)
    key, sha256 = keep(store, content)
    [file] = [path for path in tmp_path.rglob("*-*") if path.is_file()]
    changed = bytearray(content)
    changed[size // 2] ^= 1
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(
            {"flip": bytes(changed), "truncate": content[:-1], "extend": content + b"x", "empty": b""}[damage]
        )
    with pytest.raises(DamagedBlob):
        store.read(key, sha256=sha256)


@given(text=st.text(max_size=120))
def test_no_text_but_a_key_becomes_a_path(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ValueError, match="not a blob key"):
        FilesystemStore(Path(folder)).delete(text)


@pytest.mark.parametrize("key", ["../../etc/passwd", "a" * 64 + "/../../x", "a" * 64 + "/" + "0" * 36 + "\n", ""])
def test_a_hostile_key_is_refused(tmp_path: Path, key: str) -> None:
    store = FilesystemStore(tmp_path)
    for action in (lambda: store.read(key, sha256="0" * 64), lambda: store.delete(key)):
        with pytest.raises(ValueError, match="not a blob key"):
            action()


def test_only_old_leftovers_are_cleared_at_start(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for name, age in (("old", LEFTOVER_SECONDS + 60), ("young", 60)):
        (incoming / name).write_bytes(b"half")
        changed = (incoming / name).stat().st_mtime - age
        os.utime(incoming / name, (changed, changed))
    FilesystemStore(tmp_path)
    assert files(tmp_path) == ["young"]


def test_no_file_stays_open(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    key, sha256 = keep(store, os.urandom(3 * CHUNK))
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    for _ in range(20):
        list(store.read(key, sha256=sha256))
        store.read(key, sha256=sha256).close()
        with pytest.raises(DamagedBlob):
            store.read(key, sha256="0" * 64)
    after = len(list(Path("/proc/self/fd").iterdir())) if before else 0
    assert after == before


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
