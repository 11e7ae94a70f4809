"""The certification on a terminal: the step, each message when it comes, what is wrong with it."""

import queue
import sys
import threading
import time
from typing import Any

from rich.console import Console
from rich.markup import escape

from conformance.client.scenarios import People
from conformance.client.session import Session
from conformance.client.view import failures, state, word, wrong
from conformance.failures import KitError
from conformance.sentence import in_, sentence_of

_PAUSE = 0.3
_PROMPTS = {
    "fr": "Entrée : étape suivante · s : passer · q : interrompre (--resume reprend)",
    "en": "Enter: next step · s: skip · q: stop (--resume goes on)",
}
_ASKING = {
    "fr": "o ou n, puis Entrée : répondre, étape suivante · s : passer · q : interrompre (--resume reprend)",
    "en": "y or n, then Enter: answer, next step · s: skip · q: stop (--resume goes on)",
}
_ANSWERS = {"o": True, "oui": True, "y": True, "yes": True, "n": False, "non": False, "no": False}


class Guide:
    """Leads a person through the steps.

    `unattended`: seconds of quiet after which a step that is done is confirmed; then, after so many `minutes`, what is
    left is skipped.
    """

    def __init__(
        self,
        session: Session,
        people: People,
        console: Console,
        *,
        language: str,
        unattended: float = 0.0,
        minutes: float = 60.0,
    ) -> None:
        self._session, self._people, self._console = session, people, console
        self._language, self._unattended = language, unattended
        self._deadline = time.monotonic() + 60 * minutes
        self._shown_step, self._shown_troubles = "", 0
        self._shown_messages: dict[str, int] = {}
        self._lines: queue.Queue[str] = queue.Queue()

    def run(self) -> bool:
        """Until every step is done: true; or until the person stops."""
        if not self._unattended:
            threading.Thread(target=self._read, name="stdin", daemon=True).start()
        while self._session.step is not None:
            self._show()
            if not self._decide():
                return False
        self._show()
        return True

    def _read(self) -> None:
        """Lines as they are typed or pasted; an empty one without its end is the end of all."""
        while line := sys.stdin.readline():
            self._lines.put(line)
        self._lines.put("")

    def _show(self) -> None:
        told = state(self._session, self._people, self._language)
        for message in reversed(told["messages"]):
            if self._shown_messages.get(message["id"]) != len(message["problems"]):
                self._shown_messages[message["id"]] = len(message["problems"])
                self._show_message(message)
        for trouble in told["troubles"][self._shown_troubles :]:
            self._console.print(f"[bold red]{word('trouble', self._language)} : {escape(trouble)}[/]", soft_wrap=True)
        self._shown_troubles = len(told["troubles"])
        step = told["step"]
        if step is not None and step["key"] != self._shown_step:
            self._shown_step = step["key"]
            self._show_step(step)

    def _show_step(self, step: dict[str, object]) -> None:
        console, language = self._console, self._language
        console.rule(f"[bold]{step['number']}/{step['count']} {escape(str(step['title']))}[/]", align="left")
        console.print(escape(str(step["do"])))
        console.print(f"[dim]{word('then', language)} : {escape(str(step['then']))}[/]")
        for name in ("patient", "doctor"):
            console.print(f"{word(name, language)} : {escape(str(step[name]))}", soft_wrap=True)
        expects = [one["transaction"] for one in step["expects"]]  # type: ignore[attr-defined]
        console.print(f"{word('expected', language)} : {', '.join(expects) or word('nothing', language)}")
        if step["question"]:
            console.print(f"[bold]{escape(str(step['question']))}[/]")
        console.print(f"[dim]{(_ASKING if step['question'] else _PROMPTS)[language]}[/]")

    def _show_message(self, message: dict[str, object]) -> None:
        problems: list[dict[str, str]] = message["problems"]  # type: ignore[assignment]
        verdict = f"[red]{wrong(len(problems), self._language)}[/]" if problems else "[green]✓[/]"
        head = f"{message['time']} {message['id']} {message['transaction']}, {message['outcome']}"
        self._console.print(f"  {escape(head)}  {verdict}", soft_wrap=True)
        for one in problems:
            text = f"{one['requirement']} {one['text']} {one['location']}"
            self._console.print(f"      [red]✗[/] {escape(text)}", soft_wrap=True)

    def _decide(self) -> bool:
        """One decision or a pause; false to stop."""
        if self._unattended:
            self._confirm_when_quiet()
            return True
        try:
            line = self._lines.get(timeout=_PAUSE)
        except queue.Empty:
            return True
        text = line.strip().lower()
        if not line or text == "q":
            return False
        self._confirm(answer=_ANSWERS.get(text), is_skipped=text == "s")
        return True

    def _confirm(self, **given: Any) -> None:
        """Go on, where that can be; what is wrong with the step that is done is counted."""
        step = self._session.step
        try:
            self._session.confirm(**given)
        except KitError as problem:
            self._console.print(f"[yellow]{escape(in_(self._language, sentence_of(problem)))}[/]")
            return
        if step is not None and (count := failures(self._session)[step.key]):
            self._console.print(f"  [red]{escape(step.title.in_(self._language))} : {wrong(count, self._language)}[/]")

    def _confirm_when_quiet(self) -> None:
        session = self._session
        step = session.step
        quiet_since = session.changed
        time.sleep(_PAUSE)
        if step is None:
            return
        is_over = time.monotonic() > self._deadline
        if session.is_waiting and is_over:
            self._console.print(f"[yellow]{word('over', self._language)}[/]")
            self._confirm(is_skipped=True, step=step.key)
        elif not session.is_waiting and (is_over or time.monotonic() - quiet_since >= self._unattended):
            self._confirm(is_unasked=True, step=step.key)
