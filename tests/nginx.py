"""Debian's nginx with the configuration of `examples/nginx`, in front of a server on a unix socket."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import mutual_tls, servers
from tests.mutual_tls import Pki
from tests.servers import ROOT, Server

_EXAMPLE = ROOT / "examples" / "nginx" / "carnet.conf"


def binary() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def in_front(pki: Pki, data: Path, **given: Any) -> Iterator[tuple[Server, Path]]:
    """The server as clients reach it through nginx, and the socket behind."""
    port, path = servers.free_port(), data / "carnet.sock"
    data.mkdir(parents=True, exist_ok=True)
    behind = {"certificate": "", "host": f"unix:{path}", "base_url": f"https://localhost:{port}", **given}
    with mutual_tls.started(pki, data, **behind) as server, _running(pki, data, path, port):
        front = replace(server, settings=replace(server.settings, host="127.0.0.1", port=port))
        yield front, path


@contextmanager
def _running(pki: Pki, folder: Path, path: Path, port: int) -> Iterator[None]:
    """The example as it stands; only addresses and files are those of the test."""
    for name, pattern in (("authorities", "*.pem"), ("lists", "*.crl")):
        octets = b"".join(one.read_bytes() for one in sorted(pki.trust.glob(pattern)))
        (folder / f"{name}.pem").write_bytes(octets)
    text = _EXAMPLE.read_text(encoding="utf-8")
    for example, own in {
        "unix:/run/carnet/carnet.sock;": f"unix:{path};",
        "listen 443 ssl sndbuf": f"listen 127.0.0.1:{port} ssl sndbuf",
        "/etc/carnet/server.pem": str(pki.server),
        "/etc/carnet/server.key": str(pki.server.with_suffix(".key")),
        "/etc/carnet/": f"{folder}/",
    }.items():
        assert example in text
        text = text.replace(example, own)
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"{user} worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        f"events {{ worker_connections 2048; }}\nhttp {{ access_log off; {temporary} {text} }}\n",
        encoding="utf-8",
    )
    command = [binary() or "nginx", "-c", str(configuration), "-p", str(folder), "-e", f"{folder}/nginx.log"]
    process = subprocess.Popen(command)
    try:
        _wait(port, process)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "nginx does not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("nginx does not listen")
