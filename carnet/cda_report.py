"""What a check of CDA files found: as text, as JSON, as an HTML page."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from carnet.cda_checks import Checked
from cda.findings import Finding, Severity

_FRENCH = {Severity.ERROR: "erreur", Severity.WARNING: "avertissement", Severity.INFORMATION: "information"}
_STYLE = (
    "body{font:1rem/1.4 sans-serif;max-width:75rem;margin:auto;padding:1rem;color:#111}table{border-collapse:collapse}"
    "th,td{border:1px solid #767676;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "code{font-size:.85rem}.error{color:#a00000;font-weight:600}"
)


def text_lines(checked: Checked, *, language: str, with_warnings: bool) -> Iterator[str]:
    """One line for the file, one for each finding."""
    report = checked.report
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    verdict = _verdict(report.is_valid, language)
    yield f"{checked.path}: {verdict} ({str(report.model) or '-'}; {_counts(errors, warnings, language)})"
    for each in report.findings:
        if with_warnings or each.severity is Severity.ERROR:
            yield f"  {_line(each, language)}"
    if with_warnings:
        for missing in sorted({each.reason for each in report.not_run}):
            yield f"  {_not_run(missing, language)}"


def _verdict(is_valid: bool, language: str) -> str:
    if language == "en":
        return "valid" if is_valid else "not valid"
    return "valide" if is_valid else "non valide"


def _counts(errors: int, warnings: int, language: str) -> str:
    words = ("error", "warning") if language == "en" else ("erreur", "avertissement")
    return ", ".join(_counted(number, word, language) for number, word in zip((errors, warnings), words, strict=True))


def _counted(number: int, word: str, language: str) -> str:
    """French says the plural from two on, English of nought too."""
    is_one = number == 1 or (number == 0 and language != "en")
    return f"{number} {word}{'' if is_one else 's'}"


def _not_run(reason: str, language: str) -> str:
    return f"rule not evaluated: {reason}" if language == "en" else f"règle non évaluée : {reason}"


def _line(finding: Finding, language: str) -> str:
    severity = finding.severity.value if language == "en" else _FRENCH[finding.severity]
    words = ("expected", "found") if language == "en" else ("attendu", "trouvé")
    found = f" ; {words[1]} : {finding.found}" if finding.found else ""
    text = finding.expected.in_language(language)
    line = f"l. {finding.line}, " if finding.line else ""
    place = f"{severity} [{finding.layer}] {finding.rule}, {line}{finding.location}"
    return f"{place}\n    {words[0]} : {text}{found}"


def json_value(checked: Checked) -> dict[str, Any]:
    """Everything of one file."""
    report = checked.report
    return {
        "file": str(checked.path),
        "valid": report.is_valid,
        "model": report.model.name,
        "version": report.model.version,
        "errors": report.count(Severity.ERROR),
        "warnings": report.count(Severity.WARNING),
        "findings": [_finding_value(each) for each in report.findings],
        "notEvaluated": sorted({f"{each.schema}: {each.expression}: {each.reason}" for each in report.not_run}),
    }


def _finding_value(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "layer": finding.layer.value,
        "severity": finding.severity.value,
        "location": finding.location,
        "line": finding.line,
        "found": finding.found,
        "expected": {"fr": finding.expected.french, "en": finding.expected.english},
    }


def html_page(results: Sequence[Checked], *, language: str) -> str:
    """A page of its own, in French or English: a summary, then the findings of each file."""
    title = "CDA check" if language == "en" else "Contrôle de documents CDA"
    valid = sum(each.report.is_valid for each in results)
    summary = f"{valid} / {len(results)} {_verdict(True, language)}"
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1><p>{summary}</p>"
        f"{''.join(_file_section(each, language) for each in results)}</main></body></html>\n"
    )


def _file_section(checked: Checked, language: str) -> str:
    report = checked.report
    heading = f"{escape(checked.path.name)} : {_verdict(report.is_valid, language)}"
    counts = _counts(report.count(Severity.ERROR), report.count(Severity.WARNING), language)
    rows = "".join(_rows(report.findings, language))
    head = ("Rule", "Line", "Expected", "Found") if language == "en" else ("Règle", "Ligne", "Attendu", "Trouvé")
    header = "".join(f'<th scope="col">{each}</th>' for each in head)
    table = f"<table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    return f"<section><h2>{heading}</h2><p>{escape(str(report.model))} {counts}</p>{table}</section>"


def _rows(findings: Iterable[Finding], language: str) -> Iterator[str]:
    for each in findings:
        severity = each.severity.value if language == "en" else _FRENCH[each.severity]
        place = f"<code>{escape(each.location)}</code>"
        yield (
            f'<tr><td><span class="{each.severity.value}">{severity}</span> {each.layer} {escape(each.rule)}</td>'
            f"<td>{each.line or ''}</td><td>{escape(each.expected.in_language(language))}<br>{place}</td>"
            f"<td>{escape(each.found)}</td></tr>"
        )
