"""What a check of an assertion says about one thing in it, in English and French."""

from dataclasses import dataclass

from access_policy.refusals import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong."""

    english: str
    french: str
    reason: Reason = Reason.ATTRIBUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One element or attribute as it was found; without a problem it is valid."""

    name: str
    found: str
    problem: Problem | None = None


def missing(name: str) -> Finding:
    return Finding(name=name, found="", problem=Problem(english="is missing", french="est absent"))
