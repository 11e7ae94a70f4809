"""A store that is away, or does not say, is out of reach; it is not asked more often than every few seconds."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from carnet import documents_reach
from carnet.documents_reach import LOOKS_EVERY_SECONDS, DocumentsReach
from repository.blob_store import StoreUnavailable
from repository.filesystem_store import FilesystemStore
from repository.store_with_former import StoreWithFormer


class Watched(FilesystemStore):
    """Answers as it is told to, and counts how often it is asked."""

    def __init__(self, root: Path, answer: Callable[[], None]) -> None:
        super().__init__(root)
        self.answer, self.asked = answer, 0

    def reach(self) -> None:
        self.asked += 1
        self.answer()


def _away() -> None:
    raise StoreUnavailable(5, "away")


def test_a_store_is_looked_at_once_in_a_while(tmp_path: Path) -> None:
    now = [100.0]
    store = Watched(tmp_path, lambda: None)
    reach = DocumentsReach(store, time=lambda: now[0])
    assert [reach.is_reached() for _ in range(3)] == [True] * 3
    store.answer = _away
    assert (reach.is_reached(), store.asked) == (True, 1)
    now[0] += LOOKS_EVERY_SECONDS
    assert [reach.is_reached() for _ in range(3)] == [False] * 3
    store.answer = lambda: None
    now[0] += LOOKS_EVERY_SECONDS
    assert (reach.is_reached(), store.asked) == (True, 3)


def test_a_store_that_does_not_answer_is_out_of_reach_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_reach, "_WAITED_SECONDS", 0.05)
    may_answer = threading.Event()
    store = Watched(tmp_path, lambda: may_answer.wait(30) and None)
    reach = DocumentsReach(store, time=lambda: 100.0)
    assert [reach.is_reached() for _ in range(3)] == [False] * 3
    assert store.asked == 1
    monkeypatch.setattr(documents_reach, "_WAITED_SECONDS", 30)
    may_answer.set()
    assert reach.is_reached()


def test_while_documents_move_both_stores_are_needed(tmp_path: Path) -> None:
    present, former = FilesystemStore(tmp_path / "present"), FilesystemStore(tmp_path / "former")
    both = DocumentsReach(StoreWithFormer(present, former), time=iter(range(0, 1000, 10)).__next__)
    assert both.is_reached()
    (tmp_path / "former" / "incoming").rmdir()
    assert not both.is_reached()
