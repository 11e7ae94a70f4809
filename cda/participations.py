"""People, systems and organisations of a CDA header in the syntaxes of the metadata.

ITI TF-3: Table 4.2.3.1.7-2, CI-SIS Structuration minimale 1.16.8, PDSm4DMP 0.1.0
"""

from collections.abc import Iterator

from cda import header as cda_header
from cda.datatypes import AD, CD, II, PN, TEL, NamePart
from xds.datatypes import CX, XCN, XON, escape
from xds.identifiers import is_oid
from xds.metadata import Author

INS_AUTHORITIES = frozenset(
    {
        "1.2.250.1.213.1.4.8",  # NIR
        "1.2.250.1.213.1.4.9",  # NIA
        "1.2.250.1.213.1.4.10",  # test NIR
        "1.2.250.1.213.1.4.11",  # demonstration NIR
        "1.2.250.1.213.1.4.2",  # INS-C, before 2021
        "1.2.250.1.213.1.4.1",  # INS-A, before 2021
    }
)
_PERSON_ID_TYPES = {"1.2.250.1.71.4.2.1": "IDNPS"} | dict.fromkeys(INS_AUTHORITIES, "NH")
_OTHER_ID_TYPE = "RI"
_ORGANIZATION_ID_TYPES = {"1.2.250.1.71.4.2.2": "IDNST", "1.3.2": "SIREN"}

# Qualifier of a CDA name -> name type of PID-5. SP is what CL was called before 2022.
_PID_NAME_TYPES = {"BR": "L", "CL": "S", "SP": "D"}
_PID_SEX = {"UN": "U"}
_PID_ADDRESS_TYPES = {"H": "H", "HP": "H", "HV": "H", "WP": "B", "TMP": "C"}
_PID_EQUIPMENT = {"tel": "PH", "fax": "FX"}


def joined(components: dict[int, str]) -> str:
    """A composite from its components by number, already escaped. ITI TF-3: 4.2.3.1.7"""
    last = max((number for number, value in components.items() if value), default=0)
    return "^".join(components.get(number, "") for number in range(1, last + 1))


def patient_id(identifiers: tuple[II, ...]) -> CX | None:
    """The INS, `INS^^^&OID&ISO^NH`. None when no identifier is one. CI-SIS Structuration minimale 3.5"""
    return _first_cx(identifiers, is_ins=True)


def source_patient_id(identifiers: tuple[II, ...]) -> CX | None:
    """The identifier at the source, `IPP^^^&OID&ISO^PI`, else the INS. ITI TF-3: 4.2.3.2.24"""
    return _first_cx(identifiers, is_ins=False) or patient_id(identifiers)


def _first_cx(identifiers: tuple[II, ...], *, is_ins: bool) -> CX | None:
    found = (to_cx(ii) for ii in identifiers if (ii.root in INS_AUTHORITIES) is is_ins)
    return next((cx for cx in found if cx), None)


def to_cx(identifier: II) -> CX | None:
    """None for an identifier whose root is no OID, or that has no extension."""
    if not identifier.extension or not is_oid(identifier.root):
        return None
    type_code = "NH" if identifier.root in INS_AUTHORITIES else "PI"
    return CX.of(id=identifier.extension, authority=identifier.root, type_code=type_code)


def to_author(author: cda_header.Author) -> Author | None:
    """One author of the document. ITI TF-3: 4.2.3.2.1. None when nobody is named."""
    assigned = author.assigned_author
    person = to_xcn(assigned)
    institution = to_xon(assigned.organization)
    if person is None and institution is None:
        return None
    return Author(
        author_person=person,
        author_institution=(institution,) if institution else (),
        author_role=_displayed(author.function_code),
        author_specialty=(_specialty(assigned.code),) if assigned.code else (),
    )


def _displayed(code: CD | None) -> tuple[str, ...]:
    return (code.display_name,) if code and code.display_name else ()


def _specialty(code: CD) -> str:
    """`G15_10/SM26^label^1.2.250.1.213.1.1.4.5`."""
    return "^".join(escape(part) for part in (code.code, code.display_name, code.code_system))


def to_xcn(entity: cda_header.AssignedEntity) -> XCN | None:
    """A professional, a patient or a system. None when neither id nor name is there."""
    identifier = next(iter(entity.id), None)
    family, given = _names(entity)
    is_system = entity.person is None and entity.device is not None
    components = {2: escape(family), 3: escape(given), 10: "U" if is_system else "D"}
    components |= _xcn_identifier(identifier, is_system=is_system)
    if not components.get(1) and not family:
        return None
    return XCN.parse(joined(components))


