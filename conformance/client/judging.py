"""What is found on a message, on the messages of a step, and in what a person answers: findings with their evidence."""

from collections.abc import Iterator, Sequence

from conformance.client.behaviours import HOLD
from conformance.client.exchanges import Exchange, Laboratory, Problem
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
from conformance.client.scenarios import Question, Step
from conformance.client.traces import NONE, SUCCESS, Trace
from conformance.judgement import Finding, Verdict
from conformance.requirements import requirement

CONVERSATION_RULES = (*conversation.RULES, *conversation_fhir.RULES)


def message_rules(check: DocumentCheck | None = None) -> tuple[Rule, ...]:
    """Every rule about one message; `check`: another one of documents than by the command."""
    modules = (transport, soap, vihf, metadata, signatures, queries, administration, fhir, patches, tokens)
    return (*(rule for one in modules for rule in one.RULES), *document_rules(check or DocumentCheck()))


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
        if not problems and rule.proves:
            yield _passed(rule.requirement, told.step, told.now[-1].id if told.now else "")


def answered(question: Question, step: Step, *, answer: bool) -> Finding:
    """What a person says about the screen."""
    said = ("oui", "yes") if answer else ("non", "no")
    return Finding(
        requirement=question.requirement,
        verdict=Verdict.PASSED if answer else Verdict.FAILED,
        text_fr=f"{question.text.fr} {said[0]}",
        text_en=f"{question.text.en} {said[1]}",
        step=step.key,
    )


def more(identifier: str, step: Step, count: int) -> Finding:
    """How many failures were not written one by one."""
    return Finding(
        requirement=identifier,
        verdict=Verdict.FAILED,
        text_fr=f"et {count} fois de plus dans cette étape",
        text_en=f"and {count} times more in this step",
        step=step.key,
    )


# Behaviour of a step -> the outcomes that show that its transactions were carried out; others refuse on purpose.
_CARRIED_OUT = {
    "forward": (SUCCESS,),
    "damage": (SUCCESS,),
    "lose-answer": (SUCCESS, NONE),
    HOLD: (SUCCESS, NONE),
}


def never_carried_out(step: Step, traces: Sequence[Trace]) -> Iterator[str]:
    """Transactions of the step that the server took not once: what it should show was not shown."""
    outcomes = _CARRIED_OUT.get(step.behaviour)
    for one in step.expects if outcomes else ():
        if not any(trace.transaction == one and trace.outcome in (outcomes or ()) for trace in traces):
            yield one


def not_carried_out(step: Step, refused: str) -> Finding:
    """No verdict on a requirement: the rules may have found nothing, and the server took nothing."""
    return Finding(
        requirement="",
        verdict=Verdict.NOT_TESTED,
        text_fr=f"{refused} : le serveur n'a rien accepté dans l'étape {step.key} ; voir ses réponses",
        text_en=f"{refused}: the server accepted nothing in the step {step.key}; see its answers",
        step=step.key,
    )


def not_shown(step: Step, identifier: str) -> Finding:
    """The messages came, and none does what the step is there for: a replacement that replaces nothing."""
    return Finding(
        requirement=identifier,
        verdict=Verdict.NOT_TESTED,
        text_fr=f"l'étape {step.key} ne l'a pas montré ; attendu : {step.then.fr}",
        text_en=f"the step {step.key} did not show it; expected: {step.then.en}",
        step=step.key,
    )


def broken(exchange: Exchange, problem: Exception) -> Finding:
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
