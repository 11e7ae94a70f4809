"""Metadata objects as JSON: the truth that a registry row keeps, both directions.

Values stand as their wire text; a Code is `[code, codingScheme, displayName]`, an author an object
with its five Slots, a text with a language `[text, language, charset]`, followed by its other
wordings. Reading back restores without checking: what was accepted stays readable.
"""

from typing import Any, TypeVar, cast

import orjson

from xds.datatypes import Code, LocalizedString
from xds.ebrim.attributes import AUTHOR_SLOTS, CODE, TABLES, Attribute, Carrier
from xds.metadata import Association, Author, ExtraCode, RegistryObject, Slot

T = TypeVar("T", bound=RegistryObject)
_EXTRA = "extraSlots"
_EXTRA_CODES = "extraCodes"
_SUBMITTED_FHIR = "submittedFhir"


def to_json(thing: RegistryObject) -> bytes:
    """The object's attributes by the standard's names, absent ones left out."""
    return orjson.dumps(attributes_of(thing))


def attributes_of(thing: RegistryObject) -> dict[str, Any]:
    """What `to_json` writes: two objects with equal attributes are the same to the registry."""
    out: dict[str, Any] = {}
    for row in TABLES[type(thing)].attributes:
        value = getattr(thing, row.field)
        if value not in (None, ()):
            out[row.name] = [_plain(one) for one in value] if row.many else _plain(value)
    if thing.extra_slots:
        out[_EXTRA] = [[slot.name, *slot.values] for slot in thing.extra_slots]
    if thing.extra_codes:
        out[_EXTRA_CODES] = [[extra.scheme, *_plain(extra.code)] for extra in thing.extra_codes]
    if not isinstance(thing, Association) and thing.submitted_fhir is not None:
        out[_SUBMITTED_FHIR] = thing.submitted_fhir
    return out


def from_json(kind: type[T], text: bytes | str) -> T:
    """The object of the given kind, as it was written by `to_json`."""
    stored = orjson.loads(text)
    fields = {
        row.field: _restored(row, stored[row.name])
        for row in TABLES[cast(type[RegistryObject], kind)].attributes
        if row.name in stored
    }
    extra = tuple(Slot(name, tuple(values)) for name, *values in stored.get(_EXTRA, ()))
    codes = tuple(ExtraCode(scheme, CODE.restore(code)) for scheme, *code in stored.get(_EXTRA_CODES, ()))
    if _SUBMITTED_FHIR in stored:
        fields["submitted_fhir"] = stored[_SUBMITTED_FHIR]
    return cast(T, cast(Any, kind)(**fields, extra_slots=extra, extra_codes=codes))


def _plain(value: Any) -> Any:
    if isinstance(value, Code):
        return [value.code, value.coding_scheme, _plain(value.display_name)]
    if isinstance(value, LocalizedString):
        return _plain_text(value)
    if isinstance(value, Author):
        return _plain_author(value)
    return value if isinstance(value, int) else str(value)


def _plain_text(text: LocalizedString) -> Any:
    """A plain string where nothing but the text was sent."""
    if not (text.language or text.charset or text.others):
        return str(text)
    return [part for one in text.wordings for part in (str(one), one.language, one.charset)]


def _plain_author(author: Author) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, field, _, many in AUTHOR_SLOTS:
        value = getattr(author, field)
        if value:
            out[name] = [str(one) for one in value] if many else str(value)
    return out


def _restored(row: Attribute, stored: Any) -> Any:
    restore = _restored_author if row.carrier is Carrier.AUTHOR else row.datatype.restore
    return tuple(restore(one) for one in stored) if row.many else restore(stored)


def _restored_author(stored: dict[str, Any]) -> Author:
    fields: dict[str, Any] = {}
    for name, field, datatype, many in AUTHOR_SLOTS:
        if name in stored:
            value = stored[name]
            fields[field] = tuple(datatype.restore(one) for one in value) if many else datatype.restore(value)
    return Author(**fields)
