"""On-demand documents over real HTTP: registered once, made at retrieve, the same through both doors, kept by setting."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from lxml import etree

from carnet.command_line import commands
from tests import messages, servers
from tests.builders import PATIENT, REPOSITORY, a_submission, an_entry
from tests.messages import FIND_DOCUMENTS, GET_RELATED, Answered
from tests.servers import Server
from xds.ebrim.read import read_registry_objects
from xds.identifiers import new_uuid_urn
from xds.metadata import Association, DocumentEntry
from xds.vocabulary import XDS_B, AssociationType, AvailabilityStatus, ObjectType

CONTENT = b"<ClinicalDocument/>"
APPROVED = AvailabilityStatus.APPROVED
CDA = {"h": "urn:hl7-org:v3"}
SOME_ON_DEMAND = {
    "object_type": ObjectType.ON_DEMAND,
    "hash": None,
    "size": None,
    "creation_time": None,
    "legal_authenticator": None,
}


def run(data: Path, database: str = "", **given: object) -> Iterator[Server]:
    settings = servers.settings_for(data, database, **given)
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        yield running


def run_apart(data: Path, **given: object) -> Iterator[Server]:
    with servers.apart(data, servers.in_process, repository=given) as running:
        servers.know_patients(running.registry_settings)
        yield running


@pytest.fixture(params=["one process", "apart"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    yield from (run_apart if request.param == "apart" else run)(tmp_path)


@pytest.fixture(params=["one process", "apart"])
def keeping(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server that keeps what it made."""
    yield from (run_apart if request.param == "apart" else run)(tmp_path, on_demand_snapshots=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql), "apart"])
def keeping_anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """The same on SQLite, on PostgreSQL, and with its registry in another process."""
    if request.param == "apart":
        yield from run_apart(tmp_path, on_demand_snapshots=True)
        return
    database = "" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    yield from run(tmp_path, database, on_demand_snapshots=True)


def added(server: Server) -> bool:
    """What `carnet on-demand add` says, beside the running registry."""
    settings = server.registry_settings
    places = ["--data", settings.data, "--database", settings.database_url]
    done = CliRunner().invoke(commands, ["on-demand", "add", PATIENT.id, *places, "--json"])
    assert done.exit_code == 0, done.output
    return bool(orjson.loads(done.stdout)["added"])


def push(server: Server, title: str) -> DocumentEntry:
    entry = an_entry(entry_uuid=new_uuid_urn(), title=title)
    answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: CONTENT})
    assert answer.status == "Success", answer.contexts
    return entry


def entries(server: Server, kind: ObjectType, *statuses: AvailabilityStatus) -> list[DocumentEntry]:
    quoted = ",".join(f"'{status}'" for status in statuses or (APPROVED,))
    slots = {
        "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
        "$XDSDocumentEntryStatus": f"({quoted})",
        "$XDSDocumentEntryType": f"('{kind}')",
    }
    answer = messages.query(server, FIND_DOCUMENTS, slots)
    return [one for one in read_registry_objects(answer.body) if isinstance(one, DocumentEntry)]


def on_demand_entry(server: Server) -> DocumentEntry:
    added(server)
    [entry] = entries(server, ObjectType.ON_DEMAND)
    return entry


def retrieve(server: Server, *unique_ids: str | None) -> Answered:
    return messages.retrieve(server, *((REPOSITORY, unique_id or "") for unique_id in unique_ids))


def said(answer: Answered, name: str) -> list[str]:
    return [str(one.text) for one in answer.envelope.iter(f"{{{XDS_B}}}{name}")]


def titles(content: bytes) -> list[str]:
    rows = etree.fromstring(content).xpath("//h:tbody/h:tr/h:td[3]/text()", namespaces=CDA)
    return [str(one) for one in rows]


def test_the_entry_of_a_patient_is_registered_once(server: Server) -> None:
    assert [added(server), added(server)] == [True, False]
    [entry] = entries(server, ObjectType.ON_DEMAND)
    assert (entry.hash, entry.size, entry.repository_unique_id) == (None, None, REPOSITORY)


def test_the_entry_may_be_of_a_repository_elsewhere(server: Server) -> None:
    settings = server.registry_settings
    places = ["--data", settings.data, "--database", settings.database_url]
    words = ["on-demand", "add", PATIENT.id, *places, "--repository"]
    assert CliRunner().invoke(commands, [*words, "1.2.3.4"]).exit_code == 0
    [entry] = entries(server, ObjectType.ON_DEMAND)
    assert entry.repository_unique_id == "1.2.3.4"
    refused = CliRunner().invoke(commands, [*words, "elsewhere"])
    assert (refused.exit_code, "expected an OID" in refused.output) == (2, True)


