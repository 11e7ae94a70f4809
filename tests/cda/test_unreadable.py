"""What a sender is told of bytes that are no CDA document: a French and an English sentence, with line and column."""

import re

import pytest

from cda.document import read_document
from cda.rule_packs import own_rules_of_layers
from cda.unreadable import UnreadableDocument
from cda.validate import check_bytes
from tests.cda.documents import SELF_PRESENTABLE, a_document

_OPEN = b'<ClinicalDocument xmlns="urn:hl7-org:v3">\n'
_CLOSE = b"</ClinicalDocument>"

# What is wrong -> bytes, a part of the French sentence, line and column.
WRONG = {
    "empty": (b"", "aucun élément", 1, 1),
    "no XML": (b"%PDF-1.4\n", "n’est pas du XML bien formé : ", 1, 9),
    "cut in a tag": (_OPEN + b"<title", "balise ou référence non terminée", 2, 1),
    "cut in a text": (_OPEN + b"<title>x", "aucun élément, le fichier est vide ou coupé", 2, 9),
    "cut in a letter": (_OPEN + "<title>é".encode()[:-1], "caractère coupé", 2, 8),
    "crossed tags": (_OPEN + b"<title></code>" + _CLOSE, "balise fermante qui ne correspond pas", 2, 10),
    "attribute twice": (_OPEN + b'<code a="1" a="2"/>' + _CLOSE, "attribut présent deux fois", 2, 13),
    "after the end": (_OPEN + _CLOSE + b"<a/>", "après la fin de l’élément racine", 2, 20),
    "entity": (_OPEN + b"<title>a&nbsp;b</title>" + _CLOSE, "entité non définie", 2, 9),
    "character": (_OPEN + b"<title>&#1;</title>" + _CLOSE, "caractère interdit", 2, 8),
    "late declaration": (b'\n<?xml version="1.0"?>' + _OPEN + _CLOSE, "ailleurs qu’au tout début", 2, 1),
    "encoding nobody knows": (b'<?xml version="1.0" encoding="x-none"?>' + _OPEN + _CLOSE, "encodage inconnu", 0, 0),
    "another encoding": (
        b'<?xml version="1.0" encoding="UTF-16"?>' + _OPEN + _CLOSE,
        "encodage déclaré différent",
        1,
        31,
    ),
    "bytes of Latin-1": (_OPEN + "<title>été</title>".encode("latin-1") + _CLOSE, "étrangers à l’encodage", 2, 8),
    "CDATA": (_OPEN + b"<title><![CDATA[x", "section CDATA non fermée", 2, 18),
    "prefix": (_OPEN + b'<code xsi:type="CD"/>' + _CLOSE, "préfixe d’espace de noms non déclaré", 2, 1),
    "undeclared prefix": (_OPEN + b'<a xmlns:b=""/>' + _CLOSE, "préfixe d’espace de noms déclaré vide", 2, 1),
    "declaration": (b'<?xml encoding="UTF-8"?>' + _OPEN + _CLOSE, "déclaration XML mal formée", 1, 7),
    "document type": (b"<!DOCTYPE a>" + _OPEN + _CLOSE, "DOCTYPE", 0, 0),
    "XML 1.1": (b'<?xml version="1.1"?>' + _OPEN + _CLOSE, "n’est pas en XML 1.0", 0, 0),
    "too deep": (b"<a>" * 257, "plus de 256 éléments imbriqués", 1, 769),
    "other root": (b"<html/>", "a pour élément racine html", 0, 0),
    "nothing inside": (SELF_PRESENTABLE.encode(), "n’a pas de ClinicalDocument", 0, 0),
}


@pytest.mark.parametrize(("data", "french", "line", "column"), WRONG.values(), ids=WRONG.keys())
def test_each_reason_has_a_sentence_in_both_languages_and_its_place(
    data: bytes, french: str, line: int, column: int
) -> None:
    with pytest.raises(UnreadableDocument) as refusal:
        read_document(data)
    said = refusal.value
    assert (said.line, said.column) == (line, column)
    assert french in said.sentence.french
    assert said.sentence.french.startswith("le document ") and said.sentence.french.endswith(".")
    assert said.sentence.english == str(said)
    if line:
        assert f"(ligne {line}, colonne {column})" in said.sentence.french
        assert f"(line {line}, column {column})" in str(said)


@pytest.mark.parametrize("data", [data for data, *_ in WRONG.values()], ids=WRONG.keys())
def test_the_finding_is_french_without_the_english_words_of_a_parser(data: bytes) -> None:
    (finding,) = check_bytes(data, own_rules_of_layers()).findings
    french = finding.expected.french
    assert not re.search(r"\b(the|is|not|at|element|tag|token|column|unknown|invalid|mismatched)\b", french)


def test_the_sentence_of_a_large_document_names_both_sizes() -> None:
    data = a_document()
    with pytest.raises(UnreadableDocument) as refusal:
        read_document(data, max_bytes=10)
    assert f"a {len(data)} octets ; au plus 10 sont lus" in refusal.value.sentence.french
