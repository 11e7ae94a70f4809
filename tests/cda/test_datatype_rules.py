import pytest
from lxml import etree

from cda.datatype_rules import broken_rules, keeps_datatype, words
from cda.schematron.nodes import Node, Nodes

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def value(text: str, beside: str = "") -> tuple[Node, Nodes]:
    root = etree.fromstring(f'<r xmlns="urn:hl7-org:v3" {XSI}>{text}{beside}</r>')
    nodes = Nodes(root)
    return nodes.node(root[0]), nodes


@pytest.mark.parametrize(
    ("datatype", "text"),
    [
        ("II", '<id root="1.2.3" extension="A"/>'),
        ("II", '<id root="8f6d6e0a-3f0f-4c43-9b4c-0f1c9e0f7a11"/>'),
        ("II", '<id nullFlavor="UNK"/>'),
        ("CE", '<code code="A" codeSystem="1.2" displayName="a"/>'),
        ("CE", '<code nullFlavor="OTH" codeSystem="1.2"><translation code="A" codeSystem="1.2"/></code>'),
        ("TS", '<time value="2023"/>'),
        ("TS", '<time value="20240229120000+0100"/>'),
        ("IVL_TS", '<t><low value="20240101"/><high value="20240102"/></t>'),
        ("IVL_TS", '<t><low nullFlavor="UNK"/></t>'),
        ("INT.POS", '<n value="3"/>'),
        ("PN", "<name><family>A</family></name>"),
        ("ON", "<name>Hôpital</name>"),
        ("AD", "<addr><city>Rennes</city><postalCode>35000</postalCode></addr>"),
        ("TEL", '<telecom value="tel:0102030405"/>'),
        ("CS", '<code code="fr-FR"/>'),
    ],
)
def test_values_as_they_should_be(datatype: str, text: str) -> None:
    assert list(broken_rules(datatype, *value(text))) == []
    assert keeps_datatype(datatype, *value(text))


@pytest.mark.parametrize(
    ("datatype", "rule", "text"),
    [
        ("II", "DT01", '<id nullFlavor="UNK" extension="A"/>'),
        ("II", "DT02-root", '<id extension="A"/>'),
        ("II", "DT02-form", '<id root="1.2.03"/>'),
        ("CD", "DT03-code", "<code/>"),
        ("CD", "DT03-system", '<code code="A"/>'),
        ("CD", "DT03-display", '<code displayName="A" codeSystem="1.2"><originalText>x</originalText></code>'),
        ("CD", "DT03-translation", '<code code="A" codeSystem="1"><translation nullFlavor="UNK"/></code>'),
        ("CE", "DT03-qualifier", '<code code="A" codeSystem="1.2"><qualifier/></code>'),
        ("CS", "DT04-plain", '<code code="A" codeSystem="1.2"/>'),
        ("TS", "DT05-value", "<time/>"),
        ("TS", "DT05-real", '<time value="20230230"/>'),
        ("TS", "DT05-real", '<time value="20230401120000+0160"/>'),
        ("TS", "DT05-real", '<time value="202304011"/>'),
        ("IVL_TS", "DT06-bounds", '<t><low value="20240102"/><high value="20240101"/></t>'),
        ("IVL_TS", "DT06-bounds", '<t><low value="20240102"/><high value="20240102"/></t>'),
        ("IVL_TS", "DT06-shape", '<t value="2024"><low value="2024"/></t>'),
        ("IVL_TS", "DT06-limits", '<t><high nullFlavor="NINF"/></t>'),
        ("INT.POS", "DT07-positive", '<n value="0"/>'),
        ("ST", "DT08", '<title mediaType="text/html">x</title>'),
        ("ED", "DT09-language", '<text language="français">x</text>'),
        ("PN", "DT10-text", "<name>A<family>B</family></name>"),
        ("PN", "DT10-text", "<name/>"),
        ("PN", "DT10-legal", '<name><family qualifier="LS">A</family></name>'),
        ("ON", "DT10-plain", "<name><family>A</family></name>"),
        ("AD", "DT11-parts", "<addr><city/></addr>"),
        ("AD", "DT11-parts", "<addr><city>A</city><city>A</city></addr>"),
        ("TEL", "DT12-value", "<telecom/>"),
        ("BL", "DT13", "<b/>"),
    ],
)
def test_each_rule_is_broken_by_one_value(datatype: str, rule: str, text: str) -> None:
    assert rule in list(broken_rules(datatype, *value(text)))
    assert not keeps_datatype(datatype, *value(text))
    assert words(rule).french
    assert words(rule).english


@pytest.mark.parametrize(
    ("datatype", "rule", "text"),
    [
        ("II", "DT02-single", '<id root="1.2" extension="A"/>'),
        ("CD", "DT03-single", '<code code="A" codeSystem="1"/>'),
        ("PN", "DT10-single", "<name><family>A</family></name>"),
        ("AD", "DT11-single", "<addr><city>A</city></addr>"),
        ("TEL", "DT12-single", '<telecom value="tel:1"/>'),
    ],
)
def test_a_value_stands_once_among_its_kind(datatype: str, rule: str, text: str) -> None:
    assert rule in list(broken_rules(datatype, *value(text, text)))
