"""A run of the NIST kit as a run of the whole kit: its messages, and findings on requirements."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from conformance.judgement import Finding, Heading, Message, Run, Verdict
from conformance.nist.findings import Finding as KitFinding
from conformance.nist.message_files import octets_of_message
from conformance.nist.outcomes import RunOutcome, Status, StepOutcome, TestOutcome
from conformance.requirements import Actor, Way, requirement_about
from conformance.sentence import Sentence, joined
from conformance.titles import titled


def to_run(outcome: RunOutcome) -> Run:
    """The whole of it."""
    numbers, messages, sent = itertools.count(1), list[Message](), dict[str, str]()
    for step in outcome.steps:
        message = message_of(step, next(numbers))
        if message is not None:
            messages.append(message)
            sent[step.place] = message.id
    heading = Heading(
        actor=Actor.SERVER,
        subject=", ".join(dict.fromkeys(url for _, url in outcome.addresses)),
        profiles=("nist",),
        started=outcome.started,
        settings={"kit": outcome.kit, **dict(outcome.addresses), **dict(outcome.patients)},
    )
    findings = tuple(one for test in outcome.tests for one in findings_of_test(test, sent))
    ended = outcome.started + timedelta(seconds=outcome.seconds)
    return Run(heading=heading, messages=tuple(messages), findings=findings, ended=ended)


def message_of(step: StepOutcome, number: int) -> Message | None:
    """What a step sent and what came back; None when it sends nothing."""
    if step.exchange is not None:
        response = step.exchange.response
        octets = octets_of_message(step.exchange.request), b"" if response is None else octets_of_message(response)
        peer, problem = step.exchange.url, step.exchange.problem
    elif step.feed is not None:
        octets = step.feed.request.encode("utf-8"), step.feed.response.encode("utf-8")
        peer, problem = step.feed.address, step.feed.problem
    else:
        return None
    return Message(
        id=f"nist-{number:04}",
        time=datetime.now(UTC),
        transaction=step.transaction,
        peer=peer,
        request=octets[0],
        answer=octets[1],
        step=f"nist/{step.place}",
        problem=problem,
    )


def findings_of_test(test: TestOutcome, sent: Mapping[str, str]) -> Iterator[Finding]:
    """One for a test that passed or was not run, else one for each thing wrong. `sent`: place of a step → message."""
    requirement = requirement_about(Way.NIST, test.id)
    failed = [step for step in test.steps if step.status is Status.FAILED]
    for step in failed:
        for one in step.failures:
            yield Finding(
                requirement=requirement,
                verdict=Verdict.FAILED,
                text_fr=f"Essai {test.id}, étape {step.section}/{step.step} : {_told(step, one).fr}",
                text_en=f"Test {test.id}, step {step.section}/{step.step}: {_told(step, one)}",
                message=sent.get(step.place, ""),
                step=f"nist/{test.id}",
            )
    if failed:
        return
    why = test.skipped or joined((one.note for one in test.steps if one.note), " ; ")
    title = joined(one for one in (titled("nist", test.id, test.title), why) if one)
    verdict = Verdict.NOT_TESTED if test.status is Status.NOT_RUN else Verdict.PASSED
    yield Finding(
        requirement=requirement,
        verdict=verdict,
        text_fr=f"Essai {test.id} : {title.fr}",
        text_en=f"Test {test.id}: {title}",
        message=next((sent[step.place] for step in test.steps if step.place in sent), ""),
        step=f"nist/{test.id}",
    )


def _told(step: StepOutcome, one: KitFinding) -> Sentence:
    """Transaction, and what was wrong."""
    return one.told.about(step.transaction)
