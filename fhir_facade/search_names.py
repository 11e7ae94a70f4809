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
    "source": _PEOPLE,
}
_TYPED = re.compile(r"(?P<reference>\w+):(?P<type>[A-Z]\w+)(?=[.:]|\Z)")
# Other spelling -> the name in the tables. Chains of PDSm lead through the role of a professional.
_SAME: Mapping[str, str] = {
    "patient:identifier": "patient.identifier",
    "subject:identifier": "patient.identifier",
    "subject.identifier": "patient.identifier",
    "author:identifier": "author.identifier",
    "related:identifier": "related.identifier",
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
    match = _TYPED.match(name)
    if match is not None and match["type"] in _LEADS_TO.get(match["reference"], ()):
        name = match["reference"] + name[match.end() :]
    if name in _SAME:
        return _SAME[name]
    base, colon, modifier = name.rpartition(":")
    return f"{_SAME[base]}:{modifier}" if colon and base in _SAME else name


def first_word(name: str) -> str:
    """What a name says before chain and modifier."""
    return re.split(r"[.:]", name, maxsplit=1)[0]
