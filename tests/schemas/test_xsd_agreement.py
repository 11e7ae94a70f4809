"""Our schemas and the published ones give every message the same verdict. OASIS ebRIM 3.0, ebRS 3.0."""

import json
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from schemas import resource
from tests.schemas.declarations import declarations
from tests.schemas.mutants import mutants

pytestmark = pytest.mark.corpus

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
SAMPLES = Path(__file__).with_name("samples")
REGREP = "urn:oasis:names:tc:ebxml-regrep:xsd:{}:3.0"
PUBLISHED = {REGREP.format(name): f"xsd/ebRS/{name}.xsd" for name in ("rim", "rs", "lcm", "query")} | {
    "urn:ihe:iti:xds-b:2007": "xsd/IHE/XDS.b_DocumentRepository.xsd"
}
BODY = "{http://www.w3.org/2003/05/soap-envelope}Body"
INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
MOST_PER_CORPUS_MESSAGE = 600
MOST_PER_SAMPLE = 8000


def published_source() -> str:
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{(CORPUS / file).as_uri()}"/>'
        for namespace, file in PUBLISHED.items()
    )
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'


@pytest.fixture(scope="module")
def published() -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(published_source()))


@pytest.fixture(scope="module")
def ours() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(resource("xsd/messages.xsd")))


def root_part(body: bytes, content_type: str) -> bytes:
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    start = message.get_param("start")
    parts = message.get_payload()
    root = next((part for part in parts if start and part["Content-ID"] == start), parts[0])
    payload = root.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def content(xml: bytes) -> etree._Element | None:
    """The payload: the child of the SOAP Body, or the document element where there is no envelope."""
    root = etree.fromstring(xml.strip())
    body = next(root.iter(BODY), None)
    payload = root if body is None else next(iter(body), None)
    if payload is None:
        return None
    for include in list(payload.iter(INCLUDE)):
        include.getparent().remove(include)
    return etree.fromstring(etree.tostring(payload, with_tail=False))


def corpus_messages() -> Iterator[tuple[dict[str, object], etree._Element]]:
    """Each message that has a payload, with its line of the index."""
    for line in json.loads((CORPUS / "messages" / "index.json").read_text(encoding="utf-8")):
        if line["xsd_valid"] is None:
            continue
        body = (CORPUS / "messages" / line["file"]).read_bytes()
        if line["form"] == "MIME body":
            body = root_part(body, line["content_type"])
        payload = content(body)
        assert payload is not None, line["file"]
        yield line, payload


def samples() -> Iterator[tuple[str, etree._Element]]:
    for file in sorted(SAMPLES.glob("*.xml")):
        yield file.name, etree.parse(file).getroot()


def test_corpus_messages_get_the_verdict_of_the_published_schema(
    published: etree.XMLSchema, ours: etree.XMLSchema
) -> None:
    verdicts = {line["file"]: (published(payload), ours(payload)) for line, payload in corpus_messages()}
    expected = {line["file"]: (line["xsd_valid"],) * 2 for line, _ in corpus_messages()}
    assert verdicts == expected
    assert len(verdicts) == 28
    assert Counter(verdict for verdict, _ in verdicts.values()) == {True: 25, False: 3}


def test_mutants_get_the_verdict_of_the_published_schema(published: etree.XMLSchema, ours: etree.XMLSchema) -> None:
    messages = [(str(line["file"]), payload, MOST_PER_CORPUS_MESSAGE) for line, payload in corpus_messages()]
    messages += [(name, payload, MOST_PER_SAMPLE) for name, payload in samples()]
    counts: Counter[bool] = Counter()
    differences = []
    for name, payload, most in messages:
        if not published(payload):
            continue
        for label, mutant in mutants(payload, most=most):
            verdict = published(mutant)
            counts[verdict] += 1
            if ours(mutant) != verdict:
                differences.append(f"{name}, {label}: published says {verdict}")
    print(f"{counts.total()} mutants: {counts[True]} valid, {counts[False]} invalid")
    assert differences == []
    assert counts.total() >= 20_000
    assert counts[True] >= 5_000
    assert counts[False] >= 5_000


def test_elements_and_types_are_declared_as_published() -> None:
    namespaces = frozenset(PUBLISHED)
    expected = declarations(xmlschema.XMLSchema10(published_source()), namespaces)
    found = declarations(xmlschema.XMLSchema10(resource("xsd/messages.xsd")), namespaces)
    assert found.keys() == expected.keys()
    assert {key: value for key, value in found.items() if value != expected[key]} == {}
    assert len(found) >= 150
