"""The CDA schema on a document: HL7 CDA R2, with the extensions that French documents use."""

import re
import threading
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

from lxml import etree

from cda.findings import Finding, Layer, Severity, Text
from cda.schematron.nodes import Element
from schemas import resource

_MOST = 50
_NAMESPACE = re.compile(r"\{[^}]*\}")


class _PerThread(threading.local):
    """libxml2 keeps the errors of the last document in the schema, so each thread has its own."""

    def __init__(self) -> None:
        self.schema = etree.XMLSchema(etree.parse(str(resource("xsd/cda.xsd"))))


@cache
def _per_thread() -> _PerThread:
    return _PerThread()


def schema_findings(document: Element) -> Iterator[Finding]:
    """Every violation of the schema, at most 50. The document is the root of its tree."""
    schema = _per_thread().schema
    if schema.validate(document):
        return
    for error in islice(_errors(schema.error_log), _MOST):
        reason = _NAMESPACE.sub("", error.message)
        yield Finding(
            rule=error.type_name.removeprefix("SCHEMAV_"),
            layer=Layer.XSD,
            severity=Severity.ERROR,
            location=_location(error.path),
            line=error.line,
            expected=Text(
                french=f"un document conforme au schéma CDA R2 : {reason}",
                english=f"a document that follows the CDA R2 schema: {reason}",
            ),
        )


def _errors(log: Any) -> Iterator[Any]:
    """The entries of an error log, which the type stubs do not know to be one."""
    yield from log


def _location(path: str | None) -> str:
    """libxml2 writes `/*/*[3]`: names are looked up by the reader of the line."""
    return path or "/ClinicalDocument"
