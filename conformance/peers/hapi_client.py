"""The HAPI FHIR client as one JVM for the whole scenario: what it did, step by step and format by format."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.peers.batch import run_batch
from conformance.peers.maven_build import HAPI

CLIENT = "peers.hapi.Client"
CLIENT_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the scenario; `format` JSON or XML, `failure` empty where it passed."""

    transaction: str
    step: str
    format: str
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run of the client said: exit code, its lines on the terminal, its steps."""

    exit_code: int
    output: str
    steps: tuple[Step, ...]

    @property
    def failures(self) -> tuple[Step, ...]:
        return tuple(one for one in self.steps if one.failure)


def run_client(arguments: Sequence[str], *, report: Path) -> Outcome:
    """Run the scenario; `report` takes the client's JSON. Raises PeerError."""
    finished = run_batch(HAPI, CLIENT, arguments, name="the HAPI client", report=report, seconds=CLIENT_SECONDS)
    steps = json.loads(report.read_text(encoding="utf-8"))["steps"]
    return Outcome(exit_code=finished.returncode, output=finished.stdout, steps=tuple(Step(**one) for one in steps))
