"""AuditMessages: valid and complete whatever they are made of."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from access_policy.caller import Caller, Peer, PurposeOfUse
from audit.dicom import ORIGINAL, read_message, write_message
from audit.events import EVENTS, NOT_VERIFIED
from audit.objects import a_document, a_query, a_submission_set
from audit.occurrence import Occurrence, record_of
from audit.record import Action, Coded, Detail, Outcome, Participant, ParticipantObject, Record, Source
from audit.recorder import caller_of, columns_of, event_of, utc_now
from tests.audit.happenings import NODE, PROFESSIONAL
from tests.builders import PATIENT

NASTY = (
    "]]>",
    "\r\nInjected: yes",
    "<EventID/>",
    "\0",
    "\x1b[2J",
    "\ufffe\uffff",
    "\ud800",
    "e\u0301\N{GRINNING FACE}",
    '" onload="x',
    "&amp;&#0;",
    "<85>1 - - - - - -",
    " " * 3,
    "a" * 1_000_000,
)
texts = st.text(alphabet=st.characters(), max_size=30)
coded = st.builds(Coded, texts, texts, texts.filter(bool))


@pytest.fixture(scope="module")
def schema(corpus: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(corpus / "atna" / "dicom2017c.xsd"))


def a_record(text: str = "", **changes: object) -> Record:
    caller = Caller(
        name=text or "801234567890",
        roles=PROFESSIONAL.roles,
        purposes=PROFESSIONAL.purposes,
        credentials=PROFESSIONAL.credentials,
        peer=Peer(address="192.0.2.1", certificate=text or "CN=x"),
    )
    objects = (a_submission_set(text), a_document(text, text, text), a_query("ITI-18", text, b"<q/>"))
    occurrence = Occurrence(event="ITI-43", patient=text or PATIENT.key, description=text, objects=objects)
    return record_of(occurrence, caller, NODE, utc_now())


@pytest.mark.corpus
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_row_of_the_table_makes_a_valid_message(event: str, outcome: Outcome, schema: etree.XMLSchema) -> None:
    occurrence = Occurrence(event=event, outcome=outcome, patient=PATIENT.key, description="XDSRegistryError")
    record = record_of(occurrence, PROFESSIONAL, NODE, utc_now())
    schema.assertValid(etree.fromstring(write_message(record)))
    assert read_message(write_message(record)) == record
    assert event_of(record) == event


@pytest.mark.corpus
@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_nothing_that_anybody_sends_breaks_a_record(text: str, schema: etree.XMLSchema) -> None:
    message = write_message(a_record(text))
    schema.assertValid(etree.fromstring(message, etree.XMLParser(huge_tree=True)))
    assert b"\n" not in message
    assert b"\r" not in message
    assert columns_of(message)[0] == "ITI-43"


def test_a_long_value_is_kept_whole() -> None:
    found = read_message(write_message(a_record("a" * 1_000_000)))
    assert caller_of(found) == "a" * 1_000_000


def test_what_xml_cannot_carry_is_replaced_and_its_octets_stand_beside_it() -> None:
    found = read_message(write_message(a_record("doc\0\ud800")))
    document = next(one for one in found.objects if one.id_type.code == "9")
    assert document.id == "doc\ufffd\ufffd"
    assert Detail(ORIGINAL, b"doc\x00\xed\xa0\x80") in document.details


def test_details_and_queries_are_base64_also_where_they_are_plain_text() -> None:
    message = etree.fromstring(write_message(a_record("1.2.3")))
    values = [str(one.get("value")) for one in message.iter("ParticipantObjectDetail")]
    values += [str(one.text) for one in message.iter("ParticipantObjectQuery")]
    assert len(values) > 2
    for value in values:
        assert base64.b64encode(base64.b64decode(value, validate=True)).decode() == value


def test_the_time_is_utc_with_milliseconds() -> None:
    time = etree.fromstring(write_message(a_record())).find("EventIdentification").get("EventDateTime")
    assert len(time) == len("2030-05-06T07:08:09.123Z")
    assert time.endswith("Z")


def test_the_human_is_named_as_xua_says_with_every_role_and_purpose() -> None:
    found = a_record()
    human = found.participants[-1]
    assert (human.user_id, human.user_name, human.is_requestor) == (
        "801234567890",
        "<801234567890@urn:example:sts>",
        True,
    )
    assert [role.code for role in human.roles] == ["10", "SM26"]
    assert [(one.code, one.system) for one in found.purposes] == [("normal", "1.2.250.1.213.1.1.4.248")]
    message = write_message(found)
    assert b'UserName="&lt;801234567890@urn:example:sts&gt;"' in message


def test_the_alias_of_the_subject_stands_before_it() -> None:
    """ITI TF-2: 3.40.4.2: JD<John.Doe@example.com>"""
    known = replace(PROFESSIONAL, credentials=replace(PROFESSIONAL.credentials, alias="JD"))
    human = record_of(Occurrence(event="ITI-18"), known, NODE, utc_now()).participants[-1]
    assert human.user_name == "JD<801234567890@urn:example:sts>"


def test_the_subject_of_a_refused_assertion_is_marked_as_not_verified() -> None:
    refusal = Occurrence(
        event="assertion refused",
        outcome=Outcome.SERIOUS,
        description="signature",
        also="ITI-18",
        claimed=("8011", "urn:sts"),
    )
    peer = Caller(name="", peer=Peer(address="192.0.2.1", certificate="CN=x"))
    found = record_of(refusal, peer, NODE, utc_now())
    assert (found.event_id.code, [one.code for one in found.type_codes]) == ("110114", ["110122", "ITI-18"])
    assert [role.code for role in found.participants[-1].roles] == ["not-verified"]


objects = st.builds(
    ParticipantObject,
    id=texts.filter(bool),
    type=st.sampled_from("12"),
    role=st.sampled_from(["1", "3", "20", "24"]),
    id_type=coded,
    life_cycle=st.sampled_from(["", "15"]),
    query=st.none() | st.binary(max_size=40),
    details=st.lists(st.builds(Detail, texts, st.binary(max_size=20)), max_size=3).map(tuple),
)
participants = st.builds(
    Participant,
    user_id=texts.filter(bool),
    is_requestor=st.booleans(),
    alternative_user_id=texts,
    user_name=texts,
    roles=st.lists(coded, max_size=2).map(tuple),
    network=st.just("192.0.2.1"),
    network_type=st.just("2"),
)
records = st.builds(
    Record,
    event_id=coded,
    action=st.sampled_from(Action),
    time=st.just("2030-05-06T07:08:09.123Z"),
    outcome=st.sampled_from(Outcome),
    type_codes=st.lists(coded, max_size=2).map(tuple),
    source=st.builds(Source, id=texts.filter(bool), site=texts),
    participants=st.lists(participants, min_size=1, max_size=3).map(tuple),
    objects=st.lists(objects, max_size=3).map(tuple),
    description=texts,
    purposes=st.lists(coded, max_size=2).map(tuple),
)


@given(records)
def test_a_message_is_read_as_it_was_written(record: Record) -> None:
    """What was cleaned once stays as it is: a second round changes nothing."""
    once = read_message(write_message(record))
    assert write_message(once) == write_message(read_message(write_message(once)))
    assert (once.action, once.outcome, len(once.objects)) == (record.action, record.outcome, len(record.objects))


def test_a_caller_who_was_taken_at_their_word_is_marked_as_such() -> None:
    assert PROFESSIONAL.credentials is not None
    told = replace(PROFESSIONAL, credentials=replace(PROFESSIONAL.credentials, signer=""))
    for caller, is_marked in ((PROFESSIONAL, False), (told, True)):
        record = record_of(Occurrence(event="ITI-43", patient=PATIENT.key), caller, NODE, utc_now())
        [human] = [one for one in record.participants if one.user_name]
        assert (NOT_VERIFIED in human.roles) == is_marked


def test_a_broken_glass_is_marked_with_its_reason_on_the_patient() -> None:
    broken = replace(PROFESSIONAL, purpose=PurposeOfUse.BREAK_GLASS, reason="patient inconscient")
    for caller, details in ((PROFESSIONAL, []), (broken, [("bris_de_glace", b"patient inconscient")])):
        record = record_of(Occurrence(event="ITI-43", patient=PATIENT.key), caller, NODE, utc_now())
        [patient] = [one for one in read_message(write_message(record)).objects if one.id == PATIENT.key]
        assert [(one.type, one.value) for one in patient.details] == details
