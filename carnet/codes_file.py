"""The affinity domain from a file in the format of the NIST XDS test kit: code tables and assigning authorities.

    <Codes>
      <CodeType name="classCode" classScheme="urn:uuid:…"> <Code code="…" codingScheme="…" display="…"/> … </CodeType>
      <CodeType name="mimeType"> <Code code="text/xml"/> … </CodeType>
      <AssigningAuthority id="&amp;1.2.3&amp;ISO" display="NAME"/>
    </Codes>

Each table closes its attribute. The display of an authority is the name that a feed may send instead of its OID.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from carnet.settings import SettingsError
from xds.ebrim.attributes import TABLES, Carrier
from xds.identifiers import is_oid
from xds.xml import BadXml, parse

MIME_TYPE = "mimeType"
# Names of the file that are not those of the standard -> attribute.
_ATTRIBUTES = {"folderCodeList": "codeList", "associationDocumentation": "documentation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesFile:
    """What a file says. `code_tables` as in `AffinityDomain`; authorities in the order of the file, OID -> name."""

    code_tables: dict[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    mime_types: frozenset[str] = frozenset()
    authorities: dict[str, str] = field(default_factory=dict)


def read_codes_file(path: str) -> CodesFile:
    """Read and check a file. Raises SettingsError that names the line and what was expected."""
    try:
        root = parse(Path(path).read_bytes())
    except (OSError, BadXml) as problem:
        raise SettingsError(f"codes file {path}: {problem}") from problem
    try:
        return _read(root)
    except _Wrong as wrong:
        raise SettingsError(f"codes file {path}, line {wrong.line}: {wrong}") from wrong


class _Wrong(Exception):
    def __init__(self, element: etree._Element, reason: str) -> None:
        super().__init__(reason)
        self.line = element.sourceline


def _read(root: etree._Element) -> CodesFile:
    if root.tag != "Codes":
        raise _Wrong(root, f"found the element {etree.QName(root).localname}, expected Codes")
    tables: dict[str, frozenset[tuple[str, str]]] = {}
    authorities: dict[str, str] = {}
    for element in root.iterchildren(etree.Element):
        if element.tag == "CodeType":
            attribute, codes = _table(element)
            if attribute in tables:
                raise _Wrong(element, f"found a second table for {attribute}, expected one")
            tables[attribute] = codes
        elif element.tag == "AssigningAuthority":
            authorities |= _authority(element)
        else:
            raise _Wrong(element, f"found the element {element.tag}, expected CodeType or AssigningAuthority")
    mime_types = frozenset(code.lower() for code, _ in tables.pop(MIME_TYPE, ()))
    return CodesFile(code_tables=tables, mime_types=mime_types, authorities=authorities)


def _schemes() -> dict[str, str]:
    """Coded attribute -> UUID of its classification scheme."""
    return {row.name: row.wire for table in TABLES.values() for row in table.of(Carrier.CODE)}


def _table(element: etree._Element) -> tuple[str, frozenset[tuple[str, str]]]:
    name = element.get("name", "")
    attribute, schemes = _ATTRIBUTES.get(name, name), _schemes()
    if attribute not in schemes and attribute != MIME_TYPE:
        known = ", ".join(sorted({*_ATTRIBUTES, MIME_TYPE, *schemes} - set(_ATTRIBUTES.values())))
        raise _Wrong(element, f"found the table {name!r}, expected one of {known}")
    scheme = element.get("classScheme", "")
    if scheme and scheme != schemes.get(attribute, ""):
        raise _Wrong(element, f"found classScheme {scheme!r} for {name}, expected {schemes.get(attribute) or 'none'}")
    codes = frozenset(_codes(element, attribute))
    if not codes:
        raise _Wrong(element, f"found the table {name} without a Code, expected at least one")
    return attribute, codes


def _codes(element: etree._Element, attribute: str) -> Iterator[tuple[str, str]]:
    for code in element.iterchildren(etree.Element):
        if code.tag != "Code":
            raise _Wrong(code, f"found the element {code.tag} in a table, expected Code")
        value, scheme = code.get("code", ""), code.get("codingScheme", "")
        if not value:
            raise _Wrong(code, "found a Code without code")
        if not scheme and attribute != MIME_TYPE:
            raise _Wrong(code, f"found the code {value!r} without codingScheme")
        yield value, scheme


def _authority(element: etree._Element) -> dict[str, str]:
    text = element.get("id", "")
    parts = text.split("&")
    if len(parts) != 3 or parts[2] != "ISO" or not is_oid(parts[1]):
        raise _Wrong(element, f"found the assigning authority {text!r}, expected &OID&ISO")
    return {parts[1]: parts[0] or element.get("display", "")}
