"""Small schemas and documents for the tests of the engine."""

from collections.abc import Mapping

from lxml import etree

from cda.schematron import Failure, Nodes, Schema, ValueSets, compile_schema, load

NAMESPACE = 'xmlns="http://purl.oclc.org/dsdl/schematron"'
_CODES = {"colours": {("R", "1.2.3"), ("G", "1.2.3")}}
VALUE_SETS = ValueSets(
    has=lambda name: name in _CODES,
    is_member=lambda name, code, system: any(
        code == known and system in (None, its_system) for known, its_system in _CODES[name]
    ),
)


def document(body: str) -> etree._Element:
    return etree.fromstring(f'<ClinicalDocument xmlns="urn:hl7-org:v3">{body}</ClinicalDocument>')


def schema_text(content: str, attributes: str = "") -> str:
    return f'<schema {NAMESPACE} {attributes}><ns prefix="cda" uri="urn:hl7-org:v3"/>{content}</schema>'


def schema(
    content: str, attributes: str = "", files: Mapping[str, str] | None = None, phase: str = "#DEFAULT"
) -> Schema:
    texts = {"rules/main.sch": schema_text(content, attributes), **(files or {})}

    def read(path: str) -> bytes:
        if path not in texts:
            raise FileNotFoundError(path)
        return texts[path].encode()

    def open_document(path: str) -> etree._Element | None:
        return etree.fromstring(texts[path]) if path in texts else None

    return compile_schema(load("rules/main.sch", read, phase), value_sets=VALUE_SETS, open_document=open_document)


def one_test(test: str, context: str = "cda:ClinicalDocument", lets: str = "") -> Schema:
    escaped = test.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    place = context.replace("<", "&lt;").replace('"', "&quot;")
    return schema(f'<pattern><rule context="{place}">{lets}<assert test="{escaped}">no</assert></rule></pattern>')


def failures(compiled: Schema, body: str) -> list[Failure]:
    return list(compiled.failures(Nodes(document(body))))


def passes(test: str, body: str, lets: str = "") -> bool:
    compiled = one_test(test, lets=lets)
    assert not compiled.not_run
    found = failures(compiled, body)
    assert not any(each.error for each in found), found[0].error
    return not found
