"""Persons of FHIR as the registry writes them: XCN and sourcePatientInfo."""

from typing import Any

import pytest

from fhir_facade.read_people import read_person, read_source_patient


@pytest.mark.parametrize("name", ["given", "prefix", "suffix"])
def test_a_null_beside_an_extension_is_no_name(name: str) -> None:
    """JSON of FHIR has null where an element of an array has extensions alone. FHIR R4 2.6.2.3"""
    found = read_person({"resourceType": "Practitioner", "name": [{"family": "VILLARD", name: [None]}]})
    assert found == read_person({"resourceType": "Practitioner", "name": [{"family": "VILLARD"}]})


def test_nulls_in_a_patient_are_passed_over() -> None:
    def lines(given: list[Any], line: list[Any]) -> Any:
        name, address = {"family": "EXEMPLE", "given": given}, {"line": line, "city": "Lyon"}
        return read_source_patient({"resourceType": "Patient", "name": [name], "address": [address]})

    assert lines([None, "Anne"], [None, "1 rue du Test"]) == lines(["Anne"], ["1 rue du Test"])
