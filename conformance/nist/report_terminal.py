"""The report on a terminal: progress while the kit runs, every failure when it happens, a summary at the end."""

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from conformance.nist.messages import shortened, shown_messages
from conformance.nist.outcomes import RunOutcome, Status, StepOutcome, TestOutcome
from conformance.nist.run import Observer
from conformance.nist.run_order import PlannedTest

_LINES_OF_A_MESSAGE = 60
_STYLES = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.DISAGREEMENT: "yellow",
    Status.NOT_RUN: "dim",
}


class TerminalReport:
    """Writes to a console. `detail` 0: failures and summary, 1: a line for each test, 2: a line for each step."""

    def __init__(self, console: Console, *, tests: int, detail: int = 1) -> None:
        self._console, self._detail = console, detail
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal or detail == 0,
        )
        self._task = self._progress.add_task("tests", total=tests)

    def __enter__(self) -> "TerminalReport":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def observer(self) -> Observer:
        return Observer(test_starts=self._test_starts, step_ends=self._step_ends, test_ends=self._test_ends)

    def _test_starts(self, planned: PlannedTest) -> None:
        self._progress.update(self._task, description=f"{planned.test.id} {planned.test.title}"[:50])

    def _step_ends(self, step: StepOutcome) -> None:
        if step.status is Status.FAILED:
            self._print_failure(step)
        elif self._detail >= 2:
            self._print_line(f"  {step.section}/{step.step}", step.status, f"{step.transaction} {step.expected}")
            self._print_notes(step)

    def _test_ends(self, test: TestOutcome) -> None:
        self._progress.advance(self._task)
        if self._detail >= 1:
            steps = list(test.steps)
            passed = sum(step.status in (Status.PASSED, Status.DISAGREEMENT) for step in steps)
            details = test.skipped or f"{passed} of {len(steps)} steps, {sum(step.seconds for step in steps):.1f} s"
            self._print_line(f"{test.id} {test.title}", test.status, details)

    def _print_line(self, what: str, status: Status, details: str) -> None:
        word = f"[{_STYLES[status]}]{status.value:<8}[/]"
        self._console.print(f"{word} {escape(what)}  [dim]{escape(details)}[/]", soft_wrap=True)

    def _print_failure(self, step: StepOutcome) -> None:
        self._console.rule(f"[bold red]FAILED {escape(step.place)}[/]", align="left")
        self._console.print(f"{escape(step.transaction)}, expected {escape(step.expected or 'all assertions hold')}")
        for goal in step.goals:
            self._console.print(f"goal: {escape(goal)}", soft_wrap=True)
        self._print_notes(step)
        lines = 10_000 if self._detail >= 2 else _LINES_OF_A_MESSAGE
        for title, text in shown_messages(step):
            self._console.print(f"[bold]{escape(title)}[/]", soft_wrap=True)
            self._console.print(escape(shortened(text, lines)), highlight=False, soft_wrap=True)
        self._console.rule(style="red")

    def _print_notes(self, step: StepOutcome) -> None:
        for finding in step.failures:
            self._console.print(f"  [red]{finding.check}[/]: {escape(finding.reason)}", soft_wrap=True)
            for name, value in (("expected", finding.expected), ("got", finding.found)):
                if value:
                    self._console.print(f"      {name:<8} {escape(value)}", soft_wrap=True, highlight=False)
        for remark in step.remarks:
            self._console.print(f"  [yellow]remark, {remark.check}[/]: {escape(str(remark))}", soft_wrap=True)
        if step.note:
            self._console.print(f"  [yellow]note[/]: {escape(step.note)}", soft_wrap=True)

    def summarise(self, outcome: RunOutcome) -> None:
        """Counts, what failed, what is a known disagreement, what was not run and why."""
        self._console.print()
        table = Table(*("", *(status.value for status in Status)), title=f"NIST kit, {outcome.seconds:.0f} s")
        for name, counts in (("tests", outcome.test_counts), ("steps", outcome.step_counts)):
            table.add_row(name, *(str(counts[status]) for status in Status))
        self._console.print(table)
        for test in outcome.tests:
            if test.skipped:
                self._console.print(f"[dim]not run[/] {escape(f'{test.id}: {test.skipped}')}", soft_wrap=True)
        for step in outcome.steps:
            if step.status is Status.DISAGREEMENT:
                text = f"{step.place}: {step.note}"
                self._console.print(f"[yellow]known disagreement[/] {escape(text)}", soft_wrap=True)
        for step in outcome.steps:
            if step.status is Status.FAILED:
                text = f"{step.place}: {step.failures[0].reason}"
                self._console.print(f"[bold red]failed[/] {escape(text)}", soft_wrap=True)
