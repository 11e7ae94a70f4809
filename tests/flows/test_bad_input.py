"""Bad input over real HTTP: the answer the closed list names, all errors at once, nothing stored."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests import messages, servers
from tests.builders import (
    PATIENT,
    a_replacement,
    a_submission,
    a_submission_set,
    an_entry,
    an_oid,
)
from tests.servers import Server
from xds.datatypes import CX

TABLES = ("registry_object", "identity", "object_value", "document", "awaited_document", "outbox")


@pytest.fixture
def nothing_stored(server: Server) -> Iterator[None]:
    """Counts every row and blob before and after."""
    before = _counts(server)
    yield
    assert _counts(server) == before


def _counts(server: Server) -> tuple[int, ...]:
    rows = []
    for database in server.databases:
        engine = create_engine(database)
        with engine.connect() as connection:
            rows += [connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES]
        engine.dispose()
    blobs = sum(len(files) for _, _, files in os.walk(Path(server.settings.data) / "documents"))
    return (*rows, blobs)


def post_simple(server: Server, message: bytes, path: str = "/xds/registry") -> messages.Answered:
    return messages.read(server.post(path, message, messages.simple_type()))


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    "message",
    {
        "not well-formed": b"<a><b></a>",
        "empty": b"",
        "a DOCTYPE": b'<!DOCTYPE x><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"/>',
        "an entity bomb": b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        "not an envelope": b"<hello/>",
        "two bodies": b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body/><e:Body/></e:Envelope>',
        "a processing instruction": b'<?x y?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"/>',
    }.items(),
    ids=lambda item: item[0],
)
def test_malformed_xml_gets_a_sender_fault(server: Server, message: tuple[str, bytes]) -> None:
    answer = post_simple(server, message[1])
    assert (answer.response.status, answer.fault) == (400, ["env:Sender"])


@pytest.mark.usefixtures("nothing_stored")
def test_soap_1_1_gets_version_mismatch_with_the_versions_served(server: Server) -> None:
    message = messages.envelope(
        messages.query_body(messages.FIND_DOCUMENTS, {}),
        messages.QUERY_ACTION,
        namespace="http://schemas.xmlsoap.org/soap/envelope/",
    )
    answer = messages.read(server.post("/xds/registry", message, "text/xml; charset=utf-8"))
    assert (answer.response.status, answer.fault) == (500, ["env:VersionMismatch"])
    assert answer.envelope.find(".//{*}SupportedEnvelope") is not None


@pytest.mark.usefixtures("nothing_stored")
def test_an_unknown_action_is_a_fault(server: Server) -> None:
    answer = post_simple(server, messages.envelope(b"<x/>", "urn:nothing:known"))
    assert answer.response.status == 400
    assert answer.fault == ["env:Sender", "wsa:ActionNotSupported"]
    reason = str(answer.envelope.findtext(".//{*}Reason/{*}Text"))
    assert reason.startswith("wsa:Action: found 'urn:nothing:known', expected one of ")
    assert {messages.QUERY_ACTION, messages.REGISTER, messages.UPDATE} <= set(reason.replace(",", "").split())
    assert messages.PROVIDE not in reason


def test_faults_have_the_status_that_the_settings_say(tmp_path: Path) -> None:
    """A client that reads SOAP faults with 500 alone reads this one, and its connection stays usable."""
    with servers.in_process(servers.settings_for(tmp_path, fault_status=500)) as running:
        message = messages.envelope(b"<x/>", "urn:nothing:known")
        assert running.post("/xds/repository", message, messages.simple_type()).status == 500
        question = messages.query(running, messages.FIND_DOCUMENTS, {})
        assert (question.response.status, question.status) == (200, "Failure")


@pytest.mark.parametrize("path", ["/xds/nothing", "/nothing"])
def test_an_unknown_path_is_404(server: Server, path: str) -> None:
    assert server.post(path, b"<x/>", messages.simple_type()).status == 404


def test_another_content_type_is_415(server: Server) -> None:
    assert server.post("/xds/registry", b"{}", "application/json").status == 415


def test_another_method_is_405(server: Server) -> None:
    response = server.request("DELETE", "/xds/registry")
    assert response.status == 405
    assert "POST" in response.headers["allow"]


@pytest.mark.usefixtures("nothing_stored")
def test_a_missing_part_is_a_missing_document(server: Server) -> None:
    entry = an_entry()
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("gone@test")})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE))
    answer = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    assert answer.status == "Failure"
    assert set(answer.codes) == {"XDSMissingDocument"}


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("inline", ["%%%", "YQ", "é", "YQ==YQ=="])
def test_an_inline_document_that_is_no_base64_is_a_metadata_error(server: Server, inline: str) -> None:
    entry = an_entry(content=b"a")
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: inline})
    answer = messages.read(
        server.post(
            "/xds/repository", messages.multipart(messages.envelope(body, messages.PROVIDE)), messages.multipart_type()
        )
    )
    assert (answer.response.status, answer.codes) == (200, ["XDSRepositoryMetadataError"])


@pytest.mark.usefixtures("nothing_stored")
def test_a_message_without_its_last_boundary_is_a_fault(server: Server) -> None:
    entry = an_entry(content=b"cut")
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("d@test")})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("d@test", b"cut")])
    answer = messages.read(server.post("/xds/repository", message[:-20], messages.multipart_type()))
    assert (answer.response.status, answer.fault) == (400, ["env:Sender"])


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("changes", [{"hash": "0" * 40}, {"size": 4711}, {"hash": "0" * 40, "size": 4711}])
def test_a_wrong_hash_or_size_is_a_repository_metadata_error(server: Server, changes: dict[str, object]) -> None:
    entry = an_entry(content=b"right", **changes)
    answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: b"right"})
    assert answer.status == "Failure"
    assert answer.codes == ["XDSRepositoryMetadataError"] * len(changes)


@pytest.mark.usefixtures("nothing_stored")
def test_a_hash_that_is_no_hash_is_an_error_of_repository_and_registry(server: Server) -> None:
    entry = an_entry(content=b"right", hash="123e2")
    answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: b"right"})
    assert answer.status == "Failure"
    assert set(answer.codes) == {"XDSRepositoryMetadataError", "XDSRegistryMetadataError"}


@pytest.mark.usefixtures("nothing_stored")
def test_an_unknown_patient_is_named(server: Server) -> None:
    stranger = CX("190000000000000^^^&1.2.250.1.213.1.4.10&ISO^NH")
    entry = an_entry(content=b"x", patient_id=stranger)
    submission = a_submission(entry, submission_set=a_submission_set(patient_id=stranger))
    answer = messages.provide(server, submission, {entry.entry_uuid: b"x"})
    assert answer.codes == ["XDSUnknownPatientId"]
    assert str(stranger) in answer.contexts[0]


def accepted(server: Server, content: bytes = b"first", **changes: object) -> dict[str, str]:
    """A stored document: its ids."""
    entry, owner = an_entry(content=content, **changes), a_submission_set()
    answer = messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: content})
    assert answer.status == "Success", answer.contexts
    references = messages.query(
        server, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}, "ObjectRef"
    )
    uuid = next(references.envelope.iter("{*}ObjectRef")).get("id")
    return {"submission": str(owner.unique_id), "document": str(entry.unique_id), "uuid": str(uuid)}


def test_a_submission_sent_twice_is_a_duplicate_that_is_named(server: Server) -> None:
    known = accepted(server)
    before = _counts(server)
    entry = an_entry(content=b"other")
    owner = a_submission_set(unique_id=known["submission"])
    answer = messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: b"other"})
    assert answer.codes == ["XDSDuplicateUniqueIdInRegistry"]
    assert known["submission"] in answer.contexts[0]
    assert _counts(server) == before


def test_the_same_document_with_other_octets_is_refused(server: Server) -> None:
    known = accepted(server)
    before = _counts(server)
    entry = an_entry(content=b"otherwise", unique_id=known["document"])
    answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: b"otherwise"})
    assert sorted(answer.codes) == ["XDSNonIdenticalHash", "XDSNonIdenticalSize"]
    assert _counts(server) == before


@pytest.mark.usefixtures("nothing_stored")
def test_replacing_an_unknown_document_is_an_unresolved_reference(server: Server) -> None:
    entry = an_entry(content=b"x")
    unknown = "urn:uuid:00000000-0000-4000-8000-000000000000"
    submission = a_submission(entry, associations=(a_replacement(entry, unknown),))
    answer = messages.provide(server, submission, {entry.entry_uuid: b"x"})
    assert answer.codes == ["UnresolvedReferenceException"]
    assert unknown in answer.contexts[0]


def test_replacing_a_deprecated_document_is_refused(server: Server) -> None:
    known = accepted(server)
    first, second = an_entry(content=b"first"), an_entry(content=b"second")
    link = a_replacement(first, known["uuid"])
    assert (
        messages.provide(server, a_submission(first, associations=(link,)), {first.entry_uuid: b"first"}).status
        == "Success"
    )
    before = _counts(server)
    link = a_replacement(second, known["uuid"])
    answer = messages.provide(server, a_submission(second, associations=(link,)), {second.entry_uuid: b"second"})
    assert answer.codes == ["XDSRegistryDeprecatedDocumentError"]
    assert _counts(server) == before


def test_all_faults_of_a_submission_are_told_at_once(server: Server) -> None:
    """Seven faults, of repository and registry, of form, reference and state: seven errors."""
    known = accepted(server)
    before = _counts(server)
    stranger = CX("190000000000000^^^&1.2.250.1.213.1.4.10&ISO^NH")
    bad = an_entry(content=b"bad", hash="0" * 40, type_code=None, language_code=None, patient_id=stranger)
    lost = an_entry(entry_uuid="Document02")
    owner = a_submission_set(unique_id=known["submission"])
    unknown = "urn:uuid:00000000-0000-4000-8000-000000000000"
    submission = a_submission(bad, lost, submission_set=owner, associations=(a_replacement(bad, unknown),))
    answer = messages.provide(server, submission, {bad.entry_uuid: b"bad"})
    assert sorted(answer.codes) == [
        "UnresolvedReferenceException",  # replaces an unknown document
        "XDSDuplicateUniqueIdInRegistry",  # the submission's uniqueId is used
        "XDSMissingDocument",  # Document02 has no octets
        "XDSPatientIdDoesNotMatch",  # Document01 is of another patient
        "XDSRegistryMetadataError",  # no languageCode
        "XDSRegistryMetadataError",  # no typeCode
        "XDSRepositoryMetadataError",  # the hash is wrong
    ]
    assert _counts(server) == before


@pytest.mark.usefixtures("nothing_stored")
def test_metadata_that_breaks_the_schema_names_line_and_reason(server: Server) -> None:
    entry = an_entry(content=b"x")
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("d@test")})
    broken = body.replace(b"<rim:ExtrinsicObject ", b"<rim:ExtrinsicThing ").replace(
        b"</rim:ExtrinsicObject>", b"</rim:ExtrinsicThing>"
    )
    message = messages.multipart(messages.envelope(broken, messages.PROVIDE), [("d@test", b"x")])
    answer = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    assert set(answer.codes) == {"XDSRepositoryMetadataError"}
    assert "ExtrinsicThing" in answer.contexts[0]


@pytest.mark.parametrize(
    "query_id",
    [
        "urn:uuid:00000000-0000-0000-0000-000000000000",
        "urn:uuid:958f3006-baad-4929-a4de-ff1114824432",
        "urn:uuid:14D4DEBF-8F97-4251-9A74-A90016B0AF0D",
        "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f",
        "FindDocuments",
    ],
)
def test_a_query_that_is_not_served_is_unknown_never_empty(server: Server, query_id: str) -> None:
    answer = messages.query(server, query_id, {"$patientId": f"'{PATIENT.key}'"})
    assert (answer.status, answer.codes) == ("Failure", ["XDSUnknownStoredQuery"])


def test_a_query_without_its_required_parameters_names_each(server: Server) -> None:
    answer = messages.query(server, messages.FIND_DOCUMENTS, {})
    assert answer.codes == ["XDSStoredQueryMissingParam", "XDSStoredQueryMissingParam"]


def test_an_answer_never_shows_a_stack_trace(server: Server) -> None:
    for body in (b"", b"\x00" * 100, b"<" * 5000, messages.envelope(b"<x/>", messages.PROVIDE)):
        response = server.post("/xds/repository", body, messages.simple_type())
        assert b"Traceback" not in response.body
        assert b"File " not in response.body


def test_two_parts_with_one_content_id_are_refused(server: Server) -> None:
    entry = an_entry(content=b"x", unique_id=an_oid())
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("d@test")})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("d@test", b"x"), ("d@test", b"y")])
    answer = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    assert (answer.response.status, answer.fault) == (400, ["env:Sender"])


@pytest.mark.usefixtures("nothing_stored")
def test_a_part_that_nothing_refers_to_lacks_its_metadata(server: Server) -> None:
    entry = an_entry(content=b"x", unique_id=an_oid())
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("d@test")})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("d@test", b"x"), ("e@test", b"y")])
    answer = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    assert answer.codes == ["XDSMissingDocumentMetadata"]
