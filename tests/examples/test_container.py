"""The container file, built by buildah and started: what users have from it, but for the base and the engine."""

import http.client
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import containers, mutual_tls, servers
from tests.containers import Images
from tests.servers import ROOT

FILE = ROOT / "examples" / "container" / "Containerfile"
IMAGE = "carnet"
MISSING = containers.missing()
needs_buildah = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture(scope="module")
def images(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """With the image, built from what the head of the file asks for."""
    folder = tmp_path_factory.mktemp("images")
    context = folder / "context"
    (context / "dist").mkdir(parents=True)
    shutil.copy(wheel, context / "dist")
    shutil.copy(ROOT / "requirements.lock", context)
    made = Images(folder=folder)
    made.make_base("base")
    made.build(FILE, context, IMAGE, base="base")
    yield made
    made.close()


def test_what_it_copies_from_the_checkout_is_there() -> None:
    (copied,) = re.findall(r"^COPY (?!--from)(.*) \S+$", FILE.read_text(), re.MULTILINE)
    assert copied.split() == ["requirements.lock", "dist/carnet-*.whl"]
    assert (ROOT / "requirements.lock").exists()


@needs_buildah
def test_the_image_says_who_runs_what_where(images: Images) -> None:
    found = images.configuration(IMAGE)
    assert (found["User"], found["WorkingDir"], found["StopSignal"]) == ("carnet", "/data", "SIGTERM")
    assert found["Volumes"] == {"/data": {}}
    assert found["ExposedPorts"] == {"8443/tcp": {}}
    assert found["Entrypoint"] == ["/opt/carnet/bin/carnet"]
    assert found["Cmd"][:3] == ["serve", "--config", "/etc/carnet/carnet.toml"]
    assert found["Healthcheck"]["Test"][0] == "CMD"


@needs_buildah
def test_it_serves_tells_its_health_and_stops(images: Images, tmp_path: Path) -> None:
    """Its own command over TLS as its own account, on ports that are free; the health check as it stands."""
    found = images.configuration(IMAGE)
    port, health = servers.free_port(), f"127.0.0.1:{servers.free_port()}"
    pki = mutual_tls.a_pki(tmp_path / "carnet" / "pki")
    client = pki.context(pki.client)
    inside = "/etc/carnet/pki"
    lines = [f'certificate = "{inside}/issued/server-server.pem"', f'trust = "{inside}/trust"', 'data = "/data"']
    (tmp_path / "carnet" / "carnet.toml").write_text("\n".join(lines) + "\n")
    for one in (tmp_path / "carnet").rglob("*"):  # the account of the image is another one
        one.chmod(0o755 if one.is_dir() else 0o644)
    command = [*found["Entrypoint"], *found["Cmd"], "--port", str(port), "--health", health]
    log = tmp_path / "log"
    with images.running(IMAGE, command, log, volumes={tmp_path / "carnet": "/etc/carnet"}) as (container, process):
        check = [word.replace("127.0.0.1:8081", health) for word in found["Healthcheck"]["Test"][1:]]
        assert check != found["Healthcheck"]["Test"][1:]
        mutual_tls.eventually(lambda: process.poll() is not None or _is_ready(health), 60)
        assert process.poll() is None, log.read_text()
        first = containers.first_process(process)
        assert Path(f"/proc/{first}").stat().st_uid == 10001
        assert images.done(container, check).returncode == 0
        kept = http.client.HTTPSConnection("localhost", port, timeout=30, context=client)
        kept.request("GET", "/fhir/metadata")
        assert json.loads(kept.getresponse().read())["resourceType"] == "CapabilityStatement"
        kept.close()
        os.kill(first, signal.SIGTERM)
        assert process.wait(40) == 0, log.read_text()
        assert images.done(container, check).returncode != 0


def _is_ready(health: str) -> bool:
    probe = http.client.HTTPConnection(health, timeout=5)
    try:
        probe.request("GET", "/health/ready")
        return probe.getresponse().status == 200
    except OSError:
        return False
    finally:
        probe.close()
