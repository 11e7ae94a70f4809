"""JUnit XML: suites of cases, whatever was tested."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from lxml import etree

from conformance.judgement import Run, Verdict

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case; `failure` and `skipped` are empty, or say why in one line, `details` in many."""

    classname: str
    name: str
    seconds: float = 0.0
    failure: str = ""
    kind: str = ""
    details: str = ""
    skipped: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The cases of one topic or test."""

    name: str
    cases: Sequence[Case]


def write_suites(name: str, suites: Sequence[Suite], path: Path, *, started: datetime) -> None:
    """Write them; characters that XML cannot hold are replaced."""
    seconds = sum(case.seconds for suite in suites for case in suite.cases)
    root = etree.Element("testsuites", name=name, time=f"{seconds:.3f}")
    root.extend(_suite(one, started) for one in suites)
    etree.ElementTree(root).write(str(path), encoding="UTF-8", xml_declaration=True, pretty_print=True)


def write_run_as_junit(run: Run, path: Path) -> None:
    """A suite for each topic, a case for each requirement."""
    suites = [
        Suite(name=topic, cases=[_requirement(run, one.id, one.text_en) for one in members])
        for topic, members in groupby(run.requirements, key=lambda one: one.topic)
    ]
    write_suites(run.heading.actor.value, suites, path, started=run.heading.started)


def _requirement(run: Run, identifier: str, title: str) -> Case:
    verdict, findings = run.verdicts[identifier], run.findings_of(identifier)
    failed = [one for one in findings if one.verdict is Verdict.FAILED]
    lines = (f"{one.message} {one.location} {one.text_en} {one.evidence}".strip() for one in failed)
    untested = next((one.text_en for one in findings), "nothing of the run says whether this is met")
    return Case(
        classname=f"{run.heading.actor.value}.{identifier.split('-')[1]}",
        name=f"{identifier} {title}",
        failure=failed[0].text_en if failed else "",
        kind=identifier,
        details="\n".join(lines),
        skipped=untested if verdict is Verdict.NOT_TESTED else "",
    )


def _suite(suite: Suite, started: datetime) -> etree._Element:
    element = etree.Element(
        "testsuite",
        name=_clean(suite.name),
        tests=str(len(suite.cases)),
        failures=str(sum(bool(one.failure) for one in suite.cases)),
        skipped=str(sum(bool(one.skipped) for one in suite.cases)),
        time=f"{sum(one.seconds for one in suite.cases):.3f}",
        timestamp=f"{started:%Y-%m-%dT%H:%M:%S}",
    )
    element.extend(_case(one) for one in suite.cases)
    return element


def _case(one: Case) -> etree._Element:
    names = {"classname": _clean(one.classname), "name": _clean(one.name)}
    case = etree.Element("testcase", names, time=f"{one.seconds:.3f}")
    if one.failure:
        kind = {"type": _clean(one.kind)} if one.kind else {}
        etree.SubElement(case, "failure", kind, message=_clean(one.failure)).text = _clean(one.details)
    if one.skipped:
        etree.SubElement(case, "skipped", message=_clean(one.skipped))
    if one.output:
        etree.SubElement(case, "system-out").text = _clean(one.output)
    return case


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
