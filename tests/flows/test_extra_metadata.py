"""Extra metadata comes back unchanged, or a warning says that it will not. ITI TF-3: 4.2.3.1.6."""

from dataclasses import replace

import pytest
from lxml import etree

from tests import messages
from tests.builders import a_status_update, a_submission, an_entry
from tests.messages import Answered
from tests.servers import Server
from xds.ebrim.read import read_document_entries
from xds.ebrim.write import write_submit_objects_request
from xds.metadata import Slot, Submission
from xds.vocabulary import RIM, RS, Severity

KEPT, LOST = "urn:example:ward", "urn:example:badge"
AUTHOR, CLASS = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d", "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"


def with_slots_inside(request: bytes, *schemes: str) -> bytes:
    """The request with a Slot more in each Classification of these schemes."""
    tree = etree.fromstring(request)
    for one in list(tree.iter(f"{{{RIM}}}Classification")):
        if one.get("classificationScheme") in schemes:
            slot = etree.Element(f"{{{RIM}}}Slot", name=LOST)
            etree.SubElement(etree.SubElement(slot, f"{{{RIM}}}ValueList"), f"{{{RIM}}}Value").text = "7"
            one.insert(0, slot)
    return etree.tostring(tree)


def registered(server: Server, submission: Submission, *schemes: str) -> Answered:
    body = with_slots_inside(write_submit_objects_request(submission.objects), *schemes)
    message = messages.envelope(body, messages.REGISTER)
    return messages.read(server.post("/xds/registry", message, messages.simple_type(messages.REGISTER)))


def warned(answered: Answered) -> list[str]:
    """The contexts of a Success that holds nothing but warnings of extra metadata."""
    errors = list(answered.envelope.iter(f"{{{RS}}}RegistryError"))
    assert answered.status == "Success"
    assert {(one.get("errorCode"), one.get("severity")) for one in errors} <= {
        ("XDSExtraMetadataNotSaved", Severity.WARNING)
    }
    return [str(one.get("codeContext")) for one in errors]


def test_extra_metadata_of_an_object_comes_back_without_a_warning(server: Server) -> None:
    entry = an_entry(extra_slots=(Slot(KEPT, ("4B", "5A")),))
    assert warned(registered(server, a_submission(entry))) == []
    slots = {"$XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}
    [found] = read_document_entries(messages.query(server, messages.GET_DOCUMENTS, slots).envelope)
    assert found.extra_slots == entry.extra_slots


def test_a_slot_inside_a_classification_is_told_by_name(server: Server) -> None:
    entry = an_entry()
    told = warned(registered(server, a_submission(entry), AUTHOR, CLASS))
    assert len(told) == 2
    for where in ("author Classification", "classCode Classification"):
        assert any(f"DocumentEntry {entry.entry_uuid}: {where}: found Slot {LOST}, expected" in one for one in told)


def test_provide_and_register_tells_it_once(server: Server) -> None:
    entry = replace(an_entry(), hash=None, size=None)
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("document@test")})
    root = messages.envelope(with_slots_inside(body, AUTHOR), messages.PROVIDE)
    message = messages.multipart(root, [("document@test", b"a document")])
    answered = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    assert len(warned(answered)) == 1


@pytest.mark.parametrize("slots", [(), (Slot(KEPT, ("4B",)),)], ids=["without", "with"])
def test_extra_metadata_of_an_association_that_only_asks_for_an_update_is_told(
    server: Server, slots: tuple[Slot, ...]
) -> None:
    entry = an_entry()
    assert registered(server, a_submission(entry)).status == "Success"
    found = {"$XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}
    [stored] = read_document_entries(messages.query(server, messages.GET_DOCUMENTS, found).envelope)
    update = a_status_update(stored.entry_uuid, "Approved", "Deprecated")
    asking = replace(update, associations=tuple(replace(one, extra_slots=slots) for one in update.associations))
    told = warned(messages.submit(server, asking, messages.UPDATE))
    assert [KEPT in one for one in told] == [True] * len(slots)
