"""A disk that did not keep what it was told to ends the server; the next start serves what was acknowledged."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests import messages, servers
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.messages import Answered
from tests.servers import Server
from xds.identifiers import new_uuid_urn
from xds.metadata import DocumentEntry

CONTENT = b"<ClinicalDocument/>"
ATTACH_SECONDS = 20


def provide(server: Server) -> tuple[DocumentEntry, Answered]:
    entry = an_entry(entry_uuid=new_uuid_urn())
    return entry, messages.provide(server, a_submission(entry), {entry.entry_uuid: CONTENT})


@contextmanager
def failing(server: Server, call: str) -> Iterator[None]:
    """Every such call of the worker fails with EIO in the block."""
    [worker] = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", worker]
    tracer = subprocess.Popen([*command, "-e", f"trace={call}", "-e", f"inject={call}:error=EIO"])
    deadline = time.monotonic() + ATTACH_SECONDS
    try:
        while "TracerPid:\t0\n" in Path(f"/proc/{worker}/status").read_text():
            if tracer.poll() is not None:
                pytest.skip("strace may not follow another process here")
            assert time.monotonic() < deadline, "strace did not attach"
            threading.Event().wait(0.05)
        yield
    finally:
        tracer.terminate()
        tracer.wait()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which makes a sync fail, is not installed")
@pytest.mark.parametrize(
    ("call", "code"),
    [("fsync", "XDSRepositoryError"), ("fdatasync", "XDSRegistryError")],
    ids=["documents", "database"],
)
def test_the_server_ends_after_a_sync_that_failed_and_starts_clean(tmp_path: Path, call: str, code: str) -> None:
    settings = servers.settings_for(tmp_path)
    with servers.started(settings) as server:
        servers.know_patients(settings)
        kept, answer = provide(server)
        assert answer.status == "Success"
        with failing(server, call):
            late, refused = provide(server)
            assert (refused.status, refused.codes) == ("Failure", [code])
            server.log_with("see to the disk, then start it again")
            assert server.command is not None
            assert server.command.wait(timeout=30) == 1
    with servers.started(replace(settings, port=servers.free_port())) as server:
        assert messages.contents(messages.retrieve(server, (REPOSITORY, kept.unique_id or ""))) == [CONTENT]
        assert provide(server)[1].status == "Success"
        seen = messages.retrieve(server, (REPOSITORY, late.unique_id or ""))
        assert messages.contents(seen) in ([], [CONTENT])
