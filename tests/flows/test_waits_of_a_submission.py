"""How often a submission waits for PostgreSQL: no oftener than one answer must be known for the next question."""

from pathlib import Path

import pytest

from tests import mutual_tls, servers
from tests.database_waits import WAIT, Conversation, overheard
from tests.flows.test_document_versions import a_report, push
from tests.mutual_tls import Proved
from xds.identifiers import new_oid

pytestmark = pytest.mark.postgresql
# BEGIN with the patient · the patient under its lock · identifiers that are taken · the record · the rights on it ·
# who subscribes, all objects having been sent · the record as it is told · the documents under their lock ·
# the version claimed · COMMIT with the documents
MOST_WAITS = 10
_WARM = 8  # the driver prepares what it has run five times


def submissions(conversations: list[Conversation]) -> list[list[str]]:
    """Transactions that wrote objects of the registry."""
    return [
        said
        for one in conversations
        for said in one.transactions()
        if any(text.startswith("INSERT INTO registry_object") for text in said)
    ]


def test_a_submission_waits_for_what_it_needs_to_know_alone(shared_postgresql_url: str, tmp_path: Path) -> None:
    pki = mutual_tls.a_pki(tmp_path / "pki")
    with overheard(shared_postgresql_url) as (url, conversations):
        settings = mutual_tls.settings_for(pki, tmp_path / "data", database=url, workers=1, audit="on")
        with servers.started(settings) as running:
            servers.know_patients(settings)
            server = Proved(url=running.url, settings=settings, pki=pki)
            for _ in range(_WARM):
                answer = push(server, a_report(set_id=new_oid()))
                assert answer.status == "Success", answer.contexts
        found = submissions(conversations)
    assert len(found) == _WARM
    for said in found:
        assert 1 < said.count(WAIT) <= MOST_WAITS, "\n".join(text[:120] for text in said)
