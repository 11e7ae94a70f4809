"""The dashboard asks for what there is: every metric and label of every query stands in what a running server says."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import messages, mutual_tls, servers
from tests.builders import PATIENT, a_submission, an_entry

DASHBOARD = json.loads((Path(__file__).resolve().parents[2] / "examples" / "grafana" / "carnet.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
# What `/metrics` counts of this process is of the process that answered; of the others only what they said before.
_OF_ONE_PROCESS = r"carnet_(?:ready|requests_in_progress|damaged_\w+|left_over_\w+|unsettled_\w+)"
# Labels that Prometheus gives whatever it reads.
_OF_PROMETHEUS = ("instance", "job")
Sample = tuple[str, dict[str, str]]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Sample]]:
    """All that a server says at its port for monitors, after it took a document and was asked for it."""
    pki = mutual_tls.a_pki(tmp_path_factory.mktemp("pki"))
    settings = mutual_tls.settings_for(pki, tmp_path_factory.mktemp("metrics"))
    with servers.started(settings) as started:
        servers.know_patients(settings)
        server = mutual_tls.Proved(url=settings.public_url, settings=settings, pki=pki)
        entry = an_entry(content=b"<d/>")
        assert messages.provide(server, a_submission(entry), {entry.entry_uuid: b"<d/>"}).status == "Success"
        slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT}'"}
        messages.query(server, messages.FIND_DOCUMENTS, slots)
        port = int(settings.health.rpartition(":")[2])
        said = replace(started, settings=replace(settings, port=port)).request("GET", "/metrics")
        assert said.status == 200
        yield [read(line) for line in said.body.decode().splitlines() if not line.startswith("#")]


def read(line: str) -> Sample:
    """Name and labels of a sample. Prometheus text exposition format 0.0.4"""
    found = re.fullmatch(r"(\w+)(?:\{(.*)\})? \S+", line)
    assert found, line
    return found[1], dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_names_metrics_and_labels_that_a_server_has(query: str, samples: list[Sample]) -> None:
    names = re.findall(r"carnet_\w+", query)
    grouped = {label.strip() for found in re.findall(r"by \(([^)]*)\)", query) for label in found.split(",")}
    chosen = set(re.findall(r'(\w+)="', query))
    assert names
    for name in names:
        labels = [one for named, one in samples if named == name]
        assert labels, name
        for one in labels:
            assert grouped | chosen <= {*one, *_OF_PROMETHEUS}, (name, one)


def test_a_query_for_what_a_server_does_not_have_is_found(samples: list[Sample]) -> None:
    """The proof can fail: for a name, for a label."""
    for wrong in ("sum(carnet_requests_total)", "sum by (route) (rate(carnet_request_seconds_count[5m]))"):
        with pytest.raises(AssertionError):
            test_every_query_names_metrics_and_labels_that_a_server_has(wrong, samples)


@pytest.mark.parametrize("query", QUERIES)
def test_processes_that_did_not_answer_last_are_in_the_picture(query: str) -> None:
    """Several processes answer in turn, so that each is missing from most scrapes."""
    for found in re.finditer(_OF_ONE_PROCESS, query):
        assert re.search(rf"(?:last|min|max)_over_time\({found[0]}\[\d+m\]\)", query), query


@pytest.mark.parametrize("query", [one for one in QUERIES if "carnet_records" in one or "documents_fed" in one])
def test_totals_of_the_database_are_not_added_up(query: str) -> None:
    """Each host that is asked says all of them."""
    assert query.startswith("max by")


def test_panels_have_ids_and_titles_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
