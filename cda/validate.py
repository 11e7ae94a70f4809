"""Checking a CDA document: schema, header, sections and entries, document model, and what those miss.

All findings at once, in the order of the layers. A document of a model version older than the rules of today
is told so in warnings: rules that came later do not refuse it. CI-SIS Structuration minimale, Modèles de contenus CDA.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

from lxml import etree

from cda import datatype_rules, wording
from cda.document import Document, read_document
from cda.findings import Finding, Layer, Model, Report, Severity, Text, line, location
from cda.models import model_of
from cda.own_rules import own_findings
from cda.rule_packs import RuleSet
from cda.schema_check import schema_findings
from cda.schematron import Failure, Nodes, NotRun, Schema
from cda.schematron.expressions import Call, Literal
from cda.schematron.lookups import Vocabulary
from cda.schematron.nodes import Element
from cda.self_presentable import style_sheet_findings
from cda.unreadable import UnreadableDocument

_LATER_RULES = frozenset({Layer.HEADER, Layer.IHE, Layer.FRENCH, Layer.NATIONAL})
_RULES_BY_VERSION = frozenset({Layer.MODEL})
_SEVERITIES = {"warning": Severity.WARNING, "warn": Severity.WARNING, "info": Severity.INFORMATION}
_WORDS = Vocabulary(
    namespaces={
        "cda": "urn:hl7-org:v3",
        "hl7": "urn:hl7-org:v3",
        "sdtc": "urn:hl7-org:sdtc",
        "xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "lab": "urn:oid:1.3.6.1.4.1.19376.1.3.2",
    },
    element_tests={},
)


def check_bytes(data: bytes, rules: RuleSet) -> Report:
    """Read and check a document. What cannot be read is one finding of the layer XML, not an exception."""
    try:
        document = read_document(data)
    except UnreadableDocument as problem:
        return unreadable(problem)
    return check(document, rules)


def unreadable(problem: UnreadableDocument) -> Report:
    """The report on bytes that are no document."""
    finding = Finding(
        rule="XML",
        layer=Layer.XML,
        severity=Severity.ERROR,
        location="/",
        line=problem.line,
        expected=Text(
            french=f"un document CDA lisible : {problem.sentence.french}",
            english=f"a readable CDA document: {problem.sentence.english}",
        ),
    )
    return Report(findings=(finding,))


def check(document: Document, rules: RuleSet) -> Report:
    """Every finding on a document that was read."""
    root = own_tree(document.clinical_document)
    nodes = Nodes(root)
    model = model_of(root)
    schemas = _schemas(model, rules)
    findings = [
        *style_sheet_findings(document.clinical_document),
        *schema_findings(root),
        *(each for layer, schema in schemas for each in _layer_findings(layer, schema, nodes)),
        *own_findings(nodes, model),
    ]
    lenient = _lenient_layers(model)
    findings = [_as_warning(each) if each.layer in lenient else each for each in findings]
    return Report(model=model, findings=tuple(findings), not_run=tuple(_not_run(schemas)))


def own_tree(document: Element) -> Element:
    """The ClinicalDocument as the root of a tree; a copy when it stands inside a style sheet."""
    return document if document.getparent() is None else deepcopy(document)


def _schemas(model: Model, rules: RuleSet) -> list[tuple[Layer, Schema]]:
    schemas = list(rules.layers.items())
    own = rules.model(model.name, model.version) if model.name else None
    return schemas if own is None else [*schemas, (Layer.MODEL, own)]


def _not_run(schemas: list[tuple[Layer, Schema]]) -> Iterator[NotRun]:
    for _, schema in schemas:
        yield from schema.not_run


def _lenient_layers(model: Model) -> frozenset[Layer]:
    """Layers whose rules may not be those of the document's version: they warn and do not refuse."""
    if model.is_recognised:
        return frozenset()
    return _RULES_BY_VERSION | _LATER_RULES if model.is_earlier else _RULES_BY_VERSION


def _as_warning(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.WARNING) if finding.severity is Severity.ERROR else finding


def _layer_findings(layer: Layer, schema: Schema, nodes: Nodes) -> Iterator[Finding]:
    for failure in schema.failures(nodes):
        yield from _findings(layer, failure, nodes)


def severity_of(role: str) -> Severity:
    """The severity that the role of a check means: an error, where it says no other."""
    return _SEVERITIES.get(role, Severity.ERROR)


def _findings(layer: Layer, failure: Failure, nodes: Nodes) -> Iterator[Finding]:
    """One finding a failure; of a data type, one for each of its rules that is broken."""
    match failure.check.expression:
        case Call(name="datatype", arguments=(Literal(value=str() as datatype),)):
            for rule in datatype_rules.broken_rules(datatype, failure.node, nodes):
                text = datatype_rules.words(rule)
                yield _finding(layer, failure, rule, text, wording.attributes(failure.element))
            return
    yield _finding(layer, failure, failure.check.source.id, _expected(failure), _found(failure, nodes))


def _finding(layer: Layer, failure: Failure, rule: str, expected: Text, found: str) -> Finding:
    return Finding(
        rule=rule or failure.rule.pattern,
        layer=layer,
        severity=severity_of(failure.check.source.role),
        location=location(failure.element),
        line=line(failure.element),
        expected=expected,
        found=found,
    )


def _expected(failure: Failure) -> Text:
    """The words of the rule itself where its pack has some, else its test in words."""
    written = " ".join(etree.tostring(failure.check.source.message, method="text", encoding="unicode").split())
    if failure.error:
        return Text(french=f"règle non évaluable : {failure.error}", english=f"rule not evaluated: {failure.error}")
    if written:
        return Text(french=written, english=written)
    return wording.expected(failure.check.expression)


def _found(failure: Failure, nodes: Nodes) -> str:
    return wording.found(failure.check.expression, failure.node, nodes, _WORDS)