def _xcn_identifier(identifier: II | None, *, is_system: bool) -> dict[int, str]:
    if identifier is None:
        return {}
    if not identifier.extension or not is_oid(identifier.root):
        return {1: escape(identifier.extension or identifier.root)}
    id_type = _OTHER_ID_TYPE if is_system else _PERSON_ID_TYPES.get(identifier.root, _OTHER_ID_TYPE)
    return {1: escape(identifier.extension), 9: f"&{identifier.root}&ISO", 13: id_type}


def _names(entity: cda_header.AssignedEntity) -> tuple[str, str]:
    """Components 2 and 3: family and given name, or software and model."""
    if entity.person is not None:
        return _named(entity.person.family, "CL"), _named(entity.person.given, "CL")
    if entity.device is not None:
        return entity.device.software_name, entity.device.manufacturer_model_name
    return "", ""


def _named(parts: tuple[NamePart, ...], qualifier: str) -> str:
    """The name with this qualifier, else the first."""
    ordered = [part.text for part in parts if part.qualifier == qualifier] + [part.text for part in parts]
    return next(iter(ordered), "")


def to_xon(organization: cda_header.Organization | None) -> XON | None:
    """`NAME^^^^^&OID&ISO^IDNST^^^id`, or `NAME^^^^^^^^^OID` for one known by its OID alone."""
    if organization is None:
        return None
    identifier = next(iter(organization.id), None)
    components = {1: escape(organization.name)} | _xon_identifier(identifier)
    return XON.parse(joined(components)) if any(components.values()) else None


def _xon_identifier(identifier: II | None) -> dict[int, str]:
    if identifier is None or not is_oid(identifier.root):
        return {}
    if not identifier.extension:
        return {10: identifier.root}
    id_type = _ORGANIZATION_ID_TYPES.get(identifier.root, "")
    return {6: f"&{identifier.root}&ISO", 7: id_type, 10: escape(identifier.extension)}


def source_patient_lines(patient: cda_header.Patient) -> tuple[str, ...]:
    """The identity as the source knew it, one line for each repetition. ITI TF-3: 4.2.3.2.25"""
    return tuple(f"PID-{number}|{value}" for number, value in _pid_fields(patient) if value)


def _pid_fields(patient: cda_header.Patient) -> Iterator[tuple[int, str]]:
    yield from ((3, str(cx)) for ii in patient.id if (cx := to_cx(ii)))
    yield from ((5, line) for pn in patient.name for line in _pid_names(pn))
    yield 7, patient.birth_time[:8]
    gender = patient.administrative_gender_code
    yield 8, _PID_SEX.get(gender.code, escape(gender.code)) if gender else ""
    yield from ((11, _pid_address(ad)) for ad in patient.addr)
    yield from ((13, _pid_telecom(tel)) for tel in patient.telecom)


def _pid_names(name: PN) -> Iterator[str]:
    """Birth name as L, used name as S; the list of birth given names follows the first in component 3."""
    families = {part.qualifier: part.text for part in name.family}
    qualifiers = [qualifier for qualifier in _PID_NAME_TYPES if qualifier in families]
    if not qualifiers and name.family:
        yield joined({1: escape(name.family[0].text), 2: escape(_named(name.given, "")), 7: "L"})
    for qualifier in qualifiers:
        given = escape(_named(name.given, qualifier))
        further = escape(_birth_given_names(name)) if qualifier == "BR" else ""
        yield joined({1: escape(families[qualifier]), 2: given, 3: further, 7: _PID_NAME_TYPES[qualifier]})


def _birth_given_names(name: PN) -> str:
    """The unqualified given name, when the first birth given name stands beside it."""
    if not any(part.qualifier == "BR" for part in name.given):
        return ""
    return next((part.text for part in name.given if not part.qualifier), "")


def _pid_address(address: AD) -> str:
    parts = (address.street, address.other, address.city, address.state, address.postal_code, address.country)
    components = {number: escape(part) for number, part in enumerate(parts, start=1)}
    if not any(components.values()):
        return ""
    return joined(components | {7: _PID_ADDRESS_TYPES.get(address.use, "")})


def _pid_telecom(telecom: TEL) -> str:
    """`^PRN^PH^^^^^^^^^number` or `^NET^Internet^address`."""
    scheme, _, rest = telecom.value.partition(":")
    if scheme == "mailto":
        return joined({2: "NET", 3: "Internet", 4: escape(rest)}) if rest else ""
    if scheme not in _PID_EQUIPMENT or not rest:
        return ""
    use = "WPN" if telecom.use == "WP" else "PRN"
    equipment = "CP" if telecom.use == "MC" else _PID_EQUIPMENT[scheme]
    return joined({2: use, 3: equipment, 12: escape(rest)})
