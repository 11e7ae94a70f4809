"""The dashboard asks for what there is: every metric of every query is one that `/metrics` has."""

import json
import re
from pathlib import Path

import pytest

from carnet.metrics import Counts
from carnet.record_metrics import record_metrics
from carnet.wiring import open_actors
from tests import servers

DASHBOARD = json.loads((Path(__file__).resolve().parents[2] / "examples" / "grafana" / "carnet.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that a server says after it was asked something."""
    counts = Counts()
    counts.traffic.begins()
    counts.traffic.ended("ITI-18", 200, None, 0.1)
    actors = open_actors(servers.settings_for(tmp_path_factory.mktemp("metrics")))
    try:
        return counts.text(is_ready=True) + record_metrics(actors)
    finally:
        actors.units.close()


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_names_metrics_that_there_are(query: str, metrics: str) -> None:
    typed = dict(re.findall(r"^# TYPE (\w+) (\w+)$", metrics, re.MULTILINE))
    names = re.findall(r"carnet_\w+", query)
    assert names
    for name in names:
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in typed or typed.get(family) == "histogram", name


@pytest.mark.parametrize("query", QUERIES)
def test_every_label_is_one_that_its_metric_has(query: str, metrics: str) -> None:
    labels = {label.strip() for found in re.findall(r"by \(([^)]*)\)", query) for label in found.split(",")} | set(
        re.findall(r'(\w+)="', query)
    )
    for name in re.findall(r"carnet_\w+", query):
        samples = [line for line in metrics.splitlines() if line.startswith(f"{name}{{")]
        assert not samples or all(any(f'{label}="' in line for line in samples) for label in labels), (name, labels)


def test_panels_have_ids_and_titles_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
