"""Which rules an HL7 V3 data type has, and whether an element keeps them: CI-SIS Structuration minimale.

A derived type adds to the rules of its base. The words of each rule are in `schemas/schematron/datatypes.csv`.
"""

import csv
from collections.abc import Iterator, Mapping
from functools import cache

from cda import datatype_checks as checks
from cda.findings import Text
from cda.schematron.nodes import Node, Nodes
from schemas import resource

_Rule = tuple[str, checks.Check]

# What can break a rule at all, where that is not every element: child elements, a nullFlavor, siblings of its name.
_CHILDREN, _NULL, _SIBLINGS = 1, 2, 4
_BROKEN_BY: Mapping[checks.Check, int] = {
    checks.null_is_alone: _CHILDREN | _NULL,
    checks.null_beside_value: _NULL,
    checks.null_has_no_code: _NULL,
    checks.translations_are_codes: _CHILDREN,
    checks.interval_bounds: _CHILDREN,
    checks.interval_limits: _CHILDREN,
    checks.parts_say_something: _CHILDREN,
    checks.qualifiers_are_single: _CHILDREN,
    checks.no_legal_suffix: _CHILDREN,
    checks.has_no_children: _CHILDREN,
    checks.identifier_is_single: _SIBLINGS,
    checks.code_is_single: _SIBLINGS,
    checks.parts_are_single: _SIBLINGS,
    checks.telecom_is_single: _SIBLINGS,
}


def broken_rules(datatype: str, node: Node, nodes: Nodes) -> Iterator[str]:
    """Ids of the rules of a datatype that an element breaks. KeyError for a type without rules."""
    for rule, keeps in _RULES[datatype]:
        if not keeps(node, nodes):
            yield rule


def keeps_datatype(datatype: str, node: Node, nodes: Nodes) -> bool:
    """Whether an element keeps every rule of a datatype: those are asked that it can break."""
    has = _CHILDREN if node.children else 0
    if "nullFlavor" in node.attributes:
        has |= _NULL
    if nodes.siblings(node):
        has |= _SIBLINGS
    for keeps in _asked(datatype, has):  # noqa: SIM110 - a loop is faster, and this runs for every header element
        if not keeps(node, nodes):
            return False
    return True


@cache
def _asked(datatype: str, has: int) -> tuple[checks.Check, ...]:
    """The rules that an element with these can break."""
    return tuple(keeps for _, keeps in _RULES[datatype] if keeps not in _BROKEN_BY or _BROKEN_BY[keeps] & has)


@cache
def _words() -> Mapping[str, Text]:
    rows = csv.DictReader(resource("schematron/datatypes.csv").read_text(encoding="utf-8").splitlines())
    return {row["id"]: Text(french=row["french"], english=row["english"]) for row in rows}


def words(rule: str) -> Text:
    """What a rule demands."""
    return _words()[rule]


_ANY: tuple[_Rule, ...] = (("DT01", checks.null_is_alone),)
_II: tuple[_Rule, ...] = (
    *_ANY,
    ("DT02-root", checks.root_or_null),
    ("DT02-form", checks.root_is_identifier),
    ("DT02-single", checks.identifier_is_single),
)
_CD: tuple[_Rule, ...] = (
    *_ANY,
    ("DT03-code", checks.code_or_text),
    ("DT03-system", checks.needs("code", "codeSystem")),
    ("DT03-name", checks.needs("codeSystemName", "codeSystem")),
    ("DT03-version", checks.needs("codeSystemVersion", "codeSystem")),
    ("DT03-display", checks.needs("displayName", "code")),
    ("DT03-null", checks.null_has_no_code),
    ("DT03-translation", checks.translations_are_codes),
    ("DT03-single", checks.code_is_single),
)
_CE: tuple[_Rule, ...] = (*_CD, ("DT03-qualifier", checks.without("qualifier")))
_CS: tuple[_Rule, ...] = (
    *_ANY,
    ("DT04-code", checks.code_xor_null),
    ("DT04-plain", checks.plain_code),
    ("DT04-parts", checks.without("originalText", "qualifier", "translation")),
)
_QTY: tuple[_Rule, ...] = (
    *_ANY,
    ("DT05-beside", checks.null_beside_value),
)
_TS: tuple[_Rule, ...] = (
    *_QTY,
    ("DT05-value", checks.value_or_null),
    ("DT05-real", checks.value_is_real),
)
_IVL_TS: tuple[_Rule, ...] = (
    *_QTY,
    ("DT06-shape", checks.interval_shape),
    ("DT06-real", checks.value_is_real),
    ("DT06-bounds", checks.interval_bounds),
    ("DT06-limits", checks.interval_limits),
)
_INT: tuple[_Rule, ...] = (
    *_QTY,
    ("DT07-value", checks.value_or_null),
)
_ED: tuple[_Rule, ...] = (
    *_ANY,
    ("DT09-content", checks.says_something),
    ("DT09-data", checks.data_shape),
    ("DT09-language", checks.language),
)
_ST: tuple[_Rule, ...] = (*_ED, ("DT08", checks.plain_text))
_EN: tuple[_Rule, ...] = (
    *_ANY,
    ("DT10-text", checks.text_or_parts),
    ("DT10-null", checks.null_beside_value),
    ("DT10-single", checks.parts_are_single),
    ("DT10-qualifier", checks.qualifiers_are_single),
)
_AD: tuple[_Rule, ...] = (
    *_ANY,
    ("DT11-text", checks.text_or_parts),
    ("DT11-parts", checks.parts_say_something),
    ("DT11-null", checks.null_beside_value),
    ("DT11-single", checks.parts_are_single),
)
_TEL: tuple[_Rule, ...] = (
    *_ANY,
    ("DT12-value", checks.value_xor_null),
    ("DT12-single", checks.telecom_is_single),
)

_RULES: Mapping[str, tuple[_Rule, ...]] = {
    "ANY": _ANY,
    "II": _II,
    "CD": _CD,
    "CE": _CE,
    "CV": _CE,
    "CS": _CS,
    "CR": _ANY,
    "TS": _TS,
    "IVXB_TS": _TS,
    "IVL_TS": _IVL_TS,
    "INT": _INT,
    "INT.POS": (*_INT, ("DT07-positive", checks.positive)),
    "ED": _ED,
    "ST": _ST,
    "SC": _ST,
    "EN": _EN,
    "PN": (*_EN, ("DT10-legal", checks.no_legal_suffix)),
    "ON": (*_EN, ("DT10-plain", checks.has_no_children)),
    "AD": _AD,
    "TEL": _TEL,
    "BL": (
        *_ANY,
        ("DT13", checks.value_or_null),
    ),
}
