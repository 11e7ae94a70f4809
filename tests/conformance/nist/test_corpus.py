"""The public test kit, read where it lies: every plan, every reference, every submission."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from conformance.nist.assigned_ids import assign_patient_id, assign_source_id, assign_unique_ids
from conformance.nist.ebrim21 import to_ebrim3
from conformance.nist.identifiers import Allocator
from conformance.nist.kit import Kit, Section, read_kit
from conformance.nist.log_tree import place_of
from conformance.nist.metadata_rules import attribute_problems
from conformance.nist.read_testplan import read_plan
from conformance.nist.registry_objects import read_registry_objects
from conformance.nist.run_order import plan_run, select
from conformance.nist.schema_check import open_schemas
from conformance.nist.testplan import Instructions, Step
from conformance.nist.xml import parse

pytestmark = pytest.mark.corpus
LIMITED = "ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"


@pytest.fixture(scope="module")
def kit(corpus: Path) -> Kit:
    return read_kit(corpus / "nist-xds")


def steps_of(kit: Kit) -> Iterator[tuple[Section, Step]]:
    for test in kit.tests.values():
        for section in test.sections:
            yield from ((section, step) for step in read_plan(section.plan).steps)


def submissions(kit: Kit) -> Iterator[tuple[str, Step, Instructions]]:
    for section, step in steps_of(kit):
        if step.instructions is not None and step.instructions.transaction.is_submission:
            yield f"{section.test}/{section.name}/{step.id}", step, step.instructions


def request_of(instructions: Instructions) -> etree._Element:
    assert instructions.metadata_file is not None
    root = parse(instructions.metadata_file.read_bytes())
    return root if root.tag.endswith("}SubmitObjectsRequest") else next(root.iter("{*}SubmitObjectsRequest"))


def test_every_plan_is_read_with_the_steps_of_the_catalogue(kit: Kit, corpus: Path) -> None:
    catalogue = json.loads((corpus / "nist-xds" / "catalogue.json").read_text())
    assert {test["id"] for test in catalogue} == set(kit.tests)
    for entry in catalogue:
        test = kit.tests[entry["id"]]
        assert [section.name for section in test.sections] == entry["index"]
        assert sum(len(read_plan(section.plan).steps) for section in test.sections) == entry["steps"], test.id


def test_every_reference_leads_to_a_test_and_section_of_the_kit(kit: Kit) -> None:
    sections = {(section.test, section.name) for section, _ in steps_of(kit)}
    for section, step in steps_of(kit):
        instructions = step.instructions
        if instructions is None or instructions.transaction.name == "ITI-43":
            continue
        assert all(place_of(section, use.testdir) in sections for use in instructions.use_ids), section
        assert all(use.test in kit.tests for use in instructions.use_reports if use.test), section


def test_the_whole_kit_is_planned_set_up_first(kit: Kit) -> None:
    planned = plan_run(kit, select(kit, []))
    assert len(planned) == len(kit.tests)
    assert not any(one.unsupported for one in planned)
    assert [one.test.id for one in planned][5:8] == ["12346", "12374", "12361"]


def test_every_submission_converts_to_something_valid(kit: Kit) -> None:
    schemas = open_schemas(None)
    wrong = {
        place: list(schemas.problems(to_ebrim3(request_of(instructions))))
        for place, _, instructions in submissions(kit)
    }
    assert len(wrong) > 200
    assert {place: problems for place, problems in wrong.items() if problems} == {}


def test_every_submission_that_must_be_accepted_obeys_the_metadata_rules(kit: Kit) -> None:
    """The rules that answers are checked with are no stricter than what the kit itself sends.

    Hash, size and repositoryUniqueId come from the repository, where one is on the way.
    """
    allocator, found = Allocator(authority="2.25.7"), {}
    for place, step, instructions in submissions(kit):
        request = request_of(instructions)
        if not step.expects_success or LIMITED in etree.tostring(request, encoding="unicode"):
            continue
        assign_patient_id(request, allocator.patient_id())
        assign_source_id(request, kit.source_id)
        fresh = Instructions(transaction=instructions.transaction, element=instructions.element)
        assign_unique_ids(request, fresh, allocator.unique_id)
        problems = attribute_problems(read_registry_objects(to_ebrim3(request)), kit.codes)
        set_later = (": hash: 0", ": size: 0", ": repositoryUniqueId: 0") if instructions.transaction.is_provide else ()
        found[place] = [one for one in problems if not any(text in one for text in set_later)]
    assert len(found) > 150
    assert {place: problems for place, problems in found.items() if problems} == {}


def test_the_code_table_is_read_whole(kit: Kit) -> None:
    counts = {name: len(codes) for name, codes in kit.codes.codes.items()}
    assert counts["classCode"] == 14
    assert counts["confidentialityCode"] == 6
    assert len(kit.codes.mime_types) == 14
    assert kit.codes.authorities[0] == "1.3.6.1.4.1.21367.13.20.1000"
