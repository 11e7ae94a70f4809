"""A hostile stored query gets the error the standard names, in time, whatever is wrong with it. ITI TF-2: 3.18.4.1.3."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

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
from tests.builders import PATIENT
from tests.conftest import BOTH_DATABASES
from tests.registry.hostile_queries import Hostile, hostile_queries, in_time, request
from xds.stored_queries import FIND_DOCUMENTS
from xds.vocabulary import RIM, RS
from xds.xml import parse


@pytest.fixture(scope="module", params=BOTH_DATABASES)
def registry(request: pytest.FixtureRequest, shared_memory: Path) -> Iterator[Registry]:
    """One registry for all queries, with a patient and nothing else."""
    is_sqlite = request.param == "sqlite"
    file = shared_memory / "carnet.sqlite"
    url = f"sqlite:///{file}" if is_sqlite else request.getfixturevalue("shared_postgresql_url")
    engine = open_engine(url)
    upgrade(engine)
    units: Units = SqliteUnits(engine) if is_sqlite else PostgresqlUnits(engine)
    made = Registry(
        units, domain=affinity_domain(Settings()), render_fhir=lambda *_: b"{}", now=lambda: "20260310100000"
    )
    units.write(lambda unit: made.add_patient(unit, PATIENT))
    yield made
    units.close()


@pytest.mark.parametrize("hostile", hostile_queries(), ids=lambda one: one.name)
def test_a_hostile_query_gets_the_named_error_in_time(registry: Registry, hostile: Hostile) -> None:
    bodies = iter(lambda: parse(hostile.body), None)
    response = etree.fromstring(in_time(lambda: iti18.soap(registry, next(bodies), OPEN_CALLER), time.thread_time))
    errors = list(response.iter(f"{{{RS}}}RegistryError"))
    found = {error.get("errorCode") for error in errors}
    assert found == set(hostile.codes)
    assert str(response.get("status")).endswith("Failure" if hostile.codes else "Success")
    assert len(response.find(f"{{{RIM}}}RegistryObjectList")) == 0
    assert all(0 < len(str(error.get("codeContext"))) < 1_000 for error in errors)


def test_a_value_of_10_mb_is_refused_before_anything_is_done_with_it(registry: Registry) -> None:
    """Over HTTP it is 413 already; no parser of ours takes it."""
    value = [("$XDSDocumentEntryTypeCode", [f"('{'x' * 10_000_000}')"])]
    tree = etree.fromstring(request(FIND_DOCUMENTS.id, value), etree.XMLParser(huge_tree=True))
    response = etree.fromstring(in_time(lambda: iti18.soap(registry, tree, OPEN_CALLER), time.thread_time))
    assert "XDSRegistryError" in {error.get("errorCode") for error in response.iter(f"{{{RS}}}RegistryError")}
