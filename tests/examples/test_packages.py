"""What a site installs: the wheel outside the checkout, the unit of systemd, the container file."""

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
CONTAINER = ROOT / "examples" / "container" / "Containerfile"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, as from a fresh checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "Could not find a version that satisfies" in done.stderr:
        pytest.skip("setuptools, which builds the wheel, could not be fetched")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("carnet-*.whl"))


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


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Only the program, the account and services that are not here are another's."""
    text = UNIT.read_text().replace("/opt/carnet/bin/carnet", "/bin/true").replace("=carnet\n", "=root\n", 2)
    unit = tmp_path / "carnet.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if "carnet.service" in line]
    assert not said


def test_the_unit_leaves_the_time_that_a_stop_takes() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) > 30


def test_the_container_starts_what_there_is() -> None:
    text = CONTAINER.read_text()
    command = re.findall(r'"(--[a-z-]+)"', text[text.rindex("CMD") :])
    assert {one.removeprefix("--").replace("-", "_") for one in command} <= {"config", *Settings.__slots__}
    for name in re.findall(r"^COPY ([^\n]*) /tmp/$", text, re.MULTILINE)[0].split():
        assert name == "dist/carnet-*.whl" or (ROOT / name).exists()
    assert "USER carnet" in text
