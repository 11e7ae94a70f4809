"""Steps where the kit and the text of IHE disagree: read from a list beside the kit, never written into its data."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.failures import KitError
from conformance.nist.testplan import Instructions
from conformance.sentence import Sentence, reason

SHIPPED = Path(__file__).parent / "known_disagreements.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """What the standard demands of one step instead of the kit's counts and assertions."""

    test: str
    section: str
    step: str
    reason: str
    reason_fr: str = ""
    clause: str = ""
    contents: Mapping[str, int] = field(default_factory=dict)
    assertions: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, str]:
        return self.test, self.section, self.step

    @property
    def told(self) -> Sentence:
        """Reason and clause; a list without French is told as it is."""
        return Sentence(f"{self.reason_fr or self.reason} ({self.clause})", f"{self.reason} ({self.clause})")

    def by_the_standard(self, instructions: Instructions) -> Instructions:
        """The instructions of the step with the kit's demands replaced by the standard's."""
        return replace(
            instructions,
            expected_contents=tuple(
                replace(one, count=self.contents.get(one.name, one.count)) for one in instructions.expected_contents
            ),
            assertions=tuple(
                replace(one, xpath=self.assertions.get(one.id, one.xpath)) for one in instructions.assertions
            ),
        )


def read_disagreements(paths: Iterable[Path]) -> dict[tuple[str, str, str], Disagreement]:
    """All entries of the files, by test, section and step; a later file wins. Raises KitError."""
    return {one.place: one for path in paths for one in _read(path)}


def _read(path: Path) -> list[Disagreement]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("disagreement", [])
    except (OSError, ValueError) as problem:
        raise KitError(
            Sentence(
                f"la liste des désaccords connus {path} est illisible : {reason(problem).fr}",
                f"the list of known disagreements {path} cannot be read: {reason(problem)}",
            )
        ) from None
    return [_entry(path, number, entry) for number, entry in enumerate(entries, start=1)]


def _entry(path: Path, number: int, entry: dict[str, Any]) -> Disagreement:
    try:
        return Disagreement(**entry)
    except TypeError as problem:
        raise KitError(Sentence(f"{path}, entrée {number} : {problem}", f"{path}, entry {number}: {problem}")) from None
