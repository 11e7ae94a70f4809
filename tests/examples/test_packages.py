"""What a site installs: the wheel outside the checkout, the unit of systemd, what the examples say of settings."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from carnet.settings import Settings
from tests import servers

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "examples" / "systemd" / "carnet.service"
NGINX = ROOT / "examples" / "nginx" / "carnet.conf"
CONTAINER = ROOT / "examples" / "container" / "Containerfile"


def test_the_wheel_holds_the_program_and_its_data_and_nothing_of_the_checkout(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {"carnet", "schemas", "storage"} <= tops
    assert not {"tests", "examples", "benchmarks", "docs"} & tops
    for needed in ("schemas/xsd/messages.xsd", "storage/migrations/versions/", "schemas/policy/"):
        assert any(name.startswith(needed) for name in names), needed


def test_the_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """A server from the files of the wheel alone, with the libraries that are installed."""
    unpacked, data = tmp_path / "unpacked", tmp_path / "data"
    zipfile.ZipFile(wheel).extractall(unpacked)
    port = servers.free_port()
    program = f"import sys; sys.path.insert(0, {str(unpacked)!r}); import carnet; assert {str(unpacked)!r} in carnet.__file__; "
    program += "from carnet.command_line import main; main()"
    command = [
        sys.executable,
        "-P",
        "-c",
        program,
        "serve",
        "--security",
        "open",
        "--data",
        str(data),
        "--port",
        str(port),
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    try:
        servers.wait(servers.settings_for(data, port=port), process, tmp_path / "log")
    finally:
        process.terminate()
        assert process.wait(40) == 0


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_systemd
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    assert not said_of(UNIT.read_text(), tmp_path)


@needs_systemd
@pytest.mark.parametrize("line", ["ProtectSystem=strict", "KillMode=mixed", "RestrictAddressFamilies=AF_INET"])
def test_systemd_tells_what_it_does_not_know(line: str, tmp_path: Path) -> None:
    """The proof can fail, for a name and for a value."""
    assert line in UNIT.read_text()
    for wrong in (line.replace("=", "s="), f"{line.partition('=')[0]}=nothing of that kind"):
        assert said_of(UNIT.read_text().replace(line, wrong), tmp_path)


def said_of(text: str, folder: Path) -> list[str]:
    """What systemd says; only the program, the account and services that are not here are another's."""
    unit = folder / "carnet.service"
    unit.write_text(text.replace("/opt/carnet/bin/carnet", "/bin/true").replace("=carnet\n", "=root\n", 2))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if "carnet.service" in line]


@pytest.mark.parametrize("file", [UNIT, NGINX, CONTAINER], ids=lambda file: file.name)
def test_examples_give_options_that_there_are(file: Path) -> None:
    """In commands, in comments and in the list of a container's."""
    text = file.read_text()
    commands = [*re.findall(r"carnet serve (.*)", text), *re.findall(r"^CMD (.*)", text, re.MULTILINE)]
    options = {option for command in commands for option in re.findall(r"--([a-z-]+)", command)}
    assert options
    assert {one.replace("-", "_") for one in options} <= {"config", *Settings.__slots__}


def test_the_bounds_of_nginx_are_those_of_the_server() -> None:
    """What one refuses the other need not see; nothing that the server takes is refused before it."""
    text, defaults = NGINX.read_text(), Settings()
    assert f"limit_conn certificate {defaults.connections_per_client};" in text
    (body,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(body) * 2**20 >= defaults.max_message_mb * 10**6
    for setting, directive in (
        ("head_seconds", "client_header_timeout"),
        ("slow_seconds", "client_body_timeout"),
        ("slow_seconds", "send_timeout"),
        ("idle_seconds", "keepalive_timeout"),
    ):
        assert f" {directive} {getattr(defaults, setting)}s;" in text, setting


def test_the_unit_leaves_the_time_that_a_stop_takes() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) > 30
