"""Scrubbing goes on after what kept it from its work is gone."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from carnet import scrubbing
from carnet.scrubbing import Scrubber
from repository.blob_store import StoreUnavailable
from repository.filesystem_store import FilesystemStore
from storage.unit_of_work import Units
from tests.repository.holdings import flip, hold


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of damaged blobs that were reported."""
    monkeypatch.setattr(scrubbing, "_RETRY_SECONDS", 0.02)
    return []


def scrubber(units: Units, store: FilesystemStore, data: Path, told: list[str], reached: threading.Event) -> Scrubber:
    def report(key: str) -> None:
        told.append(key)
        reached.set()

    repository: Any = SimpleNamespace(units=units, blobs=store, report_damage=report)
    return Scrubber(repository, data=data, octets_per_second=10**9)


def test_a_disk_that_takes_no_position_ends_no_scrubbing(units: Units, tmp_path: Path, told: list[str]) -> None:
    store, reached = FilesystemStore(tmp_path / "documents"), threading.Event()
    damaged = hold(units, store, "2.25.1", b"damaged").blob_key
    flip(store.root, damaged)
    (tmp_path / "scrub.position").mkdir()
    thread = scrubber(units, store, tmp_path, told, reached)
    thread.start()
    assert not reached.wait(0.2)
    (tmp_path / "scrub.position").rmdir()
    assert reached.wait(30)
    thread.stop()
    assert set(told) == {damaged}


def test_a_store_that_is_away_is_no_damage_and_is_read_when_it_is_back(
    units: Units, tmp_path: Path, told: list[str]
) -> None:
    away, reached = threading.Event(), threading.Event()

    class Away(FilesystemStore):
        def open(self, key: str):  # type: ignore[no-untyped-def]
            if away.is_set():
                raise StoreUnavailable("gone")
            return super().open(key)

    store = Away(tmp_path / "documents")
    damaged = hold(units, store, "2.25.1", b"damaged").blob_key
    flip(store.root, damaged)
    away.set()
    thread = scrubber(units, store, tmp_path, told, reached)
    thread.start()
    assert not reached.wait(0.2)
    away.clear()
    assert reached.wait(30)
    thread.stop()
    assert set(told) == {damaged}