def test_each_retrieval_gives_a_new_document_with_what_is_there_by_then(server: Server) -> None:
    entry = on_demand_entry(server)
    push(server, "Premier")
    first = retrieve(server, entry.unique_id)
    push(server, "Second")
    second = retrieve(server, entry.unique_id)
    assert [first.status, second.status] == ["Success", "Success"]
    assert [titles(messages.contents(one)[0]) for one in (first, second)] == [["Premier"], ["Premier", "Second"]]
    made = said(first, "NewDocumentUniqueId") + said(second, "NewDocumentUniqueId")
    assert len({*made, entry.unique_id}) == 3
    assert said(first, "DocumentUniqueId") == [entry.unique_id]
    assert said(first, "mimeType") == ["text/xml"]
    [identity] = etree.fromstring(messages.contents(first)[0]).xpath("/*/h:id/@root", namespaces=CDA)
    assert identity == made[0]


def test_a_document_that_is_not_kept_cannot_be_retrieved_again(server: Server) -> None:
    answer = retrieve(server, on_demand_entry(server).unique_id)
    assert said(answer, "NewRepositoryUniqueId") == []
    again = retrieve(server, *said(answer, "NewDocumentUniqueId"))
    assert (again.status, again.codes) == ("Failure", ["XDSDocumentUniqueIdError"])
    assert entries(server, ObjectType.STABLE) == []


def test_documents_made_and_stored_come_in_the_order_of_the_request(server: Server) -> None:
    made, stored = on_demand_entry(server), push(server, "Rapport")
    answer = retrieve(server, made.unique_id, "2.25.404", stored.unique_id, made.unique_id)
    assert (answer.status, answer.codes) == ("PartialSuccess", ["XDSDocumentUniqueIdError"])
    assert said(answer, "DocumentUniqueId") == [made.unique_id, stored.unique_id, made.unique_id]
    assert [titles(one) if one != CONTENT else one for one in messages.contents(answer)] == [
        ["Rapport"],
        CONTENT,
        ["Rapport"],
    ]
    assert len(set(said(answer, "NewDocumentUniqueId"))) == 1


def test_an_entry_that_nobody_here_makes_is_said_to_be_one(server: Server) -> None:
    entry = replace(an_entry(), **SOME_ON_DEMAND)
    assert messages.submit(server, a_submission(entry), messages.ON_DEMAND).status == "Success"
    answer = retrieve(server, entry.unique_id)
    assert (answer.status, answer.codes) == ("Failure", ["XDSRepositoryError"])
    elsewhere = replace(an_entry(), **SOME_ON_DEMAND, repository_unique_id="1.2.3")
    assert messages.submit(server, a_submission(elsewhere), messages.ON_DEMAND).status == "Success"
    assert retrieve(server, elsewhere.unique_id).codes == ["XDSDocumentUniqueIdError"]


def test_the_fhir_door_tells_the_same(server: Server) -> None:
    entry = on_demand_entry(server)
    push(server, "Rapport")
    logical_id = (entry.logical_id or "").removeprefix("urn:uuid:")
    binary = server.request("GET", f"/fhir/Binary/{logical_id}")
    assert (binary.status, binary.headers["content-type"]) == (200, "text/xml")
    assert titles(binary.body) == ["Rapport"]
    assert binary.headers["content-length"] == str(len(binary.body))
    resource = orjson.loads(server.request("GET", f"/fhir/DocumentReference/{logical_id}").body)
    assert not {"size", "hash", "creation"} & resource["content"][0]["attachment"].keys()
    found = orjson.loads(server.request("GET", f"/fhir/DocumentReference?_id={logical_id}").body)
    assert [one["resource"]["id"] for one in found["entry"]] == [logical_id]
    search = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}%7C{PATIENT.id}"
    listed = orjson.loads(server.request("GET", search).body)
    assert logical_id not in [one["resource"]["id"] for one in listed["entry"]]


# --- snapshots -------------------------------------------------------------------------------


def snapshot_links(server: Server, entry: DocumentEntry) -> list[Association]:
    kinds = ",".join(f"'{kind}'" for kind in (AssociationType.IS_SNAPSHOT_OF, AssociationType.RPLC))
    slots = {
        "$XDSDocumentEntryEntryUUID": f"'{entry.entry_uuid}'",
        "$AssociationTypes": f"({kinds})",
        "$XDSDocumentEntryType": f"('{ObjectType.ON_DEMAND}','{ObjectType.STABLE}')",
    }
    answer = messages.query(server, GET_RELATED, slots)
    return [one for one in read_registry_objects(answer.body) if isinstance(one, Association)]


