"""A person: names, sex, birth, where to write and call. HL7 v3 PRPA_MT201301UV02, 201302UV02, 201310UV02."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from hl7v3.transmission import found, name_of

BIRTH_NAME, USUAL_NAME = "BR", "SP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; lines as written."""

    lines: tuple[str, ...] = ()
    postal_code: str = ""
    city: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a message says of a person. DMP 3 (TD1.1, TD1.3)

    `birth_time` is as written: `YYYYMMDD`, or less of it. `birth_place` is the COG code of the place. `telecoms` are
    URIs such as `tel:` and `mailto:`. Empty means: not said.
    """

    birth_family: str = ""
    usual_family: str = ""
    given: tuple[str, ...] = ()
    prefix: str = ""
    gender: str = ""
    birth_time: str = ""
    birth_place: str = ""
    telecoms: tuple[str, ...] = ()
    address: Address = Address()


UNKNOWN = Person()


def read_person(element: etree._Element | None) -> Person:
    """The person of a `patientPerson`, `contactPerson` or `assignedPerson`; name parts come in any order. DMP W18"""
    if element is None:
        return Person()
    families = [(one.get("qualifier") or "", text_of(one)) for one in found(element, "name/family")]
    return Person(
        birth_family=_family(families, BIRTH_NAME) or next((text for mark, text in families if not mark), ""),
        usual_family=_family(families, USUAL_NAME),
        given=tuple(filter(None, map(text_of, found(element, "name/given")))),
        prefix=_first_text(element, "name/prefix"),
        gender=_attribute(element, "administrativeGenderCode", "code"),
        birth_time=_attribute(element, "birthTime", "value"),
        birth_place=_first_text(element, "birthPlace/addr/county"),
        telecoms=tuple(filter(None, ((one.get("value") or "").strip() for one in found(element, "telecom")))),
        address=_read_address(element),
    )


def _read_address(element: etree._Element) -> Address:
    return Address(
        lines=tuple(filter(None, map(text_of, found(element, "addr/streetAddressLine")))),
        postal_code=_first_text(element, "addr/postalCode"),
        city=_first_text(element, "addr/city"),
        country=_first_text(element, "addr/country"),
    )


def _family(families: Iterable[tuple[str, str]], qualifier: str) -> str:
    return next((text for marks, text in families if qualifier in marks.split()), "")


def text_of(element: etree._Element) -> str:
    """The text of an element, white space collapsed."""
    return " ".join("".join(map(str, element.itertext())).split())


def _first_text(element: etree._Element, path: str) -> str:
    return next(filter(None, map(text_of, found(element, path))), "")


def _attribute(element: etree._Element, tag: str, attribute: str) -> str:
    one = element.find(name_of(tag))
    return "" if one is None else (one.get(attribute) or "").strip()


def write_person(person: Person, guardians: Iterable[Person] = (), *, tag: str = "patientPerson") -> str:
    """`patientPerson` with its legal representatives; what is not known is left out."""
    inside = "".join(_parts(person, guardians))
    return f'<{tag} classCode="PSN" determinerCode="INSTANCE">{inside}</{tag}>'


def _parts(person: Person, guardians: Iterable[Person]) -> Iterator[str]:
    names = "".join(_name_parts(person))
    yield f"<name>{names}</name>" if names else '<name nullFlavor="UNK"/>'
    for value in person.telecoms:
        yield f"<telecom value={quoteattr(value)}/>"
    if person.gender:
        yield f"<administrativeGenderCode code={quoteattr(person.gender)}/>"
    if person.birth_time:
        yield f"<birthTime value={quoteattr(person.birth_time)}/>"
    if person.address != Address():
        yield f"<addr>{''.join(_address_parts(person.address))}</addr>"
    for one in guardians:
        yield f'<guardian classCode="GUARD">{write_person(one, tag="guardianPerson")}</guardian>'
    if person.birth_place:
        yield f"<birthPlace><addr><county>{escape(person.birth_place)}</county></addr></birthPlace>"


def _name_parts(person: Person) -> Iterator[str]:
    if person.prefix:
        yield f"<prefix>{escape(person.prefix)}</prefix>"
    for qualifier, family in ((BIRTH_NAME, person.birth_family), (USUAL_NAME, person.usual_family)):
        if family:
            yield f'<family qualifier="{qualifier}">{escape(family)}</family>'
    for given in person.given:
        yield f"<given>{escape(given)}</given>"


def _address_parts(address: Address) -> Iterator[str]:
    texts = ((line, "streetAddressLine") for line in address.lines)
    for text, tag in (
        *texts,
        (address.postal_code, "postalCode"),
        (address.city, "city"),
        (address.country, "country"),
    ):
        if text:
            yield f"<{tag}>{escape(text)}</{tag}>"
