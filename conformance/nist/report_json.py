"""The report as JSON: every step with its verdict, reasons and times, without the messages."""

import json
from pathlib import Path
from typing import Any

from conformance.nist.findings import Finding
from conformance.nist.outcomes import RunOutcome, Status, StepOutcome, TestOutcome


def write_json(outcome: RunOutcome, path: Path) -> None:
    path.write_text(json.dumps(to_json(outcome), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def to_json(outcome: RunOutcome) -> dict[str, Any]:
    return {
        "kit": outcome.kit,
        "started": outcome.started.isoformat(),
        "seconds": round(outcome.seconds, 3),
        "addresses": dict(outcome.addresses),
        "patients": dict(outcome.patients),
        "counts": {
            "tests": {status.value: outcome.test_counts[status] for status in Status},
            "steps": {status.value: outcome.step_counts[status] for status in Status},
        },
        "tests": [_test(test) for test in outcome.tests],
    }


def _test(test: TestOutcome) -> dict[str, Any]:
    return {
        "id": test.id,
        "title": test.title,
        "status": test.status.value,
        "skipped": test.skipped,
        "steps": [_step(step) for step in test.steps],
    }


def _step(step: StepOutcome) -> dict[str, Any]:
    return {
        "section": step.section,
        "step": step.step,
        "transaction": step.transaction,
        "url": step.exchange.url if step.exchange else "",
        "expected": step.expected,
        "status": step.status.value,
        "failures": [_finding(one) for one in step.failures],
        "remarks": [_finding(one) for one in step.remarks],
        "note": step.note,
        "seconds": round(step.seconds, 3),
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "reason": finding.reason,
        "expected": finding.expected,
        "found": finding.found,
    }
