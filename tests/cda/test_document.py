"""Reading the bytes of a CDA: its forms, and what is refused."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cda.document import CDA, read_document
from cda.unreadable import UnreadableDocument
from tests.cda.documents import COMPLETE, CORPUS, SELF_PRESENTABLE, a_document

BILLION_LAUGHS = b"""<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><ClinicalDocument xmlns="urn:hl7-org:v3">&c;</ClinicalDocument>"""

HOSTILE = {
    "document type": (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type declaration"),
    "entity bomb": (BILLION_LAUGHS, "document type declaration"),
    "document type in UTF-16": (
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16"),
        "document type declaration",
    ),
    "undeclared entity": (b"<a>&nbsp;</a>", "undefined entity"),
    "XML 1.1": (b'<?xml version="1.1"?><a/>', "not XML 1.0"),
    "100 000 levels": (b"<a>" * 100_000 + b"</a>" * 100_000, "nested more than 256 deep"),
    "257 levels in an unclosed tag soup": (b"<a>" * 257, "nested more than 256 deep"),
    "nothing": (b"", "not well-formed"),
    "cut short": (COMPLETE.encode()[:-20], "not well-formed"),
    "unbound prefix": (b"<c:ClinicalDocument/>", "not well-formed"),
    "PDF": (b"%PDF-1.4\n", "not well-formed"),
    "codec that is no encoding": (b'<?xml version="1.0" encoding="rot13"?><a/>', "not well-formed"),
    "other root": (b'<ClinicalDocument xmlns="urn:other"/>', "ClinicalDocument of urn:hl7-org:v3 was expected"),
    "style sheet without a document": (SELF_PRESENTABLE.encode(), "no ClinicalDocument"),
}


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bytes_are_refused_with_one_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=re.escape(reason)) as refusal:
        read_document(data)
    sentence = str(refusal.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 250


def test_deep_nesting_is_refused_before_a_tree_is_built() -> None:
    data = b"<a>" * 5_000_000
    started = time.process_time()
    with pytest.raises(UnreadableDocument, match="nested"):
        read_document(data)
    assert time.process_time() - started < 0.5


def test_256_levels_are_read() -> None:
    inner = "<section>" * 252 + "</section>" * 252
    data = a_document("<section><text>Rien</text></section>", inner)
    assert read_document(data).mime_type == "text/xml"
    with pytest.raises(UnreadableDocument, match="nested"):
        read_document(a_document("<section><text>Rien</text></section>", f"<section>{inner}</section>"))


def test_the_size_limit_counts_the_whole_file() -> None:
    data = a_document()
    assert read_document(data, max_bytes=len(data))
    with pytest.raises(UnreadableDocument, match=f"{len(data)} bytes; at most {len(data) - 1}"):
        read_document(data, max_bytes=len(data) - 1)


def test_a_text_node_larger_than_ten_megabytes_is_read() -> None:
    data = a_document("<text>Rien</text>", f"<text>{'A' * 11_000_000}</text>")
    assert read_document(data).mime_type == "text/xml"


def test_a_plain_document_is_text_xml() -> None:
    document = read_document(a_document())
    assert document.mime_type == "text/xml"
    assert document.clinical_document.tag == f"{{{CDA}}}ClinicalDocument"


def test_the_document_inside_a_self_presentable_one_is_found_and_the_style_sheet_not_run() -> None:
    document = read_document(SELF_PRESENTABLE.format(document=COMPLETE).encode())
    assert document.mime_type == "application/xslt+xml"
    assert document.clinical_document.tag == f"{{{CDA}}}ClinicalDocument"


def test_the_document_inside_an_enveloping_signature_is_found() -> None:
    signed = f'<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:Object>{COMPLETE}</s:Object></s:Signature>'
    assert read_document(signed.encode()).mime_type == "text/xml"


@given(st.binary(max_size=300))
def test_noise_is_refused_and_never_crashes(noise: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        read_document(noise)


@given(
    st.integers(min_value=0, max_value=len(COMPLETE) - 1),
    st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs"]),
)
def test_a_changed_character_gives_a_document_or_a_sentence(position: int, character: str) -> None:
    changed = COMPLETE[:position] + character + COMPLETE[position + 1 :]
    try:
        assert read_document(changed.encode()).mime_type == "text/xml"
    except UnreadableDocument as refusal:
        assert str(refusal).endswith(".")


@pytest.mark.corpus
@pytest.mark.parametrize("folder", ["xml-bombs", "xml-malformed", "xml-fuzz-seeds"])
def test_every_attack_of_the_corpus_is_refused(folder: str) -> None:
    files = [file for file in sorted((CORPUS / "attacks" / folder).rglob("*")) if file.is_file()]
    assert len(files) > 30
    for file in files:
        with pytest.raises(UnreadableDocument):
            read_document(file.read_bytes())
