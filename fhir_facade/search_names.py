"""Names of search parameters: the many ways in which clients write one and the same. FHIR R4 3.1.1.4.12, 3.1.1.4.10.

A reference may say which type it leads to (`patient:Patient.identifier`), and the identifier of what it leads to is
asked for by a chain or by the modifier `:identifier`.
"""

import re
from collections.abc import Mapping

_PEOPLE = frozenset({"Practitioner", "PractitionerRole", "Patient", "Device", "Organization", "RelatedPerson"})
# Reference parameter -> the types to which it leads here.
_LEADS_TO: Mapping[str, frozenset[str]] = {
    "patient": frozenset({"Patient"}),
    "subject": frozenset({"Patient"}),
    "relatesto": frozenset({"DocumentReference"}),
    "relatesTo": frozenset({"DocumentReference"}),
    "author": _PEOPLE,
    "source": frozenset({"Practitioner", "PractitionerRole", "Patient", "Device"}),
    "authorOrg": frozenset({"Organization"}),
}
_TYPED = re.compile(r"(?P<reference>\w+):(?P<type>[A-Z]\w+)(?=[.:]|\Z)")
# A link of a chain that says its type, which is the only one it has.
_TYPED_LINK = re.compile(
    r"(?<=\.practitioner):Practitioner(?=\.)|(?<=\.partOf):PractitionerRole(?=\.)|(?<=\.organization):Organization(?=\.)"
)
# Other spelling -> the name in the tables. Chains of PDSm lead through the role of a professional.
_SAME: Mapping[str, str] = {
    "patient:identifier": "patient.identifier",
    "subject:identifier": "patient.identifier",
    "subject.identifier": "patient.identifier",
    "author:identifier": "author.identifier",
    "related:identifier": "related.identifier",
    "authorOrg:identifier": "authorOrg.identifier",
    "author.organization:identifier": "author.organization.identifier",
    "source.organization:identifier": "source.organization.identifier",
    "relatesTo": "relatesto",
    **{
        f"{reference}.{chain}.{name}": f"{reference}.{name}"
        for reference in ("author", "source")
        for chain in ("practitioner", "partOf.practitioner")
        for name in ("family", "given", "identifier")
    },
    "source.partOf.familyEx": "source.family",
    "source.partOf.givenEx": "source.given",
}


def table_name(name: str) -> str:
    """The name as the tables have it, a modifier kept: `author:Practitioner.family:exact` is `author.family:exact`."""
    match = _typed(name)
    if match is not None:
        name = _TYPED_LINK.sub("", match["reference"] + name[match.end() :])
    if name in _SAME:
        return _SAME[name]
    base, colon, modifier = name.rpartition(":")
    return f"{_SAME[base]}:{modifier}" if colon and base in _SAME else name


def type_named(name: str) -> str:
    """The type that a reference says it leads to: `Patient` of `source:Patient.family`; empty where it says none."""
    match = _typed(name)
    return "" if match is None else match["type"]


def _typed(name: str) -> re.Match[str] | None:
    match = _TYPED.match(name)
    return match if match is not None and match["type"] in _LEADS_TO.get(match["reference"], ()) else None


def first_word(name: str) -> str:
    """What a name says before chain and modifier."""
    return re.split(r"[.:]", name, maxsplit=1)[0]
