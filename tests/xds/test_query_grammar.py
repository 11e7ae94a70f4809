"""The grammar of stored queries: values, lists, AND and OR, and the code of each violation."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.errors import ErrorCode, Rejected
from xds.query_grammar import (
    MAX_PARAMETERS,
    MAX_VALUES,
    AdhocQuery,
    ReadQuery,
    ReturnType,
    read_query,
)
from xds.stored_queries import (
    FIND_DOCUMENTS,
    GET_DOCUMENTS,
)
from xds.vocabulary import AvailabilityStatus

PATIENT = ("$XDSDocumentEntryPatientId", ("'1^^^&1.2.3&ISO'",))
STATUS = ("$XDSDocumentEntryStatus", (f"('{AvailabilityStatus.APPROVED}')",))
# Every error says where, what was found there, and what was expected.
WHERE_FOUND_EXPECTED = re.compile(r"[^:]+: found .+, expected .+", re.DOTALL)
EVENTS, TYPES, AUTHOR = "$XDSDocumentEntryEventCodeList", "$XDSDocumentEntryTypeCode", "$XDSDocumentEntryAuthorPerson"


def find(*slots: tuple[str, tuple[str, ...]], return_type: str = "LeafClass") -> ReadQuery:
    return read_query(AdhocQuery(id=FIND_DOCUMENTS.id, return_type=return_type, slots=(PATIENT, STATUS, *slots)))


def codes(
    *slots: tuple[str, tuple[str, ...]], query: str = FIND_DOCUMENTS.id, kind: str = "ObjectRef"
) -> list[ErrorCode]:
    with pytest.raises(Rejected) as caught:
        read_query(AdhocQuery(id=query, return_type=kind, slots=slots))
    for error in caught.value.errors:
        assert WHERE_FOUND_EXPECTED.fullmatch(error.context), error.context
    return [error.code for error in caught.value.errors]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (("('a^^s')",), (("a^^s",),)),
        (("('a^^s','b^^s')",), (("a^^s", "b^^s"),)),
        (("( 'a^^s' , 'b^^s' )",), (("a^^s", "b^^s"),)),
        (("('a^^s')", "('b^^s','c^^s')"), (("a^^s", "b^^s", "c^^s"),)),
        (("('a,(b)^^s')",), (("a,(b)^^s",),)),
        (("('it''s^^s')",), (("it's^^s",),)),
        (("('a^^s','a^^s')",), (("a^^s",),)),
        (("'a^^s'",), (("a^^s",),)),
    ],
)
def test_lists_strings_and_quotes(values: tuple[str, ...], read: tuple[tuple[str, ...], ...]) -> None:
    assert find((TYPES, values)).groups(TYPES) == read


def test_a_repeated_slot_means_and_where_the_table_allows_it() -> None:
    query = find((EVENTS, ("('a^^s','b^^s')",)), (EVENTS, ("('c^^s')",)))
    assert query.groups(EVENTS) == (("a^^s", "b^^s"), ("c^^s",))
    assert codes(PATIENT, STATUS, (TYPES, ("('a^^s')",)), (TYPES, ("('b^^s')",))) == [
        ErrorCode.STORED_QUERY_PARAM_NUMBER
    ]


def test_a_single_value_may_stand_in_a_list_of_one() -> None:
    slots = (("$XDSDocumentEntryPatientId", ("('1^^^&1.2.3&ISO')",)), STATUS)
    query = read_query(AdhocQuery(id=FIND_DOCUMENTS.id, return_type="ObjectRef", slots=slots))
    assert query.one("$XDSDocumentEntryPatientId") == "1^^^&1.2.3&ISO"
    assert query.return_type is ReturnType.OBJECT_REF


def test_times_are_digits_with_or_without_quotes_and_padded() -> None:
    query = find(("$XDSDocumentEntryCreationTimeFrom", ("2024",)), ("$XDSDocumentEntryCreationTimeTo", ("'202402'",)))
    assert query.one("$XDSDocumentEntryCreationTimeFrom") == "20240101000000"
    assert query.one("$XDSDocumentEntryCreationTimeTo") == "20240201000000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (TYPES, "('a')"),
        (TYPES, "('a^^')"),
        (TYPES, "(a^^s)"),
        (TYPES, "a^^s"),
        (TYPES, "('a^^s'"),
        (TYPES, "('a^^s' 'b^^s')"),
        (TYPES, "('a^^s',)"),
        (TYPES, "()"),
        (TYPES, "('a^^s)"),
        ("$XDSDocumentEntryCreationTimeFrom", "yesterday"),
        ("$XDSDocumentEntryCreationTimeFrom", "20240230"),
        ("$MetadataLevel", "two"),
    ],
)
def test_a_malformed_value_is_a_registry_error(name: str, value: str) -> None:
    assert codes(PATIENT, STATUS, (name, (value,))) == [ErrorCode.REGISTRY]


@pytest.mark.parametrize("value", ["1^^^&1.2.3&ISO", "'1'", "'1^^^'", "(1^^^&1.2.3&ISO)"])
def test_a_malformed_patient_is_a_registry_error(value: str) -> None:
    assert codes(("$XDSDocumentEntryPatientId", (value,)), STATUS) == [ErrorCode.REGISTRY]


@pytest.mark.parametrize(
    ("name", "value", "found", "expected"),
    [
        (TYPES, "('a^^s'", "found the list \"('a^^s'\"", "expected it to end with )"),
        (TYPES, f"('{'a' * 90}^^s'", "aaa^^s'\"", "expected it to end with )"),
        (TYPES, "a^^s", "found 'a^^s'", "expected a list in parentheses"),
        (TYPES, "('a^^s' 'b^^s')", "found \"'b^^s'\" behind a value", "expected a comma"),
        (TYPES, "('a^^s',)", "found ''", "expected 'text' in single quotes or a number"),
        (TYPES, "('a')", "found 'a'", "expected code^^codingScheme"),
        (TYPES, "(" + "'a^^s'," * MAX_VALUES + "'a^^s')", f"found more than {MAX_VALUES} values", "at most"),
        (EVENTS, "('')", "found ''", "expected a value between the quotes"),
        ("$XDSDocumentEntryType", "('urn:uuid:0')", "found 'urn:uuid:0'", "expected one of urn:uuid:"),
        ("$XDSDocumentEntryCreationTimeFrom", "yesterday", "found 'yesterday'", "expected DTM"),
        ("$MetadataLevel", "3", "found '3'", "expected 1 or 2"),
    ],
)
def test_an_error_names_what_was_found_what_was_expected_and_where(
    name: str, value: str, found: str, expected: str
) -> None:
    with pytest.raises(Rejected) as caught:
        find((name, (value,)))
    [error] = caught.value.errors
    assert error.context.startswith(f"{name}: ")
    assert found in error.context
    assert expected in error.context


def test_a_status_that_is_not_understood_is_shown() -> None:
    with pytest.raises(Rejected) as caught:
        read_query(
            AdhocQuery(
                id=FIND_DOCUMENTS.id,
                return_type="ObjectRef",
                slots=(PATIENT, (STATUS[0], ("('urn:approved','Approved')",))),
            )
        )
    assert (
        f"found 'urn:approved', 'Approved', expected one of {AvailabilityStatus.APPROVED}"
        in caught.value.errors[0].context
    )


def test_several_values_where_one_is_meant_are_refused() -> None:
    times = ("$XDSDocumentEntryCreationTimeFrom", ("2024", "2025"))
    assert codes(PATIENT, STATUS, times) == [ErrorCode.STORED_QUERY_PARAM_NUMBER]
    assert codes(PATIENT, PATIENT, STATUS) == [ErrorCode.STORED_QUERY_PARAM_NUMBER]


def test_required_parameters_are_missed_by_name() -> None:
    assert codes() == [ErrorCode.STORED_QUERY_MISSING_PARAM] * 2
    assert codes(PATIENT, ("$XDSDocumentEntryStatus", ())) == [ErrorCode.STORED_QUERY_MISSING_PARAM]


def test_exactly_one_of_the_alternatives_is_given() -> None:
    uuid, unique = ("$XDSDocumentEntryEntryUUID", ("('a')",)), ("$XDSDocumentEntryUniqueId", ("('b')",))
    assert codes(query=GET_DOCUMENTS.id) == [ErrorCode.STORED_QUERY_MISSING_PARAM]
    assert codes(uuid, unique, query=GET_DOCUMENTS.id) == [ErrorCode.STORED_QUERY_PARAM_NUMBER]
    assert read_query(AdhocQuery(id=GET_DOCUMENTS.id, return_type="LeafClass", slots=(uuid,))).all(uuid[0]) == ("a",)


def test_unknown_parameters_are_ignored_but_obsolete_ones_refused() -> None:
    assert find(("$XDSDocumentEntryColour", ("'blue'",)), ("$xdsdocumententrytypecode", ("x",))).groups(TYPES) == ()
    assert codes(PATIENT, STATUS, ("$XDSDocumentEntryClassCodeScheme", ("'x'",))) == [ErrorCode.REGISTRY]


def test_an_obsolete_scheme_says_nothing_beside_codes_that_have_theirs() -> None:
    scheme = ("$XDSDocumentEntryTypeCodeScheme", ("('x')",))
    assert find((TYPES, ("('11488-4^^1.2.3')",)), scheme).groups(TYPES) == (("11488-4^^1.2.3",),)
    assert set(codes(PATIENT, STATUS, (TYPES, ("('11488-4')",)), scheme)) == {ErrorCode.REGISTRY}


def test_an_unknown_query_and_return_type_have_their_codes() -> None:
    assert codes(query="urn:uuid:14D4DEBF-8F97-4251-9A74-A90016B0AF0D") == [ErrorCode.UNKNOWN_STORED_QUERY]
    assert codes(PATIENT, STATUS, kind="Everything") == [ErrorCode.REGISTRY]


def test_all_errors_of_a_query_are_told_at_once() -> None:
    found = codes(STATUS, STATUS, (TYPES, ("x",)), ("$XDSDocumentEntryCreationTimeTo", ("1", "2")), kind="x")
    assert sorted(found) == sorted(
        [
            ErrorCode.REGISTRY,  # returnType
            ErrorCode.STORED_QUERY_PARAM_NUMBER,  # status twice
            ErrorCode.REGISTRY,  # code
            ErrorCode.REGISTRY,  # malformed time
            ErrorCode.STORED_QUERY_MISSING_PARAM,  # no patient
        ]
    )


def test_excess_is_refused_quickly() -> None:
    many = "(" + ",".join(f"'a{number}^^s'" for number in range(100_000)) + ")"
    for slots in (
        (PATIENT, STATUS, (TYPES, (many,))),
        (PATIENT, STATUS, (TYPES, ("('" + "x" * 10**7 + "')",))),
        (PATIENT, STATUS, (TYPES, ("('" + "''" * 10**6,))),
        tuple((f"$XDSOther{number}", ("'x'",)) for number in range(MAX_PARAMETERS + 1)),
    ):
        began = time.perf_counter()
        assert codes(*slots)
        assert time.perf_counter() - began < 0.1
    assert len(find((TYPES, ("(" + ",".join(f"'{n}^^s'" for n in range(MAX_VALUES)) + ")",))).all(TYPES)) == MAX_VALUES


@given(st.text(max_size=80), st.sampled_from([name.name for name in FIND_DOCUMENTS.parameters]))
def test_noise_is_read_or_rejected_and_nothing_else(text: str, name: str) -> None:
    try:
        find((name, (text,)))
    except Rejected as rejected:
        assert all(WHERE_FOUND_EXPECTED.fullmatch(error.context) for error in rejected.errors)
