"""What a rule is. No problem found where it applies is a requirement that is met there."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from lxml import etree

from conformance.client.exchanges import Exchange, Laboratory, Problem, Problems
from conformance.nist.xml import text_of

REGISTRY_PLAIN = ("ITI-18", "ITI-57")
MULTIPART = ("ITI-41", "ITI-43")
Applies = Callable[[Exchange], bool]
Check = Callable[[Exchange, Laboratory], Problems]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A requirement judged on one message."""

    requirement: str
    applies: Applies
    check: Check


def on(*transactions: str) -> Applies:
    """Messages of these transactions."""
    return lambda exchange: exchange.transaction in transactions


def on_soap(exchange: Exchange) -> bool:
    """Messages with something in a SOAP Body."""
    return exchange.received.payload is not None


def on_request(exchange: Exchange) -> bool:
    """Whatever came over a connection."""
    return bool(exchange.received.head)


def unless(is_met: bool, fr: str, en: str, location: str = "", evidence: str = "") -> Iterator[Problem]:
    """The problem, where it is not met."""
    if not is_met:
        yield Problem(fr=fr, en=en, location=location, evidence=evidence[:2000])


def expected(found: str, fr: str, en: str, location: str) -> Problem:
    """`found …, expected …`, in both languages."""
    shown = found if found else "–"
    return Problem(
        fr=f"trouvé {shown}, attendu {fr}", en=f"found {shown}, expected {en}", location=location, evidence=found[:2000]
    )


def among(found: str, allowed: Collection[str], location: str) -> Problems:
    """One of a few texts."""
    if found not in allowed:
        yield expected(found, " ou ".join(allowed), " or ".join(allowed), location)


def child_text(parent: etree._Element | None, path: str) -> str:
    """Text of the first element on a path of local names, empty without it."""
    found = None if parent is None else parent.find("/".join(f"{{*}}{one}" for one in path.split("/")))
    return "" if found is None else text_of(found)


def child_value(parent: etree._Element | None, path: str, attribute: str) -> str:
    """An attribute of the first element on a path of local names."""
    found = None if parent is None else parent.find("/".join(f"{{*}}{one}" for one in path.split("/")))
    return "" if found is None else found.get(attribute, "")
