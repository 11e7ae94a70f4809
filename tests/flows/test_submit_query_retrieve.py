"""Push by ITI-41, find by ITI-18, read back by ITI-43, over real HTTP."""

import base64
import hashlib

import pytest

from tests import messages
from tests.builders import LOINC, PATIENT, REPOSITORY, a_replacement, a_submission, an_entry, an_oid
from tests.servers import Server
from xds.ebrim.schema import schema_findings
from xds.metadata import DocumentEntry
from xds.vocabulary import AssociationType

BYTES = {
    "with trailing line end": b"<ClinicalDocument>text</ClinicalDocument>\r\n",
    "binary": bytes(range(256)) * 40,
    "like a boundary": b"\r\n--" + messages.BOUNDARY.encode() + b"x\r\n\r\n--\r\n",
    "one octet": b"x",
    "nothing": b"",
}


def found(server: Server, **slots: str) -> list[str]:
    """uniqueIds that FindDocuments names for the patient."""
    parameters = {
        "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    }
    parameters.update({f"$XDSDocumentEntry{name}": value for name, value in slots.items()})
    answer = messages.query(server, messages.FIND_DOCUMENTS, parameters)
    assert answer.status == "Success", answer.contexts
    scheme = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
    return [
        str(one.get("value"))
        for one in answer.envelope.iter("{*}ExternalIdentifier")
        if one.get("identificationScheme") == scheme
    ]


def pushed(server: Server, content: bytes, **changes: object) -> DocumentEntry:
    entry = an_entry(content=content, **changes)
    answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: content})
    assert answer.status == "Success", answer.contexts
    return entry


@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES.keys())
def test_a_document_comes_back_byte_for_byte(server: Server, content: bytes) -> None:
    entry = pushed(server, content)
    assert entry.unique_id in found(server)
    answer = messages.retrieve(server, (REPOSITORY, str(entry.unique_id)))
    assert answer.status == "Success"
    assert messages.contents(answer) == [content]


def test_the_repository_computes_hash_size_and_its_own_id(server: Server) -> None:
    content = b"<ClinicalDocument>hash me</ClinicalDocument>"
    entry = pushed(server, content, hash=None, size=None, repository_unique_id=None)
    answer = messages.query(server, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"})
    slots = {slot.get("name"): "".join(slot.itertext()).strip() for slot in answer.envelope.iter("{*}Slot")}
    assert slots["hash"] == hashlib.sha1(content).hexdigest()
    assert slots["size"] == str(len(content))
    assert slots["repositoryUniqueId"] == REPOSITORY


def test_one_submission_brings_several_documents(server: Server) -> None:
    contents = {f"Document{number:02}": b"number %d" % number for number in range(1, 6)}
    entries = [an_entry(entry_uuid=key, content=value) for key, value in contents.items()]
    answer = messages.provide(server, a_submission(*entries), contents)
    assert answer.status == "Success", answer.contexts
    wanted = [(REPOSITORY, str(entry.unique_id)) for entry in entries]
    assert messages.contents(messages.retrieve(server, *wanted)) == list(contents.values())


def test_retrieve_answers_what_it_has_and_names_what_it_lacks(server: Server) -> None:
    entry = pushed(server, b"known")
    answer = messages.retrieve(
        server, (REPOSITORY, "2.25.404"), (REPOSITORY, str(entry.unique_id)), ("1.2.3", "2.25.405")
    )
    assert answer.status == "PartialSuccess"
    assert answer.codes == ["XDSDocumentUniqueIdError", "XDSUnknownRepositoryId"]
    assert messages.contents(answer) == [b"known"]
    assert [error.get("location") for error in answer.envelope.iter("{*}RegistryError")] == ["2.25.404", "2.25.405"]


def test_retrieve_of_nothing_known_fails_in_mtom(server: Server) -> None:
    answer = messages.retrieve(server, (REPOSITORY, "2.25.404"))
    assert answer.status == "Failure"
    assert answer.response.headers["content-type"].startswith("multipart/related")


def test_inline_base64_stands_for_a_part(server: Server) -> None:
    content = b"inline \x00\xff octets"
    entry = an_entry(content=content)
    encoded = base64.encodebytes(content).decode()
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: encoded})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE))
    answer = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    assert answer.status == "Success", answer.contexts
    assert messages.contents(messages.retrieve(server, (REPOSITORY, str(entry.unique_id)))) == [content]


@pytest.mark.parametrize("start_info", [True, False])
@pytest.mark.parametrize("reversed_order", [True, False])
def test_parameters_of_the_content_type_come_in_any_order(
    server: Server, *, start_info: bool, reversed_order: bool
) -> None:
    entry = an_entry(content=b"order")
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("d@test")})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("d@test", b"order")])
    content_type = messages.multipart_type(start_info=start_info, reversed_order=reversed_order)
    answer = messages.read(server.post("/xds/repository", message, content_type))
    assert answer.status == "Success", answer.contexts


def test_a_content_id_may_be_percent_encoded_in_the_include(server: Server) -> None:
    entry = an_entry(content=b"cid")
    href = "d-1@urn%3Aihe%3Aiti%3Axds-b%3A2007"
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include(href)})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("d-1@urn:ihe:iti:xds-b:2007", b"cid")])
    answer = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    assert answer.status == "Success", answer.contexts


def test_a_simple_message_is_answered_simply_with_inline_documents(server: Server) -> None:
    entry = pushed(server, b"simple")
    message = messages.envelope(messages.retrieve_body((REPOSITORY, str(entry.unique_id))), messages.RETRIEVE)
    response = server.post("/xds/repository", message, messages.simple_type())
    assert response.headers["content-type"].startswith("application/soap+xml")
    answer = messages.read(response)
    document = next(answer.envelope.iter("{*}Document"))
    assert base64.b64decode(document.text or "") == b"simple"


