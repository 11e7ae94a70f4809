"""The IPF peer, built once from `ipf/` with Maven: the class path of its client and its server.

IPF is the Java library most XDS clients are made of. The sources are in `ipf/src`, the outcome of
the build in `ipf/target`, which is not versioned.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from conformance.failures import KitError

PROJECT = Path(__file__).parent / "ipf"
BUILD_SECONDS = 900
CLIENT, SERVER = "peers.ipf.Client", "peers.ipf.Server"
# Small and quick to start: a batch of sixty messages never warms up the optimising compiler.
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8")
_UNREACHED = ("Could not transfer", "Cannot access", "Could not find artifact", "Unknown host", "Connection refused")


class PeerError(KitError):
    """The peer could not be built or run; the message is one sentence for the user."""


class PeerUnavailable(PeerError):
    """The peer cannot be had on this machine: no Java, no Maven, or no repository to fetch the libraries from."""


def missing_tools() -> str:
    """What this machine lacks to build and run the peer, in one sentence; empty when nothing."""
    lacking = [name for name, command in (("Java 17", "javac"), ("Maven", "mvn")) if shutil.which(command) is None]
    if not lacking:
        return ""
    return f"the IPF peer needs {' and '.join(lacking)} (Debian: apt-get install default-jdk-headless maven)"


def is_built() -> bool:
    """Whether the peer lies there as its sources say."""
    stamp = PROJECT / "target" / "built-from"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _fingerprint()


def build() -> Path:
    """The folder with the built peer, built first when the sources changed. Raises PeerError, PeerUnavailable."""
    if not (PROJECT / "pom.xml").is_file():
        raise PeerUnavailable(f"the sources of the IPF peer are not in {PROJECT}: run it from a checkout")
    lacking = missing_tools()
    if lacking:
        raise PeerUnavailable(lacking)
    target = PROJECT / "target"
    with _alone():
        if not is_built():
            shutil.rmtree(target, ignore_errors=True)
            _maven()
            (target / "built-from").write_text(_fingerprint(), encoding="utf-8")
    return target


@contextmanager
def _alone() -> Iterator[None]:
    """Two test processes do not build at once."""
    with (PROJECT / "pom.xml").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in (PROJECT / "pom.xml", *sorted((PROJECT / "src").rglob("*"))):
        if path.is_file():
            digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _maven() -> None:
    """Offline first: a machine that built once needs no network."""
    command = ["mvn", "--quiet", "--batch-mode", "process-classes"]
    if _ran([*command, "--offline"]).returncode == 0:
        return
    finished = _ran(command)
    if finished.returncode == 0:
        return
    said = [line for line in finished.stdout.splitlines() if "ERROR" in line]
    sentence = said[0].strip() if said else f"exit code {finished.returncode}"
    kind = PeerUnavailable if any(sign in finished.stdout for sign in _UNREACHED) else PeerError
    raise kind(f"the IPF peer could not be built by Maven: {sentence}")


def _ran(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise PeerError(f"the IPF peer was not built within {BUILD_SECONDS} seconds") from late


def java_command(main_class: str, *arguments: str) -> list[str]:
    """The command line of one of the peer's programs; builds it when needed."""
    target = build()
    class_path = os.pathsep.join((str(target / "classes"), str(target / "lib" / "*")))
    return ["java", *JAVA_OPTIONS, "-classpath", class_path, main_class, *arguments]
