"""What a certification keeps while it goes on, so that it can go on after a crash: messages, findings, progress.

A message is unjudged from before its line until its findings are written: `unjudged/ID.json` says who sent it. What a
full disk refuses is told, held back, and written once there is room.
"""

import base64
import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from conformance.client.http_reading import Connection
from conformance.failures import KitError
from conformance.judgement import Finding, Message, Run, Verdict
from conformance.run_folder import FINDINGS, MESSAGES, OCTETS, RunFolder
from conformance.sentence import Sentence, joined, reason

PROGRESS, UNJUDGED = "progress.jsonl", "unjudged"
MOST_KEPT, CUT = 2 * 2**30, 4096
_CUT = Sentence(f"coupé à {CUT} octets", f"cut to {CUT} octets")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """A step that was confirmed or skipped, and what the person answered.

    `refused`: the transactions that the server never carried out, though the step does not have it refuse them;
    `unshown`: the requirements that the step is there for and that nothing in it was about.
    """

    step: str
    is_skipped: bool
    answer: bool | None = None
    refused: str = ""
    unshown: str = ""

    @property
    def is_whole(self) -> bool:
        """Did it show what it is there for?"""
        return not (self.is_skipped or self.refused or self.unshown)


class Keeping:
    """Writes the folder of a run. Not shared by threads: they take turns outside. No method but `note` raises OSError.

    `troubles`: what could not be kept as it should have been, for those who watch and for the report.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.troubles: list[Finding] = []
        self._waiting: deque[Finding] = deque()
        self._octets = sum(file.stat().st_size for file in (folder.path / OCTETS).glob("*"))
        for name in (MESSAGES, FINDINGS, PROGRESS):
            if folder.is_cut(name):
                self._tell(
                    Sentence(
                        f"la dernière ligne de {name} était coupée et n'est pas comptée : vérifiez l'étape en cours",
                        f"the last line of {name} was cut and does not count: check the step that is to be done now",
                    )
                )

    @property
    def run(self) -> Run:
        """Everything so far, with what waits to be written. Raises KitError."""
        kept = self.folder.load()
        return replace(kept, findings=(*kept.findings, *self._waiting))

    def message(self, message: Message, connection: Connection) -> bool:
        """Keep it as one that is to be judged, cut once the run holds more than it may.

        False when it cannot be kept, which is told.
        """
        unjudged = self._unjudged(message.id)
        if self._octets > MOST_KEPT:
            message = _cut(message)
        self._octets += len(message.request) + len(message.answer)
        try:
            unjudged.parent.mkdir(exist_ok=True)
            unjudged.write_text(_written(connection), encoding="utf-8")
            self.folder.add_message(message)
        except OSError as problem:
            unjudged.unlink(missing_ok=True)
            why = reason(problem)
            self._tell(
                Sentence(
                    f"un message n'a pas été conservé ni jugé : {why.fr} ; faites de la place et refaites l'étape",
                    f"a message was neither kept nor judged: {why}; make room and do the step again",
                ),
                message.step,
            )
            return False
        return True

    def finding(self, finding: Finding) -> None:
        """Keep it, now or once there is room."""
        self._waiting.append(finding)
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        while self._waiting:
            try:
                self.folder.add_finding(self._waiting[0])
            except OSError as problem:
                why = reason(problem)
                self._tell(
                    Sentence(
                        f"des constats ne sont pas encore écrits : {why.fr} ; faites de la place",
                        f"findings are not written yet: {why}; make room",
                    )
                )
                return
            self._waiting.popleft()

    def judged(self, identifier: str) -> None:
        """The findings on a message are kept; while they are not, a run that is resumed judges it again."""
        if not self._waiting:
            with suppress(OSError):  # it is judged once more
                self._unjudged(identifier).unlink(missing_ok=True)

    def unjudged(self) -> Mapping[str, Connection]:
        """Messages that were kept and not judged, by id, with who sent them."""
        found = {}
        for file in sorted((self.folder.path / UNJUDGED).glob("*.json")):
            try:
                found[file.stem] = _read(file)
            except (OSError, ValueError, TypeError, KeyError) as problem:
                self._tell(
                    Sentence(
                        f"le message {file.stem} n'est pas jugé, son expéditeur est perdu : {problem}",
                        f"the message {file.stem} is not judged, who sent it is lost: {problem}",
                    )
                )
        return found

    def note(self, done: StepDone) -> None:
        """A step is done. Raises OSError when that cannot be written."""
        self.folder.add_line(PROGRESS, asdict(done))

    def end(self, time: datetime) -> None:
        """The last step is done."""
        try:
            self.folder.end(time)
        except OSError as problem:
            why = reason(problem)
            self._tell(Sentence(f"la fin n'est pas notée : {why.fr}", f"the end is not written down: {why}"))

    def steps_done(self) -> Iterator[StepDone]:
        """In their order. Raises KitError."""
        for line in self.folder.lines(PROGRESS):
            try:
                yield StepDone(**line)
            except TypeError:
                path = self.folder.path / PROGRESS
                found = json.dumps(line, ensure_ascii=False)
                raise KitError(
                    Sentence(
                        f"{path} : trouvé {found}, attendu une étape et sa réponse",
                        f"{path}: found {found}, expected a step and its answer",
                    )
                ) from None

    def _unjudged(self, identifier: str) -> Path:
        return self.folder.path / UNJUDGED / f"{identifier}.json"

    def _tell(self, said: Sentence, step: str = "") -> None:
        """Once; it belongs to no requirement and is no verdict on the client."""
        told = Finding(requirement="", verdict=Verdict.NOT_TESTED, text_fr=said.fr, text_en=said.en, step=step)
        if told not in self.troubles:
            self.troubles.append(told)
            self._waiting.append(told)


def _cut(message: Message) -> Message:
    problem = joined((message.problem, _CUT) if message.problem else (_CUT,))
    return replace(message, request=message.request[:CUT], answer=message.answer[:CUT], problem=problem)


def _written(connection: Connection) -> str:
    return json.dumps({**asdict(connection), "certificate": base64.b64encode(connection.certificate).decode()})


def _read(file: Path) -> Connection:
    found = json.loads(file.read_text(encoding="utf-8"))
    return Connection(**{**found, "certificate": base64.b64decode(found["certificate"])})
