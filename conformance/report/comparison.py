"""Two runs side by side: what changed between them, requirement by requirement."""

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.failures import KitError
from conformance.judgement import Run, Verdict
from conformance.requirements import Requirement
from conformance.sentence import Sentence

_ORDER = (Verdict.FAILED, Verdict.NOT_TESTED, Verdict.PASSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A requirement whose verdict is another one in the second run."""

    requirement: Requirement
    before: Verdict
    after: Verdict

    @property
    def is_worse(self) -> bool:
        """It fails now, or is not known to pass any more."""
        return _ORDER.index(self.after) < _ORDER.index(self.before)


def changes(before: Run, after: Run) -> Iterator[Change]:
    """In the order of the requirements. Raises KitError when one run is of a client, the other of a server."""
    if before.heading.actor is not after.heading.actor:
        actors = f"{before.heading.actor.value}, {after.heading.actor.value}"
        fr, en = "les deux essais n'ont aucune exigence en commun", "the two runs have no requirement in common"
        raise KitError(Sentence(f"{fr} : {actors}", f"{en}: {actors}"))
    first, second = before.verdicts, after.verdicts
    for one in after.requirements:
        if first[one.id] is not second[one.id]:
            yield Change(requirement=one, before=first[one.id], after=second[one.id])
