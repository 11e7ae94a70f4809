"""The structural rules find what base validation must find, and each finding has its place. FHIR R4 2.1.28."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from fhir_facade.structural_rules import structural_rules
from tests import fhir_bundles as fhir
from tests.flows.test_fhir_description import ODD, change, places


def found(resource: Any) -> list[tuple[str, str]]:
    return [(one.code, one.expression) for one in structural_rules(resource)]


def test_a_sound_bundle_has_no_finding() -> None:
    assert found(fhir.a_provide_bundle("Patient/1")) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"unknown": 1}, ("structure", "Patient")),
        ({"name": []}, ("structure", "Patient.name")),
        ({"name": {"family": "x"}}, ("structure", "Patient.name")),
        ({"active": "true"}, ("value", "Patient.active")),
        ({"gender": "f"}, ("value", "Patient.gender")),
        ({"gender": ["female"]}, ("structure", "Patient.gender")),
        ({"birthDate": "1979-13-01"}, ("value", "Patient.birthDate")),
        ({"id": "a_b"}, ("value", "Patient.id")),
        ({"id": "a" * 65}, ("value", "Patient.id")),
        ({"name": [{"family": ""}]}, ("value", "Patient.name[0].family")),
        ({"name": [{"family": None}]}, ("value", "Patient.name[0].family")),
        ({"name": [{"family": "a\u0001"}]}, ("value", "Patient.name[0].family")),
        ({"name": [{}]}, ("structure", "Patient.name[0]")),
        ({"multipleBirthInteger": 1, "multipleBirthBoolean": True}, ("structure", "Patient.multipleBirthBoolean")),
        ({"photo": [{"data": "%%"}]}, ("value", "Patient.photo[0].data")),
        ({"photo": [{"size": -1}]}, ("value", "Patient.photo[0].size")),
        ({"photo": [{"size": 2**31}]}, ("value", "Patient.photo[0].size")),
        ({"contained": [{"resourceType": "Nothing"}]}, ("structure", "Patient.contained[0]")),
        ({"contained": [{"resourceType": "HumanName"}]}, ("structure", "Patient.contained[0]")),
        ({"text": {"status": "generated", "div": "<div>"}}, ("structure", "Patient.text.div")),
        ({"name": [{"given": [None]}]}, ("structure", "Patient.name[0].given[0]")),
        ({"name": [{"given": ["Aline", None], "_given": [{"id": "a"}]}]}, ("structure", "Patient.name[0].given[1]")),
        ({"name": [{"given": ["Aline", None], "_given": [None, None]}]}, ("structure", "Patient.name[0].given[1]")),
        ({"_name": [{}]}, ("structure", "Patient")),
        ({"_gender": "x"}, ("structure", "Patient.gender")),
        ({"meta": {"lastUpdated": "2026-03-10"}}, ("value", "Patient.meta.lastUpdated")),
        ({"communication": [{}]}, ("structure", "Patient.communication[0]")),
        ({"communication": [{"preferred": True}]}, ("required", "Patient.communication[0].language")),
    ],
)
def test_each_defect_is_found_where_it_is(change: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in found({"resourceType": "Patient", "active": True} | change)


def test_a_null_keeps_the_place_of_extensions() -> None:
    name = {"given": ["Aline", None], "_given": [None, {"extension": [{"url": "urn:x", "valueString": "unknown"}]}]}
    assert found({"resourceType": "Patient", "name": [name]}) == []


@pytest.mark.corpus
def test_whatever_the_json_schema_of_hl7_refuses_is_refused(corpus: Path) -> None:
    """One place of a Bundle after the other is spoilt: the rules know every defect that the schema knows."""
    schema = json.loads((corpus / "fhir-packages" / "fhir.schema.json").read_bytes())
    judge = jsonschema_rs.validator_for(schema)
    bundle = fhir.a_provide_bundle("Patient/1")
    bundle["entry"].append(fhir.an_entry(fhir.a_patient()))
    assert judge.is_valid(bundle)
    refused, missed = 0, []
    for place in places(bundle):
        for odd in ODD:
            spoilt = copy.deepcopy(bundle)
            change(spoilt, place, odd, is_removed=False)
            if not judge.is_valid(spoilt):
                refused += 1
                missed += [] if found(spoilt) else [(place, odd)]
    assert refused > 2500
    assert missed == []


def test_active_content_in_a_narrative_is_refused() -> None:
    for inside in ("<script>x</script>", '<a href="javascript:x">x</a>', '<p onclick="x">x</p>'):
        div = f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'
        resource = {"resourceType": "Patient", "text": {"status": "generated", "div": div}}
        assert found(resource) == [("security", "Patient.text.div")]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('<p style="x" class="y" xml:lang="fr">A <b>report</b><!-- c --></p>', []),
        ('<img src="#a" alt=""/>', []),
        ("<video>x</video>", ["invariant"]),
        ('<p ping="http://192.0.2.1/">x</p>', ["invariant"]),
        ('<x:p xmlns:x="http://www.w3.org/1999/xhtmlx">x</x:p>', ["invariant"]),
        ("<p> </p>", ["invariant"]),
        ('<img alt="x"/>', ["invariant"]),
    ],
)
def test_a_narrative_holds_text_and_its_formatting(inside: str, expected: list[str]) -> None:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'
    resource = {"resourceType": "Patient", "text": {"status": "generated", "div": div}}
    assert found(resource) == [(code, "Patient.text.div") for code in expected]


def test_a_required_primitive_may_be_there_by_its_extension() -> None:
    extension = [{"url": "urn:x", "valueString": "why it is not there"}]
    resource = {"resourceType": "Binary", "_contentType": {"extension": extension}}
    assert found(resource) == []
    assert found({"resourceType": "Binary", "id": "1"}) == [("required", "Binary.contentType")]


def test_an_extension_has_a_value_or_extensions() -> None:
    extension = {"url": "urn:x", "valueString": "x", "extension": [{"url": "y", "valueString": "y"}]}
    assert found({"resourceType": "Patient", "extension": [extension]}) == [("invariant", "Patient.extension[0]")]


def test_nesting_has_an_end() -> None:
    extension: dict[str, Any] = {"url": "urn:x", "valueString": "x"}
    for _ in range(100):
        extension = {"url": "urn:x", "extension": [extension]}
    assert "too-costly" in [code for code, _ in found({"resourceType": "Patient", "extension": [extension]})]


@pytest.mark.parametrize("resource", [None, [], "x", 1, {}, {"resourceType": 1}, {"resourceType": "Nobody"}])
def test_what_is_no_resource_is_said_to_be_none(resource: Any) -> None:
    assert [code for code, _ in found(resource)] == ["structure"]
