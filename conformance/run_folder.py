"""A run on disk, written while it goes on, so that one that was interrupted is resumed and two are compared.

`run.json` holds the heading, `messages.jsonl` and `findings.jsonl` a line for each, `messages/ID.request` and
`ID.answer` the octets. Lines are only ever added; a last line that was cut by a crash is left out.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from conformance.failures import KitError
from conformance.judgement import Finding, Heading, Message, Run, Verdict
from conformance.requirements import Actor
from conformance.sentence import Sentence, french

HEADING, MESSAGES, FINDINGS, OCTETS = "run.json", "messages.jsonl", "findings.jsonl", "messages"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Where a run is kept. Not shared by processes; threads take turns outside."""

    path: Path

    def start(self, heading: Heading) -> None:
        """Begin a run in a folder without one. Raises KitError when it holds a run already."""
        self.check_empty()
        (self.path / OCTETS).mkdir(parents=True, exist_ok=True)
        self._write_heading(heading, None)

    def check_empty(self) -> None:
        """Raises KitError when there is a run already."""
        if (self.path / HEADING).exists():
            fr = f"{self.path} contient déjà un essai : reprenez-le (--resume), ou donnez un autre dossier"
            raise KitError(Sentence(fr, f"{self.path} holds a run already: resume it, or give another folder"))

    def add_message(self, message: Message) -> None:
        """Keep the octets first, then the line: a line never names octets that are not there."""
        if not _NAME.fullmatch(message.id):
            raise KitError(f"found the message id {message.id!r}, expected letters, digits, dots and dashes")
        (self.path / OCTETS / f"{message.id}.request").write_bytes(message.request)
        (self.path / OCTETS / f"{message.id}.answer").write_bytes(message.answer)
        self.add_line(MESSAGES, _written_message(message))

    def add_finding(self, finding: Finding) -> None:
        self.add_line(FINDINGS, _written_finding(finding))

    def end(self, time: datetime) -> None:
        self._write_heading(self.load().heading, time)

    def load(self) -> Run:
        """Everything so far. Raises KitError when there is no run here, or a file of it is damaged."""
        heading, ended = self._heading()
        messages = {}
        for line in self.lines(MESSAGES):
            messages[line["id"]] = self._message(line)
        findings = tuple(_finding(line) for line in self.lines(FINDINGS))
        return Run(heading=heading, ended=ended, messages=tuple(messages.values()), findings=findings)

    def _heading(self) -> tuple[Heading, datetime | None]:
        path = self.path / HEADING
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            ended = None if found["ended"] is None else datetime.fromisoformat(found["ended"])
            return _read_heading(found), ended
        except FileNotFoundError:
            fr, en = f"il n'y a pas d'essai dans {self.path}", f"there is no run in {self.path}"
            raise KitError(
                Sentence(f"{fr} : attendu un fichier {HEADING}", f"{en}: expected a file {HEADING}")
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as problem:
            fr, en = f"{path} n'est pas l'en-tête d'un essai", f"{path} is no heading of a run"
            raise KitError(Sentence(f"{fr} : {problem}", f"{en}: {problem}")) from None

    def _write_heading(self, heading: Heading, ended: datetime | None) -> None:
        written = {
            "actor": heading.actor.value,
            "subject": heading.subject,
            "profiles": list(heading.profiles),
            "started": heading.started.isoformat(),
            "settings": dict(heading.settings),
            "ended": None if ended is None else ended.isoformat(),
        }
        new = self.path / f"{HEADING}.new"
        new.write_text(json.dumps(written, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        new.replace(self.path / HEADING)

    def _message(self, line: dict[str, Any]) -> Message:
        try:
            octets = [(self.path / OCTETS / f"{line['id']}.{kind}").read_bytes() for kind in ("request", "answer")]
            told = Sentence(line.pop("problem_fr", line["problem"]), line["problem"])
            time = datetime.fromisoformat(line["time"])
            return Message(**{**line, "problem": told, "time": time, "request": octets[0], "answer": octets[1]})
        except (OSError, ValueError, TypeError, KeyError) as problem:
            file, name = self.path / MESSAGES, line.get("id")
            fr, en = f"{file} : le message {name} est illisible", f"{file}: message {name} cannot be read"
            raise KitError(Sentence(f"{fr} : {problem}", f"{en}: {problem}")) from None

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Those of a file, without a last one that was cut. Raises KitError naming file and line."""
        path = self.path / name
        lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
        for number, line in enumerate(lines[:-1], 1):
            try:
                yield json.loads(line)
            except ValueError as problem:
                fr, en = f"{path}, ligne {number} : {problem}", f"{path}, line {number}: {problem}"
                raise KitError(Sentence(fr, en)) from None

    def is_cut(self, name: str) -> bool:
        """Did a crash leave a last line without its end?"""
        path = self.path / name
        return path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0

    def add_line(self, name: str, line: Mapping[str, Any]) -> None:
        """A line in one write; what a crash left of an earlier one is cut off first."""
        octets = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        with (self.path / name).open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
            file.write(octets)


def _written_message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "time": message.time.isoformat(),
        "transaction": message.transaction,
        "peer": message.peer,
        "step": message.step,
        "problem": message.problem,
        "problem_fr": french(message.problem),
    }


def _written_finding(finding: Finding) -> dict[str, Any]:
    return {
        "requirement": finding.requirement,
        "verdict": finding.verdict.value,
        "text_fr": finding.text_fr,
        "text_en": finding.text_en,
        "message": finding.message,
        "location": finding.location,
        "evidence": finding.evidence,
        "step": finding.step,
    }


def _finding(line: Mapping[str, Any]) -> Finding:
    try:
        return replace(Finding(**line), verdict=Verdict(line["verdict"]))
    except (ValueError, TypeError, KeyError) as problem:
        fr, en = f"{FINDINGS} : un constat est illisible", f"{FINDINGS}: a finding cannot be read"
        raise KitError(Sentence(f"{fr} : {problem}", f"{en}: {problem}")) from None


def _read_heading(found: Mapping[str, Any]) -> Heading:
    return Heading(
        actor=Actor(found["actor"]),
        subject=found["subject"],
        profiles=tuple(found["profiles"]),
        started=datetime.fromisoformat(found["started"]),
        settings=found["settings"],
    )
