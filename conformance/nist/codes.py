"""The code table of the affinity domain, `codes.xml`: which codes, MIME types and authorities are in use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conformance.failures import KitError
from conformance.nist.xml import BadXml, parse
from conformance.sentence import Sentence, reason

MIME_TYPE = "mimeType"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTable:
    """`codes`: name of a code type to its (code, codingScheme) pairs. A type without entry is open."""

    codes: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)
    mime_types: frozenset[str] = frozenset()
    authorities: tuple[str, ...] = ()

    def permits(self, name: str, code: str, coding_scheme: str) -> bool:
        return name not in self.codes or (code, coding_scheme) in self.codes[name]

    def permits_mime_type(self, mime_type: str) -> bool:
        return not self.mime_types or mime_type in self.mime_types


NO_CODES = CodeTable()


def read_code_table(path: Path) -> CodeTable:
    """Read `codes.xml`. `system` and `display` of a code are not compared and not kept. Raises KitError."""
    try:
        root = parse(path.read_bytes())
    except OSError as problem:
        raise KitError(
            Sentence(
                f"la table de codes {path} est illisible : {reason(problem).fr}",
                f"the code table {path} cannot be read: {reason(problem)}",
            )
        ) from None
    except BadXml as problem:
        raise KitError(
            Sentence(
                f"la table de codes {path} n'est pas du XML : {problem}", f"the code table {path} is no XML: {problem}"
            )
        ) from None
    if root.tag != "Codes":
        raise KitError(
            Sentence(
                f"la table de codes {path} : trouvé l'élément {root.tag}, attendu Codes",
                f"the code table {path}: found element {root.tag}, expected Codes",
            )
        )
    types = {one.get("name", ""): one.findall("Code") for one in root.findall("CodeType")}
    return CodeTable(
        codes={
            name: frozenset((code.get("code", ""), code.get("codingScheme", "")) for code in found)
            for name, found in types.items()
            if name != MIME_TYPE
        },
        mime_types=frozenset(code.get("code", "") for code in types.get(MIME_TYPE, ())),
        authorities=tuple(one.get("id", "").strip("&").partition("&")[0] for one in root.findall("AssigningAuthority")),
    )
