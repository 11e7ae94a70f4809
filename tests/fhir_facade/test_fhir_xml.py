"""FHIR XML and JSON say the same: lenient in the order that comes in, that of the standard going out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from fhir_facade.fhir_json import read_json, write_json
from fhir_facade.fhir_xml import FHIR, read_xml, write_xml
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.structural_rules import structural_rules
from fhir_facade.xml_patch import read_xml_patch
from tests import fhir_bundles as fhir


def plain(resource: dict[str, Any]) -> Any:
    """The resource as JSON says it, narratives apart, which may be written in several ways."""

    def without_narrative(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without_narrative(one) for name, one in value.items() if name != "div"}
        return [without_narrative(one) for one in value] if isinstance(value, list) else value

    return without_narrative(json.loads(write_json(resource)))


def test_a_bundle_comes_back_as_it_went() -> None:
    bundle = fhir.a_provide_bundle("Patient/1")
    assert plain(read_xml(write_xml(bundle))) == plain(bundle)


def test_children_are_written_in_the_order_of_the_standard() -> None:
    resource = {"resourceType": "Patient", "birthDate": "1979-03-17", "gender": "female", "id": "1", "active": True}
    root = etree.fromstring(write_xml(resource))
    assert [etree.QName(one).localname for one in root] == ["id", "active", "gender", "birthDate"]


def test_children_are_read_in_any_order() -> None:
    text = f'<Patient xmlns="{FHIR}"><gender value="female"/><!-- c --><name><given value="A"/></name><id value="1"/>'
    text += '<name><family value="B"/></name></Patient>'
    assert read_xml(text.encode()) == {
        "resourceType": "Patient",
        "gender": "female",
        "name": [{"given": ["A"]}, {"family": "B"}],
        "id": "1",
    }


@pytest.mark.parametrize(
    ("inside", "place"),
    [
        ('<id value="1">text</id>', "List.id"),
        ('<id value="1"/>text', "List"),
        ('<x:id xmlns:x="http://hl7.org/fhir1" value="1"/>', "List"),
        ('<h:status xmlns:h="http://www.w3.org/1999/xhtml" value="current"/>', "List"),
        ("<contained><Patient/><Patient/></contained>", "List.contained[0]"),
        ('<contained><Patient xmlns="urn:x"><active value="true"/></Patient></contained>', "List.contained[0]"),
    ],
)
def test_what_is_not_fhir_within_a_resource_is_found(inside: str, place: str) -> None:
    """Not passed over: another reader might take it for something."""
    text = f'<List xmlns="{FHIR}">{inside}<status value="current"/><mode value="working"/></List>'
    assert [one.expression for one in structural_rules(read_xml(text.encode()))] == [place]


def test_extensions_of_primitives_keep_their_place() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    absent = {"extension": [{"url": url, "valueCode": "unknown"}]}
    resource = {
        "resourceType": "Patient",
        "_birthDate": {"id": "b", **absent},
        "name": [{"given": ["A", None, "C"], "_given": [None, absent, None]}],
    }
    assert read_xml(write_xml(resource)) == resource


def test_numbers_keep_their_digits() -> None:
    octets = b'{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"urn:x","valueDecimal":1.10}]}'
    resource = read_json(octets)
    assert b'<valueDecimal value="1.10">' in write_xml(resource)
    assert b'"valueDecimal":1.10' in write_json(read_xml(write_xml(resource)))


@pytest.mark.parametrize(
    "text",
    [
        "<Patient/>",
        f'<Patient xmlns="{FHIR}">',
        f'<!DOCTYPE x [<!ENTITY e "x">]><Patient xmlns="{FHIR}"><id value="&e;"/></Patient>',
    ],
)
def test_what_is_no_fhir_xml_is_refused(text: str) -> None:
    with pytest.raises(FhirProblem) as caught:
        read_xml(text.encode())
    assert caught.value.status == 400


@pytest.mark.parametrize("read", [read_xml, read_xml_patch])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
def test_utf_8_is_the_one_encoding_of_fhir(encoding: str, read: Callable[[bytes], object]) -> None:
    """Other messages may be XML in UTF-16."""
    selector = '<replace sel="Patient/active/@value">true</replace>'
    text = f'<Patient xmlns="{FHIR}">{selector}</Patient>'
    read(text.encode())
    mark = b"" if encoding == "utf-16" else "\ufeff".encode(encoding)
    with pytest.raises(FhirProblem) as caught:
        read(mark + f'<?xml version="1.0" encoding="UTF-16"?>{text}'.encode(encoding))
    assert (caught.value.status, "found XML in UTF-16, expected UTF-8" in caught.value.diagnostics) == (400, True)


@pytest.mark.parametrize(
    ("inside", "expression"),
    [
        ('<colour value="x"/>', "Patient"),
        ('<active value="yes"/>', "Patient.active"),
        ('<gender value="female"/><gender value="male"/>', "Patient.gender"),
        ("some text", "Patient"),
    ],
)
def test_what_is_wrong_in_xml_is_found_where_it_stands(inside: str, expression: str) -> None:
    resource = read_xml(f'<Patient xmlns="{FHIR}">{inside}</Patient>'.encode())
    assert [one.expression for one in structural_rules(resource)] == [expression]


@pytest.mark.corpus
def test_every_example_of_the_corpus_survives_xml_and_keeps_the_structural_rules(corpus: Path) -> None:
    examples = sorted((corpus / "mhd" / "ihe-examples").rglob("*.json"))
    examples += sorted((corpus / "mhd" / "nist").rglob("*/*/*.json"))
    assert len(examples) > 150
    for example in examples:
        resource = read_json(example.read_bytes())
        assert plain(read_xml(write_xml(resource))) == plain(resource), example.name
        found = [one for one in structural_rules(resource) if one.expression != "CapabilityStatement.date"]
        assert found == [], example.name
