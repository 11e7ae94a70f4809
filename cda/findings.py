"""What is said about a document: findings with rule, place, what was found and what was expected.

Both languages are always there; whoever shows a finding chooses. `found` is taken from the document and may
identify a patient: it is for the owner of the document, never for logs or answers to others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from cda.schematron.nodes import Element
from cda.schematron.schema import NotRun


class Severity(StrEnum):
    """An error makes a document invalid; warnings and information do not."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


class Layer(StrEnum):
    """Layers of rules, in the order in which they are checked."""

    XML = "XML"
    XSD = "XSD"
    HEADER = "SM"
    IHE = "IHE"
    FRENCH = "FR"
    NATIONAL = "ANS"
    MODEL = "VOL"
    OWN = "OWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One sentence in French and English."""

    french: str
    english: str

    def in_language(self, language: str) -> str:
        return self.english if language == "en" else self.french


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation. `location` is an XPath of local names, `line` that of the file (0 when unknown)."""

    rule: str
    layer: Layer
    severity: Severity
    location: str
    line: int
    expected: Text
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The document model a document declares and the version whose rules apply; both empty when there is none.

    `is_recognised`: the version it declares has rules. `is_earlier`: it is older than every version that has.
    """

    name: str = ""
    version: str = ""
    is_recognised: bool = True
    is_earlier: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings on one document."""

    model: Model = field(default_factory=Model)
    findings: tuple[Finding, ...] = ()
    not_run: tuple[NotRun, ...] = ()

    @property
    def is_valid(self) -> bool:
        return not any(each.severity is Severity.ERROR for each in self.findings)

    def count(self, severity: Severity) -> int:
        return sum(each.severity is severity for each in self.findings)

    def errors(self, layer: Layer) -> int:
        """Errors of one layer: what is compared with other validators."""
        return sum(each.layer is layer and each.severity is Severity.ERROR for each in self.findings)


def location(element: Element) -> str:
    """Local names from the root, `[n]` only for n > 1: `/ClinicalDocument/component/structuredBody`."""
    return "/" + "/".join(reversed(list(_steps(element))))


def _steps(element: Element) -> Iterator[str]:
    current: Element | None = element
    while current is not None:
        name = str(current.tag).rpartition("}")[2]
        position = 1 + sum(1 for _ in current.itersiblings(current.tag, preceding=True))
        yield f"{name}[{position}]" if position > 1 else name
        current = current.getparent()


def line(element: Element) -> int:
    found = element.sourceline
    return found if isinstance(found, int) else 0