def test_replacement_deprecates_the_original_and_its_addenda(server: Server) -> None:
    original = pushed(server, b"first")
    uuid_of = entry_uuid(server, str(original.unique_id))
    addendum = an_entry(content=b"addendum")
    answer = messages.provide(
        server,
        a_submission(addendum, associations=(a_replacement(addendum, uuid_of, AssociationType.APND),)),
        {addendum.entry_uuid: b"addendum"},
    )
    assert answer.status == "Success", answer.contexts
    assert {original.unique_id, addendum.unique_id} <= set(found(server))

    newer = an_entry(content=b"second")
    answer = messages.provide(
        server, a_submission(newer, associations=(a_replacement(newer, uuid_of),)), {newer.entry_uuid: b"second"}
    )
    assert answer.status == "Success", answer.contexts
    approved = set(found(server))
    assert newer.unique_id in approved
    assert not {original.unique_id, addendum.unique_id} & approved
    assert messages.contents(messages.retrieve(server, (REPOSITORY, str(original.unique_id)))) == [b"first"]


def entry_uuid(server: Server, unique_id: str) -> str:
    slots = {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"}
    answer = messages.query(server, messages.GET_DOCUMENTS, slots, "ObjectRef")
    return str(next(answer.envelope.iter("{*}ObjectRef")).get("id"))


def test_transformation_leaves_the_original_approved(server: Server) -> None:
    original = pushed(server, b"original")
    transformed = an_entry(content=b"transformed")
    link = a_replacement(transformed, entry_uuid(server, str(original.unique_id)), AssociationType.XFRM)
    answer = messages.provide(server, a_submission(transformed, associations=(link,)), {"Document01": b"transformed"})
    assert answer.status == "Success", answer.contexts
    assert {original.unique_id, transformed.unique_id} <= set(found(server))


def test_find_documents_filters_by_type(server: Server) -> None:
    entry = pushed(server, b"typed")
    assert entry.unique_id in found(server, TypeCode=f"('11488-4^^{LOINC}')")
    assert entry.unique_id not in found(server, TypeCode=f"('11502-2^^{LOINC}')")


@pytest.mark.parametrize("return_type", ["LeafClass", "ObjectRef"])
def test_every_query_answer_is_valid_against_the_schema(server: Server, return_type: str) -> None:
    pushed(server, b"valid")
    status = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
    everything = {
        "$patientId": f"'{PATIENT.key}'",
        "$XDSDocumentEntryStatus": status,
        "$XDSSubmissionSetStatus": status,
        "$XDSFolderStatus": status,
    }
    sets = {"$XDSSubmissionSetPatientId": f"'{PATIENT.key}'", "$XDSSubmissionSetStatus": status}
    for query_id, slots in (
        ("urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3", everything),
        ("urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9", sets),
    ):
        answer = messages.query(server, query_id, slots, return_type)
        assert answer.status == "Success", answer.contexts
        assert len(answer.body[-1]) > 0
        assert schema_findings(answer.body) == ()


def test_an_unknown_patient_is_an_empty_success_in_a_query(server: Server) -> None:
    slots = {
        "$XDSDocumentEntryPatientId": "'999^^^&1.2.250.1.213.1.4.10&ISO'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    }
    answer = messages.query(server, messages.FIND_DOCUMENTS, slots)
    assert answer.status == "Success"
    assert len(answer.body[-1]) == 0


def test_a_success_is_seen_by_the_very_next_query(server: Server) -> None:
    for number in range(10):
        entry = pushed(server, b"now %d" % number)
        assert entry.unique_id in found(server)


def test_answers_name_their_action_and_the_request(server: Server) -> None:
    message = messages.envelope(messages.query_body(messages.FIND_DOCUMENTS, {}), messages.QUERY_ACTION)
    message_id = message.partition(b"<a:MessageID>")[2].partition(b"<")[0].decode()
    answer = messages.read(server.post("/xds/registry", message, messages.simple_type()))
    header = answer.envelope[0]
    action = header.find(f"{{{messages.ADDRESSING}}}Action")
    assert action is not None
    assert action.text == f"{messages.QUERY_ACTION}Response"
    assert action.get(f"{{{messages.ENVELOPE}}}mustUnderstand") == "1"
    assert header.findtext(f"{{{messages.ADDRESSING}}}RelatesTo") == message_id


def test_same_document_and_same_octets_may_be_submitted_again(server: Server) -> None:
    entry = pushed(server, b"again")
    again = an_entry(content=b"again", unique_id=entry.unique_id)
    answer = messages.provide(server, a_submission(again), {again.entry_uuid: b"again"})
    assert answer.status == "Success", answer.contexts
    assert found(server).count(str(entry.unique_id)) == 2
    assert messages.contents(messages.retrieve(server, (REPOSITORY, str(entry.unique_id)))) == [b"again"]


def test_registration_alone_serves_a_repository_of_another_maker(server: Server) -> None:
    entry = an_entry(repository_unique_id="1.3.6.1.4.1.99.7", unique_id=an_oid())
    body = messages.provide_body(a_submission(entry), {}).partition(b">")[2]
    request = body.rpartition(b"</x:ProvideAndRegisterDocumentSetRequest>")[0]
    message = messages.envelope(request, messages.REGISTER)
    answer = messages.read(server.post("/xds/registry", message, messages.simple_type()))
    assert answer.status == "Success", answer.contexts
    assert entry.unique_id in found(server)
