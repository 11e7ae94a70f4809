"""A PATCH is read in each of its formats, and what it says is judged alike. PDSm 3.1, flows 3 and 4."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.client.exchanges import Exchange, Laboratory
from conformance.client.http_reading import Connection
from conformance.client.patches import IS_ARCHIVED, TYPES, changes_of
from conformance.client.received import Received
from conformance.client.rules.patches import RULES, asked
from conformance.client.scenarios import read_people, steps_of

LABORATORY = Laboratory(people=read_people(), authorities=())
JSON_PATCH, XML_PATCH, FHIR_JSON, FHIR_XML = TYPES[0], TYPES[1], "application/fhir+json", "application/fhir+xml"
TRE_A07 = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatusVisibiliteDocument/FHIR/TRE-A07-StatusVisibiliteDocument"
MASK = {"coding": [{"system": TRE_A07, "code": "MASQUE_PS"}]}
LABEL_XML = f'<securityLabel><coding><system value="{TRE_A07}"/><code value="MASQUE_PS"/></coding></securityLabel>'
EXTENSION = {"url": IS_ARCHIVED, "valueBoolean": True}
BY_URL = f"DocumentReference.extension.where(url='{IS_ARCHIVED}').value"


def by_json(*operations: dict[str, Any]) -> bytes:
    return json.dumps(operations).encode()


def by_xml(operation: str) -> bytes:
    return f'<diff xmlns="http://hl7.org/fhir" xmlns:f="http://hl7.org/fhir">{operation}</diff>'.encode()


def by_fhirpath(**parts: Any) -> bytes:
    told = [{"name": name, **value} for name, value in parts.items()]
    return json.dumps({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": told}]}).encode()


def of(kind: str, path: str) -> dict[str, Any]:
    return {"type": {"valueCode": kind}, "path": {"valueString": path}}


def judged(media: str, body: bytes, **headers: str) -> set[str]:
    """The requirements that a PATCH with this body fails."""
    head = f"PATCH /fhir/DocumentReference/1 HTTP/1.1\r\nContent-Type: {media}"
    head += "".join(f"\r\n{name.replace('_', '-')}: {value}" for name, value in headers.items())
    exchange = Exchange(
        id="1",
        time=datetime.now(UTC),
        step=steps_of(["fhir"])[0],
        connection=Connection(address="127.0.0.1"),
        received=Received.of(head.encode() + b"\r\n\r\n" + body),
        answered=Received.of(b""),
    )
    assert all(one.applies(exchange) for one in RULES)
    return {one.requirement.removeprefix("CLIENT-FHIR-") for one in RULES if list(one.check(exchange, LABORATORY))}


MASKING = (
    (JSON_PATCH, by_json({"op": "add", "path": "/securityLabel/-", "value": MASK})),
    (XML_PATCH, by_xml(f'<add sel="f:DocumentReference">{LABEL_XML}</add>')),
    (XML_PATCH, by_xml(f'<add sel="DocumentReference/securityLabel[last()]" pos="after">{LABEL_XML}</add>')),
    (
        FHIR_JSON,
        by_fhirpath(
            **of("add", "DocumentReference"),
            name={"valueString": "securityLabel"},
            value={"valueCodeableConcept": MASK},
        ),
    ),
    (
        FHIR_XML,
        b'<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/>'
        b'<valueCode value="add"/></part><part><name value="path"/><valueString value="DocumentReference"/></part>'
        b'<part><name value="name"/><valueString value="securityLabel"/></part><part><name value="value"/>'
        b"<valueCodeableConcept>"
        + LABEL_XML.removeprefix("<securityLabel>").removesuffix("</securityLabel>").encode()
        + b"</valueCodeableConcept></part></parameter></Parameters>",
    ),
)
ARCHIVING = (
    (JSON_PATCH, by_json({"op": "add", "path": "/extension/-", "value": EXTENSION})),
    (
        XML_PATCH,
        by_xml(
            f"<replace sel=\"DocumentReference/extension[@url='{IS_ARCHIVED}']/valueBoolean/@value\">true</replace>"
        ),
    ),
    (
        XML_PATCH,
        by_xml(
            f'<add sel="DocumentReference"><extension url="{IS_ARCHIVED}"><valueBoolean value="true"/></extension></add>'
        ),
    ),
    (FHIR_JSON, by_fhirpath(**of("replace", BY_URL), value={"valueBoolean": True})),
)


@pytest.mark.parametrize(("media", "body"), MASKING)
def test_masking_is_understood_in_every_format(media: str, body: bytes) -> None:
    assert judged(media, body) == set()
    assert list(asked(changes_of(body, media))) == ["MASQUE_PS"]


@pytest.mark.parametrize(("media", "body"), ARCHIVING)
def test_archiving_is_understood_in_every_format(media: str, body: bytes) -> None:
    assert judged(media, body) == set()
    assert list(asked(changes_of(body, media))) == ["isArchived=true"]


@pytest.mark.parametrize(
    ("requirement", "media", "body"),
    [
        ("17", "application/json", MASKING[0][1]),
        ("17", JSON_PATCH, b"{}"),
        ("17", JSON_PATCH, by_json({"op": "add", "path": "/status"})),
        (
            "17",
            JSON_PATCH,
            by_json({"op": "replace", "path": f"/extension[url:'{IS_ARCHIVED}']/valueBoolean", "value": True}),
        ),
        ("17", XML_PATCH, b"<diff/>"),
        ("17", XML_PATCH, by_xml("<replace sel='DocumentReference/status/@@'>current</replace>")),
        ("17", FHIR_JSON, by_fhirpath(**of("add", "DocumentReference.status"), value={"valueCode": "current"})),
        ("18", JSON_PATCH, by_json({"op": "remove", "path": "/subject"})),
        (
            "18",
            JSON_PATCH,
            by_json({"op": "add", "path": "/extension/-", "value": {"url": "urn:x", "valueBoolean": True}}),
        ),
        ("18", XML_PATCH, by_xml('<replace sel="DocumentReference/description/@value">x</replace>')),
        ("18", FHIR_JSON, by_fhirpath(**of("delete", "DocumentReference.description"))),
        ("19", JSON_PATCH, by_json({"op": "add", "path": "/securityLabel/-", "value": "MASQUE_PS"})),
        (
            "19",
            JSON_PATCH,
            by_json(
                {
                    "op": "add",
                    "path": "/securityLabel/-",
                    "value": {"coding": [{"system": TRE_A07, "code": "INVISIBLE_PATIENT"}]},
                }
            ),
        ),
        ("19", XML_PATCH, by_xml(f'<add sel="DocumentReference">{LABEL_XML.replace("MASQUE_PS", "MASQUE")}</add>')),
        ("20", JSON_PATCH, by_json({"op": "replace", "path": "/status", "value": "current "})),
        (
            "20",
            JSON_PATCH,
            by_json({"op": "add", "path": "/extension/-", "value": {**EXTENSION, "valueBoolean": "true"}}),
        ),
        ("20", FHIR_JSON, by_fhirpath(**of("replace", BY_URL), value={"valueString": "true"})),
        ("21", JSON_PATCH, by_json({"op": "remove", "path": "/securityLabel/1"})),
        ("21", XML_PATCH, by_xml('<remove sel="DocumentReference/securityLabel[2]"/>')),
        ("21", FHIR_JSON, by_fhirpath(**of("delete", "DocumentReference.securityLabel[1]"))),
    ],
)
def test_what_is_wrong_fails_its_requirement_alone(requirement: str, media: str, body: bytes) -> None:
    assert judged(media, body) == {requirement}


def test_a_position_is_sure_by_if_match_or_by_a_test() -> None:
    removal = {"op": "remove", "path": "/securityLabel/1"}
    assert judged(JSON_PATCH, by_json(removal), If_Match='W/"1"') == set()
    looked_at = {"op": "test", "path": "/securityLabel/1", "value": MASK}
    assert judged(JSON_PATCH, by_json(looked_at, removal)) == set()


@given(st.binary(max_size=200), st.sampled_from([*TYPES, ""]))
def test_noise_changes_nothing(noise: bytes, media: str) -> None:
    assert list(asked(changes_of(noise, media))) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(
                    ["op", "path", "value", "parameter", "part", "name", "resourceType", "valueCode", "url", "from"]
                ),
                one,
            )
        ),
    )
)
def test_any_json_is_read(value: Any) -> None:
    for media in (JSON_PATCH, FHIR_JSON):
        judged(media, json.dumps(value).encode())
