"""A certification as it goes on: the current step, what has come, what is wrong with it. All is on disk.

Requests come from many connections; they are kept at once and judged one after the other by one thread, so that a
client never waits for a judgement. Conversations are judged when a step is confirmed.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conformance.client.behaviours import behaviour_of
from conformance.client.exchanges import Exchange, Laboratory, replayed
from conformance.client.http_reading import Ask
from conformance.client.judging import (
    answered,
    broken,
    conversation_findings,
    judged,
    message_rules,
    more,
    never_carried_out,
    not_carried_out,
    not_shown,
)
from conformance.client.keeping import Keeping, StepDone
from conformance.client.received import Received
from conformance.client.recorder import Recorded
from conformance.client.rules.conversation import Conversation
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import UNTRUSTED, Step
from conformance.client.traces import Trace, trace_of
from conformance.failures import KitError
from conformance.judgement import Finding, Message, Run, Verdict
from conformance.run_folder import RunFolder
from conformance.sentence import Sentence, reason

# Of one verdict on one requirement in one step; what comes beyond is counted.
MOST_PASSED, MOST_FAILED = 3, 20


@dataclass(slots=True)
class Seen:
    """One message in short, for those who watch."""

    id: str
    time: datetime
    step: str
    transaction: str
    outcome: str
    problems: list[Finding] = field(default_factory=list)


class Session:
    """Steps, one after the other. Raises KitError when the folder holds what cannot be gone on with."""

    def __init__(
        self,
        steps: Sequence[Step],
        laboratory: Laboratory,
        folder: RunFolder,
        *,
        rules: Sequence[Rule] | None = None,
        history: Sequence[Trace] = (),
    ) -> None:
        """`history`: what is known to have come before the run; `rules`: other ones than all."""
        self.steps, self.folder, self._laboratory = tuple(steps), folder, laboratory
        self._rules = message_rules() if rules is None else tuple(rules)
        self._of_step: dict[str, tuple[Rule, ...]] = {}
        self._keeping = Keeping(folder)
        self.done: list[StepDone] = []
        self.seen: list[Seen] = []
        self.traces: list[Trace] = list(history)
        self._start, self._number, self._refused = len(self.traces), 0, 0
        self._injected: dict[str, float] = {}
        self._under_way = 0
        self.written: Counter[tuple[str, str, Verdict]] = Counter()
        self._lock, self.changed = threading.RLock(), time.monotonic()
        self._queue: queue.Queue[Exchange | None] = queue.Queue(maxsize=200)
        self._resume()
        self._thread = threading.Thread(target=self._judge_all, name="judge", daemon=True)
        self._thread.start()

    @property
    def step(self) -> Step | None:
        """What is to be done now; None at the end."""
        return self.steps[len(self.done)] if len(self.done) < len(self.steps) else None

    @property
    def has_refused(self) -> bool:
        """Did a client refuse the connection in this step?"""
        return self._refused > 0

    @property
    def is_waiting(self) -> bool:
        """Is there anything that the step waits for: messages, a refused connection, an answer that is under way?"""
        return bool(self.missing) or self.is_to_be_refused or self._under_way > 0

    @property
    def is_to_be_refused(self) -> bool:
        """Has nobody called yet a server that nobody should believe?"""
        with self._lock:
            return self.is_untrusted and not self.has_refused and len(self.traces) == self._start

    @property
    def is_untrusted(self) -> bool:
        """Does the server show a certificate that nobody should believe?"""
        return self.step is not None and self.step.behaviour == UNTRUSTED

    @property
    def missing(self) -> tuple[str, ...]:
        """Transactions that the current step still waits for."""
        step = self.step
        if step is None:
            return ()
        with self._lock:
            came = Counter(one.transaction for one in self.traces[self._start :])
        return tuple(one for one in step.expects if came[one] < step.at_least)

    @property
    def troubles(self) -> tuple[Finding, ...]:
        """What could not be kept as it should have been."""
        with self._lock:
            return tuple(self._keeping.troubles)

    @property
    def run(self) -> Run:
        """Everything so far, with what is not on disk yet. Raises KitError."""
        with self._lock:
            return self._keeping.run

    # --- the recorder's side ---------------------------------------------------------------------

    def answering(self, ask: Ask, forward: Callable[[Ask], bytes]) -> bytes:
        """What the step has the server do."""
        step, received = self.step, Received.of(ask.octets)
        if step is None or received.transaction not in step.expects or step.behaviour == UNTRUSTED:
            return forward(ask)
        behaviour, seconds = behaviour_of(step.behaviour, step.seconds)
        with self._lock:
            began, now = self._injected.get(step.key), time.monotonic()
            self._injected.setdefault(step.key, now)
            self._under_way += 1
        is_over = began is not None and now > began + seconds
        try:
            return forward(ask) if is_over else behaviour(ask, received, forward)
        finally:
            with self._lock:
                self._under_way -= 1

    def recorded(self, one: Recorded) -> None:
        """Keep it, and have it judged; what cannot be kept is told and not judged."""
        step = self.step or self.steps[-1]
        with self._lock:
            if not one.request and self.is_untrusted:
                self._refused, self.changed = self._refused + 1, time.monotonic()
                return
            self._number, self.changed = self._number + 1, time.monotonic()
            exchange = Exchange(
                id=f"{self._number:05}",
                time=one.time,
                step=step,
                connection=one.connection,
                received=Received.of(one.request),
                answered=Received.of(one.answer),
                problem=one.problem,
            )
            message = Message(
                id=exchange.id,
                time=one.time,
                transaction=exchange.transaction,
                peer=str(one.connection),
                request=one.request,
                answer=one.answer,
                step=step.key,
                problem=one.problem,
            )
            if not self._keeping.message(message, one.connection):
                return
        self._queue.put(exchange)

    # --- judging ---------------------------------------------------------------------------------

    def _judge_all(self) -> None:
        while (exchange := self._queue.get()) is not None:
            self._judge(exchange)
            self._queue.task_done()
        self._queue.task_done()

    def _judge(self, exchange: Exchange) -> None:
        """The run goes on whatever a message does to a rule."""
        outcome = ""
        try:
            findings = [*judged(exchange, self._rules_of(exchange.step), self._laboratory)]
            trace = trace_of(exchange)
        except Exception as problem:  # noqa: BLE001 - told as a finding
            findings, shown = [broken(exchange, problem)], [broken(exchange, problem)]
        else:
            outcome, shown = trace.outcome, [one for one in findings if one.verdict is Verdict.FAILED]
            with self._lock:
                self.traces.append(trace)
        with self._lock:
            for one in findings:
                self._keep(one)
            self._keeping.judged(exchange.id)
            self.seen.append(Seen(exchange.id, exchange.time, exchange.step.key, exchange.transaction, outcome, shown))
            del self.seen[:-200]

    def _rules_of(self, step: Step) -> tuple[Rule, ...]:
        """Those of what the step judges; asked for with each message."""
        if step.key not in self._of_step:
            self._of_step[step.key] = tuple(one for one in self._rules if step.judges_requirement(one.requirement))
        return self._of_step[step.key]

    def _keep(self, finding: Finding) -> None:
        key = (finding.step, finding.requirement, finding.verdict)
        self.written[key] += 1
        limit = MOST_FAILED if finding.verdict is Verdict.FAILED else MOST_PASSED
        if self.written[key] <= limit:
            self._keeping.finding(finding)

    # --- the person's side -----------------------------------------------------------------------

    def confirm(
        self,
        *,
        answer: bool | None = None,
        is_skipped: bool = False,
        is_unasked: bool = False,
        step: str | None = None,
    ) -> None:
        """The step is done: judge what was said in it and go to the next one. Raises KitError when it is not.

        `answer` is what the person says to the step's question, `is_unasked`: nobody is there to answer it. A skipped
        step judges nothing more. `step`: the key of the step that is meant, so that two who confirm at once do not
        confirm two.
        """
        self.settle()
        with self._lock:
            try:
                self._confirm(answer, step, is_skipped=is_skipped, is_unasked=is_unasked)
            except OSError as problem:
                why = reason(problem)
                fr, en = f"l'étape n'est pas confirmée : {why.fr}", f"the step is not confirmed: {why}"
                raise KitError(Sentence(f"{fr} ; faites de la place", f"{en}; make room")) from problem

    def _confirm(self, answer: bool | None, meant: str | None, *, is_skipped: bool, is_unasked: bool) -> None:
        step = self.step
        if step is None or meant not in (None, step.key):
            raise KitError(Sentence("cette étape est faite", "this step is done"))
        if not is_skipped:
            self._check_ready(step, has_answer=answer is not None or is_unasked)
        for finding in () if is_skipped else self._step_findings(step, answer):
            self._keep(finding)
            self._show(finding)
        self._count_the_rest(step)
        refused = "" if is_skipped else ", ".join(never_carried_out(step, self.traces[self._start :]))
        if refused:
            self._keep(not_carried_out(step, refused))
        unshown = () if is_skipped else tuple(self._unshown(step))
        for one in unshown:
            self._keep(not_shown(step, one))
        done = StepDone(
            step=step.key, is_skipped=is_skipped, answer=answer, refused=refused, unshown=", ".join(unshown)
        )
        self._keeping.note(done)
        self.done.append(done)
        self._start, self._refused = len(self.traces), 0
        if self.step is None:
            self._keeping.end(datetime.now(UTC))

    def _check_ready(self, step: Step, *, has_answer: bool) -> None:
        """Raises KitError."""
        if missing := ", ".join(self.missing):
            raise KitError(
                Sentence(f"l'étape {step.key} attend encore {missing}", f"step {step.key} still waits for {missing}")
            )
        if self.is_to_be_refused:
            fr = f"l'étape {step.key} attend une connexion, que le logiciel doit refuser"
            raise KitError(Sentence(fr, f"step {step.key} waits for a connection, which the software must refuse"))
        if self._under_way:
            fr, en = f"l'étape {step.key} attend une réponse encore retenue", f"step {step.key} waits for a held answer"
            raise KitError(Sentence(fr, en))
        if step.question is not None and not has_answer:
            raise KitError(
                Sentence(
                    f"l'étape {step.key} pose une question : répondez oui ou non",
                    f"step {step.key} asks a question: answer it, yes or no",
                )
            )

    def _step_findings(self, step: Step, answer: bool | None) -> Iterator[Finding]:
        now, before = tuple(self.traces[self._start :]), tuple(self.traces[: self._start])
        yield from conversation_findings(
            Conversation(step=step, now=now, before=before, refused_connections=self._refused)
        )
        if step.question is not None and answer is not None:
            yield answered(step.question, step, answer=answer)

    def _unshown(self, step: Step) -> Iterator[str]:
        """Requirements that the step is there for and on which it brought no verdict."""
        for one in step.shows:
            if not any(self.written[step.key, one, verdict] for verdict in (Verdict.PASSED, Verdict.FAILED)):
                yield one

    def _show(self, finding: Finding) -> None:
        for one in self.seen:
            if finding.verdict is Verdict.FAILED and one.id == finding.message:
                one.problems.append(finding)

    def _count_the_rest(self, step: Step) -> None:
        for (where, identifier, verdict), count in list(self.written.items()):
            if where == step.key and verdict is Verdict.FAILED and count > MOST_FAILED:
                self._keeping.finding(more(identifier, step, count - MOST_FAILED))

    def settle(self) -> None:
        """Until everything that came is judged."""
        self._queue.join()

    def close(self) -> None:
        """Judge what is left, and stop."""
        self._queue.put(None)
        self._thread.join()
        with self._lock:
            self._keeping.flush()

    # --- a run that goes on ----------------------------------------------------------------------

    def _resume(self) -> None:
        """Where an earlier run ended: steps done, messages and their traces; what was kept unjudged is judged now."""
        self.done = list(self._keeping.steps_done())
        wrong = [one.step for one, step in zip(self.done, self.steps, strict=False) if one.step != step.key]
        if wrong or len(self.done) > len(self.steps):
            where, names = self.folder.path, ", ".join(wrong)
            raise KitError(
                Sentence(
                    f"{where} est l'essai d'autres scénarios : {names}", f"{where} is a run of other scenarios: {names}"
                )
            )
        by_key, over = {one.key: one for one in self.steps}, {one.step for one in self.done}
        run, unjudged = self._keeping.run, self._keeping.unjudged()
        self.written.update((one.step, one.requirement, one.verdict) for one in run.findings)
        for message in run.messages:
            step, sender = by_key.get(message.step, self.steps[0]), unjudged.get(message.id)
            exchange = replayed(message, step, sender)
            if sender is None:
                self.traces.append(trace_of(exchange))
            else:
                self._judge(exchange)
            if message.step in over:
                self._start = len(self.traces)
            self._number = int(message.id)
