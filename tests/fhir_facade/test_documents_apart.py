"""Documents that are cut from a body while it arrives, in whichever pieces. FHIR R4 2.1.30; RFC 4648: 4."""

import base64
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_facade import documents_apart
from fhir_facade.base64_text import OctetsApart
from fhir_facade.documents_apart import LONGEST_INLINE, DocumentCutter, Grammar, put_back
from fhir_facade.fhir_json import read_json
from fhir_facade.fhir_xml import read_xml, write_xml
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.structural_rules import structural_rules
from repository.blob_store import Digest, Digesting
from tests.fhir_bundles import a_urn

LONG = os.urandom(LONGEST_INLINE)
SHORT = b"short"


class InMemory:
    """A blob in memory."""

    def __init__(self) -> None:
        self.octets, self.is_finished, self._digesting = bytearray(), False, Digesting()

    def __enter__(self) -> "InMemory":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, chunk: bytes) -> None:
        self.octets += chunk
        self._digesting.update(chunk)

    def finish(self) -> None:
        self.is_finished = True

    def digest(self) -> Digest:
        return self._digesting.digest()

    def keep(self, name: str = "") -> str:
        raise NotImplementedError

    def discard(self) -> None:
        pass


def in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[begin : begin + size] for begin in range(0, len(body), size))


def cut(body: bytes, size: int = 1000, grammar: Grammar = documents_apart.JSON, **limits: int) -> Any:
    """The resource as it is read, with its documents apart."""
    sizes = {"resource": 10**6, "document": 10**6, "total": 10**7, "number": 10} | limits
    cutter = DocumentCutter(grammar=grammar, receive=InMemory, **sizes)
    rest = cutter.rest(in_pieces(body, size))
    resource = read_json(rest) if grammar is documents_apart.JSON else read_xml(rest)
    put_back(resource, cutter.apart)
    return resource


