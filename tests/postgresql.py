"""A PostgreSQL server of our own, started from its binaries on a free port of loopback, and stopped again."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tests import memory

_DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """Folder of `initdb` and `postgres`, None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb")) if _DEBIAN.is_dir() else []
    return versions[-1].parent if versions else None


@contextmanager
def running(
    *, keep_in: Path | None = None, settings: Mapping[str, str] = MappingProxyType({}), port: int = 0
) -> Iterator[str]:
    """URL of a server with an empty database `postgres`; every setting that protects data stays on.

    `keep_in` is a folder in which the databases outlive the server, and are found again; without it they are in memory.
    `port` 0 takes a free one.
    It is stopped at the end whoever is connected (SIGINT).
    """
    folder = binaries()
    if folder is None:
        raise RuntimeError("PostgreSQL is not installed")
    user = ordinary_user()
    home = keep_in or Path(tempfile.mkdtemp(prefix="carnet-postgresql-", dir=memory.place()))
    home.mkdir(parents=True, exist_ok=True)
    try:
        if user is not None:
            shutil.chown(home, user)
        data, port = home / "data", port or _free_port()
        if not data.exists():
            command = [folder / "initdb", "-D", data, "-U", "carnet", "--auth=trust", "--encoding=UTF8", "--locale=C"]
            _run(command, user, home)
        with (home / "log").open("wb") as log:
            options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(home), "-c", "max_connections=120"]
            options += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            server = subprocess.Popen(
                [str(folder / "postgres"), "-D", str(data), *options], stdout=log, stderr=log, user=user, cwd=home
            )
        try:
            _wait(folder, port, server, home / "log")
            yield f"postgresql+psycopg://carnet@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)
    finally:
        if keep_in is None:
            shutil.rmtree(home, ignore_errors=True)


def ordinary_user() -> str | None:
    """Whom PostgreSQL runs as, None for who runs the tests: initdb refuses root, then it is `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _run(command: list[object], user: str | None, cwd: Path) -> None:
    subprocess.run([str(word) for word in command], check=True, user=user, cwd=cwd, stdout=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(folder: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    command = [str(folder / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "30"]
    while subprocess.run(command, check=False).returncode != 0:
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
