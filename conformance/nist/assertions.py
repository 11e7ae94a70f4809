"""Assertions: XPath 1.0 over the log of the section, each true or false."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from lxml import etree

from conformance.failures import StepFailed
from conformance.nist.findings import Finding
from conformance.nist.log_tree import SectionLog
from conformance.nist.replacement import replaced
from conformance.nist.testplan import THIS, Assertion
from conformance.nist.xml import BadXml, as_root, parse
from conformance.sentence import Sentence

_IGNORE_CASE = re.compile(r"\bequalsIgnoreCase\b")
_CHECK = "Assertions"


def assertion_data(log: SectionLog, references: Sequence[tuple[str, str]], folder: Path) -> etree._Element:
    """`Data` with one wrapper for each DataRef: the whole log of the section so far, or another XML file."""
    data = etree.Element("Data")
    for file, wrapper in references:
        made = etree.SubElement(data, wrapper)
        made.append(log.tree() if file == THIS else _read(folder / file))
    return data


def _read(path: Path) -> etree._Element:
    try:
        return as_root(parse(path.read_bytes()))
    except (OSError, BadXml) as problem:
        raise StepFailed(Sentence(f"DataRef {path} : {problem}", f"DataRef {path}: {problem}")) from None


def check_assertions(
    assertions: Sequence[Assertion], data: etree._Element, symbols: Mapping[str, str], today: date
) -> Iterator[Finding]:
    """`symbols` are those of the step; `$DATE$` is today."""
    for assertion in assertions:
        xpath = replaced(assertion.xpath, {**symbols, "$DATE$": f"{today:%Y%m%d}"})
        try:
            value = string_value(data, xpath)
        except etree.XPathError as problem:
            reason = Sentence(
                f"assertion {assertion.id} : XPath impossible à évaluer ({problem})",
                f"assertion {assertion.id}: the XPath cannot be evaluated ({problem})",
            )
            yield Finding(check=_CHECK, reason=reason, found=xpath)
            continue
        if value.lower() != "true":
            reason = Sentence(
                f"assertion {assertion.id} : {value or 'vide'}", f"assertion {assertion.id} is {value or 'empty'}"
            )
            yield Finding(check=_CHECK, reason=reason, expected=" ".join(xpath.split()))


def string_value(context: etree._Element, xpath: str) -> str:
    """The XPath string value of an expression; `A equalsIgnoreCase B` is understood. Raises etree.XPathError."""
    if _IGNORE_CASE.search(xpath):
        xpath = _IGNORE_CASE.sub("=", _lower_sides(xpath))
    return str(context.xpath(f"string({xpath})"))


def _lower_sides(xpath: str) -> str:
    """Both sides in lower case, the word between them kept."""
    left, right = _IGNORE_CASE.split(xpath, maxsplit=1)
    return f"{left.lower()} equalsIgnoreCase {right.lower()}"
