"""StructureDefinition of our own extension, for validators: attributes that FHIR cannot hold exactly. FHIR R4 2.4.1"""

from collections.abc import Iterator
from typing import Any

from fhir_facade.exact_values import URL
from fhir_facade.fhir_json import write_json
from xds.ebrim.attributes import DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET

_FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_BEYOND_THE_TABLES = ("extraSlots", "extraCodes")
Element = dict[str, Any]


def exact_values_definition() -> bytes:
    """As JSON, snapshot and differential."""
    elements = list(_elements())
    return write_json(
        {
            "resourceType": "StructureDefinition",
            "id": "xds-attributes",
            "url": URL,
            "name": "XdsAttributes",
            "title": "Attributes of XDS beside the elements that say them as well as they can",
            "status": "active",
            "fhirVersion": "4.0.1",
            "kind": "complex-type",
            "abstract": False,
            "context": [{"type": "element", "expression": one} for one in ("DocumentReference", "List")],
            "type": "Extension",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
            "derivation": "constraint",
            "snapshot": {"element": elements},
            "differential": {"element": elements},
        }
    )


def attribute_names() -> tuple[str, ...]:
    """What a part of the extension may be called."""
    tables = (DOCUMENT_ENTRY, SUBMISSION_SET, FOLDER)
    named = (row.name for table in tables for row in table.attributes)
    return (*dict.fromkeys(named), *_BEYOND_THE_TABLES)


def _elements() -> Iterator[Element]:
    yield _element("Extension", 0, "1", short="exact values of attributes")
    yield _element("Extension.id", 0, "1", type=_system_string("string"))
    slicing = {"discriminator": [{"type": "value", "path": "url"}], "rules": "closed"}
    yield _element("Extension.extension", 1, "*", slicing=slicing, type=[{"code": "Extension"}])
    for name in attribute_names():
        yield from _slice(name)
    yield _element("Extension.url", 1, "1", type=_system_string("uri"), fixedUri=URL)
    yield _element("Extension.value[x]", 0, "0", type=[{"code": "string"}])


def _slice(name: str) -> Iterator[Element]:
    at, path = f"Extension.extension:{name}", "Extension.extension"
    yield _element(
        path, 0, "1", at, sliceName=name, short=f"{name} as the registry keeps it", type=[{"code": "Extension"}]
    )
    yield _element(f"{path}.id", 0, "1", f"{at}.id", type=_system_string("string"))
    yield _element(f"{path}.extension", 0, "0", f"{at}.extension", type=[{"code": "Extension"}])
    yield _element(f"{path}.url", 1, "1", f"{at}.url", type=_system_string("uri"), fixedUri=name)
    yield _element(f"{path}.value[x]", 1, "1", f"{at}.value[x]", short="JSON", type=[{"code": "string"}])


def _system_string(of: str) -> list[Element]:
    """How R4 says that an element is an attribute in XML."""
    return [{"extension": [{"url": _FHIR_TYPE, "valueUrl": of}], "code": "http://hl7.org/fhirpath/System.String"}]


def _element(path: str, least: int, most: str, element_id: str = "", **more: Any) -> Element:
    base = {"path": path, "min": 0, "max": "*"}
    in_xml = {"representation": ["xmlAttr"]} if path.endswith((".id", ".url")) else {}
    return {"id": element_id or path, "path": path, **in_xml, "min": least, "max": most, "base": base, **more}
