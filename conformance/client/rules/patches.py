"""A change of a document over FHIR: how it is said, what it changes, with which codes. PDSm 3.1, flows 3 and 4."""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.client.exchanges import Exchange, Laboratory, Problems
from conformance.client.fhir_messages import each, first
from conformance.client.patches import ADD, ARCHIVED, IS_ARCHIVED, REPLACE, TEST, TYPES, Change, changes_of
from conformance.client.rules.rule import Rule, among, expected, on

MASKED = "MASQUE_PS"
_MAY_CHANGE = ("status", "securityLabel", ARCHIVED)
_STATUSES = ("current", "superseded", "entered-in-error")
_VISIBILITY = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatusVisibiliteDocument/FHIR/TRE-A07-StatusVisibiliteDocument"
_LEVELS = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
# System -> codes that a change may give. What hides a document from its holder is said when it is fed. DMP 8.6, 8.7
_LABELS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((_VISIBILITY, "urn:oid:1.2.250.1.213.1.1.4.13"), (MASKED,)),
    **dict.fromkeys((_LEVELS, "urn:oid:2.16.840.1.113883.5.25"), ("N", "R", "V")),
}


def changes_in(exchange: Exchange) -> tuple[Change, ...]:
    """Every operation of a PATCH."""
    return changes_of(exchange.received.body, exchange.received.media[0])


def _is_patch(exchange: Exchange, _: Laboratory) -> Problems:
    media, found = exchange.received.media[0], changes_in(exchange)
    yield from among(media, TYPES, "Content-Type")
    if not found and media in TYPES:
        shown = exchange.received.body[:80].decode("utf-8", "replace")
        yield expected(shown, f"des opérations ({media})", f"operations ({media})", "body")
    for one in found:
        if one.wanted:
            yield expected(f"{one.operation} {one.place}", one.wanted, one.wanted, one.place)


def _changes_what_it_may(exchange: Exchange, _: Laboratory) -> Problems:
    for one in changes_in(exchange):
        if one.operation != TEST:
            yield from among(one.element, _MAY_CHANGE, one.place)


def _labels_are_right(exchange: Exchange, _: Laboratory) -> Problems:
    for one in _given(exchange, "securityLabel"):
        for system, code in codings(one.value):
            if code not in _LABELS.get(system, ()):
                fr, en = f"{MASKED} de {_VISIBILITY}, ou N, R, V", f"{MASKED} of {_VISIBILITY}, or N, R, V"
                yield expected(f"{system}|{code}", fr, en, one.place)


def codings(value: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of a label, of several, or of one coding; a text that is none has no system."""
    if not isinstance(value, Mapping | list):
        yield "", str(value)
        return
    labels = value if isinstance(value, list) else [value]
    for one in [coding for label in labels for coding in each(label, "coding") or [label]]:
        yield (first(one, "system"), first(one, "code")) if isinstance(one, Mapping) else ("", str(one))


def _statuses_are_right(exchange: Exchange, _: Laboratory) -> Problems:
    for one in _given(exchange, "status"):
        yield from among(str(one.value), _STATUSES, one.place)
    for one in _given(exchange, ARCHIVED):
        url = first(one.value, "url") if isinstance(one.value, Mapping) else IS_ARCHIVED
        yield from among(url, (IS_ARCHIVED,), one.place)
        said = _said_of_archived(one)
        if not isinstance(said, bool):
            yield expected(repr(said), "valueBoolean : true ou false", "valueBoolean: true or false", one.place)


def _said_of_archived(change: Change) -> Any:
    """In the extension, or in the place of its value."""
    found = each(change.value, "valueBoolean") if isinstance(change.value, Mapping) else [change.value]
    return next(iter(found), None)


def _is_sure_of_what_it_counts(exchange: Exchange, _: Laboratory) -> Problems:
    """Another client may have changed the document since it was read."""
    found = changes_in(exchange)
    if "if-match" in exchange.received.headers or any(one.operation == TEST for one in found):
        return
    for one in found:
        if one.has_index:
            fr, en = "If-Match, ou une opération test", "If-Match, or a test operation"
            yield expected(one.place, fr, en, "If-Match")


def _given(exchange: Exchange, element: str) -> Iterator[Change]:
    """Where the element is given another value, by an operation that is well made."""
    made = (one for one in changes_in(exchange) if not one.wanted)
    return (one for one in made if one.element == element and one.operation in (ADD, REPLACE))


def asked(changes: tuple[Change, ...]) -> Iterator[str]:
    """What changes come to: the codes of labels that are given, `isArchived=true` or `false`, the status."""
    for one in changes:
        if one.operation not in (ADD, REPLACE):
            continue
        if one.element == "securityLabel":
            yield from (code for _system, code in codings(one.value))
        elif one.element == ARCHIVED:
            yield f"{ARCHIVED}={str(_said_of_archived(one)).lower()}"
        elif one.element == "status":
            yield str(one.value)


RULES = tuple(
    Rule(requirement=f"CLIENT-FHIR-{number}", applies=on("PATCH"), check=check)
    for number, check in (
        (17, _is_patch),
        (18, _changes_what_it_may),
        (19, _labels_are_right),
        (20, _statuses_are_right),
        (21, _is_sure_of_what_it_counts),
    )
)
