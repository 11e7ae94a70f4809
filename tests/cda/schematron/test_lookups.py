"""A look-up and libxml2 give the same answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from cda.schematron import Nodes, generated, lookups
from cda.schematron.expressions import parse
from cda.schematron.lookups import Vocabulary
from cda.schematron.xpath1 import write_condition
from tests.cda.schematron.rules import document

NAMESPACES = {"cda": "urn:hl7-org:v3"}
WORDS = Vocabulary(namespaces=NAMESPACES, element_tests={})

SIMPLE = (
    "cda:id",
    "not(cda:id)",
    "count(cda:id) = 1",
    "count(cda:id) >= 1",
    "1 >= count(cda:id)",
    "count(cda:id) + count(cda:code) > 1",
    "cda:code/@code = 'A'",
    "'A' = cda:code/@code",
    "cda:code/@code != 'A'",
    "cda:code[@code = 'A' and not(@nullFlavor)]",
    "cda:code[@code = 'A'][@nullFlavor]",
    "@classCode",
    "not(@classCode) or @classCode = 'DOCCLIN'",
    "@classCode != 'DOCCLIN'",
    "not(@classCode = 'X')",
    "not(@classCode) or starts-with(@classCode, 'D')",
    "@classCode = 'X' or not(@classCode = 'DOCCLIN') or cda:title or @classCode = 'DOCCLIN'",
    "cda:code[not(@nullFlavor) or @code = 'B' or @nullFlavor = 'NI']",
    "self::cda:ClinicalDocument",
    "self::cda:section",
    "cda:section/..",
    "cda:section/cda:code/../@ID = 's'",
    ".//cda:code[@code = 'A']",
    "//cda:code",
    "//cda:section/cda:code",
    ".//cda:templateId[@root = '1.2']",
    ".//cda:section[cda:templateId/@root = '1.2']/cda:code",
    "//*[cda:templateId[@root = '1.2'] and @ID]",
    "/cda:ClinicalDocument/cda:code",
    "cda:title = 'Titre'",
    "cda:title/text() = 'Titre'",
    "cda:code/@code = cda:section/cda:code/@code",
    "count(cda:section[cda:code]) = 1",
    "count(cda:id and cda:code) = 1",
    "*",
    "cda:section/*",
    "(cda:code)[@code = 'A']",
    "boolean(cda:id)",
    "cda:section/parent::cda:ClinicalDocument",
    "true() and not(false())",
    "count(cda:id) = '1'",
    "(count(cda:id)) >= '1'",
    "'2' > count(cda:id)",
    "cda:title | cda:section[@ID]",
    "not(cda:title | cda:section[@ID])",
    "cda:code[1]/@nullFlavor",
    "cda:section[2]/cda:section[1]/cda:code",
    "cda:code[2][@code = 'A']",
    "contains(cda:title, 'tr')",
    "cda:code[starts-with(@nullFlavor, 'U')]",
    "starts-with(cda:section/@ID, 't')",
)
_CODES = ("", '<code code="A"/>', '<code code="B" nullFlavor="UNK"/>', '<code code="A" nullFlavor="UNK"/>')
_TITLES = ("", "<title/>", "<title>Titre</title>", "<title>Ti<b>t</b>re</title>")
_SECTIONS = (
    "",
    "<section/>",
    '<section ID="s"><templateId root="1.2"/><code code="A"/></section>',
    '<section ID="t"><templateId root="1.2"/><section><templateId root="1.2"/><code code="B"/></section></section>',
)


@pytest.mark.parametrize("text", SIMPLE)
def test_simple_tests_are_looked_up(text: str) -> None:
    assert lookups.condition(parse(text), WORDS) is not None


@pytest.mark.parametrize(
    "text",
    [
        "cda:id[last()]",
        "cda:id[@root][1]",
        ".//cda:id[1]",
        "contains(.//cda:id, 'a')",
        "@value > 0",
        "preceding-sibling::cda:a",
        "$x = 1",
    ],
)
def test_what_is_not_simple_is_left_to_xpath(text: str) -> None:
    assert lookups.condition(parse(text), WORDS) is None


@given(
    text=st.sampled_from(SIMPLE),
    ids=st.integers(0, 2),
    codes=st.lists(st.sampled_from(_CODES), max_size=2),
    title=st.sampled_from(_TITLES),
    sections=st.lists(st.sampled_from(_SECTIONS), max_size=2),
    class_code=st.sampled_from(("", "DOCCLIN", "X")),
)
def test_a_look_up_and_xpath_agree(
    text: str, ids: int, codes: list[str], title: str, sections: list[str], class_code: str
) -> None:
    root = document("<id/>" * ids + "".join(codes) + title + "".join(sections))
    if class_code:
        root.set("classCode", class_code)
    looked_up = lookups.holds(parse(text), WORDS)
    assert looked_up is not None
    expected = etree.XPath(f"boolean({write_condition(parse(text))})", namespaces=NAMESPACES)
    nodes = Nodes(root)
    for node in nodes.named("*"):
        assert bool(looked_up(node, nodes)) == expected(node.element), (text, etree.tostring(root))


def test_what_a_pack_says_stays_a_string() -> None:
    """Rules are made into Python: a literal that looks like it is no part of it."""
    literal = """') or nodes.oops() or ('\\"""
    looked_up = lookups.holds(parse(f'@classCode = "{literal}"'), WORDS)
    assert looked_up is not None
    root = document("")
    assert not looked_up(Nodes(root).root, Nodes(root))
    root.set("classCode", literal)
    assert looked_up(Nodes(root).root, Nodes(root))


def test_what_is_nested_too_deep_for_python_is_left_to_xpath() -> None:
    assert generated.is_readable("not (" * 50 + "1" + ")" * 50)
    assert not generated.is_readable("not (" * 220 + "1" + ")" * 220)
