"""Asking a registry stored queries, and comparing what it finds with the plain model."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from access_policy.caller import OPEN_CALLER
from carnet.domains import affinity_domain
from carnet.settings import Settings
from registry import iti18_registry_stored_query as iti18
from registry.store import Registry
from storage.engine import open_engine
from storage.migrate import upgrade
from storage.postgresql_units import PostgresqlUnits
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import Units
from tests.registry.query_model import MODELS, SINGLE_PATIENT, Query
from tests.registry.worlds import World
from xds.errors import ErrorCode, Rejected
from xds.query_grammar import AdhocQuery, ReadQuery, read_query
from xds.stored_queries import (
    MULTI_PATIENT_STORED_QUERIES,
    REGISTRY_STORED_QUERIES,
    ParameterType,
    StoredQuery,
)

Given = dict[str, list[list[str]]]
ALL_QUERIES = {**REGISTRY_STORED_QUERIES, **MULTI_PATIENT_STORED_QUERIES}


def on_the_wire(query: StoredQuery, given: Given, return_type: str) -> AdhocQuery:
    known = {parameter.name: parameter for parameter in query.parameters}
    slots = []
    for name, groups in given.items():
        bare = known[name].type in (ParameterType.FROM, ParameterType.TO, ParameterType.LEVEL)
        for group in groups:
            texts = [value if bare else "'" + value.replace("'", "''") + "'" for value in group]
            slots.append((name, (f"({','.join(texts)})",) if known[name].many else tuple(texts)))
    return AdhocQuery(id=query.id, return_type=return_type, slots=tuple(slots))


@contextmanager
def opened(url: str) -> Iterator[Units]:
    engine = open_engine(url)
    upgrade(engine)
    units: Units = SqliteUnits(engine) if url.startswith("sqlite") else PostgresqlUnits(engine)
    yield units
    units.close()


def registry_of(units: Units) -> Registry:
    return Registry(
        units, domain=affinity_domain(Settings()), render_fhir=lambda *_: b"{}", now=lambda: "20260310100000"
    )


def check(registry: Registry, world: World, query: StoredQuery, given: Given) -> None:
    """The same ids by reference, each once; the same by LeafClass, or the refusal to mix patients."""
    expected = MODELS[query.name](Query(world, given))
    told = f"{query.name} {given}"
    found = [one.entry_uuid for one in iti18.handle(registry, read(query, given, "ObjectRef"), OPEN_CALLER)]
    assert sorted(found) == sorted({one.id for one in expected}), told
    again = [one.entry_uuid for one in iti18.handle(registry, read(query, given, "ObjectRef"), OPEN_CALLER)]
    assert found == again
    if query.name in SINGLE_PATIENT and len({one.patient.key for one in expected}) > 1:
        with pytest.raises(Rejected) as caught:
            iti18.handle(registry, read(query, given, "LeafClass"), OPEN_CALLER)
        assert [error.code for error in caught.value.errors] == [ErrorCode.RESULT_NOT_SINGLE_PATIENT]
    else:
        leaves = iti18.handle(registry, read(query, given, "LeafClass"), OPEN_CALLER)
        assert [one.entry_uuid for one in leaves] == found
        assert all(one.entry_uuid.encode() in one.rendering for one in leaves)


def read(query: StoredQuery, given: Given, return_type: str) -> ReadQuery:
    return read_query(on_the_wire(query, given, return_type), ALL_QUERIES)
