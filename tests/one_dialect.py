"""Engines that share what they compiled: each life of a record has a database of its own, all with the same statements.

A dialect and its compiled statements know nothing of a database but what kind it is; compiling them was a third of a life.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine

_first: list[Engine] = []


def _sharing(url: Any, **given: Any) -> Engine:
    """An engine with the dialect of the first that was opened, which has connected by the time there is another."""
    engine = create_engine(url, **given)
    if not _first:
        _first.append(engine)
    assert engine.dialect.name == _first[0].dialect.name
    engine.dialect = engine.pool._dialect = _first[0].dialect
    engine._compiled_cache = _first[0]._compiled_cache
    return engine


@contextmanager
def shared() -> Iterator[None]:
    """What `storage.engine.open_engine` opens meanwhile; all on SQLite."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.engine.create_engine", _sharing)
        yield
