"""Verdicts on the reference corpus, document by document and layer by layer, beside those of the oracle."""

import copy
import csv
import functools
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from carnet.rule_folder import OfficialPack, own_rules_with
from cda.document import Document, read_document
from cda.document_entry import document_entry
from cda.findings import Layer, Report
from cda.header import read_header
from cda.rule_packs import RuleSet, own_rules_of_layers
from cda.schema_check import schema_findings
from cda.schematron import Failure, Nodes
from cda.validate import check, check_bytes
from tests.cda.mutations import Element, mutated

pytestmark = pytest.mark.corpus
Row = dict[str, str]

RULE_LAYERS = (Layer.HEADER, Layer.IHE, Layer.FRENCH, Layer.NATIONAL, Layer.MODEL)
PACK_LAYERS = (Layer.IHE, Layer.FRENCH, Layer.NATIONAL, Layer.MODEL)
# The kinds that our packs are made for; others are compared too, and may differ where docs/cda-differences.md says so.
KINDS = frozenset(
    [
        "VSM",
        "IPS-FR",
        "DLU-EHPAD-DLU",
        "DLU-EHPAD-FLUDT",
        "DLU-EHPAD-FLUDR",
        "DLU-FT-SU",
        "DLU-FR-SU",
        "VAC",
        "VAC-NOTE",
        "BIO-CR-BIO",
        "IMG-CR-IMG",
        "LDL-EES",
        "LDL-SES",
        "CANCER-FRCP",
        "CANCER-PPS",
        "CANCER-CR-GM",
        "CANCER-D2LM-FIN",
        "CANCER-D2LM-FIDD",
        "EP-MED-DM",
        "eDISP-MED",
        "CNAM-HR",
        "N1",
        "TLM-CR",
    ]
)
# docs/cda-differences.md names each with its reason.
KNOWN_DIFFERENCES = frozenset(
    {
        ("M0020", Layer.MODEL),
        ("M0034", Layer.MODEL),
        ("M1021", Layer.MODEL),
        ("M1046", Layer.MODEL),
        ("M1330", Layer.MODEL),
        ("M1452", Layer.MODEL),
        ("current/AVC-AUNV_2022.01.xml", Layer.MODEL),
    }
)


