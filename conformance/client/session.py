"""A certification as it goes on: the current step, what has come, what is wrong with it. All is on disk.

Requests come from many connections; they are kept at once and judged one after the other by one thread, so that a
client never waits for a judgement. Conversations are judged when a step is confirmed.
"""

import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conformance.client.behaviours import BEHAVIOURS
from conformance.client.exchanges import Exchange, Laboratory, Problem
from conformance.client.received import Received
from conformance.client.recorder import Ask, Connection, Recorded
from conformance.client.rules import (
    administration,
    conversation,
    conversation_fhir,
    fhir,
    metadata,
    patches,
    queries,
    signatures,
    soap,
    tokens,
    transport,
    vihf,
)
from conformance.client.rules.conversation import Conversation
from conformance.client.rules.documents import DocumentCheck, document_rules
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import UNTRUSTED, Step
from conformance.client.traces import Trace, trace_of
from conformance.failures import KitError
from conformance.judgement import Finding, Message, Verdict
from conformance.requirements import requirement
from conformance.run_folder import RunFolder
from conformance.sentence import Sentence, joined

PROGRESS = "progress.jsonl"
# Of one verdict on one requirement in one step; what comes beyond is counted.
MOST_PASSED, MOST_FAILED = 3, 20
MOST_KEPT, CUT = 2 * 2**30, 4096
_CUT = Sentence(f"coupé à {CUT} octets", f"cut to {CUT} octets")
CONVERSATION_RULES = (*conversation.RULES, *conversation_fhir.RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """A step that was confirmed or skipped, and what the person answered."""

    step: str
    is_skipped: bool
    answer: bool | None = None


@dataclass(slots=True)
class Seen:
    """One message in short, for those who watch."""

    id: str
    time: datetime
    step: str
    transaction: str
    outcome: str
    problems: list[Finding] = field(default_factory=list)


def message_rules(check: DocumentCheck | None = None) -> tuple[Rule, ...]:
    """Every rule about one message; `check`: another one of documents than by the command."""
    modules = (transport, soap, vihf, metadata, signatures, queries, administration, fhir, patches, tokens)
    return (*(rule for one in modules for rule in one.RULES), *document_rules(check or DocumentCheck()))


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
        self.done: list[StepDone] = []
        self.seen: list[Seen] = []
        self.traces: list[Trace] = list(history)
        self._start, self._number, self._octets, self._refused = len(self.traces), 0, 0, 0
        self._injected: dict[str, float] = {}
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

    # --- the recorder's side ---------------------------------------------------------------------

    def answering(self, ask: Ask, forward: Callable[[Ask], bytes]) -> bytes:
        """What the step has the server do."""
        step, received = self.step, Received.of(ask.octets)
        if step is None or received.transaction not in step.expects or step.behaviour == UNTRUSTED:
            return forward(ask)
        behaviour, seconds = BEHAVIOURS[step.behaviour]
        with self._lock:
            began, now = self._injected.get(step.key), time.monotonic()
            self._injected.setdefault(step.key, now)
        is_over = began is not None and now > began + seconds
        return forward(ask) if is_over else behaviour(ask, received, forward)

    def recorded(self, one: Recorded) -> None:
        """Keep it, and have it judged."""
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
            self.folder.add_message(self._message(exchange, one))
        self._queue.put(exchange)

    def _message(self, exchange: Exchange, one: Recorded) -> Message:
        """With its octets, cut once the run holds more than it may."""
        request, answer, problem = one.request, one.answer, one.problem
        if self._octets > MOST_KEPT:
            request, answer, problem = request[:CUT], answer[:CUT], joined((problem, _CUT) if problem else (_CUT,))
        self._octets += len(request) + len(answer)
        return Message(
            id=exchange.id,
            time=one.time,
            transaction=exchange.transaction,
            peer=str(one.connection),
            request=request,
            answer=answer,
            step=exchange.step.key,
            problem=problem,
        )

    # --- judging ---------------------------------------------------------------------------------

    def _judge_all(self) -> None:
        while (exchange := self._queue.get()) is not None:
            try:
                self._judge(exchange)
            except Exception as problem:  # noqa: BLE001 - the run goes on whatever a message does to a rule
                finding = _broken(exchange, problem)
                with self._lock:
                    self._keep(finding)
                self._see(exchange, [finding])
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _judge(self, exchange: Exchange) -> None:
        findings = [*judged(exchange, self._rules_of(exchange.step), self._laboratory)]
        with self._lock:
            self.traces.append(trace_of(exchange))
            for one in findings:
                self._keep(one)
        self._see(exchange, [one for one in findings if one.verdict is Verdict.FAILED])

    def _rules_of(self, step: Step) -> tuple[Rule, ...]:
        """Those of what the step judges; asked for with each message."""
        if step.key not in self._of_step:
            self._of_step[step.key] = tuple(one for one in self._rules if step.judges_requirement(one.requirement))
        return self._of_step[step.key]

    def _see(self, exchange: Exchange, problems: list[Finding]) -> None:
        outcome = self.traces[-1].outcome if self.traces else ""
        with self._lock:
            self.seen.append(
                Seen(exchange.id, exchange.time, exchange.step.key, exchange.transaction, outcome, problems)
            )
            del self.seen[:-200]

    def _keep(self, finding: Finding) -> None:
        key = (finding.step, finding.requirement, finding.verdict)
        self.written[key] += 1
        limit = MOST_FAILED if finding.verdict is Verdict.FAILED else MOST_PASSED
        if self.written[key] <= limit:
            self.folder.add_finding(finding)

    # --- the person's side -----------------------------------------------------------------------

    def confirm(self, *, answer: bool | None = None, is_skipped: bool = False, step: str | None = None) -> None:
        """The step is done: judge what was said in it and go to the next one. Raises KitError when it is not.

        `answer` is what the person says to the step's question; a skipped step judges nothing more. `step`: the key of
        the step that is meant, so that two who confirm at once do not confirm two.
        """
        self.settle()
        with self._lock:
            self._confirm(answer, is_skipped, step)

    def _confirm(self, answer: bool | None, is_skipped: bool, meant: str | None) -> None:
        step = self.step
        if step is None or meant not in (None, step.key):
            raise KitError("this step is done")
        if not is_skipped and self.missing:
            raise KitError(f"step {step.key} still waits for {', '.join(self.missing)}")
        if not is_skipped and step.question is not None and answer is None:
            raise KitError(f"step {step.key} asks a question: answer it")
        for finding in () if is_skipped else self._step_findings(step, answer):
            self._keep(finding)
            self._show(finding)
        self._count_the_rest(step)
        self.done.append(StepDone(step=step.key, is_skipped=is_skipped, answer=answer))
        self._note(self.done[-1])
        self._start, self._refused = len(self.traces), 0
        if self.step is None:
            self.folder.end(datetime.now(UTC))

    def _step_findings(self, step: Step, answer: bool | None) -> Iterator[Finding]:
        now, before = tuple(self.traces[self._start :]), tuple(self.traces[: self._start])
        told = Conversation(step=step, now=now, before=before, refused_connections=self._refused)
        yield from conversation_findings(told)
        if step.question is not None and answer is not None:
            said = ("oui", "yes") if answer else ("non", "no")
            yield Finding(
                requirement=step.question.requirement,
                verdict=Verdict.PASSED if answer else Verdict.FAILED,
                text_fr=f"{step.question.text.fr} {said[0]}",
                text_en=f"{step.question.text.en} {said[1]}",
                step=step.key,
            )

    def _show(self, finding: Finding) -> None:
        for one in self.seen:
            if finding.verdict is Verdict.FAILED and one.id == finding.message:
                one.problems.append(finding)

    def _count_the_rest(self, step: Step) -> None:
        """How many failures were not written one by one."""
        for (where, identifier, verdict), count in list(self.written.items()):
            if where == step.key and verdict is Verdict.FAILED and count > MOST_FAILED:
                more = count - MOST_FAILED
                text_fr, text_en = f"et {more} fois de plus dans cette étape", f"and {more} times more in this step"
                self.folder.add_finding(
                    Finding(requirement=identifier, verdict=verdict, text_fr=text_fr, text_en=text_en, step=where)
                )

    def settle(self) -> None:
        """Until everything that came is judged."""
        self._queue.join()

    def close(self) -> None:
        """Judge what is left, and stop."""
        self._queue.put(None)
        self._thread.join()

    # --- a run that goes on ----------------------------------------------------------------------

    def _note(self, done: StepDone) -> None:
        line = {"step": done.step, "is_skipped": done.is_skipped, "answer": done.answer}
        with (self.folder.path / PROGRESS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _resume(self) -> None:
        """Where an earlier run ended: steps done, messages and their traces."""
        progress = self.folder.path / PROGRESS
        lines = progress.read_text(encoding="utf-8").splitlines() if progress.exists() else []
        self.done = [StepDone(**json.loads(line)) for line in lines]
        wrong = [one.step for one, step in zip(self.done, self.steps, strict=False) if one.step != step.key]
        if wrong or len(self.done) > len(self.steps):
            raise KitError(f"{self.folder.path} is a run of other scenarios: {', '.join(wrong)}")
        by_key = {one.key: one for one in self.steps}
        over = {one.step for one in self.done}
        for message in self.folder.load().messages:
            exchange = replayed(message, by_key.get(message.step, self.steps[0]))
            self.traces.append(trace_of(exchange))
            self._start += message.step in over
            self._number, self._octets = int(message.id), self._octets + len(message.request) + len(message.answer)


def replayed(message: Message, step: Step) -> Exchange:
    """An exchange that was kept; who was at the other end is told in words alone."""
    return Exchange(
        id=message.id,
        time=message.time,
        step=step,
        connection=Connection(address=message.peer),
        received=Received.of(message.request),
        answered=Received.of(message.answer),
        problem=message.problem,
    )


def judged(exchange: Exchange, rules: Sequence[Rule], laboratory: Laboratory) -> Iterator[Finding]:
    """What the rules of its step find on one message: each problem, or that there is none."""
    for rule in rules:
        if not rule.applies(exchange):
            continue
        problems = list(rule.check(exchange, laboratory))
        yield from (_failed(rule.requirement, exchange.step, exchange.id, one) for one in problems)
        if not problems:
            yield _passed(rule.requirement, exchange.step, exchange.id)


def conversation_findings(told: Conversation) -> Iterator[Finding]:
    """What the rules about several messages find on a step."""
    for rule in CONVERSATION_RULES:
        if not told.step.judges_requirement(rule.requirement) or not rule.applies(told):
            continue
        problems = list(rule.check(told))
        yield from (_failed(rule.requirement, told.step, message, one) for message, one in problems)
        if not problems:
            yield _passed(rule.requirement, told.step, told.now[-1].id if told.now else "")


def _failed(identifier: str, step: Step, message: str, problem: Problem) -> Finding:
    return Finding(
        requirement=identifier,
        verdict=Verdict.FAILED,
        text_fr=problem.fr,
        text_en=problem.en,
        message=message,
        location=problem.location,
        evidence=problem.evidence,
        step=step.key,
    )


def _passed(identifier: str, step: Step, message: str) -> Finding:
    told = requirement(identifier)
    return Finding(
        requirement=identifier,
        verdict=Verdict.PASSED,
        text_fr=told.text_fr,
        text_en=told.text_en,
        message=message,
        step=step.key,
    )


def _broken(exchange: Exchange, problem: Exception) -> Finding:
    """A rule that could not deal with a message: shown, and no verdict on the client."""
    text = f"{type(problem).__name__}: {problem}"
    return Finding(
        requirement="CLIENT-SOAP-01",
        verdict=Verdict.NOT_TESTED,
        text_fr=f"ce message n'a pas pu être jugé : {text}",
        text_en=f"this message could not be judged: {text}",
        message=exchange.id,
        step=exchange.step.key,
    )
