"""The profiles: what each level asks of a DocumentReference, a SubmissionSet and a Folder. MHD 4.2.4; PDSm 3.1.1.

One row per element that a profile changes: its cardinality on each level. A walker visits every parent of the element
and counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from fhir_facade.issues import Issue
from fhir_facade.reader import extensions

Resource = Mapping[str, Any]
_ANY = "0..*"


class Level(IntEnum):
    """How much metadata a Bundle promises, the strictest last. MHD 1:33.2.1, 1:33.2.3; PDSm 2.4"""

    MINIMAL = 0
    UNCONTAINED = 1
    COMPREHENSIVE = 2
    PDSM = 3

    @property
    def allows_limited_metadata(self) -> bool:
        """Whether attributes that XDS requires may be missing: Minimal, or said by a resource that is elsewhere."""
        return self < Level.COMPREHENSIVE


class Row(NamedTuple):
    """An element by its path, or `path:extension-name`, and its cardinality on each level; `c`: contained."""

    path: str
    cards: tuple[str, str, str, str]


def _row(path: str, minimal: str, uncontained: str = "", comprehensive: str = "", pdsm: str = "") -> Row:
    """Each level asks what the one before asks, where nothing else is said."""
    uncontained = uncontained or minimal
    comprehensive = comprehensive or uncontained
    return Row(path, (minimal, uncontained, comprehensive, pdsm or comprehensive))


def _of_pdsm(path: str, card: str) -> Row:
    return _row(path, _ANY, pdsm=card)


DOCUMENT_REFERENCE = (
    _row("masterIdentifier", "1..1"),
    _row("masterIdentifier.system", "1..1"),
    _row("masterIdentifier.value", "1..1"),
    _row("status", "1..1"),
    _row("docStatus", "0..0"),
    _row("modifierExtension", "0..0"),
    _row("type", "0..1", "1..1"),
    _row("category", "0..1", "1..1"),
    _row("subject", "1..1"),
    _row("author", "0..*", "0..*", "0..* c", "1..* c"),
    _row("authenticator", "0..1", "0..1", "0..1 c"),
    _row("securityLabel", "0..*", "1..*"),
    _row("content", "1..1"),
    _row("content.attachment.contentType", "1..1"),
    _row("content.attachment.language", "0..1", "1..1"),
    _row("content.attachment.data", "0..0"),
    _row("content.attachment.url", "1..1"),
    _row("content.attachment.creation", "0..1", "1..1"),
    _row("content.format", "0..1", "1..1"),
    _row("context", "0..1", "1..1"),
    _row("context.facilityType", "0..1", "1..1"),
    _row("context.practiceSetting", "0..1", "1..1"),
    _row("context.sourcePatientInfo", "0..1", "1..1", "1..1 c"),
    _of_pdsm("contained", "1..*"),
    _of_pdsm("custodian", "1..1"),
    _of_pdsm("date", "1..1"),
    _of_pdsm("content.attachment.size", "1..1"),
    _of_pdsm("content.attachment.hash", "1..1"),
    _of_pdsm("content.attachment.title", "1..1"),
    _of_pdsm("context.period", "1..1"),
    _of_pdsm("context.period.start", "1..1"),
)
_LIST = (
    _row("modifierExtension", "0..0"),
    _row("encounter", "0..0"),
    _row("orderedBy", "0..0"),
    _row("emptyReason", "0..0"),
    _row("mode", "1..1"),
    _row("note", "0..1"),
    _row("subject", "1..1"),
    _row("entry.flag", "0..0"),
    _row("entry.deleted", "0..0"),
    _row("entry.date", "0..0"),
    _row("entry.item", "1..1"),
)
SUBMISSION_SET = (
    *_LIST,
    _row("date", "1..1"),
    _row(":ihe-sourceId", "1..1"),
    _row(":ihe-designationType", "0..1", "1..1"),
    _row("source", "0..1", "0..1", "0..1 c", "1..1 c"),
    _of_pdsm("contained", "1..*"),
)
FOLDER = (
    *_LIST,
    _row("source", "0..0"),
    _of_pdsm(":ihe-designationType", "1..1"),
    _of_pdsm("date", "1..1"),
    _of_pdsm("entry", "1..*"),
)
# What a document that is published by itself must have where it names the profile of PDSm. PDSm 2.5
PDSM_PUBLICATION = tuple(
    _of_pdsm(path, card)
    for path, card in {
        "custodian": "1..1",
        "date": "1..1",
        "author": "1..*",
        "content.attachment.title": "1..1",
    }.items()
)
# Asked of folders in comprehensive Bundles by the prose, and not by the profiles of these Bundles.
COMPREHENSIVE_FOLDER = (_row("title", "1..1"), _row(":ihe-designationType", "1..*"))
_FIXED = {"List": {"mode": "working"}}


def profile_rules(rows: Sequence[Row], level: Level, resource: Resource, at: str) -> Iterator[Issue]:
    """Every element that is missing, repeated or not allowed on this level, and every fixed value that is another."""
    for row in rows:
        yield from _row_rules(row, row.cards[level], resource, at)
    for name, value in _FIXED.get(resource.get("resourceType", ""), {}).items():
        if name in resource and resource[name] != value:
            yield Issue("value", f"expected {value}", f"{at}.{name}")


def _row_rules(row: Row, card: str, resource: Resource, at: str) -> Iterator[Issue]:
    path, _, extension = row.path.partition(":")
    parents, _, name = path.rpartition(".")
    count, _, is_contained = card.partition(" ")
    least, _, most = count.partition("..")
    for parent, place in _visited(resource, at, parents.split(".") if parents else []):
        found = _named(parent, extension) if extension else _values(parent.get(name))
        where = f"{place}.extension" if extension else f"{place}.{name}"
        if len(found) < int(least):
            yield Issue("required", f"found no {extension or name}, expected {count} of this profile", where)
        if most != "*" and len(found) > int(most):
            yield Issue("structure", f"found {len(found)} {extension or name}, expected {count} of this profile", where)
        for number, one in enumerate(found if is_contained else ()):
            yield from _contained_rule(one, f"{where}[{number}]" if most == "*" else where)


def _contained_rule(reference: Any, where: str) -> Iterator[Issue]:
    text = reference.get("reference", "") if isinstance(reference, dict) else ""
    if text and not text.startswith("#"):
        yield Issue("invariant", "found a reference to a resource elsewhere, expected a contained one", where)


def _visited(parent: Any, place: str, steps: Sequence[str]) -> Iterator[tuple[Resource, str]]:
    if not steps:
        yield parent, place
        return
    value = parent.get(steps[0])
    for number, one in enumerate(_values(value)):
        at = f"{place}.{steps[0]}" + (f"[{number}]" if isinstance(value, list) else "")
        yield from _visited(one, at, steps[1:])


def _values(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _named(element: Resource, name: str) -> list[Any]:
    return [one for _, one in extensions(element, name)]
