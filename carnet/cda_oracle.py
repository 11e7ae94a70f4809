"""The rules of a published pack on a processor that is not ours: Saxon, in one child process of its own.

Saxon is an extra (`pip install 'carnet[oracle]'`) and an off-line oracle: a processor a thread has killed processes, so
there is one, and no server ever loads it. Its answers are compared with ours, check by check and element by element.
"""

import importlib.util
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from carnet.rule_folder import OfficialPack
from cda.document import read_document
from cda.findings import Finding, Layer, Report, Severity, Text, line, location
from cda.models import model_of
from cda.schematron import Nodes
from cda.schematron.load import Check, SchemaSource
from cda.schematron.nodes import Element
from cda.schematron.xslt import style_sheet
from cda.unreadable import UnreadableDocument
from cda.validate import own_tree, severity_of, unreadable


class OracleNotInstalled(Exception):
    """Saxon is not there, or cannot run the pack; says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A check that failed on an element, or could not be evaluated there."""

    layer: Layer
    context: str
    check: Check = field(compare=False)
    test: str
    element: Element = field(compare=False)
    location: str
    is_error: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A check that one engine sees failing on an element and the other does not."""

    failed: Failed
    is_ours: bool

    def __str__(self) -> str:
        who = "Carnet" if self.is_ours else "Saxon"
        error = " (dynamic error)" if self.failed.is_error else ""
        return f"{who} alone{error}: [{self.failed.layer}] {self.failed.location}: {self.failed.test}"


class Oracle:
    """A pack on Saxon. Use it as a context: the child process ends with it."""

    def __init__(self, folder: Path) -> None:
        """OracleNotInstalled without Saxon, SchemaError when the folder holds no pack."""
        if importlib.util.find_spec("saxonche") is None:
            raise OracleNotInstalled("--oracle and --compare need Saxon: pip install 'carnet[oracle]'")
        self._pack = OfficialPack(folder)
        self.rules = self._pack.rule_set()
        self._sources: dict[str, SchemaSource] = {}
        self._child = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> "Oracle":
        return self

    def __exit__(self, *_: object) -> None:
        self._child.shutdown()

    def report(self, data: bytes) -> Report:
        """What Saxon finds in a document, as a report; what cannot be read is its one finding."""
        try:
            root = own_tree(read_document(data).clinical_document)
        except UnreadableDocument as problem:
            return unreadable(problem)
        findings = (_finding(one) for layer, path in self._schemas(root) for one in self.failures(layer, path, root))
        return Report(model=model_of(root), findings=tuple(findings))

    def differences(self, data: bytes) -> list[Difference]:
        """Where Saxon and our engine differ on a document. UnreadableDocument when it cannot be read."""
        root = own_tree(read_document(data).clinical_document)
        nodes = Nodes(root)
        found: list[Difference] = []
        for layer, path in self._schemas(root):
            theirs, ours = Counter(self.failures(layer, path, root)), Counter(self._ours(layer, nodes))
            found += (Difference(failed=one, is_ours=False) for one in (theirs - ours).elements())
            found += (Difference(failed=one, is_ours=True) for one in (ours - theirs).elements())
        return found

    def _schemas(self, root: Element) -> Iterator[tuple[Layer, str]]:
        yield from self._pack.layer_paths.items()
        model = model_of(root)
        path = self._pack.model_path(model.name, model.version)
        if path is not None:
            yield Layer.MODEL, path

    def source(self, path: str) -> SchemaSource:
        """A schema of the pack, loaded once."""
        if path not in self._sources:
            self._sources[path] = self._pack.source(path)
        return self._sources[path]

    def failures(self, layer: Layer, path: str, root: Element) -> Iterator[Failed]:
        """The checks of one schema that fail, as Saxon says. OracleNotInstalled when it cannot run the schema."""
        source = self.source(path)
        rules = [rule for pattern in source.patterns for rule in pattern.rules]
        sheet, elements = style_sheet(source, self._pack.address(path)), list(root.iter("*"))
        for rule, check, node, is_error in self._asked(path, sheet, etree.tostring(root)):
            one, element = rules[rule].checks[check], elements[node]
            yield _failed(layer, rules[rule].context, one, element, is_error=is_error)

    def _asked(self, path: str, sheet: bytes, document: bytes) -> Sequence[tuple[int, int, int, bool]]:
        answer = self._child.submit(_run, path, sheet, document).result()
        if isinstance(answer, str):
            raise OracleNotInstalled(f"Saxon cannot run {path}: {answer}")
        return answer

    @property
    def layer_paths(self) -> Mapping[Layer, str]:
        """The schemas of the layers."""
        return self._pack.layer_paths

    def seconds(self, path: str, data: bytes) -> float:
        """Processor time that Saxon takes for one schema on a document, parsing included: what a benchmark measures."""
        sheet, root = style_sheet(self.source(path), self._pack.address(path)), read_document(data).clinical_document
        spent: float = self._child.submit(
            _timed, path, sheet, etree.tostring(own_tree(root), encoding="UTF-8")
        ).result()
        return spent

    def _ours(self, layer: Layer, nodes: Nodes) -> Iterator[Failed]:
        model = model_of(nodes.root.element)
        schema = self.rules.model(model.name, model.version) if layer is Layer.MODEL else self.rules.layers[layer]
        for one in schema.failures(nodes) if schema is not None else ():
            context = one.rule.source.context
            yield _failed(layer, context, one.check.source, one.element, is_error=bool(one.error))


def _failed(layer: Layer, context: str, check: Check, element: Element, *, is_error: bool) -> Failed:
    return Failed(
        layer=layer,
        context=" ".join(context.split()),
        check=check,
        test=" ".join(check.test.split()),
        element=element,
        location=location(element),
        is_error=is_error,
    )


def _finding(one: Failed) -> Finding:
    message = " ".join(etree.tostring(one.check.message, method="text", encoding="unicode").split()) or one.test
    return Finding(
        rule=one.check.id or one.context[:60],
        layer=one.layer,
        severity=Severity.ERROR if one.is_error else severity_of(one.check.role),
        location=one.location,
        line=line(one.element),
        expected=Text(french=message, english=message),
    )


def _timed(path: str, sheet: bytes, document: bytes) -> float:
    start = time.process_time()
    _run(path, sheet, document)
    return time.process_time() - start


class _Child:
    """What the child process keeps: its one processor, and style sheets it compiled."""

    processor: Any = None
    compiled: dict[str, Any] = {}  # noqa: RUF012 - of one process, which nothing else enters


def _run(path: str, sheet: bytes, document: bytes) -> list[tuple[int, int, int, bool]] | str:
    """In the child: rule, check, element and whether it is an error, for each failure; or why there is no answer."""
    import saxonche

    if _Child.processor is None:
        _Child.processor = saxonche.PySaxonProcessor(license=False)
    processor = _Child.processor
    try:
        if path not in _Child.compiled:
            _Child.compiled[path] = processor.new_xslt30_processor().compile_stylesheet(stylesheet_text=sheet.decode())
        node = processor.parse_xml(xml_text=document.decode())
        answer = _Child.compiled[path].transform_to_string(xdm_node=node)
    except saxonche.PySaxonApiError as problem:
        return str(problem)
    found = etree.fromstring(answer.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    return [
        (int(one.get("rule", "")), int(one.get("check", "")), int(one.get("node", "")), one.tag == "error")
        for one in found
    ]