def test_a_kept_document_is_a_snapshot_that_can_be_retrieved_again(keeping: Server) -> None:
    entry = on_demand_entry(keeping)
    push(keeping, "Rapport")
    answer = retrieve(keeping, entry.unique_id)
    assert said(answer, "NewRepositoryUniqueId") == [REPOSITORY]
    [content], [unique_id] = messages.contents(answer), said(answer, "NewDocumentUniqueId")
    [snapshot] = [one for one in entries(keeping, ObjectType.STABLE) if one.unique_id == unique_id]
    assert (snapshot.hash, snapshot.size) == (hashlib.sha1(content).hexdigest(), len(content))
    assert (snapshot.extra_slots, snapshot.title) == ((), entry.title)
    links = snapshot_links(keeping, entry)
    assert [(one.association_type, one.source, one.target) for one in links] == [
        (AssociationType.IS_SNAPSHOT_OF, snapshot.entry_uuid, entry.entry_uuid)
    ]
    assert messages.contents(retrieve(keeping, unique_id)) == [content]


def test_a_record_that_did_not_change_has_one_snapshot(keeping: Server) -> None:
    entry = on_demand_entry(keeping)
    push(keeping, "Rapport")
    answers = [retrieve(keeping, entry.unique_id) for _ in range(2)]
    logical_id = (entry.logical_id or "").removeprefix("urn:uuid:")
    binary = keeping.request("GET", f"/fhir/Binary/{logical_id}").body
    assert [*messages.contents(answers[0]), binary] == messages.contents(answers[1]) * 2
    assert said(answers[0], "NewDocumentUniqueId") == said(answers[1], "NewDocumentUniqueId")
    assert len(entries(keeping, ObjectType.STABLE)) == 2


def test_a_new_snapshot_replaces_the_one_before_and_lists_none_of_them(keeping: Server) -> None:
    entry = on_demand_entry(keeping)
    kept = []
    for title in ("Premier", "Second", "Troisième"):
        push(keeping, title)
        kept += said(retrieve(keeping, entry.unique_id), "NewDocumentUniqueId")
    assert titles(messages.contents(retrieve(keeping, kept[2]))[0]) == ["Premier", "Second", "Troisième"]
    assert titles(messages.contents(retrieve(keeping, kept[0]))[0]) == ["Premier"]
    deprecated = entries(keeping, ObjectType.STABLE, AvailabilityStatus.DEPRECATED)
    assert [one.unique_id for one in deprecated] == kept[:2]
    [still] = entries(keeping, ObjectType.ON_DEMAND)
    assert still.availability_status is APPROVED


def test_a_snapshot_whose_octets_were_removed_is_made_anew(keeping: Server) -> None:
    entry = on_demand_entry(keeping)
    [first] = said(retrieve(keeping, entry.unique_id), "NewDocumentUniqueId")
    assert messages.remove(keeping, (REPOSITORY, first)).status == "Success"
    [second] = said(retrieve(keeping, entry.unique_id), "NewDocumentUniqueId")
    assert second != first
    assert retrieve(keeping, second).status == "Success"


def test_a_snapshot_is_as_confidential_as_what_it_lists(keeping: Server) -> None:
    entry = on_demand_entry(keeping)
    masked = replace(entry.confidentiality_code[0], code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13")
    hidden = an_entry(entry_uuid=new_uuid_urn(), confidentiality_code=(*entry.confidentiality_code, masked))
    answer = messages.provide(keeping, a_submission(hidden), {hidden.entry_uuid: CONTENT})
    assert answer.status == "Success", answer.contexts
    [unique_id] = said(retrieve(keeping, entry.unique_id), "NewDocumentUniqueId")
    [snapshot] = [one for one in entries(keeping, ObjectType.STABLE) if one.unique_id == unique_id]
    assert {code.code for code in snapshot.confidentiality_code} == {"N", "MASQUE_PS"}


def test_requests_at_once_make_one_line_of_snapshots(keeping_anywhere: Server) -> None:
    keeping = keeping_anywhere
    entry = on_demand_entry(keeping)
    push(keeping, "Rapport")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: retrieve(keeping, entry.unique_id), range(16)))
    assert [one.status for one in answers] == ["Success"] * 16
    assert len({said(one, "NewDocumentUniqueId")[0] for one in answers}) == 1
    assert len(entries(keeping, ObjectType.STABLE)) == 2
