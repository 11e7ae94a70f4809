"""Scenarios and the people in them, read from `conformance/scenarios/*.toml`.

A scenario is a list of steps. Each says what to do in the software under test, which transactions must arrive, what the
server does on purpose, which requirements it judges, and what the person at the screen is asked.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from conformance.client import fhir_messages
from conformance.client.behaviours import BEHAVIOURS, HOLD
from conformance.client.received import TRANSACTIONS
from conformance.failures import KitError
from conformance.requirements import SHIPPED as REQUIREMENTS
from conformance.requirements import Actor, requirements_of
from conformance.sentence import Sentence, expected

SHIPPED = Path(__file__).resolve().parents[1] / "scenarios"
PEOPLE, ALL = "people.toml", "all"
UNTRUSTED = "untrusted"
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One sentence in the two languages of the kit."""

    fr: str
    en: str

    def in_(self, language: str) -> str:
        return self.en if language == "en" else self.fr


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person is asked about the software's screen; yes meets the requirement."""

    requirement: str
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`expects`: transactions that must arrive, in any order; `judges`: requirement ids, patterns allowed.

    `behaviour`: a name of `BEHAVIOURS`, or `untrusted`: the server shows a certificate of an unknown authority.
    `seconds`: how long an answer is held by the behaviour `hold-answer`; the texts name it as {seconds}.
    `purpose`: the access mode that the VIHF must name. `patient`: an id of `people.toml`. `change`: what an update must
    come to, as `Trace.changes` says it: `MASQUE_PS`, `-INVISIBLE_PATIENT`, `Archived`, over FHIR `isArchived=true`.
    `shows`: requirements that the step is there for; where one comes to no verdict, the step was not played.
    """

    id: str
    scenario: str
    title: Text
    do: Text
    expects: tuple[str, ...]
    judges: tuple[str, ...]
    patient: str
    then: Text
    behaviour: str = "forward"
    purpose: str = "normal"
    at_least: int = 1
    question: Question | None = None
    change: str = ""
    shows: tuple[str, ...] = ()
    seconds: float = 0

    @property
    def key(self) -> str:
        """Names the step in a run of several scenarios."""
        return f"{self.scenario}/{self.id}"

    def told(self, text: Text, language: str) -> str:
        """One of its texts, with how long an answer is held."""
        return text.in_(language).replace("{seconds}", f"{self.seconds:g}")

    def judges_requirement(self, identifier: str) -> bool:
        return _is_among(identifier, self.judges)


@cache
def _is_among(identifier: str, patterns: tuple[str, ...]) -> bool:
    """Asked for each rule on each message."""
    return any(fnmatchcase(identifier, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Steps in the order in which they are played. `is_apart`: played by its name alone, not with all."""

    name: str
    title: Text
    steps: tuple[Step, ...]
    is_apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """`ins` with its key; `born` YYYYMMDD. `state`: open, unauthorised (open, the doctor is not authorised), none."""

    id: str
    ins: str
    family: str
    given: str
    born: str
    gender: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whom the software acts for: PS_IdNat, names, profession and speciality as `code^^system`."""

    id: str
    family: str
    given: str
    profession: str
    speciality: str = ""

    @property
    def name(self) -> str:
        """As files of certificates are named: the identifier of an employee has a stroke."""
        return self.id.replace("/", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Struct_IdNat and name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who takes part."""

    doctor: Holder
    employee: Holder
    structure: Structure
    patients: tuple[Patient, ...]

    def patient(self, identifier: str) -> Patient:
        return next(one for one in self.patients if one.id == identifier)


def read_people(folder: Path = SHIPPED) -> People:
    """Raises KitError."""
    found = _toml(folder / PEOPLE)
    return People(
        doctor=_made(Holder, found["doctor"], folder / PEOPLE),
        employee=_made(Holder, found["employee"], folder / PEOPLE),
        structure=_made(Structure, found["structure"], folder / PEOPLE),
        patients=tuple(_made(Patient, one, folder / PEOPLE) for one in found["patients"]),
    )


def scenario_names(folder: Path = SHIPPED) -> tuple[str, ...]:
    """In the order in which `all` plays them."""
    names = {path.stem for path in folder.glob("*.toml")} - {Path(PEOPLE).stem}
    return tuple(sorted(names, key=lambda name: (_toml(folder / f"{name}.toml").get("order", 0), name)))


