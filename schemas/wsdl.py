"""Service descriptions and their schemas as a server hands them out. ITI TF-2x: V.

On disk the files refer to each other by relative paths. Served, every reference becomes
`<address>?xsd=<file>`, so that `GET <address>?wsdl` and `GET <address>?xsd=<file>` are all a client needs.
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
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")
