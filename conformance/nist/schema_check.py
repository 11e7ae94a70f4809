"""Payloads against the schemas of ebRS 3.0 and XDS.b, which are read as files from a folder.

The folder is given by the user, or it is `schemas/xsd` beside this package. Nothing of it is imported.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from conformance.failures import KitError
from conformance.nist.vocabulary import LCM, QUERY, RIM, RMD, RS, XDS_B
from conformance.nist.xml import as_root
from conformance.sentence import Sentence

BESIDE_THIS_PACKAGE = Path(__file__).resolve().parents[2] / "schemas" / "xsd"
_NAMESPACES = (RIM, RS, LCM, QUERY, XDS_B, RMD)
_XSD = "http://www.w3.org/2001/XMLSchema"
_MOST_PROBLEMS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaCheck:
    """`namespaces` are those that the folder declares; a payload of another namespace is not checked."""

    schema: etree.XMLSchema
    namespaces: frozenset[str]

    def problems(self, payload: etree._Element) -> Iterator[Sentence]:
        """Each violation, with its line in the payload as it was sent."""
        if etree.QName(payload).namespace not in self.namespaces:
            return
        copied = as_root(payload)
        if not self.schema.validate(copied):
            entries: Any = self.schema.error_log
            for entry in itertools.islice(entries, _MOST_PROBLEMS):
                yield Sentence(f"ligne {entry.line} : {entry.message}", f"line {entry.line}: {entry.message}")


def open_schemas(folder: Path | None) -> SchemaCheck:
    """The schemas of a folder as one: its documents of the RegRep and XDS.b namespaces. Raises KitError."""
    found = folder or BESIDE_THIS_PACKAGE
    files = _files_by_namespace(found)
    missing = [name for name in (RIM, RS, LCM, QUERY, XDS_B) if name not in files]
    if missing:
        names = ", ".join(missing)
        fr, en = (
            f"le dossier de schémas {found} ne déclare pas {names}",
            f"the schema folder {found} declares no {names}",
        )
        ways = "--schemas DIR"
        raise KitError(
            Sentence(f"{fr} : donnez {ways}, ou --skip-check schema", f"{en}: give {ways}, or --skip-check schema")
        )
    whole = etree.Element(f"{{{_XSD}}}schema", nsmap={"xs": _XSD})
    for namespace, path in files.items():
        etree.SubElement(whole, f"{{{_XSD}}}import", namespace=namespace, schemaLocation=path.resolve().as_uri())
    try:
        schema = etree.XMLSchema(whole)
    except etree.XMLSchemaParseError as problem:
        raise KitError(
            Sentence(
                f"les schémas de {found} sont illisibles : {problem}",
                f"the schemas in {found} cannot be read: {problem}",
            )
        ) from None
    return SchemaCheck(schema=schema, namespaces=frozenset(files))


def _files_by_namespace(folder: Path) -> dict[str, Path]:
    """The main document of each namespace: the first that is no part included by another one."""
    documents = {path: _parsed(path) for path in sorted(folder.rglob("*.xsd"))} if folder.is_dir() else {}
    included = {
        (path.parent / include.get("schemaLocation", "")).resolve()
        for path, root in documents.items()
        for include in root.iter(f"{{{_XSD}}}include")
    }
    found: dict[str, Path] = {}
    for path, root in documents.items():
        namespace = root.get("targetNamespace", "")
        if namespace in _NAMESPACES and path.resolve() not in included:
            found.setdefault(namespace, path)
    return found


def _parsed(path: Path) -> etree._Element:
    try:
        return etree.parse(path, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    except (OSError, etree.XMLSyntaxError) as problem:
        raise KitError(
            Sentence(f"le schéma {path} est illisible : {problem}", f"the schema {path} cannot be read: {problem}")
        ) from None
