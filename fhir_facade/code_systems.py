"""Names of code systems and identifiers on both sides: OID in XDS, URI in FHIR. MHD 3:4.2.3."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from schemas.value_sets import code_systems
from xds.datatypes import Code
from xds.identifiers import OID_PREFIX, UUID_PREFIX, is_oid

URI_SYSTEM = "urn:ietf:rfc:3986"


@cache
def _uris() -> Mapping[str, str]:
    return MappingProxyType({system.oid: system.uri for system in code_systems()})


@cache
def _oids() -> Mapping[str, str]:
    known = {uri: system.oid for system in code_systems() for uri in (system.uri, *system.also)}
    return MappingProxyType(known)


def to_uri(coding_scheme: str) -> str:
    """System of a Coding: the URI of the table, `urn:oid:` and the OID, or the scheme as it is."""
    if coding_scheme in _uris():
        return _uris()[coding_scheme]
    return f"{OID_PREFIX}{coding_scheme}" if is_oid(coding_scheme) else coding_scheme


def from_uri(system: str) -> str:
    """codingScheme of a system; the inverse of `to_uri`."""
    return _oids().get(system, system.removeprefix(OID_PREFIX))


def to_coding(code: Code) -> dict[str, str]:
    coding = {"system": to_uri(code.coding_scheme), "code": code.code}
    return coding | ({"display": code.display_name} if code.display_name else {})


def to_identifier(text: str) -> dict[str, str]:
    """An Identifier of a uniqueId or entryUUID: OID, UUID, `root^extension` or opaque. MHD 3:4.2.3.1"""
    root, caret, extension = text.partition("^")
    if caret and is_oid(root):
        return {"system": f"{OID_PREFIX}{root}", "value": extension}
    value = f"{OID_PREFIX}{text}" if is_oid(text) else text
    return {"system": URI_SYSTEM, "value": value}


def from_identifier(system: str, value: str) -> str:
    """uniqueId or entryUUID of an Identifier; the inverse of `to_identifier`. An absent system is guessed."""
    if system in ("", URI_SYSTEM):
        return value if value.startswith(UUID_PREFIX) else value.removeprefix(OID_PREFIX)
    return f"{system.removeprefix(OID_PREFIX)}^{value}"