def a_bundle(*documents: bytes) -> dict[str, Any]:
    binaries = [
        {"resourceType": "Binary", "contentType": "text/plain", "data": base64.b64encode(one).decode()}
        for one in documents
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": one} for one in binaries]}


def documents_of(bundle: dict[str, Any]) -> list[bytes]:
    found = [entry["resource"]["data"] for entry in bundle["entry"]]
    return [bytes(one.blob.octets) if isinstance(one, OctetsApart) else base64.b64decode(one) for one in found]


@pytest.mark.parametrize("size", [1, 3, 64, 1000, 10**6])
def test_long_documents_are_apart_and_short_ones_stay(size: int) -> None:
    found = cut(json.dumps(a_bundle(LONG, SHORT, LONG[:-1], LONG[:-2])).encode(), size)
    kinds = [isinstance(entry["resource"]["data"], OctetsApart) for entry in found["entry"]]
    assert kinds == [True, False, True, True]
    assert documents_of(found) == [LONG, SHORT, LONG[:-1], LONG[:-2]]
    assert not list(structural_rules(found))
    assert all(entry["resource"]["data"].blob.is_finished for entry in found["entry"][:1])


@pytest.mark.parametrize("size", [1, 7, 64, 1000, 10**6])
def test_documents_of_xml_are_apart_too(size: int) -> None:
    found = cut(write_xml(a_bundle(LONG, SHORT, LONG)), size, documents_apart.XML)
    assert documents_of(found) == [LONG, SHORT, LONG]
    assert isinstance(found["entry"][2]["resource"]["data"], OctetsApart)


def test_xml_may_say_it_in_other_words() -> None:
    text = base64.b64encode(LONG).decode()
    lines = "&#10;".join(text[begin : begin + 76] for begin in range(0, len(text), 76))
    body = (
        "<?xml version='1.0'?><!-- <Bundle> --><f:Bundle xmlns:f='http://hl7.org/fhir'><f:entry id='a>b'><f:resource>"
        f"<f:Binary><f:contentType value='text/plain'/><f:data  value = '{lines}'></f:data></f:Binary></f:resource>"
        f"</f:entry><f:entry><f:resource><f:Binary><f:data value='{text}'/></f:Binary></f:resource></f:entry></f:Bundle>"
    )
    found = cut(body.encode(), 33, documents_apart.XML)
    assert documents_of(found) == [LONG, LONG]
    assert all(isinstance(entry["resource"]["data"], OctetsApart) for entry in found["entry"])


@pytest.mark.parametrize(
    "escaped",
    [
        lambda text: text.replace("/", "\\/"),
        lambda text: text.replace("+", "\\u002B").replace("=", "\\u003d"),
        lambda text: "\\r\\n".join(text[begin : begin + 64] for begin in range(0, len(text), 64)),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_json_may_escape_characters_of_base64(escaped: Any, size: int) -> None:
    body = json.dumps(a_bundle(b"@")).replace("QA==", escaped(base64.b64encode(LONG).decode())).encode()
    assert documents_of(cut(body, size)) == [LONG]


@pytest.mark.parametrize("broken", ["*", "=AAA", "A", "\\u00e9", "\\f", "é"])
def test_what_is_no_base64_is_a_finding_at_its_element(broken: str) -> None:
    body = json.dumps(a_bundle(b"@")).replace("QA==", base64.b64encode(LONG + b"=").decode() + broken).encode()
    (issue,) = structural_rules(cut(body))
    assert (issue.expression, issue.diagnostics) == ("Bundle.entry[0].resource.data", "expected base64")


def test_base64_elsewhere_stays_where_it_is() -> None:
    text = base64.b64encode(LONG).decode()
    document = {"resourceType": "Bundle", "type": "document", "entry": a_bundle(LONG)["entry"]}
    signature = {"type": [{"code": "x"}], "when": "2026-01-01T00:00:00Z", "who": {"display": "x"}, "data": text}
    bundle = a_bundle(LONG) | {"signature": signature}
    bundle["entry"].append({"fullUrl": a_urn(), "resource": document})
    bundle["entry"].append({"resource": {"resourceType": "Basic", "note": f'"data":"{text}"'}})
    found = cut(json.dumps(bundle).encode())
    assert isinstance(found["entry"][0]["resource"]["data"], OctetsApart)
    assert found["entry"][1:] == bundle["entry"][1:]
    assert found["signature"] == signature


def test_the_attachment_of_a_published_document_is_apart() -> None:
    attachment = {"contentType": "text/plain", "data": base64.b64encode(LONG).decode()}
    found = cut(json.dumps({"resourceType": "DocumentReference", "content": [{"attachment": attachment}]}).encode())
    assert bytes(found["content"][0]["attachment"]["data"].blob.octets) == LONG
    found = cut(
        write_xml({"resourceType": "DocumentReference", "content": [{"attachment": attachment}]}),
        grammar=documents_apart.XML,
    )
    assert bytes(found["content"][0]["attachment"]["data"].blob.octets) == LONG


def test_a_mark_that_no_element_has_is_refused() -> None:
    """Base64 in a comment of XML looks like an element until it is read."""
    text = base64.b64encode(LONG).decode()
    body = f'<Bundle xmlns="http://hl7.org/fhir"><entry><resource><Binary><!-- <data value="{text}"/> --></Binary>'
    with pytest.raises(FhirProblem) as refused:
        cut(f"{body}</resource></entry></Bundle>".encode(), grammar=documents_apart.XML)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "limits", [{"document": len(LONG) - 1}, {"total": 2 * len(LONG) - 1}, {"resource": 200}, {"number": 1}]
)
def test_each_size_has_an_end(limits: dict[str, int]) -> None:
    body = json.dumps(a_bundle(LONG, LONG)).encode()
    with pytest.raises(FhirProblem) as refused:
        cut(body, **limits)
    assert refused.value.status == 413
    assert documents_of(cut(body, document=len(LONG), total=2 * len(LONG), resource=400)) == [LONG, LONG]


def test_a_body_that_breaks_off_within_a_document_is_not_well_formed() -> None:
    body = json.dumps(a_bundle(LONG)).encode()
    for end in (100, 1000, len(body) - 40):
        with pytest.raises(FhirProblem) as refused:
            cut(body[:end])
        assert refused.value.status == 400


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(min_value=1, max_value=50), st.booleans())
def test_any_noise_is_read_as_it_would_be_whole(noise: bytes, size: int, is_json: bool) -> None:
    grammar = documents_apart.JSON if is_json else documents_apart.XML
    body = noise + b'<data value="' + noise + b'"data":"' + noise
    cutter = DocumentCutter(grammar=grammar, receive=InMemory, resource=10**6, document=10**6, total=10**6, number=9)
    assert cutter.rest(in_pieces(body, size)) == body


@pytest.mark.parametrize(
    ("grammar", "piece"),
    [
        (documents_apart.JSON, b'\\"'),
        (documents_apart.JSON, b"["),
        (documents_apart.JSON, b'"a":'),
        (documents_apart.JSON, b"1,"),
        *(
            (documents_apart.XML, piece)
            for piece in (b"<!--", b"<![CDATA[", b"<a ", b"<?", b"<a '", b"<a b='", b"</", b"<a/")
        ),
    ],
)
def test_no_text_takes_more_than_its_length(grammar: Grammar, piece: bytes) -> None:
    """What is twice as long takes about twice the time, whatever is never ended in it."""
    value = b'"data":"' if grammar is documents_apart.JSON else b'<data value="'

    def seconds(length: int) -> float:
        body = b'"' + piece * (length // len(piece)) + value + b"A" * 2 * LONGEST_INLINE
        cutter = DocumentCutter(
            grammar=grammar, receive=InMemory, resource=10**7, document=10**7, total=10**7, number=9
        )
        began = time.process_time()
        cutter.rest(in_pieces(body, 65536))
        return time.process_time() - began

    assert seconds(800_000) < 12 * seconds(200_000) + 0.2  # four times, and 16 if it grew by its square
