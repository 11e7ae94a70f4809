"""Packs are compiled once, however many threads meet them at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from cda import rule_packs
from cda.rule_packs import own_rules_of_layers, rule_set, shipped_value_sets
from cda.schematron import Schema

THREADS = 8


def at_once(ask: Any) -> list[Any]:
    start = Barrier(THREADS)

    def one(_: int) -> Any:
        start.wait()
        return ask()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one, range(THREADS)))


def test_a_model_is_compiled_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rules, compiled = rule_set(shipped_value_sets()), []
    compile_one = rule_packs._compiled

    def counted(file: str, *rest: Any) -> Schema:
        compiled.append(file)
        return compile_one(file, *rest)

    monkeypatch.setattr(rule_packs, "_compiled", counted)
    found = at_once(lambda: rules.model("BIO-CR-BIO", "2024.01"))
    assert compiled == ["models/BIO-CR-BIO_2024.01.sch"]
    assert len({id(one) for one in found}) == 1


def test_the_own_packs_are_those_of_every_thread() -> None:
    assert len({id(one) for one in at_once(own_rules_of_layers)}) == 1
