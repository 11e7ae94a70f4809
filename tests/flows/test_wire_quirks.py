"""What existing software of the DMP sends, and is taken all the same, by SOAP. DMP 5: W01 to W25."""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from tests import memory, messages, servers
from tests.builders import (
    LOINC,
    REPOSITORY,
    a_replacement,
    a_submission,
    an_association,
    an_author,
    an_entry,
    an_oid,
    an_update,
)
from tests.flows.test_access_policy import APPROVED, CONTENT, World
from tests.hl7v3 import record_messages as written
from tests.messages import Answered
from tests.servers import Server
from xds.datatypes import CX, XCN, XON, Code
from xds.ebrim.read import read_document_entries
from xds.ebrim.write import write_submit_objects_request
from xds.identifiers import is_uuid_urn
from xds.metadata import DocumentEntry, Submission
from xds.vocabulary import AssociationType

EVENT_SCHEME = "2.25.77"
GET_SUBMISSION_SETS = "urn:uuid:51224314-5390-4169-9b91-b1980040715a"
HABILITATIONS = "urn:si-dmp-habilitations"
AUTHORISE = f'<setAuthorization xmlns="{HABILITATIONS}"><action>AJOUT</action></setAuthorization>'.encode()
SIGNATURE = Code(code="E1762", coding_scheme="ASTM", display_name="Signature")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Open, of the DMP: whoever comes with a VIHF is judged by it."""
    with memory.folder() as data, servers.in_process(servers.settings_for(data)) as running:
        yield running


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    """One record for all tests; each looks for its own documents."""
    return World(server)


def provide_message(world: World, submission: Submission, document_id: str = "") -> bytes:
    """The envelope of a submission whose one document is the part `d@test`."""
    name = document_id or submission.document_entries[0].entry_uuid
    body = messages.provide_body(submission, {name: messages.include("d@test")})
    return messages.envelope(body, messages.PROVIDE).replace(b"</e:Header>", world.vihf() + b"</e:Header>")


def a_lot(world: World, *entries: DocumentEntry, **given: Any) -> Submission:
    return a_submission(*(entries or (an_entry_of(world),)), patient_id=world.patient, **given)


def an_entry_of(world: World, **changes: Any) -> DocumentEntry:
    return an_entry(**({"content": CONTENT, "patient_id": world.patient} | changes))


def provided(world: World, message: bytes) -> Answered:
    body, kind = messages.multipart(message, [("d@test", CONTENT)]), messages.multipart_type()
    return messages.read(world.server.post("/xds/repository", body, kind))


def updated(world: World, body: bytes, action: str = messages.UPDATE) -> Answered:
    return world.post("/xds/registry", body, action, b"")


def update_body(world: World, entry: DocumentEntry, **changes: Any) -> bytes:
    submission = an_update(entry, **changes)
    owner = replace(submission.submission_set, patient_id=world.patient)  # type: ignore[type-var]
    return write_submit_objects_request(replace(submission, submission_set=owner).objects)


def found(world: World, *slots: tuple[str, str], query: str = messages.FIND_DOCUMENTS) -> set[str | None]:
    """uniqueIds that a query finds; a Slot may stand twice."""
    parameters = "".join(
        f'<r:Slot name="$XDSDocumentEntry{name}"><r:ValueList><r:Value>{escape(value)}</r:Value></r:ValueList></r:Slot>'
        for name, value in slots
    ).encode()
    body = messages.query_body(query, {}).replace(b"</r:AdhocQuery>", parameters + b"</r:AdhocQuery>")
    answered = world.post("/xds/registry", body, messages.QUERY_ACTION, world.vihf())
    assert answered.status == "Success", answered.contexts
    return {one.unique_id for one in read_document_entries(answered.envelope)}


def of_patient(world: World) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("PatientId", f"'{world.patient.key}'"), ("Status", APPROVED)


def test_w01_the_root_part_may_be_a_soap_1_1_envelope(world: World) -> None:
    message = provide_message(world, a_lot(world))
    old = message.replace(messages.ENVELOPE.encode(), b"http://schemas.xmlsoap.org/soap/envelope/")
    assert old != message
    assert provided(world, old).status == "Success"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"</e:Header>", b"<a:To/></e:Header>"),
        (b'<a:Action e:mustUnderstand="1">', b'<a:Action mustUnderstand="1">'),
        (b"DocumentSet-b</a:Action>", b"DocumentSet-bResponse</a:Action>"),
    ],
    ids=["To", "mustUnderstand", "Action"],
)
def test_w02_addressing_may_be_empty_or_wrong(world: World, before: bytes, after: bytes) -> None:
    message = provide_message(world, a_lot(world))
    assert before in message
    assert provided(world, message.replace(before, after)).status == "Success"


@pytest.mark.parametrize("action", ["urn:hl7-org:v3:setAuthorization", f"{HABILITATIONS}:setAuthorization"])
def test_w02_the_body_says_that_an_authorisation_is_meant(world: World, action: str) -> None:
    answered = world.post("/xds/habilitations", AUTHORISE, action, world.vihf())
    assert answered.body.findtext("{*}status") == "DMPOk"


@pytest.mark.parametrize("action", ["urn:ihe:iti:xds-b:2007:UpdateDocumentSet-b", f"{messages.UPDATE}Response"])
def test_w02_the_wrong_actions_of_updates_are_known(world: World, action: str) -> None:
    answered = updated(world, update_body(world, world.fed(), title="Corrigé"), action)
    assert answered.status == "Success", answered.contexts


@pytest.mark.parametrize("kind", ["text/xml; charset=Cp1252", "application/octet-stream"])
@pytest.mark.parametrize("encoding", ["8bit", "binary", "BASE64"])
@pytest.mark.parametrize("start", [True, False])
def test_w03_parts_are_decoded_by_their_headers(world: World, kind: str, encoding: str, *, start: bool) -> None:
    entry = an_entry_of(world, title="Synthèse de séjour")
    lot = a_lot(world, entry)
    root = provide_message(world, lot).replace(b"cid:d@test", b"cid:d%40test")
    assert b"cid:d%40test" in root
    content = base64.encodebytes(CONTENT) if encoding == "BASE64" else CONTENT
    message = messages.multipart(root, [("d@test", content)])
    message = message.replace(b'application/xop+xml; charset=UTF-8; type="application/soap+xml"', kind.encode())
    head, _, rest = message.rpartition(b"Content-Transfer-Encoding: binary")
    message = head + f"Content-Transfer-Encoding: {encoding}".encode() + rest
    given = messages.multipart_type()
    answered = messages.read(
        world.server.post("/xds/repository", message, given if start else given.replace('start="<root@test>"; ', ""))
    )
    assert answered.status == "Success", answered.contexts
    assert world.stored(entry.unique_id or "").title == "Synthèse de séjour"
    assert messages.contents(world.retrieve(world.vihf(), entry.unique_id or "")) == [CONTENT]


@pytest.mark.parametrize("is_multipart", [True, False])
def test_w03_an_update_may_come_as_octets(world: World, *, is_multipart: bool) -> None:
    """The type of its one part, or of the whole message."""
    message = messages.envelope(update_body(world, world.fed(), title="Corrigé"), messages.UPDATE)
    kind = "application/octet-stream"
    if is_multipart:
        xop = b'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
        message, kind = messages.multipart(message).replace(xop, kind.encode()), messages.multipart_type()
    answered = messages.read(world.server.post("/xds/registry", message, kind))
    assert answered.status == "Success", answered.contexts


def test_w04_the_id_of_a_document_may_differ_by_letter_case(world: World) -> None:
    lot = a_lot(world)
    assert provided(world, provide_message(world, lot, "DOCUMENT01")).status == "Success"
    assert world.stored(lot.document_entries[0].unique_id or "").size == len(CONTENT)


def test_w04_an_id_that_resembles_two_is_none_of_them(world: World) -> None:
    entries = an_entry_of(world, entry_uuid="doc-a"), an_entry_of(world, entry_uuid="DOC-A")
    answered = provided(world, provide_message(world, a_lot(world, *entries), "Doc-a"))
    assert set(answered.codes) == {"XDSMissingDocument", "XDSMissingDocumentMetadata"}


def test_w05_each_parameter_may_stand_in_parentheses_or_without(world: World) -> None:
    entry = world.fed()
    patient, status = f"'{world.patient.key}'", APPROVED.strip("()")
    for one in (patient, f"({patient})"):
        for other in (status, f"({status})"):
            assert entry.unique_id in found(world, ("PatientId", one), ("Status", other))


@pytest.mark.parametrize(
    "form", ["{id}^^^&{oid}&ISO", "{id}^^^&{oid}&ISO^NH", "{id}^^^&{oid}&ISO^NH^^20200101^20991231"]
)
def test_w06_patients_are_compared_by_id_and_authority(world: World, form: str) -> None:
    text = form.format(id=world.patient.id, oid=world.patient.authority)
    entry = an_entry_of(world, patient_id=CX(text))
    assert provided(world, provide_message(world, a_submission(entry, patient_id=CX(text)))).status == "Success"
    slots = ("PatientId", f"'{text}'"), ("Status", APPROVED)
    assert entry.unique_id in found(world, *slots)


def test_w07_w08_a_slot_that_stands_twice_means_both_and_its_values_one_of_them(world: World) -> None:
    first, second, third = (Code(code=one, coding_scheme=EVENT_SCHEME, display_name=one) for one in "ABC")
    both, one = (world.fed(event_code_list=codes).unique_id for codes in ((first, second), (first, third)))
    other_scheme = replace(first, coding_scheme="2.25.78")
    elsewhere = world.fed(event_code_list=(other_scheme, second)).unique_id

    def with_events(*values: str) -> set[str | None]:
        return found(world, *of_patient(world), *(("EventCodeList", value) for value in values))

    assert with_events(f"('{first}')", f"('{second}')") == {both}
    assert with_events(f"('{first}','{second}')") == {both, one, elsewhere}
    assert with_events(f"('{first}')") == {both, one}


def test_w09_the_patient_of_a_query_without_one_is_that_of_the_assertion(world: World) -> None:
    entry, stranger = world.fed(), World(world.server)
    slots = {"XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}
    counts = []
    for one in (world, stranger):
        answered = one.query(one.vihf(), messages.GET_DOCUMENTS, "ObjectRef", **slots)
        assert answered.status == "Success"
        counts.append(len(answered.envelope.findall(".//{*}ObjectRef")))
    assert counts == [1, 0]


@pytest.mark.parametrize("sent", [None, "0"])
def test_w10_what_a_source_did_not_compute_is_computed(world: World, sent: str | None) -> None:
    entry = an_entry_of(world, hash=sent, size=sent, repository_unique_id=None, uri=None)
    assert provided(world, provide_message(world, a_lot(world, entry))).status == "Success"
    stored = world.stored(entry.unique_id or "")
    expected = an_entry(content=CONTENT)
    assert (stored.hash, stored.size, stored.repository_unique_id) == (expected.hash, expected.size, REPOSITORY)


@pytest.mark.parametrize("sent", [None, "0"])
def test_w10_an_update_keeps_what_it_does_not_say_of_the_octets(world: World, sent: str | None) -> None:
    held = world.fed()
    body = update_body(world, held, title="Corrigé", hash=sent, size=sent, repository_unique_id=None)
    answered = updated(world, body)
    assert answered.status == "Success", answered.contexts
    stored = world.stored(held.unique_id or "")
    assert (stored.title, stored.hash, stored.size) == ("Corrigé", held.hash, held.size)
    assert stored.repository_unique_id == REPOSITORY


def test_w11_symbolic_ids_become_uuids(world: World) -> None:
    entry = an_entry_of(world, entry_uuid="Signature01")
    assert provided(world, provide_message(world, a_lot(world, entry))).status == "Success"
    stored = world.stored(entry.unique_id or "").entry_uuid
    assert is_uuid_urn(stored)
    answered = world.query(b"", GET_SUBMISSION_SETS, uuid=f"('{stored}')")
    found = answered.envelope.findall(".//{*}RegistryObjectList/*")
    assert {etree.QName(one).localname for one in found} == {"RegistryPackage", "Association"}
    assert all(is_uuid_urn(str(one.get("id"))) for one in found)


def test_w12_a_part_without_owner_is_its_parents(world: World) -> None:
    held = world.fed()
    body = update_body(world, held, title="Sans parents")
    orphaned = re.sub(rb' (classifiedObject|registryObject)="[^"]*"', b"", body)
    scheme = b'classificationScheme="urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"'
    if b"nodeRepresentation" not in orphaned.partition(scheme)[2].partition(b">")[0]:
        orphaned = orphaned.replace(scheme, scheme + b' nodeRepresentation=""')
    assert orphaned != body
    answered = updated(world, orphaned)
    assert answered.status == "Success", answered.contexts
    stored = world.stored(held.unique_id or "")
    assert (stored.title, stored.author, stored.type_code) == ("Sans parents", held.author, held.type_code)


def test_w13_the_language_and_charset_of_a_text_are_answered_as_they_came(world: World) -> None:
    entry = an_entry_of(world, title="Compte rendu")
    message = provide_message(world, a_lot(world, entry))
    quirky = re.sub(
        rb'<rim:LocalizedString[^>]*value="Compte rendu"[^>]*/>',
        b'<rim:LocalizedString xml:lang="FR" charset="UTF8" value="Compte rendu"/>',
        message,
    )
    assert b'charset="UTF8"' in quirky
    assert provided(world, quirky).status == "Success"
    answered = world.query(b"", messages.GET_DOCUMENTS, XDSDocumentEntryUniqueId=f"('{entry.unique_id}')")
    [name] = answered.envelope.findall(".//{*}ExtrinsicObject/{*}Name/{*}LocalizedString")
    language = name.get("{http://www.w3.org/XML/1998/namespace}lang")
    assert (name.get("charset"), language, name.get("value")) == ("UTF8", "FR", "Compte rendu")


def test_w14_a_replacement_may_have_a_status_and_associations_no_object_type(world: World) -> None:
    held, entry = world.fed(), an_entry_of(world)
    replacing = replace(a_replacement(entry, held.entry_uuid), submission_set_status="Original")
    message = provide_message(world, a_lot(world, entry, associations=(replacing,)))
    message = re.sub(rb'(<rim:Association [^>]*?) objectType="[^"]*"', rb"\1", message)
    assert message.count(b'name="SubmissionSetStatus"') == 2
    assert provided(world, message).status == "Success"
    unique_ids = found(world, *of_patient(world))
    assert (held.unique_id in unique_ids, entry.unique_id in unique_ids) == (False, True)


def test_w14_w15_a_signature_says_nothing_of_the_patient_and_its_association_has_a_status(world: World) -> None:
    entry = an_entry_of(world, entry_uuid="Signature01", type_code=SIGNATURE, source_patient_info=())
    signs = an_association(
        association_type=AssociationType.SIGNS,
        source="Signature01",
        target="SubmissionSet01",
        submission_set_status="Original",
    )
    answered = provided(world, provide_message(world, a_lot(world, entry, associations=(signs,))))
    assert answered.status == "Success", answered.contexts
    assert world.stored(entry.unique_id or "").source_patient_info == ()


def test_w16_identifiers_of_structures_and_persons_are_not_all_digits(world: World) -> None:
    author = an_author(
        author_person=XCN("32A0000014/evillard^VILLARD^ELISE^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^EI"),
        author_institution=(XON("Clinique d'Ajaccio^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^12A0000014"),),
    )
    entry = an_entry_of(world, author=(author,), legal_authenticator=author.author_person)
    answered = provided(world, provide_message(world, a_lot(world, entry)))
    assert answered.status == "Success", answered.contexts
    assert world.stored(entry.unique_id or "").author == (author,)


def test_w17_an_answer_of_the_registry_names_versions_and_its_extent(world: World) -> None:
    entry = world.fed()
    slots = {"XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}
    first = world.query(b"", messages.GET_DOCUMENTS, **slots)
    response = first.body
    assert (response.get("startIndex"), response.get("totalResultCount")) == ("0", "1")
    [one] = first.envelope.findall(".//{*}ExtrinsicObject")
    assert (one.get("id"), one.get("home")) == (one.get("lid"), None)
    assert one.find("{*}VersionInfo").get("versionName") == "1"
    assert updated(world, update_body(world, entry, title="Corrigé")).status == "Success"
    [two] = world.query(b"", messages.GET_DOCUMENTS, **slots).envelope.findall(".//{*}ExtrinsicObject")
    assert (two.get("id") == two.get("lid"), two.get("lid")) == (False, one.get("lid"))
    assert two.find("{*}VersionInfo").get("versionName") == "2"


def test_w18_a_message_may_be_named_by_a_uuid_and_its_lines_and_names_be_odd(world: World) -> None:
    """Nil attention lines, name parts in any order, qualifiers SP and BR."""
    nil = '<attentionLine xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>'
    named = b'<id root="3F0C2A52-8A39-4A25-9D0B-0F3C1F6D9A11"/>'

    def quirky(body: bytes) -> bytes:
        odd = body.replace(b'<id root="2.25.7" extension="m-1"/>', named)
        odd = odd.replace(b"<controlActProcess", nil.encode() + b"<controlActProcess")
        assert odd.count(named) == odd.count(nil.encode()) == 1
        return odd

    ins = world.patient.id
    query = quirky(written.record_query(ins=ins))
    answer = world.post("/xds/patients", query, f"{written.V3}:PRPA_IN201307UV02", world.vihf()).body
    assert answer.find(".//{*}queryResponseCode").get("code") == "OK"
    assert (
        answer.find("{*}acknowledgement/{*}targetMessage/{*}id").get("root") == "3F0C2A52-8A39-4A25-9D0B-0F3C1F6D9A11"
    )
    change = quirky(written.record_request("PRPA_IN201314UV02", "MODIF_DATA", ins=ins))
    answer = world.post("/xds/patients", change, f"{written.V3}:PRPA_IN201314UV02", world.vihf()).body
    assert answer.find(".//{*}acknowledgement").get("typeCode") == "AA", etree.tostring(answer)


def test_w24_a_unique_id_with_an_extension_is_refused(world: World) -> None:
    entry = an_entry_of(world, unique_id=f"{an_oid()}^42")
    answered = provided(world, provide_message(world, a_lot(world, entry)))
    assert answered.codes == ["XDSRegistryMetadataError"]
    assert "expected an OID without extension" in answered.contexts[0]


@pytest.mark.parametrize("code", ["27899-4", "52521-2"])
def test_w25_a_retired_type_is_read_and_no_longer_fed(world: World, code: str) -> None:
    retired = Code(code=code, coding_scheme=LOINC, display_name="Ancien type")
    refused = provided(world, provide_message(world, a_lot(world, an_entry_of(world, type_code=retired))))
    assert refused.codes == ["XDSRegistryMetadataError"]
    settings = replace(world.server.settings, port=servers.free_port(), check_codes=False)
    with servers.in_process(settings) as before:  # as it was when the code was in the value set
        entry, server = an_entry_of(world, type_code=retired), world.server
        world.server = before
        try:
            assert provided(world, provide_message(world, a_lot(world, entry))).status == "Success"
        finally:
            world.server = server
    assert found(world, *of_patient(world), ("TypeCode", f"('{retired}')")) == {entry.unique_id}
    assert world.retrieve(world.vihf(), entry.unique_id or "").status == "Success"
