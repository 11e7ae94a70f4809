"""Which transaction a FHIR request was for that was refused, as its audit record says. ITI TF-2: 3.40.4.1.3"""

import pytest

from audit.events import EVENTS
from carnet.fhir_callers import asked_for


@pytest.mark.parametrize(
    ("method", "path", "transaction"),
    [
        ("POST", "/fhir", "ITI-65"),
        ("POST", "/fhir/", "ITI-65"),
        ("GET", "/fhir", "ITI-67"),
        ("POST", "/fhir/_search", "ITI-67"),
        ("GET", "/fhir/DocumentReference", "ITI-67"),
        ("POST", "/fhir/DocumentReference/_search", "ITI-67"),
        ("POST", "/fhir/DocumentReference", "ITI-105"),
        ("PATCH", "/fhir/DocumentReference/1", "ITI-57"),
        ("POST", "/fhir/DocumentReference/$generate-metadata", "ITI-106"),
        ("POST", "/fhir/Bundle/$validate", "ITI-65"),
        ("POST", "/fhir/$validate", "ITI-65"),
        ("GET", "/fhir/List/1", "ITI-66"),
        ("GET", "/fhir/Binary/1", "ITI-68"),
        ("GET", "/fhir/Patient", "ITI-78"),
        ("GET", "/fhir/Patient/$ihe-pix", "ITI-83"),
        ("PUT", "/fhir/Patient/1", "ITI-104"),
        ("GET", "/fhir/AuditEvent", "ITI-81"),
        ("DELETE", "/fhir/Subscription/1", "ITI-111"),
        ("GET", "/fhir/nothing/of/the/kind", "ITI-67"),
    ],
)
def test_a_request_is_told_by_its_method_and_path(method: str, path: str, transaction: str) -> None:
    found = asked_for({"REQUEST_METHOD": method, "PATH_INFO": path})
    assert found == transaction
    assert found in EVENTS


def test_a_search_by_form_is_a_search() -> None:
    form = {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"}
    assert asked_for({"REQUEST_METHOD": "POST", "PATH_INFO": "/fhir/DocumentReference"} | form) == "ITI-67"