def rows(corpus: Path, name: str) -> list[Row]:
    with (corpus / "cda" / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


class Corpus:
    """Examples parsed once, mutants made of them."""

    def __init__(self, root: Path) -> None:
        self.examples = rows(root, "examples/index.csv")
        self.mutants = rows(root, "mutants.csv")
        self._folder = root / "cda" / "examples"

    @property
    def current(self) -> list[Row]:
        return [row for row in self.examples if row["generation"] == "3.0"]

    def data(self, row: Row) -> bytes:
        return (self._folder / row["file"]).read_bytes()

    @functools.cache  # noqa: B019 - one corpus a test run
    def parsed(self, file: str) -> Element:
        parser = etree.XMLParser(resolve_entities=False, huge_tree=True, remove_comments=True, remove_pis=True)
        return etree.fromstring((self._folder / file).read_bytes(), parser)

    def mutant(self, row: Row) -> Element:
        base = self.parsed(row["base"])
        changed = mutated(base, row["xpath"], row["operation"], row["attribute"], row["value"])
        return document_of(changed)


def document_of(root: Element) -> Element:
    found = next(root.iter("{urn:hl7-org:v3}ClinicalDocument"))
    return found if found is root else copy.deepcopy(found)


@pytest.fixture(scope="module")
def cda_corpus(corpus: Path) -> Corpus:
    return Corpus(corpus)


@pytest.fixture(scope="module")
def our_rules(corpus: Path) -> RuleSet:
    return own_rules_with(corpus / "cda" / "official")


def report_on(root: Element, rules: RuleSet) -> Report:
    return check(Document(clinical_document=root, mime_type="text/xml"), rules)


def differing(name: str, row: Row, report: Report) -> Iterator[tuple[str, Layer]]:
    for layer in RULE_LAYERS:
        expected = row[layer.value]
        if expected not in ("", "error") and bool(report.errors(layer)) != (expected != "0"):
            yield name, layer


def test_no_valid_example_is_refused_and_layers_agree(cda_corpus: Corpus, our_rules: RuleSet) -> None:
    differences: list[tuple[str, Layer]] = []
    for row in cda_corpus.current:
        report = check_bytes(cda_corpus.data(row), our_rules)
        if row["verdict"] == "accept":
            assert report.is_valid, (row["file"], [each for each in report.findings if each.severity == "error"])
        differences += differing(row["file"], row, report)
    assert set(differences) <= KNOWN_DIFFERENCES


def test_the_packs_as_they_ship_refuse_no_valid_example(cda_corpus: Corpus) -> None:
    for row in cda_corpus.current:
        if row["verdict"] == "accept":
            assert check_bytes(cda_corpus.data(row), own_rules_of_layers()).is_valid, row["file"]


def test_mutants_that_the_oracle_refuses_are_refused(cda_corpus: Corpus, our_rules: RuleSet) -> None:
    """One mutant in four; all of them: `pytest -m long`."""
    _compare_mutants(cda_corpus.mutants[::4], cda_corpus, our_rules)


@pytest.mark.long
def test_every_mutant_that_the_oracle_refuses_is_refused(cda_corpus: Corpus, our_rules: RuleSet) -> None:
    _compare_mutants(cda_corpus.mutants, cda_corpus, our_rules)


@pytest.mark.long
def test_99_in_100_of_those_are_refused_by_the_packs_as_they_ship(cda_corpus: Corpus) -> None:
    """Without the value sets that their publisher alone may hand out."""
    wanted = [row for row in cda_corpus.mutants if row["kind"] in KINDS and row["verdict"] == "reject"]
    missed = [row["id"] for row in wanted if report_on(cda_corpus.mutant(row), own_rules_of_layers()).is_valid]
    assert len(missed) <= 0.01 * len(wanted), missed


def _compare_mutants(mutants: list[Row], cda_corpus: Corpus, our_rules: RuleSet) -> None:
    """At least 99 in 100 of the kinds our packs are made for; each layer's verdict is the oracle's."""
    refused, missed, differences = Counter[bool](), [], []
    for row in mutants:
        root = cda_corpus.mutant(row)
        assert bool(list(schema_findings(root))) == (row["xsd"] != "valid"), row["id"]
        report = report_on(root, our_rules)
        differences += differing(row["id"], row, report)
        if row["kind"] in KINDS and row["verdict"] == "reject":
            refused[report.is_valid] += 1
            missed += [row["id"]] if report.is_valid else []
    assert refused[True] <= 0.01 * refused.total(), missed
    assert set(differences) <= KNOWN_DIFFERENCES


def test_documents_of_2021_keep_their_own_rules(cda_corpus: Corpus, our_rules: RuleSet) -> None:
    """Their model version is older than any with rules here: later rules warn and do not refuse."""
    checked = 0
    for row in cda_corpus.examples:
        report = check_bytes(cda_corpus.data(row), our_rules)
        if row["generation"] != "3.0" and row["xsd"] == "valid" and report.model.is_earlier:
            checked += 1
            assert not [each for each in report.findings if each.layer in RULE_LAYERS and each.severity == "error"]
    assert checked >= 15


def test_every_example_gives_complete_metadata(cda_corpus: Corpus) -> None:
    """Models without a format in ASS_A11 have no formatCode; every other required attribute is there."""
    incomplete = {}
    for row in cda_corpus.current:
        derived = document_entry(read_header(read_document(cda_corpus.data(row))), entry_uuid="e")
        missing = [each for each in derived.missing if row["formatCode"] or not each.startswith("formatCode")]
        if missing:
            incomplete[row["file"]] = missing
    assert incomplete == {}


def identifier(failure: Failure) -> str:
    """As the corpus names an assertion: SHA-1 of context, kind and test with white space made single."""
    source = failure.check.source
    parts = (" ".join(failure.rule.source.context.split()), source.kind, " ".join(source.test.split()))
    return hashlib.sha1("\n".join(parts).encode()).hexdigest()[:10]


class OfficialRules:
    """The official pack on our engine, failing assertions by layer."""

    def __init__(self, corpus: Path) -> None:
        self._rules = OfficialPack(corpus / "cda" / "official").rule_set()

    def failing(self, root: Element, row: Row, layers: tuple[Layer, ...]) -> Counter[str]:
        nodes = Nodes(root)
        found = Counter[str]()
        for layer in layers:
            for failure in self._failures(layer, nodes, row["volet_schematron"]):
                found[f"{layer.value}:{identifier(failure)}"] += 1
        return found

    def _failures(self, layer: Layer, nodes: Nodes, schematron: str) -> Iterator[Failure]:
        if layer is Layer.MODEL:
            name, _, version = schematron.removeprefix("CI-SIS_").partition("_")
            schema = self._rules.model(name, version) if schematron else None
        else:
            schema = self._rules.layers[layer]
        if schema is not None:
            yield from (each for each in schema.failures(nodes) if each.check.source.role == "error")


def expected_failures(row: Row, layers: tuple[Layer, ...]) -> Counter[str]:
    found = Counter[str]()
    for each in row["failing"].split():
        name, _, count = each.partition("*")
        if name.partition(":")[0] in {layer.value for layer in layers} and count:
            found[name] = int(count)
    return found


@pytest.fixture(scope="module")
def official(corpus: Path) -> OfficialRules:
    return OfficialRules(corpus)


def test_the_official_pack_fails_where_the_oracle_says(cda_corpus: Corpus, official: OfficialRules) -> None:
    """Same assertions, same counts: every current example, and one mutant in eight."""
    for row in cda_corpus.current:
        root = document_of(cda_corpus.parsed(row["file"]))
        assert official.failing(root, row, PACK_LAYERS) == expected_failures(row, PACK_LAYERS), row["file"]
    for row in cda_corpus.mutants[::8]:
        if "error" not in (row[layer.value] for layer in PACK_LAYERS):
            found = official.failing(cda_corpus.mutant(row), row, PACK_LAYERS)
            assert found == expected_failures(row, PACK_LAYERS), row["id"]


def test_the_official_header_rules_give_the_verdict_of_the_oracle(cda_corpus: Corpus, official: OfficialRules) -> None:
    """One document in forty; all of them: `pytest -m long`."""
    _compare_header(cda_corpus, official, step=40)


@pytest.mark.long
def test_the_official_header_rules_on_every_mutant(cda_corpus: Corpus, official: OfficialRules) -> None:
    _compare_header(cda_corpus, official, step=1)


def _compare_header(cda_corpus: Corpus, official: OfficialRules, *, step: int) -> None:
    compared, differences = 0, []
    for row in cda_corpus.mutants[::step]:
        compared += 1
        found = official.failing(cda_corpus.mutant(row), row, (Layer.HEADER,))
        if bool(found) != (row["SM"] != "0"):
            differences.append(row["id"])
    assert len(differences) <= 0.01 * compared, differences


@pytest.mark.parametrize(
    ("file", "template"),
    [
        ("current/VAC_2023.01.xml", "1.3.6.1.4.1.19376.1.5.3.1.3.23"),
        ("current/CANCER-D2LM-FIDD_2022.01.xml", "1.3.6.1.4.1.19376.1.5.3.1.3.28"),
    ],
)
def test_one_section_that_says_its_template_twice_is_one_section(
    cda_corpus: Corpus, our_rules: RuleSet, file: str, template: str
) -> None:
    """Where the published rules count sections, so do ours."""
    root = mutated(cda_corpus.parsed(file), f"//h:section/h:templateId[@root='{template}']", "duplicate")
    assert report_on(document_of(root), our_rules).errors(Layer.MODEL) == 0
