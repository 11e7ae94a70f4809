"""What reading a document asks PostgreSQL: whose it is and where its octets are, each once, in one state or by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import messages, mutual_tls, servers
from tests.builders import REPOSITORY
from tests.database_waits import WAIT, Conversation, overheard
from tests.flows.golden_records import stored_uuid
from tests.flows.test_document_versions import a_report, push, unique_id
from tests.mutual_tls import Proved
from xds.identifiers import UUID_PREFIX, new_oid

pytestmark = pytest.mark.postgresql
_TABLES = ("record_identifier", "record_right", "identity", "registry_object", "document", "patient")
# The record and the rights on it · the entry, by its place · its document. ITI-68 asks which repository keeps it, too.
OF_ITI_43 = ["record_identifier", "record_right", "identity", "registry_object", "document"]
OF_ITI_68 = ["record_identifier", "record_right", "identity", "registry_object", "registry_object", "document"]


def tables(said: list[str]) -> list[str]:
    """The first table of each question about a document, in the order they were asked."""
    asked = [text.partition("\nFROM ")[2].split()[0] for text in said if "\nFROM " in text]
    return [one for one in asked if one in _TABLES]


def during(conversations: list[Conversation], act: Callable[[], object]) -> list[str]:
    """What is said on all connections while something is done."""
    before = [len(one.said) for one in conversations]
    act()
    before += [0] * (len(conversations) - len(before))
    return [text for one, start in zip(conversations, before, strict=True) for text in one.said[start:] if text != WAIT]


def test_reading_a_document_asks_for_each_thing_once(shared_postgresql_url: str, tmp_path: Path) -> None:
    pki = mutual_tls.a_pki(tmp_path / "pki")
    with overheard(shared_postgresql_url) as (url, conversations):
        settings = mutual_tls.settings_for(pki, tmp_path / "data", database=url, workers=1, audit="on")
        with servers.started(settings) as running:
            servers.know_patients(settings)
            server = Proved(url=running.url, settings=settings, pki=pki)
            report = a_report(set_id=new_oid())
            assert push(server, report).status == "Success"
            name = unique_id(report)
            entry = stored_uuid(server, report.entry)
            by_soap = during(conversations, lambda: read(server, name))
            by_fhir = during(conversations, lambda: read_by_fhir(server, entry))
    assert sorted(tables(by_soap)) == sorted(OF_ITI_43)
    assert sorted(tables(by_fhir)) == sorted(OF_ITI_68)


def read(server: Proved, name: str) -> None:
    assert messages.retrieve(server, (REPOSITORY, name)).status == "Success"


def read_by_fhir(server: Proved, entry_uuid: str) -> None:
    assert server.request("GET", f"/fhir/Binary/{entry_uuid.removeprefix(UUID_PREFIX)}").status == 200
