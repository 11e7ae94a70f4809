"""Files whose tests take longest begin first: one that begins last keeps one worker busy while the others have nothing.

The order alone counts, and it counts little where two are alike; `pytest --durations=100` tells who belongs here.
"""

from collections.abc import Iterable

import pytest

FILES = (
    "tests/attacks/test_fuzzed_doors.py",
    "tests/conformance/test_ipf_peer.py",
    "tests/examples/test_container.py",
    "tests/conformance/test_client_certification.py",
    "tests/dmp/test_every_door.py",
    "tests/carnet/test_command_line.py",
    "tests/registry/test_stored_queries_against_model.py",
    "tests/conformance/test_hl7_validator.py",
    "tests/cda/test_corpus.py",
    "tests/conformance/test_server_kit.py",
    "tests/durability/test_kills.py",
    "tests/benchmarks/test_layers.py",
    "tests/benchmarks/test_bench.py",
    "tests/conformance/test_nist_kit.py",
    "tests/portable_media/test_round_trip.py",
    "tests/conformance/test_other_servers.py",
    "tests/durability/test_power_cuts_of_a_device.py",
    "tests/attacks/test_corpus_at_every_door.py",
    "tests/schemas/test_xsd_agreement.py",
    "tests/flows/test_two_hosts.py",
    "tests/examples/test_packages.py",
    "tests/benchmarks/load/test_load.py",
    "tests/conformance/test_ipf_arrangements.py",
    "tests/conformance/test_schemathesis.py",
    "tests/dmp/test_life_of_records.py",
    "tests/registry/sql/test_visible.py",
    "tests/examples/test_clients.py",
    "tests/flows/test_slow_clients.py",
    "tests/flows/test_failing_storage.py",
    "tests/conformance/test_population.py",
    "tests/flows/test_connections.py",
    "tests/flows/test_large_documents.py",
    "tests/durability/test_failover.py",
    "tests/benchmarks/test_large_documents.py",
    "tests/xds/test_xml.py",
    "tests/durability/test_power_cuts.py",
    "tests/conformance/test_hapi_peer.py",
    "tests/conformance/test_nist_kit_apart.py",
    "tests/carnet/test_mllp_listener.py",
    "tests/flows/test_audit_delivery.py",
    "tests/registry/test_races.py",
    "tests/registry/test_patients.py",
    "tests/cda/test_render.py",
    "tests/flows/test_audit_records.py",
    "tests/flows/test_apart_over_tls.py",
    "tests/fhir_facade/test_document_reference.py",
    "tests/attacks/test_attacks_on_objects.py",
    "tests/xds/ebrim/test_codec.py",
)
_RANKS = {file: rank for rank, file in enumerate(FILES)}


def ordered(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Files keep together, and their tests as they were."""
    return sorted(items, key=lambda item: _RANKS.get(item.nodeid.partition("::")[0], len(FILES)))
