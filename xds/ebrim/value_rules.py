"""Whether the values of an object can stand in its ebRIM form: what the XML schema and the reader check in ITI-41.

For objects that came another way, so that what is stored can always be sent. ITI TF-3: 4.2.3.1
"""

import re
from collections.abc import Iterator
from typing import Any

from xds.datatypes import Code, Composite
from xds.ebrim.attributes import AUTHOR_SLOTS, TABLES, Attribute, Carrier
from xds.errors import RegistryError, metadata_error
from xds.metadata import Author, ExtraCode, RegistryObject, Slot
from xds.submission_rules.wording import named

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
LONG_NAME, FREE_FORM_TEXT = 256, 1024  # of ebRIM 3.0
_LONGEST = {Carrier.NAME: FREE_FORM_TEXT, Carrier.DESCRIPTION: FREE_FORM_TEXT}


def value_rules(thing: RegistryObject) -> Iterator[RegistryError]:
    """Every value that breaks the grammar of its attribute, is too long for ebRIM, or no text that XML can carry."""
    for row in TABLES[type(thing)].attributes:
        value = getattr(thing, row.field)
        for one in () if value is None else value if row.many else (value,):
            for problem in _problems(row, one):
                yield metadata_error(f"{named(thing)}: {row.name}: {problem}")
    for slot in thing.extra_slots:
        for problem in _slot_problems(slot):
            yield metadata_error(f"{named(thing)}: Slot: {problem}")
    for extra in thing.extra_codes:
        for problem in _code_problems(extra.code):
            yield metadata_error(f"{named(thing)}: Classification: {problem}")
        yield from _scheme_rule(thing, extra)


def _problems(row: Attribute, value: Any) -> Iterator[str]:
    if row.carrier is Carrier.NODE or isinstance(value, bool):
        return
    if isinstance(value, Code):
        yield from _code_problems(value)
    elif isinstance(value, Author):
        yield from _author_problems(value)
    else:
        yield from _text_problems(value, _LONGEST.get(row.carrier, LONG_NAME))
        yield from _grammar_problems(row.datatype.parse, value)


def _author_problems(author: Author) -> Iterator[str]:
    for _, field, datatype, many in AUTHOR_SLOTS:
        value = getattr(author, field)
        for one in () if value is None else value if many else (value,):
            yield from _text_problems(one, LONG_NAME)
            yield from _grammar_problems(datatype.parse, one)


def _code_problems(code: Code) -> Iterator[str]:
    for part in (code.code, code.coding_scheme):
        yield from _text_problems(part, LONG_NAME)
        if not part:
            yield "found a code without code or codingScheme, expected both"
    yield from _text_problems(code.display_name, FREE_FORM_TEXT)


def _slot_problems(slot: Slot) -> Iterator[str]:
    if not slot.name.startswith("urn:"):
        yield f"found the name {slot.name[:64]!r}, expected a URN"
    for one in (slot.name, *slot.values):
        yield from _text_problems(one, LONG_NAME)


def _scheme_rule(thing: RegistryObject, extra: ExtraCode) -> Iterator[RegistryError]:
    if not extra.scheme.startswith("urn:uuid:"):
        yield metadata_error(f"{named(thing)}: Classification: expected a scheme that is a urn:uuid:")


def _text_problems(value: Any, longest: int) -> Iterator[str]:
    text = value.text if isinstance(value, Composite) else str(value)
    if not isinstance(text, str) or _NOT_IN_XML.search(text):
        yield "found a character that XML cannot carry"
    elif len(text) > longest:
        yield f"found {len(text)} characters, expected at most {longest}"


def _grammar_problems(parse: Any, value: Any) -> Iterator[str]:
    try:
        parse(str(value))
    except ValueError as problem:
        yield str(problem)
