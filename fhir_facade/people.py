"""Persons, systems, organisations and the source patient as contained resources. MHD 3:4.2.3.5."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_facade.times import to_date
from xds.datatypes import CX, XCN, XON, XTN, unescape
from xds.metadata import Author

Resource = dict[str, Any]
GENDERS = {"M": "male", "F": "female", "O": "other", "U": "unknown"}
SYSTEM_NAME_TYPE = "U"


@dataclass(slots=True)
class Contained:
    """The contained resources of one DocumentReference; `add` gives the reference to a new one."""

    resources: list[Resource] = field(default_factory=list)

    def add(self, resource: Resource) -> dict[str, str]:
        identifier = f"{resource['resourceType'].lower()}-{len(self.resources) + 1}"
        self.resources.append({"resourceType": resource["resourceType"], "id": identifier} | resource)
        return {"reference": f"#{identifier}"}


def to_author(author: Author, contained: Contained) -> dict[str, str]:
    """A reference to the author: the person or system, or who joins it to its organisations."""
    person = None if author.author_person is None else contained.add(to_practitioner(author.author_person))
    organisations = [contained.add(to_organization(one)) for one in author.author_institution]
    role: Resource = {"resourceType": "PractitionerRole"}
    if person is not None:
        role["practitioner"] = person
    if organisations:
        role["organization"] = organisations[0]
    _put(role, "code", [{"text": text} for text in author.author_role])
    _put(role, "specialty", [{"text": text} for text in author.author_specialty])
    _put(role, "telecom", [to_telecom(one) for one in author.author_telecommunication])
    if len(role) == 2 and person is not None:
        return person
    return organisations[0] if len(role) == 2 and organisations else contained.add(role)


def to_practitioner(person: XCN) -> Resource:
    """Practitioner of a person; a system (XCN-10 `U`) becomes a Device, which may not have a person's name."""
    identifier = _identifier(person.authority, person.id)
    if person.name_type == SYSTEM_NAME_TYPE:
        resource: Resource = {"resourceType": "Device"}
        _put(resource, "identifier", [identifier] if identifier else [])
        _put(resource, "deviceName", [{"name": person.family, "type": "user-friendly-name"}] if person.family else [])
        return resource
    resource = {"resourceType": "Practitioner"}
    _put(resource, "identifier", [identifier] if identifier else [])
    name = human_name(person.family, [person.given, person.further_given], [person.prefix], [person.suffix])
    _put(resource, "name", [name] if name else [])
    return resource


def to_organization(organisation: XON) -> Resource:
    resource: Resource = {"resourceType": "Organization"}
    identifier = _identifier(organisation.authority, organisation.id)
    _put(resource, "identifier", [identifier] if identifier else [])
    _put(resource, "name", organisation.name)
    return resource


def to_telecom(address: XTN) -> Resource:
    if address.equipment == "Internet":
        return {"system": "email", "value": address.address}
    return {"system": "phone", "value": address.number}


def to_source_patient(source_patient_id: CX | None, lines: Sequence[str]) -> Resource:
    """The patient as the source knew it at the time; never updated. ITI TF-3: 4.2.3.2.25"""
    resource: Resource = {"resourceType": "Patient"}
    fields = [line.partition("|") for line in lines]
    identifiers = [source_patient_id] if source_patient_id is not None else []
    known = [_identifier(one.authority, one.id) for one in (*identifiers, *_cxs(fields))]
    _put(resource, "identifier", list({str(one): one for one in known if one}.values()))
    _put(resource, "name", [name for value in _values(fields, "PID-5") if (name := _patient_name(value))])
    for value in _values(fields, "PID-8"):
        _put(resource, "gender", GENDERS.get(value, "unknown"))
    for value in _values(fields, "PID-7"):
        _put(resource, "birthDate", _birth_date(value))
    _put(resource, "address", [address for value in _values(fields, "PID-11") if (address := _address(value))])
    return resource


def _values(fields: Sequence[tuple[str, str, str]], name: str) -> Iterator[str]:
    for field_name, _, value in fields:
        if field_name == name:
            yield from (one for one in value.split("~") if one)


def _cxs(fields: Sequence[tuple[str, str, str]]) -> Iterator[CX]:
    """PID-3; what is no CX stays in the registry alone."""
    for value in _values(fields, "PID-3"):
        try:
            yield CX.parse(value)
        except ValueError:
            continue


def _birth_date(text: str) -> str:
    try:
        return to_date(text)
    except ValueError:
        return ""


def _components(text: str, count: int) -> list[str]:
    parts = [unescape(part.partition("&")[0]) for part in text.split("^")]
    return (parts + [""] * count)[:count]


def _patient_name(text: str) -> Resource:
    family, given, further, suffix, prefix, _, kind = _components(text, 7)
    name = human_name(family, [given, further], [prefix], [suffix])
    return name | {"use": "usual" if kind in ("D", "S") else "official"} if name else {}


def _address(text: str) -> Resource:
    street, other, city, state, postal_code, country = _components(text, 6)
    address: Resource = {}
    _put(address, "line", [line for line in (street, other) if line])
    for key, value in (("city", city), ("state", state), ("postalCode", postal_code), ("country", country)):
        _put(address, key, value)
    return address


def human_name(family: str, given: Sequence[str], prefix: Sequence[str], suffix: Sequence[str] = ()) -> Resource:
    """HumanName of what is known of a name."""
    name: Resource = {}
    _put(name, "family", family)
    for key, values in (("given", given), ("prefix", prefix), ("suffix", suffix)):
        _put(name, key, [value for value in values if value])
    return name


def _identifier(authority: str, value: str) -> Resource:
    if not value:
        return {}
    return {"system": f"urn:oid:{authority}", "value": value} if authority else {"value": value}


def _put(resource: Resource, key: str, value: Any) -> None:
    """FHIR has no empty values: an absent one is left out."""
    if value:
        resource[key] = value
