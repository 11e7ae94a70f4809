"""Pages of documents: readable, in French, and nothing of the document can run or leave."""

import base64
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html

from cda.document import read_document
from cda.render import render_html
from cda.unreadable import UnreadableDocument
from tests.cda.mutations import EXAMPLES, Element, example, mutated

_ACTIVE = {"script", "iframe", "embed", "form", "input", "link", "base", "svg", "applet", "frame"}
_LINKS = ("href", "src", "data", "action", "srcset", "poster", "background")
_ALLOWED = re.compile(r"data:(application/pdf|image/(png|jpeg|gif|tiff)|text/rtf);base64,[A-Za-z0-9+/=]*")


def page_of(root: Element) -> str:
    return render_html(read_document(etree.tostring(root)))


def assert_safe(page: str) -> None:
    """What a browser makes of the page: nothing that runs, no link that leaves."""
    root = html.document_fromstring(page)
    for element in root.iter(etree.Element):
        assert element.tag not in _ACTIVE, element.tag
        for name, value in element.attrib.items():
            assert not str(name).startswith("on"), name
            assert name != "style", "no style of the document's own"
            if name in _LINKS:
                assert _ALLOWED.fullmatch(str(value)), str(value)[:80]
    policy = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert isinstance(policy, list)
    assert str(policy[0]).startswith("default-src 'none'")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.xml")), ids=lambda path: path.name)
def test_our_reports_become_french_pages(path: Path) -> None:
    page = render_html(read_document(path.read_bytes()))
    assert_safe(page)
    root = html.document_fromstring(page)
    assert root.get("lang") == "fr"
    assert root.findtext(".//h1")
    assert "Patient" in page
    assert "Auteur" in page


def test_a_pdf_body_is_embedded_with_a_link_to_save_it() -> None:
    page = page_of(example("cr-consultation.xml"))
    assert '<object type="application/pdf" data="data:application/pdf;base64,' in page
    assert 'download="document.pdf"' in page


def test_a_pdf_that_is_none_is_not_embedded() -> None:
    body = base64.b64encode(b"<html><script>alert(1)</script></html>").decode()
    root = mutated(example("cr-consultation.xml"), "/h:ClinicalDocument//h:nonXMLBody/h:text", "set_text", "", body)
    page = page_of(root)
    assert "<object" not in page
    assert "ne peut pas être montré" in page
    assert_safe(page)


def test_plain_text_is_shown_as_text() -> None:
    body = base64.b64encode("Résumé <b>&".encode()).decode()
    root = mutated(example("cr-consultation.xml"), "/h:ClinicalDocument//h:nonXMLBody/h:text", "set_text", "", body)
    root = mutated(root, "/h:ClinicalDocument//h:nonXMLBody/h:text", "set_attribute", "mediaType", "text/plain")
    assert "<pre>Résumé &lt;b&gt;&amp;</pre>" in page_of(root)


def _with_narrative(text: str) -> Element:
    root = example("lettre-liaison-sortie.xml")
    section = root.find(".//{urn:hl7-org:v3}section/{urn:hl7-org:v3}text")
    assert section is not None
    filled = etree.fromstring(f'<text xmlns="urn:hl7-org:v3">{text}</text>')
    parent = section.getparent()
    assert parent is not None
    parent.replace(section, filled)
    return root


def test_tables_lists_and_emphasis_come_through() -> None:
    page = page_of(
        _with_narrative(
            '<table><thead><tr><th colspan="2">A</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>'
            '<list listType="ordered"><item>un</item></list><paragraph><content styleCode="Bold">gras</content></paragraph>'
        )
    )
    assert '<th colspan="2">A</th>' in page
    assert "<ol><li>un</li></ol>" in page
    assert "<p><span><b>gras</b></span></p>" in page


@pytest.mark.parametrize(
    "hostile",
    [
        '<linkHtml href="javascript:alert(1)">lien</linkHtml>',
        '<linkHtml href="https://example.org/">lien</linkHtml>',
        '<paragraph onclick="alert(1)" styleCode="x:expression(alert(1))">lien</paragraph>',
        '<table><tbody><tr onmouseover="alert(1)"><td background="http://example.org/x">lien</td></tr></tbody></table>',
        '<script xmlns="http://www.w3.org/1999/xhtml">lien</script>lien',
        '<renderMultiMedia referencedObject="nowhere"/>lien',
        '<td colspan="9999999999999999999999">lien</td>',
        "&lt;script&gt;lien&lt;/script&gt;",
    ],
)
def test_hostile_narrative_stays_text(hostile: str) -> None:
    page = page_of(_with_narrative(hostile))
    assert_safe(page)
    assert "lien" in page


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=40
    )
)
def test_any_text_is_escaped(text: str) -> None:
    root = example("lettre-liaison-sortie.xml")
    title = root.find("{urn:hl7-org:v3}title")
    assert title is not None
    title.text = text
    assert_safe(page_of(root))


@pytest.mark.corpus
def test_the_vectors_of_the_corpus_are_harmless(corpus: Path) -> None:
    pages = refused = 0
    for path in sorted((corpus / "attacks" / "cda-xss").glob("*.xml")):
        try:
            page = render_html(read_document(path.read_bytes()))
        except UnreadableDocument:
            refused += 1
            continue
        pages += 1
        assert_safe(page)
    assert pages >= 10
    assert refused >= 2


@pytest.mark.corpus
def test_every_example_of_the_corpus_becomes_a_page(corpus: Path) -> None:
    for path in sorted((corpus / "cda" / "examples").rglob("*.xml")):
        assert_safe(render_html(read_document(path.read_bytes())))
