"""Checking many CDA files: in processes of their own when there are many, each with its rules compiled once."""

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from carnet.cda_oracle import Oracle
from carnet.rule_folder import OfficialPack, own_rules_with
from cda.findings import Report
from cda.rule_packs import RuleSet, own_rules_of_layers
from cda.validate import check_bytes

_FEW = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChoice:
    """Which rules: a published pack, our own with more value sets, or our own as they come.

    `is_oracle`: the pack runs on Saxon instead of our engine.
    """

    pack: Path | None = None
    value_sets: Path | None = None
    is_oracle: bool = False

    def rule_set(self) -> RuleSet:
        """SchemaError when the pack cannot be loaded."""
        if self.pack is not None:
            return OfficialPack(self.pack).rule_set()
        return own_rules_with(self.value_sets) if self.value_sets is not None else own_rules_of_layers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One file and what was found in it."""

    path: Path
    report: Report


def cda_files(paths: Iterable[Path]) -> list[Path]:
    """Files as they are, and every .xml below a folder, in order."""
    found: list[Path] = []
    for path in paths:
        found += sorted(each for each in path.rglob("*.xml") if each.is_file()) if path.is_dir() else [path]
    return found


def check_files(paths: Sequence[Path], choice: RulesChoice, *, jobs: int = 0) -> Iterator[Checked]:
    """Check each file, in the order given. `jobs`: processes, 0 for one a core when there are more than a few files."""
    if choice.pack is not None and choice.is_oracle:
        with Oracle(choice.pack) as saxon:
            yield from (Checked(path=path, report=saxon.report(path.read_bytes())) for path in paths)
        return
    workers = jobs or (1 if len(paths) <= _FEW else os.cpu_count() or 1)
    if workers == 1:
        rules = choice.rule_set()
        yield from (_checked(path, rules) for path in paths)
        return
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(choice,)) as pool:
        yield from pool.map(_check_here, paths, chunksize=4)


class _Worker:
    """What a checking process keeps between files: its rules."""

    rules: RuleSet | None = None


def _start(choice: RulesChoice) -> None:
    _Worker.rules = choice.rule_set()
    gc.freeze()  # the rules stay: collections that walk through them for every document cost a fifth of its time


def _check_here(path: Path) -> Checked:
    rules = _Worker.rules
    if rules is None:
        raise RuntimeError("a checking process has no rules")
    return _checked(path, rules)


def _checked(path: Path, rules: RuleSet) -> Checked:
    return Checked(path=path, report=check_bytes(path.read_bytes(), rules))
