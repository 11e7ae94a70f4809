"""XDR at /xds/recipient over real HTTP, with the limited metadata option and without it. ITI TF-1: 15."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from carnet.command_line import commands
from tests import messages, servers
from tests.builders import PATIENT, REPOSITORY, a_replacement, a_submission, an_entry, an_oid
from tests.flows.conftest import ARRANGEMENTS
from tests.servers import Server
from xds.ebrim.schema import schema_findings
from xds.xml import parse

ELSEWHERE = "urn:uuid:99999999-9999-4999-8999-999999999999"
CONTENT = b"a limited document"


@pytest.fixture(scope="module", params=ARRANGEMENTS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A recipient that takes limited metadata."""
    data = tmp_path_factory.mktemp("recipient")
    if request.param == "apart":
        with servers.apart(data, servers.in_process, repository={"limited_metadata": True}) as running:
            servers.know_patients(running.registry_settings)
            yield running
        return
    url, workers = "", 1
    if request.param == "started-postgresql":
        url, workers = request.getfixturevalue("shared_postgresql_url"), 2
    settings = servers.settings_for(data, url, workers=workers, limited_metadata=True)
    with (servers.in_process if request.param == "in-process" else servers.started)(settings) as running:
        servers.know_patients(settings)
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A recipient without the option."""
    settings = servers.settings_for(tmp_path_factory.mktemp("strict"))
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        yield running


def limited_request(*, flags: bool = True, unique_id: str = "", owner_id: str = "") -> bytes:
    """The least a source with limited metadata sends: no patient, no codes."""
    node = '<r:Classification id="{0}-flag" classifiedObject="{0}" classificationNode="urn:uuid:{1}"/>'
    entry_flag = node.format("Document01", "ab9b591b-83ab-4d03-8f5d-f93b1fb92e85") if flags else ""
    owner_flag = node.format("SubmissionSet01", "5003a9db-8d8d-49e6-bf0c-990e34ac7707") if flags else ""
    identifier = '<r:ExternalIdentifier id="{0}-{1}" registryObject="{0}" identificationScheme="urn:uuid:{2}" value="{3}"><r:Name><r:LocalizedString value="x"/></r:Name></r:ExternalIdentifier>'
    slot = '<r:Slot name="{}"><r:ValueList><r:Value>{}</r:Value></r:ValueList></r:Slot>'
    owner = "SubmissionSet01"
    return (
        '<x:ProvideAndRegisterDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007" xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
        '<l:SubmitObjectsRequest xmlns:l="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"><r:RegistryObjectList>'
        '<r:ExtrinsicObject id="Document01" objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1" mimeType="text/plain">'
        f"{entry_flag}{identifier.format('Document01', 'u', '2e82c1f6-a085-4c72-9da3-8640a32e42ab', unique_id or an_oid())}</r:ExtrinsicObject>"
        f'<r:RegistryPackage id="{owner}">{slot.format("submissionTime", "20260310")}{owner_flag}'
        f'<r:Classification id="n" classifiedObject="{owner}" classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>'
        f"{identifier.format(owner, 'u', '96fdda7c-d067-4183-912e-bf5ee74998a8', owner_id or an_oid())}"
        f"{identifier.format(owner, 's', '554ac39e-e3fe-47fe-b233-965d2a147832', '2.25.4711')}</r:RegistryPackage>"
        f'<r:Association id="a" associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember" sourceObject="{owner}" targetObject="Document01">'
        f"{slot.format('SubmissionSetStatus', 'Original')}</r:Association></r:RegistryObjectList></l:SubmitObjectsRequest>"
        f'<x:Document id="Document01">{messages.include("d@test")}</x:Document></x:ProvideAndRegisterDocumentSetRequest>'
    ).encode()


def send(server: Server, body: bytes, content: bytes = CONTENT) -> messages.Answered:
    message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("d@test", content)])
    answer = messages.read(server.post("/xds/recipient", message, messages.multipart_type()))
    assert schema_findings(answer.body) == ()
    return answer


def full(server: Server, *, target: str = "") -> messages.Answered:
    content = b"a full document"
    entry = an_entry(content=content)
    links = (a_replacement(entry, target),) if target else ()
    documents = {entry.entry_uuid: messages.include("d@test")}
    return send(server, messages.provide_body(a_submission(entry, associations=links), documents), content)


def test_full_metadata_is_received(server: Server) -> None:
    assert full(server).status == "Success"


def test_a_replacement_of_what_is_not_here_is_received_with_a_warning(server: Server) -> None:
    answer = full(server, target=ELSEWHERE)
    assert (answer.status, answer.codes) == ("Success", ["PartialReplaceContentNotProcessed"])


def retrieved(server: Server, unique_id: str) -> list[str]:
    return messages.retrieve(server, (REPOSITORY, unique_id)).codes


def test_limited_metadata_waits_until_it_is_matched_with_a_patient(server: Server) -> None:
    unique_id, owner_id = an_oid(), an_oid()
    answer = send(server, limited_request(unique_id=unique_id, owner_id=owner_id))
    assert (answer.status, answer.codes) == ("Success", ["DocumentQueued"])
    assert retrieved(server, unique_id) == ["XDSDocumentUniqueIdError"]
    settings = server.registry_settings
    store = ["--data", str(settings.data), "--database", settings.database]
    listed = CliRunner().invoke(commands, ["recipient", "list", *store])
    assert f"{owner_id}\t" in listed.output, listed.output
    matched = CliRunner().invoke(commands, ["recipient", "match", owner_id, PATIENT.id, *store])
    assert matched.output == "submission matched, 3 objects registered\n"
    assert retrieved(server, unique_id) == []
    found = messages.query(server, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"})
    assert found.status == "Success"
    [entry] = found.envelope.iter("{*}ExtrinsicObject")
    assert PATIENT.id in etree.tostring(entry).decode()
    assert "ab9b591b" not in etree.tostring(entry).decode()


def test_the_octets_of_what_waits_cannot_be_removed(server: Server) -> None:
    unique_id, owner_id = an_oid(), an_oid()
    assert send(server, limited_request(unique_id=unique_id, owner_id=owner_id)).codes == ["DocumentQueued"]
    refused = messages.remove(server, (REPOSITORY, unique_id))
    assert (refused.status, refused.codes) == ("Failure", ["XDSRemoveDocumentsError"])
    settings = server.registry_settings
    store = ["--data", str(settings.data), "--database", settings.database]
    assert CliRunner().invoke(commands, ["recipient", "match", owner_id, PATIENT.id, *store]).exit_code == 0
    assert messages.contents(messages.retrieve(server, (REPOSITORY, unique_id))) == [CONTENT]
    assert messages.remove(server, (REPOSITORY, unique_id)).status == "Success"


def test_limited_metadata_without_flag_is_refused(server: Server) -> None:
    answer = send(server, limited_request(flags=False))
    assert (answer.status, set(answer.codes)) == ("Failure", {"XDSRepositoryMetadataError"})


def test_a_recipient_without_the_option_refuses_limited_metadata(strict: Server) -> None:
    answer = send(strict, limited_request())
    assert (answer.status, set(answer.codes)) == ("Failure", {"XDSRepositoryMetadataError"})
    assert full(strict).status == "Success"


def test_a_repository_never_takes_limited_metadata(server: Server) -> None:
    message = messages.multipart(messages.envelope(limited_request(), messages.PROVIDE), [("d@test", CONTENT)])
    answer = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    assert answer.status == "Failure"
    assert any("limitedMetadata" in context for context in answer.contexts)


def test_a_recipient_serves_nothing_else(server: Server) -> None:
    message = messages.multipart(messages.envelope(messages.retrieve_body((REPOSITORY, "2.25.1")), messages.RETRIEVE))
    answer = messages.read(server.post("/xds/recipient", message, messages.multipart_type()))
    assert answer.fault != []
    assert b"DocumentRecipient_Service" in server.request("GET", "/xds/recipient?wsdl").body


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("test", "option", "status"), [("12375", "on", "Success"), ("12376", "on", "Failure"), ("12376", "off", "Failure")]
)
def test_the_messages_of_the_test_kit_get_what_it_expects(
    corpus: Path, server: Server, strict: Server, test: str, option: str, status: str
) -> None:
    folder = corpus / "nist-xds" / "testkit" / "tests" / test / "submit"
    root = parse((folder / "single_doc.xml").read_bytes())
    for one in root.iter("{*}ExternalIdentifier"):
        one.set("value", an_oid())
    document = etree.SubElement(root, "{urn:ihe:iti:xds-b:2007}Document", id="Document01")
    document.append(etree.fromstring(messages.include("d@test")))
    answer = send(server if option == "on" else strict, etree.tostring(root), (folder / "my_document.txt").read_bytes())
    assert answer.status == status, answer.contexts
