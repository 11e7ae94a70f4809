"""A server that scrubs finds damage that nobody asked for."""

import threading
import time
from pathlib import Path

from repository.filesystem_store import FilesystemStore
from tests import messages, servers
from tests.builders import a_submission, an_entry
from tests.repository.holdings import flip


def test_damage_is_told_without_anybody_reading(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path, scrub_mb_per_s=50)
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        for number in range(3):
            entry = an_entry(content=b"document %d" % number)
            answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: b"document %d" % number})
            assert answer.status == "Success"
    store = FilesystemStore(tmp_path / "documents")
    damaged = next(store.blobs()).key
    flip(store.root, damaged)
    with servers.started(settings):
        deadline = time.monotonic() + 30
        log = tmp_path / "server.log"
        while "scrubbing round done" not in log.read_text() and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        assert damaged in log.read_text()
        assert '"damaged":1' in log.read_text()
        assert '"documents":3' in log.read_text()
