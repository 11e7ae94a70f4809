"""The raw messages of a run on disk: one folder per test and section, octets as they were on the wire."""

import re
from pathlib import Path

from lxml import etree

from conformance.failures import KitError
from conformance.nist.log_tree import Logs
from conformance.nist.outcomes import RunOutcome, StepOutcome
from conformance.nist.soap_client import HttpMessage
from conformance.sentence import Sentence, reason

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def save_messages(outcome: RunOutcome, logs: Logs, folder: Path) -> None:
    """Write `<test>/<section>/<step>.request` and `.answer` with their HTTP heads, and the log of each section.

    Raises KitError when the folder cannot be written.
    """
    try:
        for step in outcome.steps:
            _save_step(step, folder / _safe(step.test) / _safe(step.section))
        for (test, section), log in logs.sections.items():
            path = folder / _safe(test) / _safe(section) / "log.xml"
            path.parent.mkdir(parents=True, exist_ok=True)
            etree.ElementTree(log.tree()).write(str(path), encoding="UTF-8", pretty_print=True)
    except OSError as problem:
        raise KitError(
            Sentence(
                f"les messages ne peuvent pas être conservés dans {folder} : {reason(problem).fr}",
                f"messages cannot be saved in {folder}: {reason(problem)}",
            )
        ) from None


def _save_step(step: StepOutcome, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if step.exchange is not None:
        (folder / f"{_safe(step.step)}.request").write_bytes(octets_of_message(step.exchange.request))
        if step.exchange.response is not None:
            (folder / f"{_safe(step.step)}.answer").write_bytes(octets_of_message(step.exchange.response))
    if step.feed is not None:
        (folder / f"{_safe(step.step)}.request").write_text(step.feed.request, encoding="utf-8")
        (folder / f"{_safe(step.step)}.answer").write_text(step.feed.response, encoding="utf-8")


def octets_of_message(message: HttpMessage) -> bytes:
    """Head and body as on the wire."""
    head = "".join(f"{line}\r\n" for line in (message.start_line, *(f"{n}: {v}" for n, v in message.headers), ""))
    return head.encode("utf-8") + message.body


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name)
