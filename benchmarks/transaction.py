"""A row of the table of measured transactions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.floors import Floor
from benchmarks.plan import Plan
from benchmarks.requests import Request, Workload, is_success

_LARGEST_POOL = 500


def _nothing(_workload: Workload) -> Sequence[Request]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What is sent, how the answer is checked, and what stands beside it.

    `request` gives the request of a number; `problem` says what is wrong with its answer, empty when
    nothing is; `subjects` are the patients it is asked for in turn. `target` is the least ratio to the
    `floor`. `writes`: every request must be a new one; numbers count from 0. `before`: requests sent once
    before the one with number 0, whose answers `prepared` checks, or `problem` too. `document`: number of
    the one that a request gives its next version. `stored`: entryUUID of a document that a submission
    registered. `of_record`: records must be open for it. `brings`: each request brings a document that
    stays. `is_fed`: its messages come by MLLP.
    """

    key: str
    title: str
    request: Callable[[Workload, int], Request]
    problem: Callable[[Workload, int, bytes], str] = is_success
    subjects: Callable[[Plan], Sequence[int]] = lambda plan: plan.queried
    floor: Floor = Floor.CANNED
    target: float | None = None
    writes: bool = False
    document: Callable[[int], int | None] = lambda _: None
    before: Callable[[Workload], Sequence[Request]] = _nothing
    prepared: Callable[[Workload, int, bytes], str] | None = None
    stored: Callable[[Workload, int], str] | None = None
    of_record: bool = False
    brings: bool = False
    is_fed: bool = False

    def problem_before(self, workload: Workload, answer: bytes) -> str:
        """What is wrong with the answer to one of the requests sent `before`."""
        return (self.prepared or self.problem)(workload, 0, answer)

    def patient(self, workload: Workload, number: int) -> int:
        """Number of the patient that the request with a number is about."""
        if self.writes:
            return workload.submissions.patient(number)
        subjects = self.subjects(workload.plan)
        return subjects[number % len(subjects)]

    def different(self, workload: Workload) -> int:
        """How many requests differ; from this number on they repeat."""
        return min(_LARGEST_POOL, len(self.subjects(workload.plan)))
