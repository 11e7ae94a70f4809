"""A run as one HTML page that needs nothing else: summary, requirements with their findings, every message.

What came over the wire is text of the page: escaped, control characters made visible. The only script is `page.js`, and
the page's own content security policy lets no other run. Both languages are in the page; a button chooses.
"""

import base64
import hashlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from conformance.judgement import Finding, Message, Run, Verdict, worst
from conformance.report.coverage import coverage_of
from conformance.report.shown import shown_octets
from conformance.report.words import (
    COUNTED,
    LEVELS,
    SIGNS,
    TITLES,
    TOPICS,
    VERDICTS,
    WAYS,
    Words,
    both,
    setting,
    source,
    text,
)
from conformance.requirements import Requirement, Way
from conformance.sentence import counted, french

# What is kept in the page; all of it is in the folder of the run.
MESSAGES_IN_FULL, EVIDENCE_OCTETS = 500, 256 * 1024
_BY_NAME = (Way.NIST, Way.FHIR, Way.PROBE)
_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")


def write_page(run: Run, path: Path, *, language: str = "fr") -> None:
    """Write the page; `language` is the one it opens in, `fr` or `en`."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _page(run, language))


def _page(run: Run, language: str) -> Iterator[str]:
    title = TITLES[run.heading.actor][language == "en"] + (":" if language == "en" else " :")
    yield f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'
    yield f'<link rel="icon" href="data:,"><title>{text(f"{title} {run.heading.subject}")}</title>'
    yield f"<style>{_STYLE}</style></head><body>"
    yield f'<a class="skip" href="#requirements">{both(("Aller aux exigences", "Go to the requirements"))}</a>'
    yield from _head(run)
    yield from _filters()
    yield from _requirements(run)
    yield from _messages(run)
    yield f"<script>{_SCRIPT}</script></body></html>"


def _policy() -> str:
    script, style = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (_SCRIPT, _STYLE))
    allowed = f"script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _head(run: Run) -> Iterator[str]:
    heading, coverage = run.heading, coverage_of(run)
    yield f"<header><h1>{both(TITLES[heading.actor])}</h1>"
    yield '<p><button type="button" data-language="fr" aria-pressed="true">Français</button> '
    yield '<button type="button" data-language="en" aria-pressed="false">English</button></p><dl>'
    yield from _pair(("Objet", "Subject"), heading.subject)
    yield from _pair(("Profils", "Profiles"), ", ".join(heading.profiles))
    yield from _pair(("Début", "Started"), f"{heading.started:%Y-%m-%d %H:%M:%S %Z}")
    ended = "…" if run.ended is None else f"{run.ended:%Y-%m-%d %H:%M:%S %Z}"
    yield from _pair(("Fin", "Ended"), ended)
    for name, value in heading.settings.items():
        yield from _pair(setting(name), value)
    yield '</dl></header><main><ul class="summary">'
    for verdict, words in COUNTED.items():
        count = run.counts[verdict]
        yield f'<li class="{_class(verdict)}"><b>{count}</b>{SIGNS[verdict]} {both(words[count > 1])}</li>'
    count = len(run.messages)
    yield f"<li><b>{count}</b>{both(('messages', 'messages') if count > 1 else ('message', 'message'))}</li></ul>"
    done = counted(coverage.tested, ("exigence testée", "exigences testées"), ("requirement", "requirements"))
    fr, en = coverage.of_scenarios
    covered = (f"{done.fr} sur {coverage.every}{fr}", f"{done} of {coverage.every} tested{en}")
    yield f'<p id="coverage">{both(covered)}<br>'
    yield f'<progress max="{coverage.every}" value="{coverage.tested}"></progress></p>'
    yield from _to_mend(run)


def _to_mend(run: Run) -> Iterator[str]:
    """Links to what failed, before anything else is read."""
    verdicts = run.verdicts
    failed = [one for one in run.requirements if verdicts[one.id] is Verdict.FAILED]
    if failed:
        yield f'<nav id="mend"><h2>{both(("À corriger", "To mend"))}</h2><ul>'
        for one in failed:
            yield f'<li><a href="#{one.id}">{one.id}</a> {both((one.text_fr, one.text_en))}</li>'
        yield "</ul></nav>"


def _pair(name: Words, value: str) -> Iterator[str]:
    if value:
        yield f"<dt>{both(name)}</dt><dd>{text(value)}</dd>"


def _filters() -> Iterator[str]:
    yield '<div class="filters" role="search">'
    yield f'<label for="search">{both(("Filtrer (/)", "Filter (/)"))}</label> <input type="search" id="search">'
    for verdict, words in VERDICTS.items():
        box = f'<input type="checkbox" name="verdict" value="{_class(verdict)}" checked>'
        yield f"<label>{box} {both(words)}</label>"
    yield f'<span><output id="shown" for="search"></output> {both(("affichés", "shown"))}</span></div>'


def _requirements(run: Run) -> Iterator[str]:
    yield f'<h2 id="requirements">{both(("Exigences", "Requirements"))}</h2>'
    verdicts = run.verdicts
    for topic, members in groupby(run.requirements, key=lambda one: one.topic):
        yield f'<section class="group"><h3>{both(TOPICS[topic])}</h3>'
        for one in members:
            yield from _requirement(one, verdicts[one.id], run.findings_of(one.id))
        yield "</section>"
    others = run.findings_of("")
    if others:
        yield f'<section class="group"><h3>{both(("Autres constats", "Other findings"))}</h3>'
        for finding in others:
            yield f'<details data-verdict="{_class(finding.verdict)}"><summary>{_light(finding.verdict)} '
            yield f"{both((finding.text_fr, finding.text_en))}</summary>{_joined(finding)}</details>"
        yield "</section>"


def _requirement(one: Requirement, verdict: Verdict, findings: tuple[Finding, ...]) -> Iterator[str]:
    opened = " open" if verdict is Verdict.FAILED else ""
    yield f'<details id="{one.id}" class="requirement" data-verdict="{_class(verdict)}"{opened}>'
    name = f'<span class="id">{one.id}</span> {both((one.text_fr, one.text_en))}'
    yield f"<summary>{_light(verdict)} {name}</summary><dl>"
    yield from _coded(("Niveau", "Level"), LEVELS[one.level])
    yield from _coded(("Source", "Source"), source(one.source))
    yield from _coded(("Contrôle", "Check"), WAYS[one.way])
    if one.way in _BY_NAME:
        yield from _pair(("Essais", "Tests"), one.looked_at)
    else:
        yield f'<dt lang="en">Looks at</dt><dd lang="en">{text(one.looked_at)}</dd>'
    yield "</dl>"
    if findings:
        yield _listed(findings)
    yield "</details>"


def _coded(name: Words, value: Words) -> Iterator[str]:
    yield f"<dt>{both(name)}</dt><dd>{both(value)}</dd>"


def _listed(findings: tuple[Finding, ...]) -> str:
    return f'<ul class="findings">{"".join(f"<li>{_joined(one)}</li>" for one in findings)}</ul>'


def _joined(finding: Finding) -> str:
    return "".join(_finding(finding))


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{_light(finding.verdict)} {both((finding.text_fr, finding.text_en))}"
    if finding.requirement:
        yield f' <a href="#{text(finding.requirement)}">{text(finding.requirement)}</a>'
    if finding.message:
        yield f' <a href="#message-{text(finding.message)}">{text(finding.message)}</a>'
    if finding.step:
        yield f' <span class="dim">{text(finding.step)}</span>'
    if finding.location:
        yield f"<br><code>{text(finding.location)}</code>"
    if finding.evidence:
        yield f"<pre>{text(finding.evidence)}</pre>"


def _messages(run: Run) -> Iterator[str]:
    yield f'<h2 id="messages">{both(("Messages", "Messages"))}</h2><section class="group">'
    for message in _chosen(run):
        yield from _message(message, run.findings_on(message.id))
    left = len(run.messages) - MESSAGES_IN_FULL
    if left > 0:
        are = ("autre message est dans le dossier.", "autres messages sont dans le dossier.")
        more = counted(left, are, ("more is in the folder.", "more are in the folder."))
        yield f"<p>{both((more.fr, more))}</p>"
    yield "</section></main>"


def _chosen(run: Run) -> tuple[Message, ...]:
    """All of them in order; of very many, those with a failed finding before the others."""
    if len(run.messages) <= MESSAGES_IN_FULL:
        return run.messages
    failed = {one.message for one in run.findings if one.verdict is Verdict.FAILED}
    return tuple(sorted(run.messages, key=lambda one: one.id not in failed)[:MESSAGES_IN_FULL])


def _message(message: Message, findings: tuple[Finding, ...]) -> Iterator[str]:
    shown = worst(tuple(one.verdict for one in findings))
    yield f'<details id="message-{text(message.id)}" class="message" data-verdict="{_class(shown)}">'
    yield f'<summary>{_light(shown)} <span class="id">{text(message.id)}</span> {message.time:%H:%M:%S} '
    yield f'{text(message.transaction)} <span class="dim">{text(message.step)} {text(message.peer)}</span></summary>'
    yield '<div class="beside"><div>'
    yield from _octets(message, "request", message.request, ("Demande", "Request"))
    if message.answer:
        yield from _octets(message, "answer", message.answer, ("Réponse", "Answer"))
    if message.problem:
        yield f"<p>{both((french(message.problem), message.problem))}</p>"
    yield f"</div><div>{_listed(findings)}</div></div></details>"


def _octets(message: Message, kind: str, octets: bytes, name: Words) -> Iterator[str]:
    told = both((f"{len(octets)} octets", f"{len(octets)} octets"))
    link = f"messages/{text(message.id)}.{kind}"
    if len(octets) <= EVIDENCE_OCTETS:
        encoded = base64.b64encode(octets).decode("ascii")
        source = f"data:application/octet-stream;base64,{encoded}"
        link = f'<a download="{text(message.id)}.{kind}" href="{source}">{both(("télécharger", "download"))}</a>'
    yield f'<b>{both(name)}</b> {told} {link}<pre tabindex="0">{text(shown_octets(octets))}</pre>'


def _light(verdict: Verdict) -> str:
    word = both(VERDICTS[verdict])
    return f'<span class="{_class(verdict)}"><span class="sign" aria-hidden="true">{SIGNS[verdict]}</span>{word}</span>'


def _class(verdict: Verdict) -> str:
    return verdict.value.replace(" ", "-")
