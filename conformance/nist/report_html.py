"""The report as one HTML page that needs nothing else: summary, every step, the messages of the steps that failed."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from conformance.nist.findings import Finding
from conformance.nist.messages import shown_messages
from conformance.nist.outcomes import RunOutcome, SectionOutcome, Status, StepOutcome, TestOutcome

_COLUMNS = ("section", "step", "transaction", "expected", "verdict", "s")
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: .5em 0 1.5em; } th, td { padding: .25em .8em; text-align: left; }
th { border-bottom: 2px solid #999; } td { border-bottom: 1px solid #ddd; vertical-align: top; }
.number { text-align: right; } .passed { color: #17692b; } .failed { color: #b3161b; font-weight: 600; }
.known-disagreement { color: #8a5a00; } .not-run { color: #777; }
pre { background: #f4f4f4; padding: .8em; overflow: auto; max-height: 40em; font-size: 12.5px; }
details { margin: .4em 0; } summary { cursor: pointer; } dt { font-weight: 600; } dd { margin: 0 0 .4em 1.5em; }
""".strip()


def write_html(outcome: RunOutcome, path: Path) -> None:
    path.write_text("\n".join(_page(outcome)) + "\n", encoding="utf-8")


def _page(outcome: RunOutcome) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><title>NIST XDS kit</title><style>{_STYLE}</style></head><body>'
    yield "<h1>NIST XDS kit</h1>"
    yield f"<p>{outcome.started:%Y-%m-%d %H:%M:%S} UTC, {outcome.seconds:.0f} s, kit {escape(outcome.kit)}</p>"
    yield from _counts(outcome)
    yield from _addresses(outcome)
    yield "<h2>Tests</h2>"
    for test in outcome.tests:
        yield from _test(test)
    yield "</body></html>"


def _counts(outcome: RunOutcome) -> Iterator[str]:
    yield "<table><tr><th></th>" + "".join(f"<th>{status.value}</th>" for status in Status) + "</tr>"
    for name, counts in (("tests", outcome.test_counts), ("steps", outcome.step_counts)):
        cells = "".join(f'<td class="number {_class(status)}">{counts[status]}</td>' for status in Status)
        yield f"<tr><td>{name}</td>{cells}</tr>"
    yield "</table>"


def _addresses(outcome: RunOutcome) -> Iterator[str]:
    yield "<details><summary>Addresses and patients</summary><table>"
    for name, value in (*outcome.addresses, *outcome.patients):
        yield f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
    yield "</table></details>"


def _test(test: TestOutcome) -> Iterator[str]:
    opened = " open" if test.status is Status.FAILED else ""
    title = f"{escape(test.id)} {escape(test.title)}"
    yield f"<details{opened}><summary>{_word(test.status)} {title}</summary>"
    if test.skipped:
        yield f"<p>{escape(test.skipped)}</p>"
    else:
        yield f"<table><tr>{''.join(f'<th>{name}</th>' for name in _COLUMNS)}</tr>"
        for section in test.sections:
            yield from _section(section)
        yield "</table>"
    yield "</details>"


def _section(section: SectionOutcome) -> Iterator[str]:
    for step in section.steps:
        cells = (section.name, step.step, step.transaction, step.expected)
        row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        yield f'<tr>{row}<td>{_word(step.status)}</td><td class="number">{step.seconds:.2f}</td></tr>'
        details = list(_details(step))
        if details:
            yield f'<tr><td></td><td colspan="5">{"".join(details)}</td></tr>'


def _details(step: StepOutcome) -> Iterator[str]:
    if step.note:
        yield f"<p>{escape(step.note)}</p>"
    if step.findings:
        yield f"<dl>{''.join(_finding(one) for one in step.findings)}</dl>"
    if step.status in (Status.FAILED, Status.DISAGREEMENT):
        for title, text in shown_messages(step):
            yield f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def _finding(finding: Finding) -> str:
    name = f"remark, {finding.check}" if finding.is_remark else finding.check
    pairs = (("expected", finding.expected), ("got", finding.found))
    details = "".join(f"<dd>{word} <code>{escape(value)}</code></dd>" for word, value in pairs if value)
    return f"<dt>{escape(name)}</dt><dd>{escape(finding.reason)}</dd>{details}"


def _word(status: Status) -> str:
    return f'<span class="{_class(status)}">{status.value}</span>'


def _class(status: Status) -> str:
    return status.value.replace(" ", "-")
