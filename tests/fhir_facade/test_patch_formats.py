"""JSON Patch, XML Patch and FHIRPath Patch: published cases, and what clients get wrong."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from fhir_facade.fhir_xml import FHIR, read_xml
from fhir_facade.fhirpath_patch import fhirpath_patched, read_fhirpath_patch
from fhir_facade.json_patch import check_operations, json_patched
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.patches import read_patch
from fhir_facade.xml_patch import apply_operations, check_xml_patch, read_xml_patch, xml_patched
from tests.attacks.mutants import SEED, mutants

LABELLED = {
    "resourceType": "DocumentReference",
    "status": "current",
    "securityLabel": [{"coding": [{"system": "urn:oid:1.2.3", "code": code}]} for code in ("N", "MASQUE_PS")],
    "content": [{"attachment": {"contentType": "text/plain"}}],
}


# --- JSON Patch ------------------------------------------------------------------------------


@pytest.mark.corpus
def test_the_published_cases_of_json_patch(corpus: Path) -> None:
    cases = json.loads((corpus / "mhd/fhir-rest/patch/json-patch-tests.json").read_text())
    assert len(cases) == 16
    for case in cases:
        if "error" in case:
            with pytest.raises(FhirProblem):
                json_patched(case["doc"], check_operations(case["patch"]))
        else:
            after = json_patched(case["doc"], check_operations(case["patch"]))
            assert after == case.get("expected", case["doc"]), case["comment"]


@pytest.mark.parametrize(
    "operations",
    [
        {},
        [],
        ["x"],
        [{"op": "coo", "path": "/a"}],
        [{"op": ["add"], "path": "/a"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "move", "path": "/a"}],
        [{"op": "remove", "path": "/a"}] * 101,
    ],
)
def test_what_is_no_json_patch_is_a_bad_request(operations: Any) -> None:
    with pytest.raises(FhirProblem) as refused:
        check_operations(operations)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "remove", "path": "/list/7"},
        {"op": "add", "path": "/list/01", "value": 1},
        {"op": "add", "path": "/list/7", "value": 1},
        {"op": "add", "path": "/text/x", "value": 1},
        {"op": "move", "from": "/list", "path": "/list/0"},
        {"op": "test", "path": "/list/0", "value": True},
    ],
)
def test_an_operation_that_cannot_be_carried_out_is_unprocessable(operation: dict[str, Any]) -> None:
    document = {"list": [1, 2], "text": "x"}
    with pytest.raises(FhirProblem) as refused:
        json_patched(document, check_operations([operation]))
    assert refused.value.status == 422
    assert document == {"list": [1, 2], "text": "x"}


def test_copies_of_copies_do_not_grow_without_end() -> None:
    operations = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(60)]
    with pytest.raises(FhirProblem) as refused:
        json_patched({"a": {"x": "x" * 100}}, check_operations(operations))
    assert refused.value.status == 422


# --- XML Patch -------------------------------------------------------------------------------

# Kinds of nodes that FHIR XML does not have: declarations of prefixes, processing instructions; no resource at all.
NOT_IN_FHIR = ("Namespace", "Processing Instruction", "Comment Node with", "Missing target")


def xml_cases(corpus: Path) -> Iterator[etree._Element]:
    tests = etree.parse(str(corpus / "mhd/fhir-rest/patch/xml-patch-tests.xml")).getroot()
    yield from (one for one in tests if isinstance(one.tag, str) and not any(w in one.get("name") for w in NOT_IN_FHIR))


def canonical(element: etree._Element) -> bytes:
    """Without the white space around nodes."""
    copied = etree.fromstring(etree.tostring(element, with_tail=False))
    for one in copied.iter():
        one.text, one.tail = (one.text or "").strip() or None, (one.tail or "").strip() or None
    return etree.tostring(copied, method="c14n", with_comments=True)


@pytest.mark.corpus
def test_the_published_cases_of_xml_patch(corpus: Path) -> None:
    cases = list(xml_cases(corpus))
    assert len(cases) >= 24
    for case in cases:
        target, patch = case.find("target")[0], case.find(f"{{{FHIR}}}patch")
        root = etree.fromstring(etree.tostring(target, with_tail=False))
        if case.find("error") is not None:
            with pytest.raises(FhirProblem):
                apply_operations(root, check_xml_patch(patch))
            continue
        apply_operations(root, check_xml_patch(patch))
        assert canonical(root) == canonical(case.find("patched")[0]), case.get("name")


def xml_patch(text: str) -> dict[str, Any]:
    return xml_patched(LABELLED, read_xml_patch(f'<diff xmlns:f="{FHIR}" xmlns="{FHIR}">{text}</diff>'.encode()))


def test_an_xml_patch_changes_one_element_and_leaves_the_others() -> None:
    after = xml_patch('<replace sel="f:DocumentReference/f:status/@value">superseded</replace>')
    assert after == LABELLED | {"status": "superseded"}
    after = xml_patch("<remove sel=\"DocumentReference/securityLabel[coding/code/@value='MASQUE_PS']\"/>")
    assert after == LABELLED | {"securityLabel": LABELLED["securityLabel"][:1]}


@pytest.mark.parametrize(
    "selector",
    ["", "//f:x", "f:x[count(//*) > 1]", "f:x[//*]", "document('/etc/passwd')", "x" * 600, "f:x[f:y[f:z]]", "g:x"],
)
def test_selectors_that_could_cost_more_than_a_walk_are_refused(selector: str) -> None:
    with pytest.raises(FhirProblem) as refused:
        xml_patch(f'<remove sel="{selector.replace(">", "&gt;")}"/>')
    assert refused.value.status == 400


@pytest.mark.parametrize("kind", ["@1 a", "@a:b", "@xml:lang", "@{u}a", "@", "namespace::f", "x"])
def test_what_is_no_attribute_of_fhir_is_not_added(kind: str) -> None:
    with pytest.raises(FhirProblem) as refused:
        xml_patch(f'<add sel="f:DocumentReference" type="{kind}">x</add>')
    assert refused.value.status == 422


@pytest.mark.parametrize("body", [b"", b"<a>", b"<a/>", b'<!DOCTYPE a [<!ENTITY x "y">]><a><remove sel="&x;"/></a>'])
def test_what_is_no_xml_patch_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(FhirProblem) as refused:
        read_xml_patch(body)
    assert refused.value.status == 400


# --- FHIRPath Patch --------------------------------------------------------------------------


def in_fhir(case: etree._Element, name: str) -> dict[str, Any]:
    return read_xml(etree.tostring(case.find(name)[0], with_tail=False))


@pytest.mark.corpus
def test_the_published_cases_of_fhirpath_patch(corpus: Path) -> None:
    tests = etree.parse(str(corpus / "mhd/fhir-rest/patch/fhir-patch-tests.xml")).getroot()
    cases = list(tests.iter("case"))
    assert len(cases) == 33
    for case in cases:
        resource, parameters = in_fhir(case, "input"), in_fhir(case, "diff")
        if not parameters.get("parameter"):
            assert resource == in_fhir(case, "output"), case.get("name")  # a diff of nothing, which is no PATCH
        elif case.find("error") is not None:
            with pytest.raises(FhirProblem):
                fhirpath_patched(resource, read_fhirpath_patch(parameters))
        else:
            after = fhirpath_patched(resource, read_fhirpath_patch(parameters))
            assert after == in_fhir(case, "output"), case.get("name")


def parameters(kind: str, path: str, **parts: Any) -> dict[str, Any]:
    given = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}]
    given += [{"name": name, **value} for name, value in parts.items()]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": given}]}


def test_an_element_is_found_by_what_it_holds() -> None:
    path = "DocumentReference.securityLabel.where(coding.code = 'MASQUE_PS')"
    after = fhirpath_patched(LABELLED, read_fhirpath_patch(parameters("delete", path)))
    assert after == LABELLED | {"securityLabel": LABELLED["securityLabel"][:1]}


def test_the_name_of_a_choice_ends_with_the_type_of_its_value() -> None:
    resource = LABELLED | {"extension": [{"url": "u", "valueBoolean": False}]}
    operation = parameters("replace", "DocumentReference.extension('u').value", value={"valueBoolean": True})
    assert fhirpath_patched(resource, read_fhirpath_patch(operation))["extension"] == [
        {"url": "u", "valueBoolean": True}
    ]


def test_an_extension_is_added_by_its_parts() -> None:
    parts = [{"name": "url", "valueUri": "u"}, {"name": "value", "valueBoolean": True}]
    operation = parameters("add", "DocumentReference", name={"valueString": "extension"}, value={"part": parts})
    after = fhirpath_patched(LABELLED, read_fhirpath_patch(operation))
    assert after == LABELLED | {"extension": [{"url": "u", "valueBoolean": True}]}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"resourceType": "Patient"}, 400),
        ({"resourceType": "Parameters"}, 400),
        (parameters("coo", "DocumentReference.status"), 400),
        (parameters("replace", "DocumentReference.status"), 400),
        (parameters("delete", "Patient.status"), 400),
        (parameters("delete", "DocumentReference.status | x"), 400),
        (parameters("delete", "DocumentReference.where(status"), 400),
        (parameters("delete", "DocumentReference.securityLabel"), 422),
        (parameters("replace", "DocumentReference.date", value={"valueInstant": "2026-03-10T09:45:00Z"}), 422),
        (parameters("add", "DocumentReference", name={"valueString": "x"}, value={"valueString": "x"}), 422),
        (parameters("add", "DocumentReference", name={"valueString": "status"}, value={"valueCode": "x"}), 422),
        (parameters("move", "DocumentReference.securityLabel", source={"valueInteger": 0}, destination={"valueInteger": 9}), 422),
    ],
)  # fmt: skip
def test_a_fhirpath_patch_that_says_nothing_possible_is_refused(given: dict[str, Any], status: int) -> None:
    with pytest.raises(FhirProblem) as refused:
        fhirpath_patched(LABELLED, read_fhirpath_patch(given))
    assert refused.value.status == status


def test_what_is_no_extension_has_no_url() -> None:
    first = parameters("add", "DocumentReference", name={"valueString": "extension"}, value={"valueString": "x"})
    then = parameters("delete", "DocumentReference.extension('u')")
    both = {"resourceType": "Parameters", "parameter": [*first["parameter"], *then["parameter"]]}
    assert fhirpath_patched(LABELLED, read_fhirpath_patch(both)) == LABELLED | {"extension": ["x"]}


KINDS = ("application/json-patch+json", "application/xml-patch+xml", "application/fhir+json")
JSON_PATCH = [
    {"op": "replace", "path": "/status", "value": "superseded"},
    {"op": "add", "path": "/extension", "value": [{"url": "u", "valueBoolean": True}]},
    {"op": "move", "from": "/securityLabel/0", "path": "/securityLabel/1"},
]
XML_PATCH = (
    f'<diff xmlns:f="{FHIR}"><replace sel="f:DocumentReference/f:status/@value">superseded</replace>'
    '<add sel="f:DocumentReference" type="@id">x</add><remove sel="f:DocumentReference/f:securityLabel[1]"/></diff>'
)
FHIRPATH_PATCH = {
    "resourceType": "Parameters",
    "parameter": [
        *parameters("add", "DocumentReference", name={"valueString": "extension"}, value={"valueString": "x"})["parameter"],
        *parameters("replace", "DocumentReference.extension('u').value", value={"valueBoolean": True})["parameter"],
        *parameters("delete", "DocumentReference.securityLabel.where(coding.code = 'N').first()")["parameter"],
    ],
}  # fmt: skip
SOUND = (json.dumps(JSON_PATCH).encode(), XML_PATCH.encode(), json.dumps(FHIRPATH_PATCH).encode())


@pytest.mark.parametrize(("kind", "sound"), list(zip(KINDS, SOUND, strict=True)))
@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_a_patch_broken_at_random_is_refused_or_carried_out(kind: str, sound: bytes, count: int) -> None:
    seed = int(os.environ.get("CARNET_FUZZ_SEED", SEED))
    print(f"{kind}: seed {seed}, {count} patches")
    for number, octets in enumerate(mutants((sound,), count, seed=seed)):
        try:
            read_patch(kind, octets)(LABELLED)
        except FhirProblem as problem:
            assert problem.status in (400, 422), (seed, number, octets)
        except Exception as problem:
            raise AssertionError(f"{kind}: seed {seed}, patch {number}: {octets!r}") from problem


@given(st.text(alphabet="DocumentRefrnc.stau[]()'=0 where", max_size=60))
def test_no_path_breaks_the_reading_of_paths(path: str) -> None:
    try:
        fhirpath_patched(LABELLED, read_fhirpath_patch(parameters("delete", f"DocumentReference{path}")))
    except FhirProblem as problem:
        assert problem.status in (400, 422)
