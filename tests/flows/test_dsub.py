"""DSUB: subscribed and ended by SOAP, told by SOAP, on the outbox of all subscriptions. ITI TF-2: 3.52, 3.53."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from carnet.subscription_wiring import dispatcher_of
from tests import messages, servers
from tests.builders import PATIENT
from tests.flows.subscribed import CONTENT, states, submit, with_folder
from tests.flows.test_submit_query_retrieve import entry_uuid
from tests.notified import Subscriber, a_subscriber, until
from tests.servers import Response, Server
from xds.datatypes import CXi
from xds.ebrim.schema import schema_findings
from xds.metadata import Submission

WSNT, WSA = "http://docs.oasis-open.org/wsn/b-2", "http://www.w3.org/2005/08/addressing"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
BW = "http://docs.oasis-open.org/wsn/bw-2"
DIALECT = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple"
OF_PATIENT = "urn:uuid:aa2332d0-f8fe-11e0-be50-0800200c9a66"
OF_ANYBODY = "urn:uuid:742790e0-aba6-43d6-9f1f-e43ed9790b79"
OF_SET = "urn:uuid:fbede94e-dbdc-4f6b-bc1f-d730e677cece"
OF_SET_OF_ANYBODY = "urn:uuid:868cad3d-ec09-4565-b66c-1be10d034399"
OF_FOLDER = "urn:uuid:9376254e-da05-41f5-9af3-ac56d63d8ebd"
SET_NODE, FOLDER_NODE = (
    "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2",
)
SET = ("ihe:SubmissionSetMetadata", OF_SET)
FOLDER = ("ihe:FolderMetadata", OF_FOLDER)
DOCUMENT = ("ihe:MinimalDocumentEntry", OF_PATIENT)
SOAP = "application/soap+xml; charset=UTF-8"


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    made = a_subscriber()
    yield made
    made.down()


@pytest.fixture
def server(tmp_path: Path, subscriber: Subscriber) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path / "data", notification_targets=subscriber.url)
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        yield running


def slot(name: str, value: str) -> str:
    return f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList></rim:Slot>'


PATIENT_SLOT = slot("$XDSDocumentEntryPatientId", f"'{PATIENT.key}'".replace("&", "&amp;"))


def of_patient(kind: str) -> str:
    """The parameter that names the patient, of a DocumentEntry, SubmissionSet or Folder."""
    return slot(f"$XDS{kind}PatientId", f"'{PATIENT.key}'".replace("&", "&amp;"))


def subscribe(server: Server, target: str, **changes: str) -> Response:
    envelope = messages.envelope(
        subscribe_body(target, **changes).encode(), f"{BW}/NotificationProducer/SubscribeRequest"
    )
    return server.post("/xds/subscriptions", envelope, SOAP)


def subscribe_body(
    target: str,
    *,
    slots: str = PATIENT_SLOT,
    topic: str = "ihe:FullDocumentEntry",
    dialect: str = DIALECT,
    query: str = OF_PATIENT,
    end: str = "",
) -> str:
    ends = f"<w:InitialTerminationTime>{end}</w:InitialTerminationTime>" if end else ""
    return (
        f'<w:Subscribe xmlns:w="{WSNT}" xmlns:a="{WSA}" xmlns:rim="{RIM}" xmlns:ihe="urn:ihe:iti:dsub:2009">'
        f"<w:ConsumerReference><a:Address>{target}</a:Address></w:ConsumerReference>"
        f'<w:Filter><w:TopicExpression Dialect="{dialect}">{topic}</w:TopicExpression>'
        f'<rim:AdhocQuery id="{query}">{slots}</rim:AdhocQuery></w:Filter>{ends}</w:Subscribe>'
    )


def unsubscribe(server: Server, address: str) -> Response:
    body = f'<w:Unsubscribe xmlns:w="{WSNT}"/>'.encode()
    envelope = messages.envelope(body, f"{BW}/SubscriptionManager/UnsubscribeRequest")
    to = b"<a:To xmlns:a='%s'>%s</a:To></e:Header>" % (WSA.encode(), address.encode())
    return server.post("/xds/subscriptions", envelope.replace(b"</e:Header>", to), SOAP)


def address_in(response: Response) -> str:
    assert response.status == 200, response.body
    found = etree.fromstring(response.body).find(f".//{{{WSNT}}}SubscriptionReference/{{{WSA}}}Address")
    assert found is not None
    return str(found.text)


def fault_of(response: Response) -> str:
    values = etree.fromstring(response.body).findall(".//{*}Fault/{*}Code/{*}Subcode/{*}Value")
    assert values, response.body
    return str(values[-1].text).rpartition(":")[2]


def told_by(server: Server, subscriber: Subscriber, number: int) -> list[etree._Element]:
    registry = servers.open_registry(server.settings)
    dispatcher = dispatcher_of(server.settings, registry, pauses_ms=(10, 20))
    subscriber.up()
    dispatcher.start()
    until(lambda: len(subscriber.told) == number)
    dispatcher.stop()
    registry.units.close()
    return [etree.fromstring(one) for one in subscriber.told]


def test_a_document_is_told_whole_or_by_reference(server: Server, subscriber: Subscriber) -> None:
    addresses = [
        address_in(subscribe(server, subscriber.url, topic=topic))
        for topic in ("ihe:FullDocumentEntry", "ihe:MinimalDocumentEntry")
    ]
    assert submit(server, "2.25.7901")[0] == "Success"
    told = told_by(server, subscriber, 2)
    for message in told:
        assert message.findtext(f".//{{{WSA}}}Action") == f"{BW}/NotificationConsumer/Notify"
        [submitted] = message.findall(f".//{{{WSNT}}}NotificationMessage/{{{WSNT}}}Message/*")
        assert not schema_findings(submitted)
    objects = {message.find(f".//{{{RIM}}}RegistryObjectList/*").tag for message in told}  # type: ignore[union-attr]
    assert objects == {f"{{{RIM}}}ExtrinsicObject", f"{{{RIM}}}ObjectRef"}
    named = {message.findtext(f".//{{{WSNT}}}SubscriptionReference/{{{WSA}}}Address") for message in told}
    assert named == set(addresses)


def package_told(message: etree._Element) -> tuple[str, str, str]:
    """Topic, classification node and title of the one RegistryPackage of a Notify."""
    [submitted] = message.findall(f".//{{{WSNT}}}NotificationMessage/{{{WSNT}}}Message/*")
    assert not schema_findings(submitted)
    [package] = submitted.findall(f"{{{RIM}}}RegistryObjectList/*")
    assert package.tag == f"{{{RIM}}}RegistryPackage"
    nodes = [one.get("classificationNode", "") for one in package.iterfind(f"{{{RIM}}}Classification")]
    title = package.find(f"{{{RIM}}}Name/{{{RIM}}}LocalizedString")
    assert title is not None
    topic = message.findtext(f".//{{{WSNT}}}NotificationMessage/{{{WSNT}}}Topic", "")
    return topic, next(filter(None, nodes)), title.get("value", "")


def provided(server: Server, submission: Submission) -> None:
    contents = {submission.document_entries[0].entry_uuid: CONTENT}
    assert messages.provide(server, submission, contents).status == "Success"


def test_a_submission_set_and_a_folder_are_told_whole(server: Server, subscriber: Subscriber) -> None:
    for topic, query, kind in (
        ("ihe:SubmissionSetMetadata", OF_SET, "SubmissionSet"),
        ("ihe:FolderMetadata", OF_FOLDER, "Folder"),
    ):
        address_in(subscribe(server, subscriber.url, topic=topic, query=query, slots=of_patient(kind)))
    submission = with_folder("2.25.791")
    provided(server, submission)
    assert sorted(map(package_told, told_by(server, subscriber, 2))) == [
        ("ihe:FolderMetadata", FOLDER_NODE, "folder of 2.25.791"),
        ("ihe:SubmissionSetMetadata", SET_NODE, submission.submission_set.title),
    ]


def associations(server: Server, *entry_uuids: str) -> list[etree._Element]:
    """Those with an end among these objects."""
    named = ",".join(f"'{one}'" for one in entry_uuids)
    return list(
        messages.query(server, messages.GET_ASSOCIATIONS, {"$uuid": f"({named})"}).envelope.iter("{*}Association")
    )


def test_a_document_that_enters_or_leaves_a_folder_is_told_to_who_wants_that(
    server: Server, subscriber: Subscriber
) -> None:
    provided(server, with_folder("2.25.792"))
    for topic in ("ihe:FolderMetadata", "ihe:UpdateFolder"):
        address_in(subscribe(server, subscriber.url, topic=topic, query=OF_FOLDER, slots=of_patient("Folder")))
    assert submit(server, "2.25.793", replaces=entry_uuid(server, "2.25.792"))[0] == "Success"
    assert states(server) == {"waiting": 2}  # it takes the place of the other one
    inside = [
        one
        for one in associations(server, entry_uuid(server, "2.25.793"))
        if one.get("associationType", "").endswith("HasMember") and not one.findall("{*}Slot")
    ]
    removed = {str(one.get("id")) for one in inside}
    removed |= {str(one.get("id")) for one in associations(server, *removed)}
    answered = messages.remove_metadata(server, *sorted(removed))
    assert answered.status == "Success", answered.contexts
    assert states(server) == {"waiting": 3}
    told = [package_told(one)[0] for one in told_by(server, subscriber, 3)]
    assert sorted(told) == ["ihe:FolderMetadata", "ihe:UpdateFolder", "ihe:UpdateFolder"]


@pytest.mark.parametrize(
    ("topic", "query", "slots", "is_told"),
    [
        (*SET, of_patient("SubmissionSet") + slot("$XDSSubmissionSetSourceId", "('2.25.1','2.25.4711')"), True),
        (*SET, of_patient("SubmissionSet") + slot("$XDSSubmissionSetSourceId", "('2.25.471')"), False),
        (*SET, of_patient("SubmissionSet") + slot("$XDSSubmissionSetAuthorPerson", "('%VILLARD%EL_SE%')"), True),
        (*SET, of_patient("SubmissionSet") + slot("$XDSSubmissionSetAuthorPerson", "('%villard%')"), False),
        (*SET, of_patient("SubmissionSet") + slot("$XDSSubmissionSetIntendedRecipient", "('%Roux%','x')"), True),
        (*SET, of_patient("SubmissionSet") + slot("$XDSSubmissionSetIntendedRecipient", "('Roux')"), False),
        ("ihe:SubmissionSetMetadata", OF_SET_OF_ANYBODY, slot("$XDSSubmissionSetAuthor", "('80123%')"), True),
        ("ihe:SubmissionSetMetadata", OF_SET_OF_ANYBODY, slot("$XDSSubmissionSetSourceId", "('2.25.1')"), False),
        (*FOLDER, of_patient("Folder") + slot("$XDSFolderCodeList", "('grossesse^^2.25.7')"), True),
        (*FOLDER, of_patient("Folder") + slot("$XDSFolderCodeList", "('grossesse^^2.25.8')"), False),
        (*FOLDER, of_patient("Folder") + slot("$XDSFolderUniqueId", "('2.25.794.2')"), True),
        (*FOLDER, of_patient("Folder") + slot("$XDSFolderUniqueId", "('2.25.794')"), False),
        (*DOCUMENT, PATIENT_SLOT + slot("$XDSDocumentEntryAuthorPerson", "('%VILLARD%')"), True),
        (*DOCUMENT, PATIENT_SLOT + slot("$XDSDocumentEntryAuthorPerson", "('VILLARD')"), False),
        (*DOCUMENT, PATIENT_SLOT + slot("$XDSDocumentEntryReferenceIdList", "('A1^^^%')"), True),
        (*DOCUMENT, PATIENT_SLOT + slot("$XDSDocumentEntryReferenceIdList", "('A2^^^%')"), False),
    ],
)
def test_a_filter_fits_what_the_stored_query_would_find(
    server: Server, subscriber: Subscriber, topic: str, query: str, slots: str, is_told: bool
) -> None:
    address_in(subscribe(server, subscriber.url, topic=topic, query=query, slots=slots))
    submission = with_folder("2.25.794")
    reference = CXi("A1^^^&2.25.8&ISO^urn:ihe:iti:xds:2013:order")
    entry = replace(submission.document_entries[0], reference_id_list=(reference,))
    owner = replace(submission.submission_set, intended_recipient=("|^Roux^Eve",))
    provided(server, replace(submission, document_entries=(entry,), submission_set=owner))
    assert states(server) == ({"waiting": 1} if is_told else {})


def test_after_its_end_nobody_is_told(server: Server, subscriber: Subscriber) -> None:
    address = address_in(subscribe(server, subscriber.url, end="P1D"))
    ended = unsubscribe(server, address)
    assert (ended.status, b"UnsubscribeResponse" in ended.body) == (200, True)
    assert fault_of(unsubscribe(server, address)) == "ResourceUnknownFault"
    assert submit(server, "2.25.7902")[0] == "Success"
    assert states(server) == {}


@pytest.mark.parametrize("to", ["http://[", "http://x/?" + "a&amp;" * 2000, "", "\u0663:\u0663"])
def test_an_address_that_is_none_of_a_subscription_is_a_fault_on_record(
    tmp_path: Path, subscriber: Subscriber, to: str
) -> None:
    settings = servers.settings_for(tmp_path / "data", notification_targets=subscriber.url, audit="on")
    with servers.in_process(settings) as server:
        assert fault_of(unsubscribe(server, to)) == "ResourceUnknownFault"
        with servers.open_registry(settings).units.read() as connection:
            rows = connection.exec_driver_sql("SELECT event, outcome FROM audit_record WHERE event = 'ITI-52'").all()
    assert [tuple(one) for one in rows] == [("ITI-52", 8)]


def test_codes_of_a_filter_decide(server: Server, subscriber: Subscriber) -> None:
    other = slot("$XDSDocumentEntryTypeCode", "('0000-0^^1.2.3','0000-1^^1.2.3')")
    address_in(subscribe(server, subscriber.url, slots=PATIENT_SLOT + other))
    address_in(subscribe(server, subscriber.url, slots=other, query=OF_ANYBODY))
    assert submit(server, "2.25.7903")[0] == "Success"
    assert states(server) == {}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"slots": ""}, "InvalidFilterFault"),
        ({"slots": PATIENT_SLOT + slot("$XDSDocumentEntryTitle", "('A')")}, "InvalidFilterFault"),
        ({"slots": PATIENT_SLOT + slot("$XDSDocumentEntryTypeCode", "('x')")}, "InvalidFilterFault"),
        ({"query": "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"}, "InvalidFilterFault"),
        ({"query": OF_ANYBODY}, "InvalidFilterFault"),
        ({"topic": "ihe:ExtendedFolder"}, "TopicNotSupportedFault"),
        ({"topic": "ihe:ExtendedFullDocumentEntry"}, "TopicNotSupportedFault"),
        ({"topic": "ihe:FolderMetadata"}, "InvalidFilterFault"),
        ({"query": OF_SET, "slots": PATIENT_SLOT, "topic": "ihe:SubmissionSetMetadata"}, "InvalidFilterFault"),
        ({"query": OF_SET, "topic": "ihe:FullDocumentEntry"}, "InvalidFilterFault"),
        ({"query": OF_FOLDER, "slots": "", "topic": "ihe:UpdateFolder"}, "InvalidFilterFault"),
        (
            {"query": OF_SET_OF_ANYBODY, "slots": "", "topic": "ihe:SubmissionSetMetadata"},
            "InvalidFilterFault",
        ),
        (
            {
                "query": OF_SET_OF_ANYBODY,
                "slots": slot("$XDSSubmissionSetSourceId", "('%')"),
                "topic": "ihe:SubmissionSetMetadata",
            },
            "InvalidFilterFault",
        ),
        (
            {"query": OF_ANYBODY, "slots": slot("$XDSDocumentEntryFormatCode", "('a^^1.2')")},
            "InvalidFilterFault",
        ),
        ({"dialect": "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Full"}, "TopicExpressionDialectUnknownFault"),
        ({"end": "soon"}, "UnacceptableInitialTerminationTimeFault"),
        ({"end": "9999-01-01T00:00:00Z"}, "SubscribeCreationFailedFault"),
    ],
)
def test_what_is_not_served_has_its_fault(
    server: Server, subscriber: Subscriber, changes: dict[str, str], fault: str
) -> None:
    assert fault_of(subscribe(server, subscriber.url, **changes)) == fault


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/", "https://other.example.org/", "http://169.254.169.254/", "file:///etc/passwd", ""]
)
def test_w04_a_consumer_that_is_not_listed_is_refused(server: Server, target: str) -> None:
    assert fault_of(subscribe(server, target)) == "SubscribeCreationFailedFault"


def test_without_targets_there_is_no_door(tmp_path: Path) -> None:
    with servers.in_process(servers.settings_for(tmp_path)) as server:
        assert subscribe(server, "http://127.0.0.1:1/").status == 404
