"""A refused message changes nothing: which questions are asked, and how the answers are compared."""

from lxml import etree

from conformance.nist.ebrim21 import to_ebrim3
from conformance.nist.nothing_left import Probe, compare, probes_for, take_snapshot, to_query
from conformance.nist.schema_check import open_schemas
from conformance.nist.transactions import ITI18, ITI42, ITI57, ITI62, ITI86
from conformance.sentence import Sentence
from tests.conformance.kits import a_member, a_query_response, a_submission, an_error, element

REFERENCE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d870001"


def submission(*more: str) -> etree._Element:
    text = a_submission().replace("</r:LeafRegistryObjectList>", "".join(more) + "</r:LeafRegistryObjectList>")
    return to_ebrim3(etree.fromstring(text))


def test_objects_are_asked_for_by_unique_id_and_references_by_uuid() -> None:
    names = [probe.name for probe in probes_for(ITI42, submission(a_member("Document01", REFERENCE, type="RPLC")))]
    assert names == [
        "DocumentEntry with uniqueId Document01",
        "SubmissionSet with uniqueId SubmissionSet01",
        f"DocumentEntry {REFERENCE}",
        f"Folder {REFERENCE}",
    ]


def test_updates_are_asked_about_every_version() -> None:
    assert {probe.is_level_two for probe in probes_for(ITI57, submission())} == {True}
    assert {probe.is_level_two for probe in probes_for(ITI42, submission())} == {False}


def test_removals_are_asked_about_by_id_and_queries_not_at_all() -> None:
    removal = element(f'<r:ObjectRefList><r:ObjectRef id="{REFERENCE}"/><r:ObjectRef id="$x$"/></r:ObjectRefList>')
    probes = probes_for(ITI62, removal)
    assert [probe.values for probe in probes] == [(f"('{REFERENCE}')",)] * 3
    assert probes_for(ITI18, removal) == probes_for(ITI86, removal) == []


def test_the_questions_are_valid_queries() -> None:
    schemas = open_schemas(None)
    for probe in probes_for(ITI57, submission(a_member("Document01", REFERENCE, type="RPLC"))):
        assert list(schemas.problems(to_query(probe))) == []


def found(*ids: str) -> etree._Element:
    return element(a_query_response(*(f'<r:ObjectRef id="{id}"/>' for id in ids)))


PROBE = Probe(name=Sentence("p", "p"), query="q", parameter="$p", values=("'1'",))


def compared(before: etree._Element | None, after: etree._Element | None) -> list[tuple[str, bool]]:
    old, new = (take_snapshot([PROBE], lambda query, answer=answer: answer) for answer in (before, after))
    return [(finding.reason, finding.is_remark) for finding in compare(old, new)]


def test_the_same_objects_are_right_and_any_other_set_fails() -> None:
    assert compared(found(), found()) == []
    assert compared(found("a", "b"), found("b", "a")) == []
    for after in (found("a"), found("a", "b", "c"), found()):
        assert compared(found("a", "b"), after) == [("the refused message changed something: p", False)]


def test_a_changed_status_is_seen() -> None:
    entries = [element(a_query_response(f'<r:ExtrinsicObject id="a" status="{status}"/>')) for status in ("A", "D")]
    assert compared(entries[0], entries[1]) == [("the refused message changed something: p", False)]


def test_a_question_that_is_not_answered_is_a_remark() -> None:
    refused = element(a_query_response(status="Failure", errors=an_error("XDSUnknownStoredQuery")))
    for answer in (refused, None):
        ((reason, is_remark),) = compared(answer, answer)
        assert is_remark
        assert "could not be checked" in reason
