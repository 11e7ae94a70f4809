"""Golden audit records: every transaction the server advertises, as it succeeds and as it fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from carnet.auditing import transaction_of
from carnet.wiring import open_actors
from carnet.xds_door import patient_operations, registry_operations, repository_operations
from tests import servers
from tests.audit_store import Trail, told
from tests.flows.audited_over_fhir import OVER_FHIR
from tests.flows.audited_over_soap import OVER_SOAP
from tests.flows.golden_records import SITE
from tests.servers import Server

SCENARIOS = OVER_SOAP | OVER_FHIR
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: " ".join(one))


@pytest.fixture(scope="module", params=["in-process", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    given = {"audit": "on", "audit_source": "node-1", "audit_site": SITE, "audit_reserve_mb": 0, "mllp": "127.0.0.1:0"}
    data = tmp_path_factory.mktemp("audit")
    if request.param == "in-process":
        settings, run = servers.settings_for(data, **given), servers.in_process
    else:
        url = request.getfixturevalue("shared_postgresql_url")
        settings, run = servers.settings_for(data, url, workers=2, **given), servers.started
    with run(settings) as running:
        servers.know_patients(settings)
        yield running


@every_scenario
def test_each_transaction_leaves_exactly_the_records_of_its_table(server: Server, scenario: tuple[str, str]) -> None:
    trail = Trail(server)
    expected = SCENARIOS[scenario](server, trail)
    assert [told(one) for one in trail.records()] == [one.fields() for one in expected]


@pytest.mark.corpus
@every_scenario
def test_each_record_is_valid(server: Server, scenario: tuple[str, str], corpus: Path) -> None:
    schema = etree.XMLSchema(etree.parse(corpus / "atna" / "dicom2017c.xsd"))
    trail = Trail(server)
    SCENARIOS[scenario](server, trail)
    recorded = trail.messages()
    assert recorded
    for message in recorded:
        schema.assertValid(etree.fromstring(message))


def test_every_transaction_that_is_advertised_has_golden_records(tmp_path: Path) -> None:
    actors = open_actors(servers.settings_for(tmp_path))
    registry, repository = actors.together()
    served = (
        *registry_operations(registry, actors.auditor),
        *repository_operations(repository, actors.auditor),
        *patient_operations(registry, actors.auditor),
    )
    actors.units.close()
    of_readers = {"ITI-66", "ITI-67", "ITI-68", "ITI-78", "ITI-83", "read"}
    advertised = {transaction_of(one.name) for one in served} | {"ITI-8"} | of_readers
    assert len(advertised) > 14
    for outcome in ("success", "failure"):
        assert advertised - {name for name, kind in SCENARIOS if kind == outcome} == set()
