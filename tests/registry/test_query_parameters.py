"""Every parameter of every stored query, driven from their table: what it finds, and the code of each wrong use.

ITI TF-2: 3.18.4.1.2.3, 3.18.4.1.3, 3.51.4.1.2.3.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from registry.store import Registry
from tests.conftest import BOTH_DATABASES
from tests.registry.a_record import ELISE, OMAR, OTHER, OWNER, VALUES, the_record
from tests.registry.asking import ALL_QUERIES, Given, check, on_the_wire, opened, registry_of
from tests.registry.query_model import MODELS, Query
from tests.registry.worlds import World, store
from xds.errors import ErrorCode, Rejected
from xds.query_grammar import AdhocQuery, read_query
from xds.stored_queries import METADATA_LEVEL, Parameter, ParameterType, StoredQuery

T = ParameterType
REGISTRY, NUMBER = ErrorCode.REGISTRY, ErrorCode.STORED_QUERY_PARAM_NUMBER
MISSING = ErrorCode.STORED_QUERY_MISSING_PARAM
EVERY = [
    pytest.param(query, parameter, id=f"{query.name} {parameter.name}")
    for query in ALL_QUERIES.values()
    for parameter in query.parameters
]
QUERIES = [pytest.param(query, id=query.name) for query in ALL_QUERIES.values()]

# What a value of each type may not be. A status that is not understood is ignored: none is left.
MALFORMED: dict[ParameterType, tuple[str, ...]] = {
    T.STRING: ("a", "'a", "''", "'a' 'b'"),
    T.PATTERN: ("a", "'O'NEIL'", "''"),
    T.LEVEL: ("0", "3", "two", "1.0"),
    T.FROM: ("yesterday", "202", "20240230", "2024-01-01", "'2024 '"),
    T.TO: ("tomorrow", "20241301", "20240101240000", "-2024"),
    T.CODE: ("'a'", "'a^^'", "'^^s'", "a^^s", "'a^^s"),
    T.PATIENT: ("'1'", "'1^^^'", "1^^^&1.2.3&ISO", "'^^^&1.2.3&ISO'"),
    T.STATUS: ("Approved", "'Approved"),
    T.OBJECT_TYPE: ("'stable'", "'urn:uuid:0'", "stable"),
    T.AVAILABILITY: ("'Online'", "Online"),
    T.ASSOCIATION_TYPE: ("'RPLC'", "'urn:ihe:iti:2007:AssociationType:rplc'"),
}
INJECTED = (
    "' OR '1'='1",
    "x'); DROP TABLE registry_object; --",
    "\\",
    "\\'",
    "%_",
    "a\u0301",
    '{}[]",$1,?,:x,%s,%(x)s',
    "\u202e\U0001f600",
)


@pytest.fixture(scope="module")
def world() -> World:
    return the_record()


@pytest.fixture(scope="module", params=BOTH_DATABASES)
def registry(request: pytest.FixtureRequest, shared_memory: Path, world: World) -> Iterator[Registry]:
    file = shared_memory / "carnet.sqlite"
    url = f"sqlite:///{file}" if request.param == "sqlite" else request.getfixturevalue("shared_postgresql_url")
    with opened(url) as units:
        store(units, world)
        yield registry_of(units)


def values(parameter: Parameter) -> tuple[str, str]:
    """The two values of a parameter, the same for its exclusion."""
    return VALUES[parameter.negates or parameter.name]


def least(query: StoredQuery, parameter: Parameter) -> Given:
    """What the query needs beside this parameter: both values where a list is allowed."""
    needed = [one for one in query.parameters if one.required]
    if not parameter.alternative:
        needed += [one for one in query.parameters if one.alternative][:1]
    if query.at_least_one and parameter.name not in query.at_least_one:
        needed += [one for one in query.parameters if one.name == query.at_least_one[0]]
    if METADATA_LEVEL in query.parameters and parameter.type is T.AVAILABILITY:
        needed += [METADATA_LEVEL]
    return {
        one.name: [["2"] if one is METADATA_LEVEL else list(values(one)[: 2 if one.many else 1])]
        for one in needed
        if one is not parameter
    }


def found(world: World, query: StoredQuery, given: Given) -> set[str]:
    return {one.id for one in MODELS[query.name](Query(world, given))}


def codes(query: StoredQuery, slots: tuple[tuple[str, tuple[str, ...]], ...]) -> set[ErrorCode]:
    with pytest.raises(Rejected) as caught:
        read_query(AdhocQuery(id=query.id, return_type="ObjectRef", slots=slots), ALL_QUERIES)
    return {error.code for error in caught.value.errors}


def slots(query: StoredQuery, given: Given) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return on_the_wire(query, given, "ObjectRef").slots


def quoted(parameter: Parameter, *texts: str) -> str:
    """Values as they stand in a Value."""
    listed = ",".join(texts)
    return f"({listed})" if parameter.many else listed


def test_every_parameter_has_its_two_values() -> None:
    named = {one.negates or one.name for query in ALL_QUERIES.values() for one in query.parameters}
    assert named == set(VALUES)
    assert {one.type for query in ALL_QUERIES.values() for one in query.parameters} == set(MALFORMED) == set(T)


@pytest.mark.parametrize(("query", "parameter"), EVERY)
def test_a_parameter_finds_by_each_value_and_by_both(
    registry: Registry, world: World, query: StoredQuery, parameter: Parameter
) -> None:
    base, (first, second) = least(query, parameter), values(parameter)
    one, other = ({**base, parameter.name: [[value]]} for value in (first, second))
    assert found(world, query, one) != found(world, query, other), "the record tells nothing about this parameter"
    for given in (one, other):
        check(registry, world, query, given)
    if parameter.many:
        check(registry, world, query, {**base, parameter.name: [[first, second]]})
    if parameter.and_or:
        both = {**base, parameter.name: [[first], [second]]}
        assert found(world, query, both) != found(world, query, {**base, parameter.name: [[first, second]]})
        check(registry, world, query, both)


@pytest.mark.parametrize("level", ["1", "2"])
@pytest.mark.parametrize("query", QUERIES)
def test_all_parameters_together_narrow_each_other(
    registry: Registry, world: World, query: StoredQuery, level: str
) -> None:
    given: Given = {}
    for one in query.parameters:
        if one.alternative and any(other.name in given for other in query.parameters if other.alternative):
            continue
        if one.negates:
            continue
        value = "2030" if one.type is T.TO else "2000" if one.type is T.FROM else values(one)[0]
        given[one.name] = [[level if one is METADATA_LEVEL else value]]
    assert found(world, query, given), "the record tells nothing about all parameters together"
    check(registry, world, query, given)


TIMES = sorted(
    {one.name.removesuffix("From") for query in ALL_QUERIES.values() for one in query.parameters if one.type is T.FROM}
)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(
    ("start", "stop"),
    [
        ("20240101", None),
        ("202401010000", None),
        ("20240101000001", None),
        (None, "20240101"),
        (None, "20240101000001"),
        ("2024", "2025"),
        ("20250101", "20250101"),
        ("2026", "2020"),
    ],
)
def test_a_time_range_includes_its_start_and_not_its_stop(
    registry: Registry, world: World, time: str, start: str | None, stop: str | None
) -> None:
    for query in ALL_QUERIES.values():
        parameter = next((one for one in query.parameters if one.name == f"{time}From"), None)
        if parameter is not None:
            ends = {f"{time}From": start, f"{time}To": stop}
            given = least(query, parameter) | {name: [[end]] for name, end in ends.items() if end is not None}
            check(registry, world, query, given)


@pytest.mark.parametrize(
    "pattern",
    [
        ELISE,
        "%VILLARD%",
        "1^%",
        "%^OMAR",
        "_^HADDAD^OM_R",
        "%",
        "%villard%",
        "_",
        "1^VILLARD",
        "%v\\_2%",
        "%v_2%",
        "o1%",
    ],
)
def test_patterns_match_the_whole_value(registry: Registry, world: World, pattern: str) -> None:
    for query in ALL_QUERIES.values():
        for parameter in (one for one in query.parameters if one.type is T.PATTERN):
            base = least(query, parameter)
            check(registry, world, query, {**base, parameter.name: [[pattern]]})
            if parameter.many:
                check(registry, world, query, {**base, parameter.name: [[pattern, OMAR]]})


@pytest.mark.parametrize("text", INJECTED)
def test_a_value_is_a_value_whatever_it_looks_like(registry: Registry, world: World, text: str) -> None:
    free = {T.STRING: text, T.PATTERN: text, T.CODE: f"{text}^^{text}".replace("^^^", "^^")}
    for query in ALL_QUERIES.values():
        for parameter in (one for one in query.parameters if one.type in free):
            check(registry, world, query, {**least(query, parameter), parameter.name: [[free[parameter.type]]]})


def test_several_patients_are_asked_about_at_once(registry: Registry, world: World) -> None:
    for query in ALL_QUERIES.values():
        for parameter in (one for one in query.parameters if one.type is T.PATIENT and one.many):
            given = {**least(query, parameter), parameter.name: [[str(OWNER), str(OTHER)]]}
            assert len({one.patient for one in MODELS[query.name](Query(world, given))}) == 2
            check(registry, world, query, given)


@pytest.mark.parametrize(("query", "parameter"), EVERY)
def test_a_malformed_value_has_its_code(query: StoredQuery, parameter: Parameter) -> None:
    base = slots(query, least(query, parameter))
    for text in MALFORMED[parameter.type]:
        empty = text == "''" and (parameter.required or parameter.alternative)
        expected = MISSING if empty else REGISTRY
        assert codes(query, (*base, (parameter.name, (quoted(parameter, text),)))) == {expected}, text
    for text in ("(", "('a'", "('a',)", "(,'a')", "('a''b)"):
        assert REGISTRY in codes(query, (*base, (parameter.name, (text,)))), text
    if parameter.type is T.STATUS:
        ignored = (parameter.name, (quoted(parameter, "'urn:oasis:names:tc:ebxml-regrep:StatusType:Fine'"),))
        assert codes(query, (*base, ignored)) == {MISSING}


@pytest.mark.parametrize(("query", "parameter"), EVERY)
def test_a_parameter_stands_once_unless_it_means_and(query: StoredQuery, parameter: Parameter) -> None:
    repeated = slots(query, {**least(query, parameter), parameter.name: [[one] for one in values(parameter)]})
    if parameter.and_or:
        read = read_query(AdhocQuery(id=query.id, return_type="ObjectRef", slots=repeated), ALL_QUERIES)
        assert len(read.groups(parameter.name)) == 2
    else:
        assert codes(query, repeated) == {NUMBER}


@pytest.mark.parametrize(("query", "parameter"), EVERY)
def test_a_single_value_is_one_value(query: StoredQuery, parameter: Parameter) -> None:
    base = slots(query, least(query, parameter))
    written = [value if parameter.type in (T.FROM, T.TO, T.LEVEL) else f"'{value}'" for value in values(parameter)]
    several = (
        (parameter.name, (f"({','.join(written)})",)),
        (parameter.name, tuple(f"({value})" for value in written)),
    )
    for slot in several:
        if parameter.many:
            read = read_query(AdhocQuery(id=query.id, return_type="ObjectRef", slots=(*base, slot)), ALL_QUERIES)
            assert len(read.all(parameter.name)) == 2
        else:
            assert codes(query, (*base, slot)) == {NUMBER}


@pytest.mark.parametrize("query", QUERIES)
def test_what_is_required_is_missed(query: StoredQuery) -> None:
    for parameter in query.parameters:
        if not (parameter.required or parameter.alternative):
            continue
        others = {**least(query, parameter)}
        assert codes(query, slots(query, others)) == {MISSING}
        assert codes(query, (*slots(query, others), (parameter.name, ()))) == {MISSING}
        assert codes(query, (*slots(query, others), (parameter.name, ("()",)))) == {MISSING}
    if query.at_least_one:
        required = next(one for one in query.parameters if one.required)
        others = {name: groups for name, groups in least(query, required).items() if name not in query.at_least_one}
        others[required.name] = [list(values(required))]
        assert codes(query, slots(query, others)) == {MISSING}


@pytest.mark.parametrize("query", QUERIES)
def test_what_excludes_each_other_is_not_given_together(query: StoredQuery) -> None:
    alternatives = [one for one in query.parameters if one.alternative]
    for one, other in pairwise(alternatives):
        given = {**least(query, one), one.name: [[values(one)[0]]], other.name: [[values(other)[0]]]}
        assert codes(query, slots(query, given)) == {NUMBER}
    for parameter in (one for one in query.parameters if one.negates):
        both = {parameter.name: [[values(parameter)[0]]], parameter.negates: [[values(parameter)[1]]]}
        assert codes(query, slots(query, {**least(query, parameter), **both})) == {NUMBER}


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("return_type", ["", "leafclass", "RegistryObject", "LeafClassWithRepositoryItem"])
def test_a_return_type_is_leaf_class_or_object_ref(query: StoredQuery, return_type: str) -> None:
    parameter = next(one for one in query.parameters if one.required or one.alternative)
    given = {**least(query, parameter), parameter.name: [[values(parameter)[0]]]}
    with pytest.raises(Rejected) as caught:
        read_query(on_the_wire(query, given, return_type), ALL_QUERIES)
    assert [error.code for error in caught.value.errors] == [REGISTRY]
