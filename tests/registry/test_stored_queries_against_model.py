"""Every stored query with random parameters over random registries finds what a plain model of it finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.store import Registry
from tests.registry import worlds as w
from tests.registry.asking import ALL_QUERIES, Given, check, opened, registry_of
from tests.registry.query_model import MODELS
from tests.registry.worlds import World, store, worlds
from xds.datatypes import CX
from xds.metadata import DocumentEntry, Folder, SubmissionSet
from xds.stored_queries import (
    DOCUMENT,
    FOLDER,
    METADATA_LEVEL,
    SUBMISSION_SET,
    Parameter,
    ParameterType,
    StoredQuery,
)
from xds.vocabulary import AssociationType, AvailabilityStatus, DocumentAvailability, ObjectType

UNKNOWN_PATIENT = CX("nobody^^^&1.2.250.1.213.1.4.10&ISO")
PATTERNS = ("%", "%VILL%", "%VILL__^%", "_^%", "%E_ISE", "%50%", "%M\u00e9nard%", "r_^%", "R_1%", "%order", "villard%")
POOLS: dict[ParameterType, tuple[str, ...]] = {
    ParameterType.CODE: (*w.CODES, "\u00e9^^s1", "c^^s1"),
    ParameterType.FROM: w.TIMES,
    ParameterType.TO: w.TIMES,
    ParameterType.LEVEL: ("1", "2"),
    ParameterType.PATIENT: tuple(str(one) for one in (*w.PATIENTS[:2], UNKNOWN_PATIENT)),
    ParameterType.STATUS: tuple(str(status) for status in AvailabilityStatus),
    ParameterType.OBJECT_TYPE: tuple(str(kind) for kind in ObjectType),
    ParameterType.AVAILABILITY: tuple(str(one) for one in DocumentAvailability),
    ParameterType.ASSOCIATION_TYPE: tuple(str(one) for one in (*w.RELATIONSHIPS, AssociationType.HAS_MEMBER)),
}
KINDS = {DOCUMENT: DocumentEntry, SUBMISSION_SET: SubmissionSet, FOLDER: Folder}


def pool(parameter: Parameter, world: World) -> tuple[str, ...]:
    """Values that mean something in this world, and one that does not."""
    if parameter.type is ParameterType.PATTERN:
        return (*PATTERNS, *(w.PEOPLE if parameter.attribute == "author_person" else w.REFERENCES))
    if parameter.type is not ParameterType.STRING:
        return POOLS[parameter.type]
    if parameter.attribute == "source_id":
        return (*w.SOURCE_IDS, "2.25.99")
    kind = next((kind for prefix, kind in KINDS.items() if parameter.name.startswith(prefix)), object)
    of_kind = [one.thing for one in world.objects if isinstance(one.thing, kind)]
    ids = (str(getattr(thing, parameter.attribute or "entry_uuid")) for thing in of_kind)
    return tuple(dict.fromkeys((*ids, "urn:uuid:ffffffff-0000-4000-8000-000000000000")))


@st.composite
def parameters(draw: st.DrawFn, query: StoredQuery, world: World) -> Given:
    """Groups of values for what is required, one of the alternatives, and a little of the rest."""
    alternatives = [p for p in query.parameters if p.alternative]
    chosen = {draw(st.sampled_from(alternatives)).name} if alternatives else set()
    optional = [p.name for p in query.parameters if not p.required and not p.alternative and p is not METADATA_LEVEL]
    chosen |= set(draw(st.lists(st.sampled_from(optional), max_size=2, unique=True)) if optional else ())
    chosen |= {p.name for p in query.parameters if p.required}
    if query.at_least_one and chosen.isdisjoint(query.at_least_one):
        chosen.add(draw(st.sampled_from(query.at_least_one)))
    exclusions = [p.name for p in query.parameters if p.negates]
    if exclusions:
        chosen.add(draw(st.sampled_from(exclusions)))
    if METADATA_LEVEL in query.parameters and draw(st.booleans()):
        chosen.add(METADATA_LEVEL.name)
    given = [p for p in query.parameters if p.name in chosen and p.negates not in chosen]
    return {p.name: draw(_groups(p, pool(p, world))) for p in given}


def _groups(parameter: Parameter, values: tuple[str, ...]) -> st.SearchStrategy[list[list[str]]]:
    many = 3 if parameter.many else 1
    group = st.lists(st.sampled_from(values), min_size=1, max_size=many, unique=True)
    if parameter.type in (ParameterType.STATUS, ParameterType.ASSOCIATION_TYPE):
        group = st.one_of(st.just(list(values)), group)
    return st.lists(group, min_size=1, max_size=2 if parameter.and_or else 1)


def test_every_stored_query_has_a_model() -> None:
    assert {query.name for query in ALL_QUERIES.values()} == set(MODELS)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def sqlite(shared_memory: Path) -> Iterator[Registry]:
    with opened(f"sqlite:///{shared_memory / 'carnet.sqlite'}") as units:
        yield registry_of(units)


@pytest.fixture(scope="module")
def postgresql(shared_postgresql_url: str) -> Iterator[Registry]:
    with opened(shared_postgresql_url) as units:
        yield registry_of(units)


@settings(max_examples=80, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_queries_on_sqlite_find_what_the_model_finds(sqlite: Registry, data: st.DataObject) -> None:
    _compare(sqlite, data)


@pytest.mark.postgresql
@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_queries_on_postgresql_find_what_the_model_finds(postgresql: Registry, data: st.DataObject) -> None:
    _compare(postgresql, data)


def _compare(registry: Registry, data: st.DataObject) -> None:
    world = data.draw(worlds())
    store(registry.units, world)
    for query in ALL_QUERIES.values():
        check(registry, world, query, data.draw(parameters(query, world), label=query.name))
