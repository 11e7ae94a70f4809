"""Schema verdict on a message body, with findings a person can act on. ITI TF-2: 3.42.4.1.2.

lxml decides (0.1 ms); only after it said no does xmlschema, a hundred times slower, put the reason
into words.
"""

import threading
from dataclasses import dataclass
from functools import cache

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
        SchemaFinding(line=body.sourceline or 0, path=body.tag, reason="not valid against the message schema"),
    )


def _explained(body: etree._Element) -> list[SchemaFinding]:
    findings = []
    for error in _explainer().iter_errors(etree.tostring(body, encoding="unicode")):
        element = error.elem
        path = error.path or body.tag
        line = getattr(element, "sourceline", None) or 0
        findings.append(SchemaFinding(line=line, path=path, reason=(error.reason or error.message).strip()))
        if len(findings) == _MAX_FINDINGS:
            break
    return findings
