"""Symbols are replaced as plain text everywhere but where symbols are named and inside documents."""

from lxml import etree

from conformance.nist.replacement import has_unresolved, replace_symbols


def after(text: str, **values: str) -> str:
    root = etree.fromstring(text)
    replace_symbols(root, values)
    return etree.tostring(root, encoding="unicode")


def test_texts_attributes_and_tails_are_replaced() -> None:
    assert after('<a b="x1x">x1<c/>x1<!--x1-->x1</a>', x1="9") == '<a b="9x">9<c/>9<!--x1-->9</a>'


def test_a_shorter_symbol_eats_into_a_longer_one() -> None:
    assert after("<a>uuid2 uuid</a>", uuid="9") == "<a>92 9</a>"


def test_symbols_follow_each_other_in_order() -> None:
    assert after("<a>p</a>", p="q", q="r") == "<a>r</a>"


def test_elements_that_name_symbols_keep_them() -> None:
    text = '<a><UseId symbol="s"/><UseReport useAs="s"/><Report name="s">s</Report>s</a>'
    assert after(text, s="9").count("9") == 1


def test_documents_keep_their_octets() -> None:
    text = '<a xmlns:x="urn:ihe:iti:xds-b:2007"><x:Document>s</x:Document>s</a>'
    assert after(text, s="9").count("9") == 1


def test_a_dollar_symbol_left_in_place_is_seen() -> None:
    assert has_unresolved("('$uuid$')")
    assert not has_unresolved("cost $ 5 and $ 6")
