"""Data types of a CDA header, read from their elements. CI-SIS Structuration minimale 1.16.8.

A null value (`@nullFlavor`) is read as absent: no metadata attribute can carry one.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from lxml import etree

from cda.document import CDA

Element = etree._Element


@dataclass(frozen=True, slots=True, kw_only=True)
class II:
    """Identifier: the OID or UUID of its authority, and the value under it, which may be absent."""

    root: str
    extension: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CD:
    """Coded value with its translations."""

    code: str
    code_system: str = ""
    display_name: str = ""
    translation: tuple["CD", ...] = ()


class NamePart(NamedTuple):
    """One family or given name; `qualifier` is BR (birth), CL (used) or empty."""

    text: str
    qualifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PN:
    """Name of a person."""

    family: tuple[NamePart, ...] = ()
    given: tuple[NamePart, ...] = ()
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AD:
    """Postal address. `street` is the number and street, or the free lines."""

    use: str = ""
    street: str = ""
    other: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TEL:
    """Telephone or electronic address, a URI such as `tel:0102030405`."""

    value: str
    use: str = ""


_STREET_PARTS = ("streetAddressLine", "houseNumber", "houseNumberNumeric", "streetNameType", "streetName")
_OTHER_PARTS = ("additionalLocator", "unitID", "postBox", "precinct")


@cache
def name_of(tag: str) -> str:
    """A CDA element name, or a path of them, with its namespace."""
    return "/".join(f"{{{CDA}}}{step}" for step in tag.split("/"))


def child(element: Element | None, path: str) -> Element | None:
    """The first element at the path that is not null."""
    return next(iter(children(element, path)), None)


def children(element: Element | None, path: str) -> tuple[Element, ...]:
    """The elements at the path that are not null."""
    if element is None:
        return ()
    name = name_of(path)
    found = element.findall(name) if "/" in path else element.iterchildren(name)
    return tuple([each for each in found if each.get("nullFlavor") is None])


def attribute(element: Element | None, path: str) -> str:
    """The attribute at `path/@name` of the first such element, empty when there is none."""
    steps, _, name = path.rpartition("/@")
    found = child(element, steps)
    return "" if found is None else (found.get(name) or "").strip()


def text(element: Element | None, path: str) -> str:
    """The text of the first element at the path, white space folded."""
    return _text(child(element, path))


def _text(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())


def _texts(element: Element, tags: tuple[str, ...]) -> str:
    return " ".join(filter(None, (_text(each) for tag in tags for each in children(element, tag))))


def read_ii(element: Element | None) -> II | None:
    root = (element.get("root") or "").strip() if element is not None else ""
    if element is None or not root:
        return None
    return II(root=root, extension=(element.get("extension") or "").strip())


def read_iis(element: Element | None, path: str) -> tuple[II, ...]:
    return tuple(ii for each in children(element, path) if (ii := read_ii(each)))


def read_cd(element: Element | None) -> CD | None:
    """None without a code: free text alone is no coded value."""
    code = (element.get("code") or "").strip() if element is not None else ""
    if element is None or not code:
        return None
    return CD(
        code=code,
        code_system=(element.get("codeSystem") or "").strip(),
        display_name=(element.get("displayName") or "").strip(),
        translation=tuple(cd for each in children(element, "translation") if (cd := read_cd(each))),
    )


def read_pn(element: Element | None) -> PN | None:
    if element is None:
        return None
    return PN(
        family=_name_parts(element, "family"),
        given=_name_parts(element, "given"),
        prefix=text(element, "prefix"),
        suffix=text(element, "suffix"),
    )


def _name_parts(element: Element, tag: str) -> tuple[NamePart, ...]:
    parts = (NamePart(_text(each), each.get("qualifier") or "") for each in children(element, tag))
    return tuple(part for part in parts if part.text)


def read_ad(element: Element) -> AD:
    return AD(
        use=element.get("use") or "",
        street=_texts(element, _STREET_PARTS),
        other=_texts(element, _OTHER_PARTS),
        city=text(element, "city"),
        state=text(element, "state"),
        postal_code=text(element, "postalCode"),
        country=text(element, "country"),
    )


def read_tel(element: Element) -> TEL | None:
    value = (element.get("value") or "").strip()
    return TEL(value=value, use=element.get("use") or "") if value else None
