"""The rules of our own, which no published pack has: id, severity and words, in `schemas/schematron/own.csv`."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from cda.findings import Finding, Layer, Severity, Text, line, location
from cda.schematron.nodes import Element
from schemas import resource


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRule:
    """One row of the table."""

    id: str
    severity: Severity
    expected: Text


@cache
def own_rules() -> Mapping[str, OwnRule]:
    """The table by id."""
    rows = csv.DictReader(resource("schematron/own.csv").read_text(encoding="utf-8").splitlines())
    return {
        row["id"]: OwnRule(
            id=row["id"],
            severity=Severity(row["severity"]),
            expected=Text(french=row["french"], english=row["english"]),
        )
        for row in rows
    }


def finding(rule: str, element: Element, found: str) -> Finding:
    """A violation of the rule with this id at an element. KeyError for an id that is not in the table."""
    row = own_rules()[rule]
    return Finding(
        rule=rule,
        layer=Layer.OWN,
        severity=row.severity,
        location=location(element),
        line=line(element),
        expected=row.expected,
        found=found[:120],
    )