def read_scenario(name: str, folder: Path = SHIPPED) -> Scenario:
    """Raises KitError naming file, step and field."""
    path = folder / f"{name}.toml"
    if name not in scenario_names(folder):
        raise KitError(expected(name, ", ".join(scenario_names(folder)), about="scenario"))
    found = _toml(path)
    people = {one.id for one in read_people(folder).patients}
    everywhere = found.get("judges", [])
    steps = tuple(_step({**one, "judges": [*everywhere, *one.get("judges", [])]}, name, path) for one in found["steps"])
    for step in steps:
        for problem in _step_problems(step, people):
            raise KitError(problem.about(f"{path}, {step.id}"))
    return Scenario(name=name, title=_text(found, "title"), steps=steps, is_apart=found.get("is_apart", False))


def steps_of(names: Sequence[str]) -> tuple[Step, ...]:
    """Of scenarios, in their order; `all`: those that are not played by their name alone. Raises KitError."""
    known = [read_scenario(name) for name in scenario_names()]
    wanted = [one for one in known if one.name in names or (ALL in names and not one.is_apart)]
    return tuple(step for one in wanted for step in one.steps)


def judged_in(names: Sequence[str]) -> frozenset[str]:
    """Ids of the requirements that scenarios judge. Raises KitError."""
    steps = steps_of(names)
    return frozenset(
        one.id for one in requirements_of(Actor.CLIENT) if any(step.judges_requirement(one.id) for step in steps)
    )


def _step_problems(step: Step, people: set[str]) -> Iterator[Sentence]:
    known = {*TRANSACTIONS.values(), *fhir_messages.TRANSACTIONS}
    yield from (expected(one, "transactions", about="expects") for one in step.expects if one not in known)
    if step.behaviour not in BEHAVIOURS and step.behaviour != UNTRUSTED:
        yield expected(step.behaviour, ", ".join((*BEHAVIOURS, UNTRUSTED)), about="behaviour")
    if (step.behaviour == HOLD) != (step.seconds > 0):
        yield expected(f"{step.seconds:g}, {step.behaviour}", f"seconds > 0 ↔ behaviour = {HOLD}", about="seconds")
    if step.patient and step.patient not in people:
        yield expected(step.patient, ", ".join(sorted(people)), about="patient")
    identifiers = [one.id for one in requirements_of(Actor.CLIENT)]
    for pattern in step.judges:
        if not any(fnmatchcase(one, pattern) for one in identifiers):
            yield expected(pattern, REQUIREMENTS.name, about="judges")
    yield from (expected(one, "judges", about="shows") for one in step.shows if not step.judges_requirement(one))


def _step(found: Mapping[str, Any], scenario: str, path: Path) -> Step:
    given = dict(found)
    texts = {name: _text(given, name) for name in ("title", "do", "then")}
    ask, requirement = _text(given, "ask"), given.pop("asks", "")
    for name in ("title", "do", "then", "ask"):
        given.pop(f"{name}_fr", None)
        given.pop(f"{name}_en", None)
    question = Question(requirement=requirement, text=ask) if requirement else None
    if requirement:
        given["judges"] = [*given.get("judges", []), requirement]
    return _made(Step, {"patient": "", **given, **texts, "scenario": scenario, "question": question}, path)


def _text(found: Mapping[str, Any], name: str) -> Text:
    return Text(fr=found.get(f"{name}_fr", "").strip(), en=found.get(f"{name}_en", "").strip())


def _made(kind: type[Made], found: Mapping[str, Any], path: Path) -> Made:
    """A value of a table of the file. Raises KitError."""
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    strange = sorted(set(found) - names)
    if strange:
        where = f"{path}, {kind.__name__.lower()}"
        raise KitError(expected(", ".join(strange), ", ".join(sorted(names)), about=where))
    try:
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})
    except TypeError as problem:
        where = f"{path}, {kind.__name__.lower()} {found.get('id', '')}"
        raise KitError(Sentence(f"{where} : incomplet ({problem})", f"{where}: incomplete ({problem})")) from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as problem:
        raise KitError(Sentence(f"{path} est illisible ({problem})", f"{path} cannot be read ({problem})")) from None
