"""The reports of a run: JUnit XML, and one page of HTML."""

import html
import re
from itertools import groupby
from pathlib import Path

from lxml import etree

from conformance.fhir.outcomes import CaseOutcome, RunOutcome, Status

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.35rem;text-align:left;
vertical-align:top}.passed{color:#176b2c}.failed{color:#a11}.skipped{color:#666}ul{margin:.2rem 0}"""


def write_junit(outcome: RunOutcome, path: Path) -> None:
    suites = etree.Element("testsuites", name="fhir")
    for name, cases in groupby(outcome.cases, key=lambda one: one.suite):
        found = list(cases)
        suite = etree.SubElement(
            suites,
            "testsuite",
            name=_clean(name),
            tests=str(len(found)),
            failures=str(sum(one.status is Status.FAILED for one in found)),
            skipped=str(sum(one.status is Status.SKIPPED for one in found)),
            time=f"{sum(one.seconds for one in found):.3f}",
            timestamp=f"{outcome.started:%Y-%m-%dT%H:%M:%S}",
        )
        suite.extend(_case(one) for one in found)
    etree.ElementTree(suites).write(str(path), encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _case(one: CaseOutcome) -> etree._Element:
    case = etree.Element("testcase", classname=_clean(one.suite), name=_clean(one.name), time=f"{one.seconds:.3f}")
    if one.failures:
        etree.SubElement(case, "failure", message=_clean(one.failures[0])).text = _clean("\n".join(one.failures))
    if one.skipped:
        etree.SubElement(case, "skipped", message=_clean(one.skipped))
    if one.remarks:
        etree.SubElement(case, "system-out").text = _clean("\n".join(one.remarks))
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def write_html(outcome: RunOutcome, path: Path) -> None:
    """One page, nothing else needed."""
    counts = ", ".join(f"{len(outcome.of(status))} {status.value}" for status in Status)
    rows = "".join(map(_row, outcome.cases))
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>FHIR conformance</title>
<style>{_STYLE}</style><h1>FHIR conformance</h1>
<p>{html.escape(outcome.base)}, {outcome.started:%Y-%m-%d %H:%M}: {counts}.</p>
<table><tr><th>case</th><th>verdict</th><th>what it is about, what was found</th></tr>{rows}</table></html>
"""
    path.write_text(page, encoding="utf-8")


def _row(one: CaseOutcome) -> str:
    told = [*one.failures, *one.remarks, *((one.skipped,) if one.skipped else ())]
    items = "".join(f"<li>{html.escape(text)}</li>" for text in told)
    return (
        f'<tr><td>{html.escape(one.name)}</td><td class="{one.status.value}">{one.status.value}</td>'
        f"<td>{html.escape(one.title)}{f'<ul>{items}</ul>' if items else ''}</td></tr>"
    )
