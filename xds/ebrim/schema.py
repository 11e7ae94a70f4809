"""Schema verdict on a message body, with findings a person can act on. ITI TF-2: 3.42.4.1.2.

lxml decides (0.1 ms); only after it said no does xmlschema, a hundred times slower, put the reason
into words. Of a body so large that this would take a second and more, the words are lxml's own.
"""

from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from lxml import etree

from schemas import resource
from xds.one_at_a_time import OneAtATime

if TYPE_CHECKING:
    from xmlschema import XMLSchema10, XMLSchemaValidationError

_MAX_FINDINGS = 20
MOST_ELEMENTS_EXPLAINED = 5_000
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFinding:
    """Where the body breaks the schema (line of the message, 0 when unknown) and why."""

    line: int
    path: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.path}: {self.reason}" if self.path else f"line {self.line}: {self.reason}"


@cache
def _schemas() -> OneAtATime[etree.XMLSchema]:
    return OneAtATime(lambda: etree.XMLSchema(etree.parse(str(resource("xsd/messages.xsd")))))


@cache
def _explainer() -> "XMLSchema10":
    """Imported by who has something to explain: it would be a quarter of the start of a command."""
    from xmlschema import XMLSchema10

    return XMLSchema10(str(resource("xsd/messages.xsd")))


def open_explainer() -> None:
    """Read what puts findings into words, so that the first one that is wrong need not wait for it: half a second."""
    _explainer()


def schema_findings(body: etree._Element, *, explained: int = MOST_ELEMENTS_EXPLAINED) -> tuple[SchemaFinding, ...]:
    """Every violation of the message schema, at most 20; empty when the body is valid.

    `explained` is the number of elements up to which the words are those of xmlschema.
    """
    with _schemas().lent() as schema:
        if schema.validate(body):
            return ()
        is_small = next(islice(body.iter(), explained, None), None) is None
        findings = _explained(body) if is_small else _logged(schema)
    path = etree.QName(body).localname
    return tuple(findings) or (
        SchemaFinding(line=_line(body), path=path, reason="not valid against the message schema"),
    )


def _logged(schema: etree.XMLSchema) -> list[SchemaFinding]:
    log: Any = schema.error_log
    return [
        SchemaFinding(line=entry.line, path="", reason=_shortened(entry.message))
        for entry in islice(log, _MAX_FINDINGS)
    ]


def _explained(body: Any) -> list[SchemaFinding]:
    from xmlschema import XMLSchemaChildrenValidationError

    errors = list(_explainer().iter_errors(body))
    misplaced = {e.elem: e.index for e in errors if isinstance(e, XMLSchemaChildrenValidationError)}
    findings = [_finding(error) for error in errors if not _follows_from(error.elem, misplaced)]
    return sorted(findings, key=lambda finding: finding.line)[:_MAX_FINDINGS]


def _follows_from(element: Any, misplaced: dict[Any, int]) -> bool:
    """What xmlschema says of what stands behind a misplaced element is a consequence, not a fault."""
    while element is not None:
        parent = element.getparent()
        if parent is not None and parent in misplaced and parent.index(element) >= misplaced[parent]:
            return True
        element = parent
    return False


def _finding(error: "XMLSchemaValidationError") -> SchemaFinding:
    element: Any = error.elem
    reason = _shortened(error.reason or error.message or "")
    if element is None:
        return SchemaFinding(line=0, path="", reason=reason)
    names = [etree.QName(one).localname for one in (*reversed(list(element.iterancestors())), element)]
    return SchemaFinding(line=_line(element), path="/".join(names), reason=reason)


def _line(element: Any) -> int:
    return int(element.sourceline or 0)


def _shortened(reason: str) -> str:
    """A reason repeats the value it is about, which may be a whole document."""
    reason = reason.strip()
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
