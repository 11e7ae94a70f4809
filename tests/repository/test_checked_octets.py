"""No octet leaves that is not the one that was stored, and memory does not grow with documents."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from repository import blob_store
from repository import checked_octets as checking
from repository.blob_store import BLOCK, DamagedBlob
from repository.checked_octets import Allowance, CheckedOctets, Expected, checked_octets, verify
from repository.filesystem_store import FilesystemStore, path_of

MEGABYTE = 10**6


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path)


@pytest.fixture
def alerts() -> list[str]:
    return []


def kept(store: FilesystemStore, content: bytes, *, with_blocks: bool = True) -> Expected:
    blob = store.receive()
    blob.write(content)
    key, digest = blob.keep(), blob.digest()
    blocks = digest.blocks if with_blocks else b""
    return Expected(key=key, size=digest.size, sha256=digest.sha256, blocks=blocks)


def read(
    store: FilesystemStore, expected: Expected, alerts: list[str], allowance: int = 16 * MEGABYTE
) -> CheckedOctets:
    return checked_octets(store, expected, allowance=Allowance(allowance), on_damage=alerts.append)


def damage(store: FilesystemStore, expected: Expected, kind: str, at: int = -1) -> None:
    file = path_of(store.root, expected.key)
    content = bytearray(file.read_bytes())
    content[at if at >= 0 else len(content) // 2] ^= 1
    whole = file.read_bytes()
    changed = {"flip": bytes(content), "truncate": whole[:-1], "extend": whole + b"x", "empty": b""}
    if kind == "remove":
        file.unlink()
    else:
        file.write_bytes(changed[kind])


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents past 2 MiB count as large, so that tests need few octets."""
    for module in (checking, blob_store):
        monkeypatch.setattr(module, "HASHED_WHOLE", 2 * BLOCK)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("with_blocks", [True, False])
@pytest.mark.parametrize("allowance", [0, 100 * BLOCK])
@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 5 * BLOCK])
def test_sound_octets_come_whole(
    store: FilesystemStore, alerts: list[str], size: int, allowance: int, *, with_blocks: bool
) -> None:
    content = os.urandom(size)
    expected = kept(store, content, with_blocks=with_blocks)
    assert b"".join(read(store, expected, alerts, allowance)) == content
    verify(store, expected)
    assert alerts == []


@pytest.mark.parametrize("kind", ["flip", "truncate", "extend", "remove", "empty"])
@pytest.mark.parametrize("size", [100, 3 * BLOCK])
def test_a_damaged_document_that_is_hashed_whole_gives_no_octet(
    store: FilesystemStore, alerts: list[str], kind: str, size: int
) -> None:
    expected = kept(store, os.urandom(size))
    damage(store, expected, kind)
    with pytest.raises(DamagedBlob):
        read(store, expected, alerts)
    with pytest.raises(DamagedBlob):
        verify(store, expected)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("kind", ["truncate", "extend", "remove", "empty"])
def test_a_large_document_of_another_length_gives_no_octet(
    store: FilesystemStore, alerts: list[str], kind: str
) -> None:
    expected = kept(store, os.urandom(5 * BLOCK))
    damage(store, expected, kind)
    with pytest.raises(DamagedBlob):
        read(store, expected, alerts)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("number", range(6))
def test_a_large_document_is_cut_before_its_damaged_block(
    store: FilesystemStore, alerts: list[str], number: int
) -> None:
    content = os.urandom(5 * BLOCK + 100)
    expected = kept(store, content)
    damage(store, expected, "flip", at=number * BLOCK + 50)
    sent = b""
    with pytest.raises(DamagedBlob):
        for chunk in read(store, expected, alerts):
            sent += chunk
    is_of_first_section = number < 2
    assert sent == (b"" if is_of_first_section else content[: number * BLOCK])
    assert alerts == ([] if is_of_first_section else [expected.key])


@pytest.mark.usefixtures("small_limit")
def test_digests_of_another_kind_count_for_nothing(store: FilesystemStore, alerts: list[str]) -> None:
    """Those of every MiB, as documents have them that were stored before there were sections: hashed whole."""
    content = os.urandom(5 * BLOCK)
    sound = kept(store, content, with_blocks=False)
    each = b"".join(hashlib.sha256(content[at : at + BLOCK]).digest() for at in range(0, len(content), BLOCK))
    old = replace(sound, blocks=each)
    assert b"".join(read(store, old, alerts)) == content
    damage(store, old, "flip", at=4 * BLOCK + 3)
    with pytest.raises(DamagedBlob):
        read(store, old, alerts)


@pytest.mark.usefixtures("small_limit")
def test_a_large_document_without_digests_of_its_blocks_is_hashed_whole(
    store: FilesystemStore, alerts: list[str]
) -> None:
    expected = kept(store, os.urandom(5 * BLOCK), with_blocks=False)
    damage(store, expected, "flip", at=4 * BLOCK + 3)
    with pytest.raises(DamagedBlob):
        read(store, expected, alerts)


def test_damage_between_hashing_and_sending_is_seen_too(store: FilesystemStore, alerts: list[str]) -> None:
    content = os.urandom(3 * BLOCK)
    expected = kept(store, content)
    octets = read(store, expected, alerts, allowance=0)
    damage(store, expected, "flip", at=2 * BLOCK + 1)
    sent = [next(octets), next(octets)]
    with pytest.raises(DamagedBlob):
        next(octets)
    assert b"".join(sent) == content[: 2 * BLOCK]
    assert alerts == [expected.key]


def test_one_allowance_bounds_what_all_documents_of_a_request_keep(store: FilesystemStore) -> None:
    allowance = Allowance(16 * MEGABYTE)
    assert [allowance.take(6 * MEGABYTE) for _ in range(3)] == [True, True, False]
    assert allowance.take(4 * MEGABYTE)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc, which Linux has")
@pytest.mark.usefixtures("small_limit")
def test_no_file_stays_open(store: FilesystemStore, alerts: list[str]) -> None:
    documents = [kept(store, os.urandom(size)) for size in (100, 5 * BLOCK)]
    wrong = Expected(key=documents[0].key, size=100, sha256="0" * 64)
    before = len(list(Path("/proc/self/fd").iterdir()))
    waiting = [read(store, one, alerts) for one in documents * 10]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    for octets in waiting[:10]:
        list(octets)
    for octets in waiting[10:]:
        next(octets)
        octets.close()
    with pytest.raises(DamagedBlob):
        read(store, wrong, alerts)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
