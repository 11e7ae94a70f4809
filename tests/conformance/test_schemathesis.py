"""Requests made from /openapi.json by a fuzzer of other people: never 5xx, and never an answer that the page lacks."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.fhir_requests import fed, provide, send
from tests.flows.subscribed import wanted
from tests.servers import Server

SEED = 20260310
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"
TARGET = "http://127.0.0.1:1/told"
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    given = {"domain": "ihe", "audit": "on", "notification_targets": TARGET}
    with servers.in_process(servers.settings_for(tmp_path / "carnet", **given)) as running:
        yield running


def _known(server: Server) -> dict[str, str]:
    """Resource type -> an id that can be read: without it a fuzzer sees little but 404."""
    patient = fed(server, fhir.a_patient())
    found = dict(one["location"].split("/")[-2:] for one in provide(server, fhir.a_provide_bundle(patient)))
    subscribed = send(server, "POST", "/fhir/Subscription", wanted(TARGET, filters=("DocumentReference?type=x",)))
    return found | {"Patient": patient.rpartition("/")[2], "Subscription": json.loads(subscribed.body)["id"]}


def _configured(known: Mapping[str, str]) -> str:
    """The configuration that gives each read what it asks for."""
    return "".join(
        f'[[operations]]\ninclude-path-regex = "^/{kind}/\\\\{{id\\\\}}"\ninclude-method = "GET"\n'
        f'parameters = {{ "path.id" = "{fhir_id}" }}\n'
        for kind, fhir_id in known.items()
    )


def test_no_request_made_from_the_description_ends_in_a_server_error(server: Server, tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(_configured(_known(server)))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run"]
    command += [f"{server.url}/fhir/openapi.json", "--checks", CHECKS, "--phases", "coverage,fuzzing"]
    command += ["--seed", str(SEED), "--max-examples", "4", "--no-color", "--no-shrink", "--max-failures", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    paths = json.loads(server.request("GET", "/fhir/openapi.json").body)["paths"].values()
    assert f"Tested: {sum(method in METHODS for path in paths for method in path)}" in done.stdout
    made = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert made is not None
    assert int(made[1]) > 400
