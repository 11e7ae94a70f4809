"""Persons, systems, organisations and the source patient: FHIR -> XDS, the inverse of `people`. MHD 3:4.2.3.5."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fhir_facade.code_systems import URI_SYSTEM
from fhir_facade.fhir_json import first, texts_of
from fhir_facade.people import GENDERS, SYSTEM_NAME_TYPE
from xds.datatypes import CX, XCN, XON, XTN, CXi, escape
from xds.identifiers import OID_PREFIX, is_oid
from xds.metadata import Author

Resource = Mapping[str, Any]
Find = Callable[[Resource], Resource | None]
_GENDER_CODES = {word: code for code, word in GENDERS.items()}
_UNIQUE_ID = "urn:ihe:iti:xds:2013:uniqueId"


def authority_of(system: str) -> str:
    """OID of an identifier system; one that has no OID gets one of the arc 2.25, always the same. ITI TF-2x: B.6"""
    oid = system.removeprefix(OID_PREFIX)
    if not system or is_oid(oid):
        return oid
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, system).int}"


def read_cx(identifier: Resource) -> CX | None:
    """A patient identifier; None where system or value is missing."""
    system, value = identifier.get("system", ""), identifier.get("value", "")
    return CX.of(id=value, authority=authority_of(system)) if system and value else None


def read_cxi(identifier: Resource) -> CXi | None:
    """MHD 3:4.2.3.4; without a type it is the uniqueId of something."""
    value = identifier.get("value", "")
    codings = identifier.get("type", {}).get("coding", [])
    kind = next((one["code"] for one in codings if one.get("code")), _UNIQUE_ID)
    system = identifier.get("system", "")
    authority = "" if system in ("", URI_SYSTEM) else f"&{authority_of(system)}&ISO"
    return CXi.parse(f"{escape(value)}^^^{authority}^{escape(kind)}") if value else None


def read_author(reference: Resource, find: Find) -> Author | None:
    """The author a reference stands for; None when nothing of it has a form in XDS. ITI TF-3: 4.2.3.1.4.1"""
    resource = find(reference)
    if resource is None:
        person = _person_of(reference)
        return None if person is None else Author(author_person=person)
    if resource["resourceType"] == "PractitionerRole":
        return _author_of_role(resource, find)
    if resource["resourceType"] == "Organization":
        organisation = read_organization(resource)
        return None if organisation is None else Author(author_institution=(organisation,))
    person, telecom = read_person(resource), _telecoms(resource)
    return Author(author_person=person, author_telecommunication=telecom) if person or telecom else None


def _author_of_role(role: Resource, find: Find) -> Author | None:
    practitioner = find(role.get("practitioner", {}))
    organisation = find(role.get("organization", {}))
    institution = None if organisation is None else read_organization(organisation)
    person = _person_of(role.get("practitioner", {})) if practitioner is None else read_person(practitioner)
    author = Author(
        author_person=person,
        author_institution=() if institution is None else (institution,),
        author_role=tuple(filter(None, map(_text, role.get("code", ())))),
        author_specialty=tuple(filter(None, map(_text, role.get("specialty", ())))),
        author_telecommunication=_telecoms(role) or (() if practitioner is None else _telecoms(practitioner)),
    )
    return None if author == Author() else author


def _text(concept: Resource) -> str:
    coding = first(concept.get("coding", ()))
    return str(concept.get("text") or coding.get("display") or coding.get("code", ""))


def _person_of(reference: Resource) -> XCN | None:
    """What a reference itself says of somebody: an identifier, or how the name is displayed."""
    identifier = reference.get("identifier", {})
    return _xcn(identifier, str(reference.get("display", "")), [], "", "")


def read_person(resource: Resource) -> XCN | None:
    """XCN of a Practitioner, Patient, RelatedPerson or Device, by its first identifier and name."""
    identifier = first(resource.get("identifier", ()))
    kind = resource["resourceType"]
    if kind == "Device":
        name = first(resource.get("deviceName", ())).get("name", "")
        return _xcn(identifier, str(name), [], "", "", SYSTEM_NAME_TYPE)
    if kind in ("Organization", "Group", "Location"):
        return _xcn(identifier, str(resource.get("name", "")), [], "", "")
    found = first(resource.get("name", ()))
    given, prefix, suffix = (texts_of(found, name) for name in ("given", "prefix", "suffix"))
    family = found.get("family") or ("" if given else found.get("text", ""))
    return _xcn(identifier, family, given, " ".join(prefix), " ".join(suffix))


def _xcn(
    identifier: Resource, family: str, given: Sequence[str], prefix: str, suffix: str, name_type: str = ""
) -> XCN | None:
    value, system = identifier.get("value", ""), identifier.get("system", "")
    first, further = (given[0] if given else ""), " ".join(given[1:])
    authority = f"&{authority_of(system)}&ISO" if value and system else ""
    names = "^".join(escape(one) for one in (value, family, first, further, suffix, prefix))
    text = f"{names}^^^{authority}^{name_type}".rstrip("^")
    return XCN.parse(text) if value or family else None


def read_organization(resource: Resource) -> XON | None:
    identifier = first(resource.get("identifier", ()))
    value, system = str(identifier.get("value", "")), identifier.get("system", "")
    if system == URI_SYSTEM:
        value, system = value.removeprefix(OID_PREFIX), ""
    name = escape(str(resource.get("name", "")))
    if value and (system or is_oid(value)):
        authority = f"&{authority_of(system)}&ISO" if system else ""
        return XON.parse(f"{name}^^^^^{authority}^^^^{escape(value)}")
    return XON.parse(name) if name else None


def _telecoms(resource: Resource) -> tuple[XTN, ...]:
    return tuple(one for point in resource.get("telecom", ()) if (one := read_telecom(point)) is not None)


def read_telecom(point: Resource) -> XTN | None:
    value = escape(str(point.get("value", "")))
    if not value:
        return None
    return XTN.parse(f"^^Internet^{value}" if point.get("system") in ("email", "url") else f"^^PH^^^^^^^^^{value}")


def read_recipient(resource: Resource, find: Find) -> str:
    """intendedRecipient `XON|XCN|XTN` of who a List names; empty when nothing of it has a form. ITI TF-3: 4.2.3.3.7"""
    organisation = person = telecom = ""
    if resource["resourceType"] == "PractitionerRole":
        author = _author_of_role(resource, find) or Author()
        organisation = str(next(iter(author.author_institution), ""))
        person = str(author.author_person or "")
        telecom = str(next(iter(author.author_telecommunication), ""))
    else:
        telecom = str(next(iter(_telecoms(resource)), ""))
        if resource["resourceType"] == "Organization":
            organisation = str(read_organization(resource) or "")
        else:
            person = str(read_person(resource) or "")
    return f"{organisation}|{person}|{telecom}".rstrip("|")


def read_source_patient(resource: Resource) -> tuple[CX | None, tuple[str, ...]]:
    """sourcePatientId and the lines of sourcePatientInfo. ITI TF-3: 4.2.3.2.24, 4.2.3.2.25"""
    identifiers = [one for found in resource.get("identifier", ()) if (one := read_cx(found)) is not None]
    return next(iter(identifiers), None), tuple(_lines(resource, identifiers[1:]))


def _lines(resource: Resource, further: Sequence[CX]) -> Iterator[str]:
    if further:
        yield f"PID-3|{'~'.join(str(one) for one in further)}"
    names = "~".join(one for found in resource.get("name", ()) if (one := _name(found)))
    if names:
        yield f"PID-5|{names}"
    if resource.get("birthDate"):
        yield f"PID-7|{str(resource['birthDate']).replace('-', '')}"
    if resource.get("gender") in _GENDER_CODES:
        yield f"PID-8|{_GENDER_CODES[resource['gender']]}"
    addresses = "~".join(one for found in resource.get("address", ()) if (one := _address(found)))
    if addresses:
        yield f"PID-11|{addresses}"


def _name(name: Resource) -> str:
    given = texts_of(name, "given")
    parts = [
        name.get("family") or ("" if given else name.get("text", "")),
        given[0] if given else "",
        " ".join(given[1:]),
    ]
    parts += [" ".join(texts_of(name, "suffix")), " ".join(texts_of(name, "prefix"))]
    kind = "D" if name.get("use") == "usual" else "L"
    return f"{'^'.join(escape(one) for one in parts)}^^{kind}" if any(parts) else ""


def _address(address: Resource) -> str:
    lines = [*texts_of(address, "line"), "", ""][:2]
    parts = [*lines, *(address.get(name, "") for name in ("city", "state", "postalCode", "country"))]
    return "^".join(escape(one) for one in parts).rstrip("^")
