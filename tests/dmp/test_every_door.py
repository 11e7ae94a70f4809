"""Lives of records at random, with everybody who may ask: every door is compared with a model written from the facts.

An act is done by those who may and those who may not, by command or through a door; then somebody looks, and what a
door shows must be what `dossier_model` says, no more and no less. CSP L.1111-14 to -22; DMP 3, 6, 12, 13
"""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from random import Random
from typing import Any

import pytest

from access_policy.record_facts import Authorisation
from tests.dmp.askers import (
    ASKERS,
    CHANGES,
    COMMANDS,
    DOCTOR,
    LIFE,
    PAUSES,
    PERSONS,
    RESTRICTIONS,
    SECOND,
    TYPES,
    WISHES,
)
from tests.dmp.doors import EVERY_STATUS
from tests.dmp.dossier_model import Asker
from tests.dmp.lives import Lives

# How often each step is taken, and from what its arguments are drawn.
STEPS: dict[str, tuple[int, dict[str, tuple[Any, ...]]]] = {
    "time_passes": (3, {"pause": PAUSES}),
    "do_what_is_due": (2, {}),
    "inform": (1, {"ins": PERSONS, "birth": ("", "19580615", "20120229")}),
    "open": (4, {"ins": PERSONS}),
    "create_by_software": (2, {"ins": PERSONS}),
    "administer": (2, {"ins": PERSONS, "what": ("close", "reactivate", "reactivate")}),
    "live": (3, {"ins": PERSONS, "step": LIFE}),
    "decide_on": (6, {"ins": PERSONS, "step": ("authorise", "authorise", "authorise", "block", "unblock", "unblock")}),
    "take_authorisation_back": (1, {"ins": PERSONS}),
    "authorise_oneself": (3, {"ins": PERSONS, "action": ("AJOUT", "AJOUT", "SUPPRESSION")}),
    "declare_doctor": (2, {"ins": PERSONS, "who": (DOCTOR, SECOND)}),
    "drop_doctor": (1, {"ins": PERSONS}),
    "wish": (3, {"ins": PERSONS, "name": tuple(WISHES), "value": (True, False)}),
    "represent": (2, {"ins": PERSONS, "other": PERSONS}),
    "merge": (1, {"subsumed": PERSONS, "surviving": PERSONS}),
    "feed": (14, {"ins": PERSONS, "kind": TYPES, "codes": RESTRICTIONS, "pick": tuple(range(51))}),
    "change_through_the_door": (10, {"ins": PERSONS, "pick": tuple(range(51)), "change": CHANGES}),
    "change_by_command": (
        3,
        {"ins": PERSONS, "pick": tuple(range(51)), "change": COMMANDS},
    ),
    "add_list": (2, {"ins": PERSONS}),
    "look_by_stored_queries": (12, {"ins": PERSONS, "status": EVERY_STATUS, "way": ("find", "all", "get", "several")}),
    "look_by_retrieving": (9, {"ins": PERSONS}),
    "look_at_the_list": (5, {"ins": PERSONS}),
    "look_by_fhir": (10, {"ins": PERSONS, "pick": tuple(range(51)), "way": ("search", "lists", "read")}),
    "look_at_records": (6, {"ins": PERSONS}),
    "look_by_command": (2, {"ins": PERSONS}),
}
NAMES = tuple(name for name, (often, _) in STEPS.items() for _ in range(often))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is done or looked at, and who asks where somebody does; its other arguments are drawn from the seed."""

    name: str
    asker: Asker
    seed: int

    def __repr__(self) -> str:
        return f"{self.name} #{self.seed} {self.asker}"


def take(lives: Lives, step: Step) -> None:
    """Do or look at one thing, its arguments drawn from its seed."""
    draw, method = Random(step.seed), getattr(lives, step.name)
    given = {argument: draw.choice(values) for argument, values in STEPS[step.name][1].items()}
    if "asker" in signature(method).parameters:
        given["asker"] = step.asker
    method(**given)


def steps_of(seed: int, number: int) -> list[Step]:
    draw = Random(seed)
    return [Step(name=draw.choice(NAMES), asker=draw.choice(ASKERS), seed=draw.randrange(2**32)) for _ in range(number)]


def broken_by(steps: Sequence[Step], *, over_http: bool = False) -> Exception | None:
    """What is wrong in this life, None when nothing is."""
    lives = Lives(opened=len(PERSONS), over_http=over_http)
    try:
        for step in steps:
            take(lives, step)
    except Exception as problem:  # noqa: BLE001 - a server that fails is as wrong as one that differs
        return problem
    finally:
        lives.end()
    return None


def shortest(steps: list[Step], *, attempts: int = 150) -> list[Step]:
    """Fewer steps that still go wrong: halves are left out, then quarters, down to single ones."""
    size = len(steps) // 2
    while size and attempts:
        for start in range(0, len(steps), size):
            shorter, attempts = steps[:start] + steps[start + size :], attempts - 1
            if shorter and attempts > 0 and broken_by(shorter) is not None:
                steps = shorter
                break
        else:
            size //= 2
    return steps


def live(*, lives: int, steps: int, first: int = 1) -> None:
    for seed in range(first, first + lives):
        life = steps_of(seed, steps)
        if broken_by(life) is None:
            continue
        found = shortest(life)
        problem = broken_by(found)
        raise AssertionError("\n".join([f"life {seed}, shortened:", *map(repr, found), repr(problem)])) from problem


def test_every_door_shows_what_the_facts_say() -> None:
    live(lives=14, steps=150)


def test_a_life_over_http_is_the_same() -> None:
    assert broken_by(steps_of(7, 150), over_http=True) is None


@pytest.mark.long
def test_every_door_shows_what_the_facts_say_for_long() -> None:
    live(lives=1000, steps=200, first=1000)


def test_a_life_that_goes_wrong_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that lets everybody read is found out, and told in few steps."""
    monkeypatch.setattr("dmp.facts._authorisation", lambda *_: Authorisation.VALID)
    life = next(life for life in (steps_of(seed, 150) for seed in range(20)) if broken_by(life) is not None)
    assert len(shortest(life)) < 20
