"""How much of the requirements a run tested: of all, and of those that the scenarios of a client judge."""

from dataclasses import dataclass

from conformance.client.scenarios import judged_in
from conformance.judgement import Run, Verdict
from conformance.report.words import Words
from conformance.requirements import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """`tested` of `every` requirement on the actor; `tested_there` of the `asked` ones of the scenarios, 0 of 0 where
    the run has none.
    """

    tested: int
    every: int
    tested_there: int
    asked: int

    @property
    def of_scenarios(self) -> Words:
        """The second pair in words, to be put after the first; empty without scenarios."""
        if not self.asked:
            return "", ""
        there, asked = self.tested_there, self.asked
        return f" ; de celles des scénarios : {there} sur {asked}", f"; of those of the scenarios: {there} of {asked}"


def coverage_of(run: Run) -> Coverage:
    """Counted over verdicts. Raises KitError when a scenario cannot be read."""
    tested, every = run.coverage
    asked = judged_in(run.heading.profiles) if run.heading.actor is Actor.CLIENT else frozenset()
    verdicts = run.verdicts
    there = sum(verdicts[one] is not Verdict.NOT_TESTED for one in asked)
    return Coverage(tested=tested, every=every, tested_there=there, asked=len(asked))
