"""A run as JSON: verdict and findings of every requirement, messages without their octets."""

import json
from pathlib import Path
from typing import Any

from conformance.judgement import Finding, Run, Verdict
from conformance.report.coverage import coverage_of


def write_run_as_json(run: Run, path: Path) -> None:
    path.write_text(json.dumps(to_json(run), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def to_json(run: Run) -> dict[str, Any]:
    coverage = coverage_of(run)
    return {
        "actor": run.heading.actor.value,
        "subject": run.heading.subject,
        "profiles": list(run.heading.profiles),
        "started": run.heading.started.isoformat(),
        "ended": None if run.ended is None else run.ended.isoformat(),
        "settings": dict(run.heading.settings),
        "counts": {verdict.value: run.counts[verdict] for verdict in Verdict},
        "coverage": {
            "tested": coverage.tested,
            "requirements": coverage.every,
            "tested_of_scenarios": coverage.tested_there,
            "requirements_of_scenarios": coverage.asked,
        },
        "requirements": [
            {
                "id": one.id,
                "level": one.level.value,
                "text_fr": one.text_fr,
                "text_en": one.text_en,
                "source": one.source,
                "verdict": run.verdicts[one.id].value,
                "findings": [_finding(each) for each in run.findings_of(one.id)],
            }
            for one in run.requirements
        ],
        "other_findings": [_finding(one) for one in run.findings_of("")],
        "messages": [
            {
                "id": one.id,
                "time": one.time.isoformat(),
                "transaction": one.transaction,
                "peer": one.peer,
                "step": one.step,
                "problem": one.problem,
                "request_octets": len(one.request),
                "answer_octets": len(one.answer),
            }
            for one in run.messages
        ],
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "verdict": finding.verdict.value,
        "text_fr": finding.text_fr,
        "text_en": finding.text_en,
        "message": finding.message,
        "location": finding.location,
        "evidence": finding.evidence,
        "step": finding.step,
    }
