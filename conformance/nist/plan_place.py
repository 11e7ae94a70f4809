"""Reading a plan: the place we are at, for errors and relative files, and the readers that fill a draft."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from conformance.failures import KitError
from conformance.nist.xml import elements, text_of
from conformance.sentence import NOTHING, Sentence

Draft = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """File and step of a plan."""

    path: Path
    step: str = ""

    def problem(self, element: etree._Element, fr: str, en: str) -> KitError:
        line, step = element.sourceline, self.step or "-"
        return KitError(
            Sentence(f"{self.path}, ligne {line}, étape {step} : {fr}", f"{self.path}, line {line}, step {step}: {en}")
        )

    def file(self, element: etree._Element) -> Path:
        found = self.path.parent / text_of(element)
        if not found.is_file():
            tag, named = element.tag, text_of(element) or NOTHING
            raise self.problem(
                element, f"{tag} nomme {named}, qui n'existe pas", f"{tag} names {named}, which does not exist"
            )
        return found

    def needed(self, element: etree._Element, name: str) -> str:
        value = element.get(name)
        if not value:
            raise self.problem(
                element, f"{element.tag} n'a pas l'attribut {name}", f"{element.tag} lacks the attribute {name}"
            )
        return value


def known_children(parent: etree._Element, place: Place, names: frozenset[str]) -> list[etree._Element]:
    """Child elements, all of these names. Raises KitError."""
    children = list(elements(parent))
    for child in children:
        if child.tag not in names:
            known = ", ".join(sorted(names))
            raise place.problem(
                child,
                f"trouvé l'élément {child.tag}, attendu un de {known}",
                f"found element {child.tag}, expected one of {known}",
            )
    return children


Reader = Callable[[Draft, etree._Element, Place], None]


def ignore(draft: Draft, element: etree._Element, place: Place) -> None:
    """Documentation, or a default."""


def flag(name: str, *, value: bool = True) -> Reader:
    def read(draft: Draft, element: etree._Element, place: Place) -> None:
        draft[name] = value

    return read


def text(name: str) -> Reader:
    def read(draft: Draft, element: etree._Element, place: Place) -> None:
        draft[name] = text_of(element)

    return read


def append(name: str, read_one: Callable[[etree._Element, Place], Any]) -> Reader:
    def read(draft: Draft, element: etree._Element, place: Place) -> None:
        draft[name] = (*draft.get(name, ()), read_one(element, place))

    return read
