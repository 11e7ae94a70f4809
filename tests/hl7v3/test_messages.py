"""HL7 v3 messages: what is read, what is found wrong, and acknowledgements that the schema accepts."""

from pathlib import Path
from typing import Any

import pytest
import xmlschema
from lxml import etree

from hl7v3.acknowledgement import TypeCode, write_acknowledgement
from hl7v3.identity_feed import read_identity_feed
from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, Transmission, read_transmission
from schemas import resource
from tests.hl7v3.written import TILLEULS, ii, v3_message

ADDED, REVISED, MERGED = "PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02"


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(resource("xsd/hl7v3.xsd")))


def message(name: str = ADDED, patient: str = ii("P1"), prior: str = "", **given: Any) -> etree._Element:
    return etree.fromstring(v3_message(name, patient, prior, **given))


SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.xml"))


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_samples_are_valid(schema: etree.XMLSchema, file: Path) -> None:
    schema.assertValid(etree.parse(file))


def test_samples_and_messages_use_every_declared_element() -> None:
    trees = [etree.parse(file).getroot() for file in SAMPLES] + [message(ADDED), message(REVISED)]
    used = {etree.QName(item).localname for tree in trees for item in tree.iter("{*}*")}
    declared = {str(one.get("name")) for one in etree.parse(resource("xsd/hl7v3.xsd")).iter("{*}element")}
    assert declared - used == {"patientNonPersonLivingSubject"}  # the other choice of patientPerson


@pytest.mark.parametrize(("name", "prior"), [(ADDED, ""), (REVISED, ""), (MERGED, ii("P2"))])
def test_a_message_is_read_and_the_schema_agrees(schema: etree.XMLSchema, name: str, prior: str) -> None:
    root = message(name, ii("P1") + ii("X", "1.2.3"), prior)
    schema.assertValid(root)
    xmlschema.XMLSchema10(resource("xsd/hl7v3.xsd"), allow="local").validate(root)
    transmission, feed = read_transmission(root), read_identity_feed(root)
    assert (transmission.details, feed.details) == ((), ())
    assert transmission.message_id == InstanceIdentifier("2.25.7", "m-1")
    assert (transmission.senders, transmission.receivers) == (
        (InstanceIdentifier("1.2.840.2"),),
        (InstanceIdentifier("1.2.840.1"),),
    )
    assert feed.patient == (InstanceIdentifier(TILLEULS, "P1"), InstanceIdentifier("1.2.3", "X"))
    assert feed.prior == ((InstanceIdentifier(TILLEULS, "P2"),) if prior else ())


@pytest.mark.parametrize(
    ("given", "location"),
    [
        ({"message_id": ""}, "id"),
        ({"message_id": '<id nullFlavor="NI"/>'}, "id"),
        ({"interaction": REVISED}, "interactionId"),
        ({"mode": "A"}, "processingModeCode"),
        ({"ack": "NE"}, "acceptAckCode"),
        ({"receivers": 0}, "receiver"),
        ({"receivers": 2}, "receiver"),
    ],
)
def test_a_wrapper_that_breaks_a_rule_says_where(given: dict[str, Any], location: str) -> None:
    assert [detail.location for detail in read_transmission(message(**given)).details] == [location]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert len(read_transmission(message(message_id="", mode="R", ack="", receivers=0)).details) == 4


def test_a_merge_without_what_it_replaces_is_found() -> None:
    assert "priorRegisteredRole" in read_identity_feed(message(MERGED)).details[0].text


def test_an_identifier_with_a_null_flavour_says_nothing() -> None:
    assert read_identity_feed(message(patient=f'<id nullFlavor="UNK" root="{TILLEULS}"/>')).patient == ()


def test_an_acknowledgement_goes_back_to_the_sender(schema: etree.XMLSchema) -> None:
    details = [Detail(code=DetailCode.UNKNOWN_KEY, text='a < b & "c"', location="patient/id")]
    octets = write_acknowledgement(read_transmission(message()), TypeCode.ERROR, details, now="20260310100000")
    root = etree.fromstring(octets)
    schema.assertValid(root)
    paths = {
        "{*}receiver/{*}device/{*}id": "1.2.840.2",
        "{*}sender/{*}device/{*}id": "1.2.840.1",
        "{*}acknowledgement/{*}targetMessage/{*}id": "2.25.7",
    }
    for path, root_id in paths.items():
        found = root.find(path)
        assert found is not None
        assert found.get("root") == root_id
    assert [str(one.get("code")) for one in root.iter("{*}typeCode")] == ["CE"]
    assert [one.text for one in root.iter("{*}text")] == ['a < b & "c"']


def test_a_message_that_says_nothing_of_itself_is_answered_all_the_same(schema: etree.XMLSchema) -> None:
    empty = Transmission(interaction=ADDED)
    schema.assertValid(etree.fromstring(write_acknowledgement(empty, TypeCode.REJECTED, now="20260310100000")))
