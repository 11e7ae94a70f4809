"""Documents with faults that no list names: our verdict is that of the published pack, our engine's that of Saxon."""

import importlib.util
from pathlib import Path

import pytest
from lxml import etree

from carnet.cda_oracle import Oracle
from carnet.rule_folder import OfficialPack, own_rules_with
from cda.document import Document
from cda.findings import Layer
from cda.rule_packs import RuleSet
from cda.schema_check import schema_findings
from cda.validate import check
from tests.cda.invented_mutants import Fault, faults
from tests.cda.mutations import Element, example
from tests.cda.test_corpus import KINDS, Corpus, document_of

pytestmark = pytest.mark.corpus
_RULES = (Layer.HEADER, Layer.IHE, Layer.FRENCH, Layer.NATIONAL, Layer.MODEL)


def is_refused(root: Element, rules: RuleSet, layers: tuple[Layer, ...] = _RULES) -> bool:
    report = check(Document(clinical_document=root, mime_type="text/xml"), rules)
    return any(report.errors(layer) for layer in layers)


def mutants(corpus: Path, *, each: int, seed: int, step: int) -> list[tuple[str, Fault, Element]]:
    """So many of each valid example of the kinds that our packs are made for, or of one example in some."""
    examples = Corpus(corpus)
    bases = [row for row in examples.current if row["kind"] in KINDS and row["verdict"] == "accept"]
    found = []
    for row in bases[::step]:
        base = examples.parsed(row["file"])
        found += [(row["file"], fault, document_of(fault.on(base))) for fault in faults(base, each, seed)]
    return found


def _compare(corpus: Path, made: list[tuple[str, Fault, Element]]) -> None:
    """At least 99 in 100 of those that the published pack refuses are refused; every verdict of the schema is the same."""
    ours, theirs = own_rules_with(corpus / "cda" / "official"), OfficialPack(corpus / "cda" / "official").rule_set()
    schema = etree.XMLSchema(etree.parse(str(next((corpus / "cda" / "official").rglob("CDA_extended.xsd")))))
    refused, missed = 0, []
    for file, fault, root in made:
        is_invalid = not schema.validate(root)
        assert bool(list(schema_findings(root))) == is_invalid, (file, fault)
        if is_invalid or is_refused(root, theirs):
            refused += 1
            if not is_refused(root, ours, (Layer.XSD, *_RULES, Layer.OWN)):
                missed.append((file, fault))
    assert refused > 0.3 * len(made)
    assert len(missed) <= 0.01 * refused, missed


def test_our_packs_refuse_what_the_published_pack_refuses(corpus: Path) -> None:
    _compare(corpus, mutants(corpus, each=1, seed=20, step=3))


@pytest.mark.long
def test_our_packs_refuse_what_the_published_pack_refuses_on_many(corpus: Path) -> None:
    _compare(corpus, mutants(corpus, each=25, seed=7, step=1))


@pytest.mark.skipif(importlib.util.find_spec("saxonche") is None, reason="the extra 'oracle' is not installed")
@pytest.mark.long
def test_the_published_pack_fails_alike_on_our_engine_and_on_saxon(corpus: Path) -> None:
    """Every check, element by element; the header rules, of which Saxon runs more, are compared in the corpus."""
    with Oracle(corpus / "cda" / "official") as saxon:
        for file, fault, root in mutants(corpus, each=2, seed=3, step=6):
            found = saxon.differences(etree.tostring(root))
            assert [str(one) for one in found if one.failed.layer is not Layer.HEADER] == [], (file, fault)


def test_a_seed_gives_the_same_faults_and_each_changes_the_document() -> None:
    root = example("lettre-liaison-sortie.xml")
    drawn = list(faults(root, 60, seed=1))
    assert drawn == list(faults(root, 60, seed=1))
    assert len({fault.operation for fault in drawn}) >= 6
    before = etree.tostring(root, method="c14n")
    changed = [etree.tostring(fault.on(root), method="c14n") != before for fault in drawn]
    assert sum(changed) >= 55  # two equal elements that change places are no change
