"""Schema verdict on a message body, with findings a person can act on. ITI TF-2: 3.42.4.1.2.

lxml decides (0.1 ms); only after it said no does xmlschema, a hundred times slower, put the reason
into words.
"""

import threading
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import xmlschema
from lxml import etree

from schemas import resource

_MAX_FINDINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFinding:
    """Where the body breaks the schema (line of the message, 0 when unknown) and why."""

    line: int
    path: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.path}: {self.reason}"


class _PerThread(threading.local):
    """libxml2's error log is shared by all users of one schema object, so each thread has its own."""

    def __init__(self) -> None:
        self.schema = etree.XMLSchema(etree.parse(str(resource("xsd/messages.xsd"))))


@cache
def _per_thread() -> _PerThread:
    return _PerThread()


@cache
def _explainer() -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(str(resource("xsd/messages.xsd")))


def schema_findings(body: etree._Element) -> tuple[SchemaFinding, ...]:
    """Every violation of the message schema, at most 20; empty when the body is valid."""
    schema = _per_thread().schema
    if schema.validate(body):
        return ()
    return tuple(_explained(body)) or (
        SchemaFinding(
            line=body.sourceline or 0, path=etree.QName(body).localname, reason="not valid against the message schema"
        ),
    )


def _explained(body: etree._Element) -> list[SchemaFinding]:
    errors = list(islice(_explainer().iter_errors(body), _MAX_FINDINGS))
    misplaced = {e.elem: e.index for e in errors if isinstance(e, xmlschema.XMLSchemaChildrenValidationError)}
    findings = [_finding(error) for error in errors if not _follows_from(error.elem, misplaced)]
    return sorted(findings, key=lambda finding: finding.line)


def _follows_from(element: Any, misplaced: dict[Any, int]) -> bool:
    """What xmlschema says of the siblings behind a misplaced element is a consequence, not a fault."""
    parent = None if element is None else element.getparent()
    return parent in misplaced and list(parent).index(element) >= misplaced[parent]


def _finding(error: xmlschema.XMLSchemaValidationError) -> SchemaFinding:
    element = error.elem
    names = [] if element is None else [etree.QName(one).localname for one in (*_ancestors(element), element)]
    line = 0 if element is None else element.sourceline or 0
    return SchemaFinding(line=line, path="/".join(names), reason=(error.reason or error.message or "").strip())


def _ancestors(element: etree._Element) -> list[etree._Element]:
    return list(reversed(list(element.iterancestors())))
