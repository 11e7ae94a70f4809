"""Which tests are run, in which order, for which patient: set-up first, what a selected test refers to pulled in."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.failures import KitError, UnsupportedPlan
from conformance.nist.kit import Kit, KitTest
from conformance.nist.log_tree import place_of
from conformance.nist.read_testplan import read_plan
from conformance.nist.testplan import Plan
from conformance.sentence import NOTHING_SAID, Sentence, sentence_of

REGISTER = "register"

# Set-up tests in run order, with the patients whose ids are their external parameters.
_SET_UP: Mapping[str, Mapping[str, str]] = {
    "15817": {"$patientid$": "register"},
    "15817b": {"$patientid$": "registerAlt"},
    "15818": {"$patientid$": "sq"},
    "15819": {"$patientid$": "mpq1"},
    "15820": {"$patientid$": "mpq2"},
    "12346": {"$patientid$": "sq"},
    "12374": {"$patientid$": "registerAlt"},
    "12361": {"$patientid$": "register", "$patient_id1$": "mpq1", "$patient_id2$": "mpq2"},
}
_DEFAULT_PARAMETERS: Mapping[str, str] = {"$patientid$": REGISTER}
_FEEDS = {"register": "15817", "registerAlt": "15817b", "sq": "15818", "mpq1": "15819", "mpq2": "15820"}

# What a test needs beyond what its plans refer to.
_NEEDS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("11897", "11898", "11901", "11902", "11903", "11904", "11906", "11909", "15803"), ("12346",)),
    "12364": ("12361",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTest:
    """A test to run: `patient` names its session patient id, `parameters` symbol → patient.

    `unsupported` says why the runner cannot run it.
    """

    test: KitTest
    plans: Mapping[str, Plan]
    patient: str
    parameters: Mapping[str, str]
    unsupported: Sentence = NOTHING_SAID


def select(kit: Kit, patterns: Sequence[str], *, left_out: Sequence[str] = (), tags: Sequence[str] = ()) -> list[str]:
    """Ids of the tests that match; all without pattern and tag. Raises KitError for a pattern that matches none."""
    for pattern in (*patterns, *left_out):
        if not fnmatch.filter(kit.tests, pattern):
            raise KitError(
                Sentence(
                    f"aucun essai du kit ne correspond à {pattern} ; --list les montre",
                    f"no test of the kit matches {pattern}; --list shows them",
                )
            )
    chosen = [id for pattern in patterns or ("*",) for id in fnmatch.filter(kit.tests, pattern)]
    chosen = [id for id in dict.fromkeys(chosen) if not tags or set(tags) & set(kit.tests[id].tags)]
    if not chosen:
        asked = ", ".join(tags)
        raise KitError(
            Sentence(
                f"aucun essai du kit n'est pour les acteurs {asked} ; --list les montre",
                f"no test of the kit is for the actors {asked}; --list shows them",
            )
        )
    dropped = {id for pattern in left_out for id in fnmatch.filter(kit.tests, pattern)}
    return [id for id in chosen if id not in dropped]


def plan_run(kit: Kit, ids: Iterable[str]) -> list[PlannedTest]:
    """The tests of these ids and those they rely on, in run order. Raises KitError for a plan that is wrong."""
    planned: dict[str, PlannedTest] = {}
    waiting = list(ids)
    while waiting:
        id = waiting.pop()
        if id in kit.tests and id not in planned:
            planned[id] = _planned(kit.tests[id])
            waiting += _needs(planned[id])
    order = {id: place for place, id in enumerate(_SET_UP)}
    return sorted(planned.values(), key=lambda one: (order.get(one.test.id, len(order)), one.test.id))


def _planned(test: KitTest) -> PlannedTest:
    parameters = _SET_UP.get(test.id, _DEFAULT_PARAMETERS)
    unsupported, plans = NOTHING_SAID, {}
    try:
        plans = {section.name: read_plan(section.plan) for section in test.sections}
    except UnsupportedPlan as problem:
        unsupported = sentence_of(problem)
    return PlannedTest(
        test=test,
        plans=plans,
        patient=parameters.get("$patientid$", REGISTER),
        parameters=parameters,
        unsupported=unsupported,
    )


def _needs(planned: PlannedTest) -> list[str]:
    """Tests whose results this one refers to, what the kit's read-me adds, and the feeds of its patients."""
    feeds = [] if planned.test.id in _FEEDS.values() else [_FEEDS[name] for name in planned.parameters.values()]
    return [*_referred(planned), *_NEEDS.get(planned.test.id, ()), *feeds]


def _referred(planned: PlannedTest) -> Iterator[str]:
    for section in planned.test.sections:
        for step in planned.plans[section.name].steps if section.name in planned.plans else ():
            if step.instructions is not None:
                yield from (use.test for use in step.instructions.use_reports if use.test)
                yield from (place_of(section, use.testdir)[0] for use in step.instructions.use_ids)
