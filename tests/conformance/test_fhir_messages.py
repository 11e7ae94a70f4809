"""A FHIR request is read as far as it can be, in both formats, and noise is an empty value."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.client.behaviours import assertion_refused, damaged, refused, silent
from conformance.client.fhir_messages import each, fed_documents, first, ins_of, resource_of, transaction_of
from conformance.client.http_reading import Ask, Connection
from conformance.client.received import SAML, Received

JSON_BUNDLE = b"""{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:1","resource":{"resourceType":"DocumentReference","masterIdentifier":{"value":"urn:oid:2.25.1"},
"subject":{"identifier":{"system":"urn:oid:1.2","value":"42"}},
"content":[{"attachment":{"contentType":"text/xml","url":"urn:uuid:2"}}]},"request":{"method":"POST","url":"DocumentReference"}},
{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Binary","data":"YWJj"},"request":{"method":"POST","url":"Binary"}}]}"""
XML_BUNDLE = b"""<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/>
<entry><fullUrl value="urn:uuid:1"/><resource><DocumentReference><masterIdentifier><value value="urn:oid:2.25.1"/></masterIdentifier>
<subject><identifier><system value="urn:oid:1.2"/><value value="42"/></identifier></subject>
<content><attachment><contentType value="text/xml"/><url value="urn:uuid:2"/></attachment></content></DocumentReference></resource>
<request><method value="POST"/><url value="DocumentReference"/></request></entry>
<entry><fullUrl value="urn:uuid:2"/><resource><Binary><data value="YWJj"/></Binary></resource>
<request><method value="POST"/><url value="Binary"/></request></entry></Bundle>"""


@pytest.mark.parametrize(
    ("octets", "media"), [(JSON_BUNDLE, "application/fhir+json"), (XML_BUNDLE, "application/fhir+xml")]
)
def test_json_and_xml_say_the_same(octets: bytes, media: str) -> None:
    bundle = resource_of(octets, media)
    [(entry, fed)] = fed_documents(bundle)
    assert first(bundle, "type") == "transaction"
    assert (entry.full_url, entry.method, entry.url, entry.kind) == (
        "urn:uuid:1",
        "POST",
        "DocumentReference",
        "DocumentReference",
    )
    assert (fed.unique_id, fed.mime_type, fed.content) == ("2.25.1", "text/xml", b"abc")
    assert ins_of(each(entry.resource, "subject")) == ("urn:oid:1.2", "42")


@pytest.mark.parametrize(
    ("method", "target", "transaction"),
    [
        ("POST", "/fhir", "ITI-65"),
        ("GET", "/fhir/List?code=submissionset", "ITI-66"),
        ("GET", "/fhir/DocumentReference?status=current", "ITI-67"),
        ("POST", "/fhir/DocumentReference/_search", "ITI-67"),
        ("GET", "/fhir/Binary/1", "ITI-68"),
        ("GET", "/fhir/metadata", ""),
        ("DELETE", "/fhir/Binary/1", ""),
    ],
)
def test_method_and_path_name_the_transaction(method: str, target: str, transaction: str) -> None:
    assert transaction_of(method, target) == transaction
    octets = f"{method} {target} HTTP/1.1\r\n\r\n".encode()
    assert Received.of(octets).transaction == transaction


def test_the_token_is_the_assertion() -> None:
    token = base64.urlsafe_b64encode(f'<Assertion xmlns="{SAML}" ID="_1"/>'.encode()).decode().rstrip("=")
    shown = Received.of(f"POST /fhir HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()).assertion
    assert shown is not None
    assert shown.get("ID") == "_1"
    for other in ("Basic YTpi", "Bearer a.b.c", "Bearer !", ""):
        assert Received.of(f"POST /fhir HTTP/1.1\r\nAuthorization: {other}\r\n\r\n".encode()).assertion is None


@given(st.binary(max_size=200), st.sampled_from(["application/fhir+json", "application/fhir+xml", ""]))
def test_noise_is_empty(noise: bytes, media: str) -> None:
    bundle = resource_of(noise, media)
    assert list(fed_documents(bundle)) == [] or bundle


def asked(line: str) -> tuple[Ask, Received]:
    ask = Ask(Connection(address="127.0.0.1"), line.encode(), b"")
    return ask, Received.of(ask.octets)


def test_what_the_server_does_on_purpose_is_said_in_fhir() -> None:
    ask, received = asked("POST /fhir HTTP/1.1")
    refusal = Received.of(refused(ask, received, lambda _: b""))
    assert (refusal.status, first(refusal.resource, "resourceType")) == (400, "OperationOutcome")
    assert each(refusal.resource, "issue.details.coding.code") == ["XDSPatientIdDoesNotMatch"]
    assert Received.of(assertion_refused(ask, received, lambda _: b"")).status == 401
    done = b'HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n\r\n{"resourceType":"Bundle"}'
    assert silent(ask, received, lambda _: done) == b""
    ask, received = asked("GET /fhir/Binary/1 HTTP/1.1")
    assert damaged(ask, received, lambda _: b"HTTP/1.1 200 OK\r\n\r\nabc") == b"HTTP/1.1 200 OK\r\n\r\nacc"
