"""Service descriptions and their schemas as a server hands them out. ITI TF-2x: V.

On disk the files refer to each other by relative paths. Served, every reference becomes
`<address>?xsd=<file>`, so that `GET <address>?wsdl` and `GET <address>?xsd=<file>` are all a client needs.
Substitution groups are spelled out as choices, which mean the same and which clients such as zeep can read.
"""

from pathlib import Path, PurePosixPath

from lxml import etree

from schemas import resource

_SCHEMA = "http://www.w3.org/2001/XMLSchema"
_REFERENCES = (f"{{{_SCHEMA}}}import", f"{{{_SCHEMA}}}include")
_ADDRESS = "{http://schemas.xmlsoap.org/wsdl/soap12/}address"


def wsdl(name: str, *, address: str) -> bytes:
    """The description of the service `registry` or `repository` at the endpoint `address` (a URL without query).

    WSDL 1.1 with a SOAP 1.2 binding and WS-Addressing actions. FileNotFoundError for any other name.
    """
    return _served(resource(f"wsdl/{name}.wsdl"), address)


def xsd(name: str, *, address: str) -> bytes:
    """The schema file of this name, such as `rs.xsd`, importing from `address`. FileNotFoundError when unknown."""
    return _served(resource(f"xsd/{name}"), address)


def _served(file: Path, address: str) -> bytes:
    tree = etree.parse(file)
    for reference in tree.iter(*_REFERENCES):
        schema = PurePosixPath(reference.get("schemaLocation", "")).name
        reference.set("schemaLocation", f"{address}?xsd={schema}")
    for port in tree.iter(_ADDRESS):
        port.set("location", address)
    _spell_out_substitutions(tree)
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")


def _spell_out_substitutions(tree: etree._ElementTree) -> None:
    """Replace each reference to the head of a substitution group by a choice of head and members."""
    members: dict[str, list[str]] = {}
    for element in tree.iter(f"{{{_SCHEMA}}}element"):
        head = element.get("substitutionGroup")
        if head is not None:
            del element.attrib["substitutionGroup"]
            members.setdefault(head, []).append(f"{head.partition(':')[0]}:{element.get('name')}")
    for reference in list(tree.iter(f"{{{_SCHEMA}}}element")):
        head = str(reference.get("ref"))
        parent = reference.getparent()
        if head in members and parent is not None:
            parent.replace(reference, _choice(reference, _with_members(head, members)))


def _with_members(head: str, members: dict[str, list[str]]) -> list[str]:
    return [head, *(name for member in members.get(head, ()) for name in _with_members(member, members))]


def _choice(reference: etree._Element, names: list[str]) -> etree._Element:
    choice = etree.Element(f"{{{_SCHEMA}}}choice", nsmap=dict(reference.nsmap))  # type: ignore[arg-type]
    for name in ("minOccurs", "maxOccurs"):
        if name in reference.attrib:
            choice.set(name, str(reference.get(name)))
    for name in names:
        etree.SubElement(choice, f"{{{_SCHEMA}}}element", ref=name)
    return choice
