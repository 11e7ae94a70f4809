"""Row F09: of resources that the validator of HL7 was tried with, `$validate` says what that validator says, or why not."""

import csv
import json
import re

import pytest

from tests.attacks.conftest import Target
from tests.attacks.corpus import ATTACKS, sets

pytestmark = pytest.mark.corpus
_SET = "fhir-bad"
# What the resource says first that it is, in JSON or XML.
_TYPE = re.compile(rb'\A\s*\{\s*"resourceType"\s*:\s*"(\w+)"|\A(?:\s|<[?!][^>]*>)*<(?:\w+:)?(\w+)')
# Where this server says less than that validator, and why.
DOCUMENTED = {
    "dr-example-org.json": "an address of example.org is a style that the validator warns of in examples",
    "list-contained-bad.json": "references are followed when a submission is made of a resource, not here",
    "list-contained-bad.xml": "references are followed when a submission is made of a resource, not here",
    "list-xhtml-nested.xml": "a paragraph within a paragraph acts on nobody, and is well-formed",
}


@pytest.fixture(scope="module")
def judged() -> dict[str, bool]:
    """The files that are judged here whose outcome is known: whether that validator finds an error in them."""
    contents, found = dict(sets()[_SET]), {}
    with (ATTACKS / _SET / "MANIFEST.tsv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            outcome = re.fullmatch(r"fatal=(\d+) error=(\d+)", row["expect"])
            if outcome is not None and _is_judged(contents[row["file"]]):
                found[row["file"]] = outcome.groups() != ("0", "0")
    return found


def _is_judged(octets: bytes) -> bool:
    found = _TYPE.search(octets.removeprefix(b"\xef\xbb\xbf"))
    return found is not None and (found[1] or found[2]) in (b"List", b"DocumentReference")


def finds_error(target: Target, file: str, octets: bytes) -> bool:
    kind = "application/fhir+xml" if file.endswith(".xml") else "application/fhir+json"
    answer = target.doors.fhir("POST", "/fhir/$validate", octets, content_type=kind, accept="application/fhir+json")
    assert answer.status in (200, 400), answer
    return any(one["severity"] in ("error", "fatal") for one in json.loads(answer.body)["issue"])


def test_f09_findings_in_lists_and_documents_are_those_of_the_validator_of_hl7(
    target: Target, judged: dict[str, bool]
) -> None:
    contents = dict(sets()[_SET])
    found = {file: finds_error(target, file, contents[file]) for file in judged}
    assert len(judged) >= 20
    assert {file for file in judged if found[file] != judged[file]} == DOCUMENTED.keys()
    assert not any(found[file] for file in DOCUMENTED)


def test_f09_no_other_resource_is_called_sound(target: Target) -> None:
    """It is none that is submitted here: a Bundle is judged as one of ITI-65, which none of these is."""
    others = [(file, octets) for file, octets in sets()[_SET] if not _is_judged(octets)]
    assert [file for file, octets in others if not finds_error(target, file, octets)] == []
