"""Two hosts with two processes each, over one PostgreSQL and one object store: they are one server.

All of security is on: client certificates, assertions, the policy, audit.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from access_policy.make_vihf import security_header
from audit.record import Outcome as AuditOutcome
from benchmarks.load.counted import Outcome
from carnet.settings import Settings
from tests import blob_stores, memory, messages, mutual_tls, servers
from tests.audit_store import Trail
from tests.builders import PATIENT, REPOSITORY, a_submission, an_entry
from tests.mutual_tls import Pki, Proved
from tests.servers import Server
from tests.under_load import Submissions, sending

pytestmark = pytest.mark.postgresql


@dataclass
class Host:
    """A machine: a folder of its own and `carnet serve`, which may be stopped and started again."""

    pki: Pki
    settings: Settings
    stack: ExitStack

    def start(self) -> None:
        self.stack.enter_context(servers.started(self.settings))

    def restart(self) -> None:
        """By SIGTERM, which finishes what was accepted."""
        self.stack.close()
        self.start()

    @property
    def server(self) -> Server:
        return Proved(url=self.settings.public_url, settings=self.settings, pki=self.pki)


@pytest.fixture(scope="module")
def hosts(shared_postgresql_url: str) -> Iterator[tuple[Host, Host]]:
    with ExitStack() as whole:
        endpoint = whole.enter_context(blob_stores.object_store())
        shared: dict[str, Any] = {"documents": f"s3://{blob_stores.BUCKET}/carnet", "s3_endpoint": endpoint}
        pki = mutual_tls.a_pki(whole.enter_context(memory.folder()))
        found = []
        for _ in range(2):
            data: Path = whole.enter_context(memory.folder())
            # A busy machine makes requests wait, and none may be refused for that here.
            shared |= {"database": shared_postgresql_url, "queue_milliseconds": 0}
            settings = mutual_tls.settings_for(pki, data, workers=2, audit="on", **shared)
            found.append(Host(pki, settings, whole.enter_context(ExitStack())))
            found[-1].start()
        servers.know_patients(found[0].settings)
        yield found[0], found[1]


def test_a_document_that_came_to_one_host_is_read_at_the_other(hosts: tuple[Host, Host]) -> None:
    content = b"<document>of both</document>"
    entry = an_entry(content=content)
    answer = messages.provide(hosts[0].server, a_submission(entry), {entry.entry_uuid: content})
    assert answer.status == "Success", answer.contexts
    retrieved = messages.retrieve(hosts[1].server, (REPOSITORY, str(entry.unique_id)))
    assert messages.contents(retrieved) == [content]
    path = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"
    assert str(entry.unique_id).encode() in hosts[1].server.request("GET", path).body


def test_one_submission_sent_to_both_at_once_is_taken_once(hosts: tuple[Host, Host]) -> None:
    both = threading.Barrier(2, timeout=30)
    for _ in range(5):
        content = b"<document>once</document>"
        entry = an_entry(content=content)
        submission = a_submission(entry)

        def provide(host: Host, submission=submission, entry=entry, content=content) -> str:  # type: ignore[no-untyped-def]
            both.wait()
            return messages.provide(host.server, submission, {entry.entry_uuid: content}).status

        with ThreadPoolExecutor(2) as senders:
            assert sorted(senders.map(provide, hosts)) == ["Failure", "Success"]


def test_hosts_are_restarted_one_after_the_other_without_a_lost_request(hosts: tuple[Host, Host]) -> None:
    pki, trail = hosts[0].pki, Trail(hosts[0].server)
    submissions = Submissions(400, header=security_header(pki.vihf()))
    ports = [host.settings.port for host in hosts]
    with sending(submissions, ports, per_second=20, tls=pki.context(pki.client)) as load:
        for host in hosts:
            host.restart()
        assert load.thread.is_alive(), "the load ended before the restarts did"
        counted = load.ended()
    outcomes = {outcome: counted.over(outcome).total for outcome in Outcome}
    assert outcomes == {Outcome.ACCEPTED: 400, Outcome.REFUSED: 0, Outcome.FAILED: 0}, counted.problems
    submitted = [one for one in trail.records() if one.type_codes[0].code == "ITI-41"]
    assert [one.outcome for one in submitted] == [AuditOutcome.SUCCESS] * 400
    assert submissions.missing(hosts[0].server, counted.acknowledged) == []
