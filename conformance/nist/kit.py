"""The kit as it lies on disk: tests, sections, code table, source id.

A kit folder holds `testkit/tests/<id>/` (or `tests/<id>/`), `environment/default/codes.xml` and
`xdstest/sourceid.txt`. A test lists its sections, in run order, in `index.idx`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.failures import KitError
from conformance.nist.codes import NO_CODES, CodeTable, read_code_table
from conformance.sentence import Sentence

NAMELESS = "None"
DEFAULT_SOURCE_ID = "1.3.6.1.4.1.21367.4"
PLAN, INDEX = "testplan.xml", "index.idx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: a folder with a plan and the files the plan names."""

    test: str
    name: str
    folder: Path

    @property
    def plan(self) -> Path:
        return self.folder / PLAN


@dataclass(frozen=True, slots=True, kw_only=True)
class KitTest:
    """One test; `tags` are the actors it is meant for (`reg`, `rep`, `reg_mu`, …)."""

    id: str
    title: str
    tags: tuple[str, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """All tests by id, and what their messages rely on."""

    folder: Path
    tests: Mapping[str, KitTest]
    codes: CodeTable
    source_id: str


def read_kit(folder: Path, *, codes: Path | None = None) -> Kit:
    """Read the kit below a folder; `codes` overrides its code table. Raises KitError."""
    if not folder.is_dir():
        raise KitError(Sentence(f"il n'y a pas de dossier de kit {folder}", f"there is no kit folder {folder}"))
    tests_folder = _tests_folder(folder)
    tests = {test.id: test for test in _read_tests(tests_folder)}
    if not tests:
        raise KitError(
            Sentence(
                f"{tests_folder} ne contient aucun essai : attendu des dossiers avec {INDEX} ou {PLAN}",
                f"{tests_folder} holds no test: expected folders with {INDEX} or {PLAN}",
            )
        )
    return Kit(folder=folder, tests=tests, codes=_read_codes(folder, codes), source_id=_read_source_id(folder))


def _tests_folder(folder: Path) -> Path:
    for candidate in (folder / "testkit" / "tests", folder / "tests", folder):
        if candidate.is_dir() and (candidate != folder or any(_read_tests(folder))):
            return candidate
    raise KitError(
        Sentence(
            f"{folder} n'est pas un kit d'essais : attendu testkit/tests, tests, ou des dossiers d'essais",
            f"{folder} is no test kit: expected testkit/tests, or tests, or folders of tests in it",
        )
    )


def _read_tests(folder: Path) -> Iterator[KitTest]:
    for test_folder in sorted(one for one in folder.iterdir() if one.is_dir()):
        if (test_folder / INDEX).is_file() or (test_folder / PLAN).is_file():
            yield _read_test(test_folder)


def _read_test(folder: Path) -> KitTest:
    readme = _lines(folder / "readme.txt")
    return KitTest(
        id=folder.name,
        title=readme[0] if readme else "",
        tags=tuple(tag for tag in _lines(folder / "collections.txt") if not tag.startswith("#")),
        sections=tuple(_sections(folder)),
    )


def _sections(folder: Path) -> Iterator[Section]:
    """The sections of the index; without an index the test is one nameless section."""
    names = _lines(folder / INDEX)
    if not names:
        yield Section(test=folder.name, name=NAMELESS, folder=folder)
    for name in names:
        if not (folder / name / PLAN).is_file():
            raise KitError(
                Sentence(
                    f"{folder / INDEX} nomme {name}, mais {folder / name / PLAN} n'existe pas",
                    f"{folder / INDEX} lists {name}, but {folder / name / PLAN} does not exist",
                )
            )
        yield Section(test=folder.name, name=name, folder=folder / name)


def _lines(path: Path) -> list[str]:
    """Lines that hold something; none when there is no such file."""
    if not path.is_file():
        return []
    return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def _read_codes(folder: Path, given: Path | None) -> CodeTable:
    path = given or folder / "environment" / "default" / "codes.xml"
    if given is None and not path.is_file():
        return NO_CODES
    return read_code_table(path)


def _read_source_id(folder: Path) -> str:
    return next(iter(_lines(folder / "xdstest" / "sourceid.txt")), DEFAULT_SOURCE_ID)
