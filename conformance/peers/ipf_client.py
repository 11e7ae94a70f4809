"""The IPF client as one JVM per batch: what it did, step by step."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.peers.batch import run_batch
from conformance.peers.maven_build import IPF

CLIENT = "peers.ipf.Client"
CLIENT_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the scenario as the client reports it."""

    transaction: str
    name: str
    outcome: str
    failure: str
    messages: tuple[dict[str, Any], ...]

    @property
    def full_name(self) -> str:
        return f"{self.transaction}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run of the client said: exit code, its lines on the terminal, its steps."""

    exit_code: int
    output: str
    steps: tuple[Step, ...]

    @property
    def failures(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.outcome != "passed")


def run_client(arguments: Sequence[str], *, report: Path) -> Outcome:
    """Run the scenario, or the part `--only` names; `report` takes the client's JSON. Raises PeerError."""
    finished = run_batch(IPF, CLIENT, arguments, name="the IPF client", report=report, seconds=CLIENT_SECONDS)
    return Outcome(exit_code=finished.returncode, output=finished.stdout, steps=_steps(report))


def _steps(report: Path) -> tuple[Step, ...]:
    return tuple(
        Step(
            transaction=step["transaction"],
            name=step["step"],
            outcome=step["outcome"],
            failure=step.get("failure", ""),
            messages=tuple(step["messages"]),
        )
        for step in json.loads(report.read_text(encoding="utf-8"))["steps"]
    )
