"""`$validate`: what would be said of a resource that is submitted, without submitting it. FHIR R4 3.1.0.1.6."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_facade.fhir_json import texts_of, write_json
from fhir_facade.issues import Issue
from fhir_facade.operation_outcome import bad_request, outcome_of
from fhir_facade.profile_rules import DOCUMENT_REFERENCE, FOLDER, SUBMISSION_SET, Level, Row, profile_rules
from fhir_facade.provide_bundle import read_provide_bundle, unresolved
from fhir_facade.read_list import list_code
from fhir_facade.structural_rules import structural_rules

VALIDATED = ("DocumentReference", "List", "Bundle")
_MODES = ("", "create")
_PROFILES = {
    "IHE.MHD.Minimal": Level.MINIMAL,
    "IHE.MHD.UnContained.Comprehensive": Level.UNCONTAINED,
    "IHE.MHD.Comprehensive": Level.COMPREHENSIVE,
    "pdsm-": Level.PDSM,
}
_LISTS = {"submissionset": SUBMISSION_SET, "folder": FOLDER}
_MOST = 100


def handle(kind: str, sent: Mapping[str, Any], asked: Mapping[str, str]) -> bytes:
    """OperationOutcome of a resource of this type, or of any; `asked` are the parameters of the URL.

    It is the body, or its parameter `resource`. R4 is always checked, and the profiles of MHD and PDSm that it or
    `profile` names; a Bundle as one of ITI-65. Raises FhirProblem 400 for a request that is none.
    """
    resource, parameters = _parameters(sent)
    parameters = {**parameters, **asked}
    if parameters.get("mode", "") not in _MODES:
        raise bad_request("mode: expected create", code="not-supported", expression="mode")
    expected = (kind,) if kind else VALIDATED
    if resource.get("resourceType") not in expected:
        raise bad_request(f"expected {' or '.join(expected)}", code="structure", expression="resource")
    found = list(structural_rules(resource)) or list(_of_profiles(resource, parameters.get("profile", "")))
    return write_json(outcome_of(found[:_MOST] or [_SOUND]))


_SOUND = Issue("informational", "found nothing wrong", severity="information")


def _parameters(sent: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, str]]:
    """The resource, and `mode` and `profile` beside it."""
    if sent.get("resourceType") != "Parameters":
        return sent, {}
    given = [one for one in _list(sent.get("parameter")) if isinstance(one, dict)]
    resources = [one["resource"] for one in given if one.get("name") == "resource" and "resource" in one]
    if len(resources) != 1 or not isinstance(resources[0], dict):
        raise bad_request("expected one parameter resource", code="required", expression="Parameters.parameter")
    texts = {str(one.get("name")): one.get("valueCode") or one.get("valueUri") for one in given}
    return resources[0], {name: str(value) for name, value in texts.items() if value}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _of_profiles(resource: Mapping[str, Any], profile: str) -> Iterator[Issue]:
    kind = resource["resourceType"]
    if kind == "Bundle":
        issues = list[Issue]()
        read = read_provide_bundle(resource, issues)
        yield from issues
        yield from unresolved(read)
        return
    level = _level([*texts_of(resource.get("meta", {}), "profile"), profile])
    rows: Sequence[Row] = DOCUMENT_REFERENCE if kind == "DocumentReference" else _LISTS.get(list_code(resource), ())
    if level is not None:
        yield from profile_rules(rows, level, resource, kind)


def _level(profiles: Sequence[str]) -> Level | None:
    """The strictest one named."""
    names = (one.rpartition("/")[2] for one in profiles)
    return max((level for name in names for start, level in _PROFILES.items() if name.startswith(start)), default=None)
