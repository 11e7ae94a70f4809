"""The peers in Java, each built once from its folder with Maven: the class path of its programs.

IPF is the library most XDS clients are made of, HAPI that of most FHIR clients and servers; with the client comes
the validator of HL7. The sources are in `PEER/src`, the outcome of a build in `PEER/target`, which is not versioned.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.failures import KitError

BUILD_SECONDS = 900
# Quick to start: a batch of sixty messages never warms up the optimising compiler.
JAVA_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8")
_UNREACHED = ("Could not transfer", "Cannot access", "Could not find artifact", "Unknown host", "Connection refused")


class PeerError(KitError):
    """The peer could not be built or run; the message is one sentence for the user."""


class PeerUnavailable(PeerError):
    """The peer cannot be had on this machine: no Java, no Maven, or no repository to fetch the libraries from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A Maven project: its name for users, the folder beside this file, what its first build fetches, its memory."""

    name: str
    folder: str
    fetched: str
    memory: str

    @property
    def project(self) -> Path:
        return Path(__file__).parent / self.folder

    @property
    def target(self) -> Path:
        return self.project / "target"


IPF = Peer(name="IPF", folder="ipf", fetched="50 MB", memory="-Xmx512m")
FHIR_SERVER = Peer(name="HAPI server", folder="hapi_server", fetched="30 MB", memory="-Xmx512m")
HAPI = Peer(name="HAPI client", folder="hapi", fetched="140 MB", memory="-Xmx1g")
PEERS = (IPF, FHIR_SERVER, HAPI)


def is_built(peer: Peer) -> bool:
    """Whether the peer lies there as its sources say."""
    stamp = peer.target / "built-from"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _fingerprint(peer.project)


def build(peer: Peer) -> Path:
    """The folder with the built peer, built first when the sources changed. Raises PeerError, PeerUnavailable."""
    if not (peer.project / "pom.xml").is_file():
        raise PeerUnavailable(f"the sources of the {peer.name} peer are not in {peer.project}: run it from a checkout")
    lacking = _missing_tools(peer)
    if lacking:
        raise PeerUnavailable(lacking)
    with _alone(peer):
        if not is_built(peer):
            shutil.rmtree(peer.target, ignore_errors=True)
            _maven(peer)
            (peer.target / "built-from").write_text(_fingerprint(peer.project), encoding="utf-8")
    return peer.target


def _missing_tools(peer: Peer) -> str:
    """What this machine lacks to build and run the peer, in one sentence; empty when nothing."""
    lacking = [name for name, command in (("Java 17", "javac"), ("Maven", "mvn")) if shutil.which(command) is None]
    if not lacking:
        return ""
    wanted = " and ".join(lacking)
    return f"the {peer.name} peer needs {wanted} (Debian: apt-get install default-jdk-headless maven)"


@contextmanager
def _alone(peer: Peer) -> Iterator[None]:
    """Two test processes do not build at once."""
    with (peer.project / "pom.xml").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint(project: Path) -> str:
    digest = hashlib.sha256()
    for path in (project / "pom.xml", *sorted((project / "src").rglob("*"))):
        if path.is_file():
            digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _maven(peer: Peer) -> None:
    """Offline first: a machine that built once needs no network."""
    command = ["mvn", "--quiet", "--batch-mode", "process-classes"]
    if _ran([*command, "--offline"], peer).returncode == 0:
        return
    finished = _ran(command, peer)
    if finished.returncode == 0:
        return
    said = [line for line in finished.stdout.splitlines() if "ERROR" in line]
    sentence = said[0].strip() if said else f"exit code {finished.returncode}"
    kind = PeerUnavailable if any(sign in finished.stdout for sign in _UNREACHED) else PeerError
    raise kind(f"the {peer.name} peer could not be built by Maven: {sentence}")


def _ran(command: Sequence[str], peer: Peer) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=peer.project,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise PeerError(f"the {peer.name} peer was not built within {BUILD_SECONDS} seconds") from late


def java_command(peer: Peer, main_class: str, *arguments: str) -> list[str]:
    """The command line of one of the peer's programs; builds it when needed."""
    target = build(peer)
    class_path = os.pathsep.join((str(target / "classes"), str(target / "lib" / "*")))
    return ["java", peer.memory, *JAVA_OPTIONS, "-classpath", class_path, main_class, *arguments]
