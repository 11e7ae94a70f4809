"""Remove by ITI-86 over real HTTP: what ITI-43, ITI-18 and a later ITI-41 say afterwards."""

import pytest

from tests import messages
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.servers import Server
from xds.metadata import DocumentEntry


def pushed(server: Server, content: bytes, **changes: object) -> DocumentEntry:
    entry = an_entry(content=content, **changes)
    answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: content})
    assert answer.status == "Success", answer.contexts
    return entry


def removed(server: Server, content: bytes) -> str:
    """The uniqueId of a document that was submitted and then removed."""
    unique_id = str(pushed(server, content).unique_id)
    assert messages.remove(server, (REPOSITORY, unique_id)).status == "Success"
    return unique_id


def test_a_removed_document_is_not_retrieved_and_its_metadata_stays(server: Server) -> None:
    unique_id = removed(server, b"to be removed")
    answer = messages.retrieve(server, (REPOSITORY, unique_id))
    assert (answer.status, answer.codes) == ("Failure", ["XDSDocumentUniqueIdError"])
    found = messages.query(server, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"})
    assert len(list(found.envelope.iter("{*}ExtrinsicObject"))) == 1


def test_both_messages_carry_their_action_in_the_content_type(server: Server) -> None:
    unique_id = str(pushed(server, b"action").unique_id)
    answer = messages.remove(server, (REPOSITORY, unique_id))
    assert answer.response.headers["content-type"].endswith(f'action="{messages.REMOVE}Response"')
    action = answer.envelope.findtext(f".//{{{messages.ADDRESSING}}}Action")
    assert action == f"{messages.REMOVE}Response"
    assert answer.body.tag.endswith("}RegistryResponse")
    assert len(answer.body) == 0


def test_some_removed_is_a_partial_success_with_an_error_per_other_document(server: Server) -> None:
    unique_id = str(pushed(server, b"one of three").unique_id)
    answer = messages.remove(server, (REPOSITORY, "2.25.404"), (REPOSITORY, unique_id), ("1.2.3", "2.25.405"))
    assert answer.status == "PartialSuccess"
    assert answer.codes == ["XDSDocumentUniqueIdError", "XDSUnknownRepositoryId"]
    assert [error.get("location") for error in answer.envelope.iter("{*}RegistryError")] == ["2.25.404", "2.25.405"]
    assert ["2.25.404" in answer.contexts[0], "2.25.405" in answer.contexts[1]] == [True, True]


@pytest.mark.parametrize("body", [b"", b"<x:DocumentRequest/>"], ids=["no document", "no identifiers"])
def test_a_request_against_the_schema_is_refused(server: Server, body: bytes) -> None:
    head, tail = messages.remove_body().split(b"><", 1)
    message = messages.envelope(head + b">" + body + b"<" + tail, messages.REMOVE)
    answer = messages.read(server.post("/xds/repository", message, messages.simple_type(messages.REMOVE)))
    assert (answer.status, answer.codes[0]) == ("Failure", "XDSRepositoryError")


def test_the_same_octets_may_be_submitted_again_under_the_same_unique_id(server: Server) -> None:
    unique_id = removed(server, b"comes again")
    pushed(server, b"comes again", unique_id=unique_id)
    assert messages.contents(messages.retrieve(server, (REPOSITORY, unique_id))) == [b"comes again"]


def test_other_octets_under_the_same_unique_id_are_refused_while_its_metadata_stays(server: Server) -> None:
    unique_id = removed(server, b"the first octets")
    other = an_entry(content=b"other octets, sir", unique_id=unique_id)
    answer = messages.provide(server, a_submission(other), {other.entry_uuid: b"other octets, sir"})
    assert answer.status == "Failure"
    assert set(answer.codes) <= {"XDSNonIdenticalHash", "XDSNonIdenticalSize"}
    assert messages.retrieve(server, (REPOSITORY, unique_id)).codes == ["XDSDocumentUniqueIdError"]


def test_a_repeated_submission_does_not_bring_a_removed_document_back(server: Server) -> None:
    entry = an_entry(content=b"sent twice")
    submission = a_submission(entry)
    assert messages.provide(server, submission, {entry.entry_uuid: b"sent twice"}).status == "Success"
    unique_id = str(entry.unique_id)
    assert messages.remove(server, (REPOSITORY, unique_id)).status == "Success"
    again = messages.provide(server, submission, {entry.entry_uuid: b"sent twice"})
    assert again.codes == ["XDSDuplicateUniqueIdInRegistry"]
    assert messages.retrieve(server, (REPOSITORY, unique_id)).codes == ["XDSDocumentUniqueIdError"]
