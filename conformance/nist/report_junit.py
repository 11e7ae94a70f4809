"""The report as JUnit XML: a test suite for each test, a test case for each step."""

import re
from pathlib import Path

from lxml import etree

from conformance.nist.messages import shortened, shown_messages
from conformance.nist.outcomes import RunOutcome, Status, StepOutcome, TestOutcome

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINES_OF_A_MESSAGE = 400


def write_junit(outcome: RunOutcome, path: Path) -> None:
    suites = etree.Element("testsuites", name="nist", time=f"{outcome.seconds:.3f}")
    for test in outcome.tests:
        suites.append(_suite(test, outcome))
    etree.ElementTree(suites).write(str(path), encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _suite(test: TestOutcome, outcome: RunOutcome) -> etree._Element:
    steps = list(test.steps)
    suite = etree.Element(
        "testsuite",
        name=_clean(f"{test.id} {test.title}"),
        tests=str(len(steps) or 1),
        failures=str(sum(step.status is Status.FAILED for step in steps)),
        skipped=str(sum(step.status in (Status.NOT_RUN, Status.DISAGREEMENT) for step in steps) or int(not steps)),
        time=f"{sum(step.seconds for step in steps):.3f}",
        timestamp=f"{outcome.started:%Y-%m-%dT%H:%M:%S}",
    )
    for step in steps:
        suite.append(_case(step))
    if test.skipped:
        case = etree.SubElement(suite, "testcase", classname=f"nist.{test.id}", name=test.id, time="0")
        etree.SubElement(case, "skipped", message=_clean(test.skipped))
    return suite


def _case(step: StepOutcome) -> etree._Element:
    case = etree.Element(
        "testcase", classname=f"nist.{step.test}.{step.section}", name=step.step, time=f"{step.seconds:.3f}"
    )
    if step.status is Status.FAILED:
        reasons = "\n".join(f"{one.check}: {one}" for one in step.failures)
        failure = etree.SubElement(
            case, "failure", message=_clean(step.failures[0].reason), type=step.failures[0].check
        )
        failure.text = _clean("\n\n".join([reasons, *(f"{title}\n{text}" for title, text in _messages(step))]))
    elif step.status in (Status.NOT_RUN, Status.DISAGREEMENT):
        etree.SubElement(case, "skipped", message=_clean(f"{step.status.value}: {step.note}"))
    if step.remarks:
        output = etree.SubElement(case, "system-out")
        output.text = _clean("\n".join(f"remark, {one.check}: {one}" for one in step.remarks))
    return case


def _messages(step: StepOutcome) -> list[tuple[str, str]]:
    return [(title, shortened(text, _LINES_OF_A_MESSAGE)) for title, text in shown_messages(step)]


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
