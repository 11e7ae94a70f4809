"""Reading a query: lists of any length in one Value, the schema's limits everywhere else. ITI TF-2: 3.18.4.1.2."""

import pytest

from tests.builders import a_submission, an_entry
from tests.registry.hostile_queries import request
from xds.ebrim.read_query import read_adhoc_query
from xds.ebrim.schema import schema_findings
from xds.ebrim.write import write_submit_objects_request
from xds.errors import ErrorCode, Rejected
from xds.metadata import Slot
from xds.query_grammar import read_query
from xds.stored_queries import GET_DOCUMENTS
from xds.xml import parse

NAME = "$XDSDocumentEntryUniqueId"
LONG = "(" + ",".join(f"'2.25.{number}'" for number in range(900)) + ")"


def refusal(body: bytes) -> list[str]:
    with pytest.raises(Rejected) as caught:
        read_adhoc_query(parse(body))
    assert {error.code for error in caught.value.errors} == {ErrorCode.REGISTRY}
    return [error.context for error in caught.value.errors]


def test_a_list_in_one_value_is_read_whole() -> None:
    query = read_adhoc_query(parse(request(GET_DOCUMENTS.id, [(NAME, [LONG, "('b')"])])))
    assert query.slots == ((NAME, (LONG, "('b')")),)


def test_a_comment_in_a_long_list_is_no_part_of_it() -> None:
    body = request(GET_DOCUMENTS.id, [(NAME, [LONG])]).replace(b",", b"<!-- x -->,", 1)
    assert read_adhoc_query(parse(body)).slots == ((NAME, (LONG,)),)


@pytest.mark.parametrize(
    "broken",
    [
        request(GET_DOCUMENTS.id, [("$" + "x" * 256, ["'a'"])]),
        request(GET_DOCUMENTS.id, [(NAME, [LONG])]).replace(b"<r:Value>", b'<r:Value kind="x">'),
        request(GET_DOCUMENTS.id, [(NAME, [LONG])]).replace(b"</r:Value>", b"<r:Value/></r:Value>"),
        request(GET_DOCUMENTS.id, [(NAME, [LONG])]).replace(b"<r:AdhocQuery ", b'<r:AdhocQuery colour="x" '),
    ],
    ids=["a name too long", "an attribute of a Value", "an element in a Value", "an attribute of the query"],
)
def test_the_schema_judges_the_rest(broken: bytes) -> None:
    assert all(context.startswith("line 1") for context in refusal(broken))


def test_an_unknown_return_type_is_told_beside_what_else_is_wrong() -> None:
    slots = [(NAME, ["('a')"]), (NAME, ["('b')"]), ("$MetadataLevel", ["3"])]
    with pytest.raises(Rejected) as caught:
        read_query(read_adhoc_query(parse(request(GET_DOCUMENTS.id, slots, return_type="Everything"))))
    contexts = [error.context for error in caught.value.errors]
    assert [context.partition(":")[0] for context in contexts] == ["returnType", NAME, "$MetadataLevel"]


def test_what_stands_outside_the_slots_of_the_query_keeps_its_limit() -> None:
    inside = f'<r:Name><r:LocalizedString value="{"x" * 1025}"/></r:Name>'
    assert refusal(request(GET_DOCUMENTS.id, [(NAME, [LONG])], inside=inside))


@pytest.mark.parametrize(("length", "is_valid"), [(256, True), (257, False)])
def test_metadata_keeps_its_256_characters(*, length: int, is_valid: bool) -> None:
    entry = an_entry(extra_slots=(Slot("urn:example:note", ("x" * length,)),))
    findings = schema_findings(parse(write_submit_objects_request(a_submission(entry).objects)))
    assert (findings == ()) is is_valid


def test_too_many_elements_are_refused_unread() -> None:
    (context,) = refusal(request(GET_DOCUMENTS.id, [(NAME, ["('a')"] * 6_000)]))
    assert "more than 6000 elements" in context
    assert "64 Slots and 5000 values" in context
