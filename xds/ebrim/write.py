"""Writing metadata: frozen objects -> ebRIM fragments as bytes. ITI TF-3: 4.2.1.

A fragment uses the prefix `rim:` and leaves its declaration to the element it is put into, so that
stored fragments are joined into an answer without touching them.
"""

import hashlib
import re
import uuid
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from xds.datatypes import Code, LocalizedString
from xds.ebrim.attributes import AUTHOR_SLOTS, TABLES, Attribute, Carrier, ObjectTable
from xds.metadata import Association, Author, DocumentEntry, RegistryObject
from xds.vocabulary import LCM, RIM, RegistryObjectType

_ATTRIBUTE_ESCAPES = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_TEXT_ESCAPES = {"\r": "&#13;"}
# Most values need no escaping; finding that out is ten times cheaper than seven replacements.
_needs_escaping = re.compile(r'[&<>"\n\r\t]').search
_UUID_NAMESPACE = uuid.NAMESPACE_URL.bytes


def write_object(thing: RegistryObject) -> bytes:
    """The ebRIM fragment of one object, children in the order of the XSD. ITI TF-3: 4.2.1.2"""
    return "".join(_object(thing, flagged=False)).encode()


def write_object_ref(entry_uuid: str) -> bytes:
    return f'<rim:ObjectRef id="{_attribute(entry_uuid)}"/>'.encode()


def write_submit_objects_request(objects: tuple[RegistryObject, ...], *, flagged: bool = False) -> bytes:
    """`lcm:SubmitObjectsRequest` of a submission. ITI TF-2: 3.42.4.1.2

    `flagged`: limited metadata says that it is limited, as when it was received. ITI TF-3: Table 4.3.1-3
    """
    body = "".join(part for thing in objects for part in _object(thing, flagged=flagged)).encode()
    head = f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:RegistryObjectList>'
    return head.encode() + body + b"</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"


def _attribute(text: str) -> str:
    return escape(text, _ATTRIBUTE_ESCAPES) if _needs_escaping(text) else text


def _element_text(text: str) -> str:
    return escape(text, _TEXT_ESCAPES) if _needs_escaping(text) else text


def _object(thing: RegistryObject, *, flagged: bool) -> Iterator[str]:
    table = TABLES[type(thing)]
    name = _element_name(thing)
    yield f"<rim:{name}{''.join(_xml_attributes(thing, table))}>"
    for row in table.of(Carrier.SLOT):
        yield from _slot(row.wire, _texts(row, getattr(thing, row.field)))
    for slot in thing.extra_slots:
        yield from _slot(slot.name, list(slot.values))
    for row in table.of(Carrier.NAME, Carrier.DESCRIPTION):
        yield _localized(row.wire, getattr(thing, row.field))
    if thing.version is not None:
        yield f'<rim:VersionInfo versionName="{thing.version}"/>'
    yield from _classifications(thing, table)
    if flagged:
        yield from _flags(thing, table)
    for row in table.of(Carrier.IDENTIFIER):
        yield from _identifier(thing.entry_uuid, row, getattr(thing, row.field))
    yield f"</rim:{name}>"


def _element_name(thing: RegistryObject) -> str:
    if isinstance(thing, DocumentEntry):
        return "ExtrinsicObject"
    return "Association" if isinstance(thing, Association) else "RegistryPackage"


def _xml_attributes(thing: RegistryObject, table: ObjectTable) -> Iterator[str]:
    for row in table.of(Carrier.XML_ATTRIBUTE):
        value = getattr(thing, row.field)
        if value is not None:
            yield f' {row.wire}="{_attribute(str(value))}"'
    if not isinstance(thing, DocumentEntry):
        kind = RegistryObjectType.ASSOCIATION if isinstance(thing, Association) else RegistryObjectType.REGISTRY_PACKAGE
        yield f' objectType="{kind}"'


def _texts(row: Attribute, value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if row.many else [str(value)]


def _slot(name: str, values: list[str]) -> Iterator[str]:
    if values:
        inner = "".join(f"<rim:Value>{_element_text(value)}</rim:Value>" for value in values)
        yield f'<rim:Slot name="{_attribute(name)}"><rim:ValueList>{inner}</rim:ValueList></rim:Slot>'


def _localized(name: str, text: str | None) -> str:
    if not text:
        return ""
    wordings = text.wordings if isinstance(text, LocalizedString) else (LocalizedString(text),)
    return f"<rim:{name}>{''.join(_wording(one) for one in wordings)}</rim:{name}>"


def _wording(text: LocalizedString) -> str:
    language = f' xml:lang="{_attribute(text.language)}"' if text.language else ""
    charset = f' charset="{_attribute(text.charset)}"' if text.charset else ""
    return f'<rim:LocalizedString{language}{charset} value="{_attribute(text)}"/>'


def _classifications(thing: RegistryObject, table: ObjectTable) -> Iterator[str]:
    for row in table.of(Carrier.CODE, Carrier.AUTHOR):
        value = getattr(thing, row.field)
        values = value if row.many else () if value is None else (value,)
        for number, one in enumerate(values):
            head = _classification(thing.entry_uuid, row.wire, number)
            yield from _author(head, one) if isinstance(one, Author) else _code(head, one)
    for number, extra in enumerate(thing.extra_codes):
        yield from _code(_classification(thing.entry_uuid, extra.scheme, number), extra.code)
    if table.node is not None:
        yield _node(thing.entry_uuid, table.node)


def _classification(owner: str, scheme: str, number: int) -> str:
    """The start of a Classification, up to its nodeRepresentation."""
    attributes = _part_attributes(owner, scheme, number, RegistryObjectType.CLASSIFICATION)
    return f'<rim:Classification{attributes} classificationScheme="{scheme}" classifiedObject="{_attribute(owner)}"'


def _part_attributes(owner: str, scheme: str, number: int, kind: RegistryObjectType) -> str:
    """Id and objectType of a part."""
    return f' id="{part_id(owner, scheme, number)}" objectType="{kind}"'


def part_id(owner: str, scheme: str, number: int) -> str:
    """Id of the Classification or ExternalIdentifier of this scheme and place: derived, so the same in every answer."""
    return _name_based_urn(f"{owner} {scheme} {number}")


def _name_based_urn(name: str) -> str:
    """`uuid.uuid5(NAMESPACE_URL, name).urn` without the object between. RFC 9562: 5.5"""
    digest = hashlib.sha1(_UUID_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"urn:uuid:{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def _code(head: str, code: Code) -> Iterator[str]:
    yield f'{head} nodeRepresentation="{_attribute(code.code)}">'
    yield from _slot("codingScheme", [code.coding_scheme])
    yield _localized("Name", code.display_name)
    yield "</rim:Classification>"


def _author(head: str, author: Author) -> Iterator[str]:
    yield f'{head} nodeRepresentation="">'
    for name, field, _, many in AUTHOR_SLOTS:
        value = getattr(author, field)
        yield from _slot(name, [str(one) for one in value] if many else [str(value)] if value else [])
    yield "</rim:Classification>"


def _flags(thing: RegistryObject, table: ObjectTable) -> Iterator[str]:
    for row in table.of(Carrier.NODE):
        if getattr(thing, row.field):
            yield _node(thing.entry_uuid, row.wire)


def _node(owner: str, node: str) -> str:
    attributes = _part_attributes(owner, node, 0, RegistryObjectType.CLASSIFICATION)
    return f'<rim:Classification{attributes} classifiedObject="{_attribute(owner)}" classificationNode="{node}"/>'


def _identifier(owner: str, row: Attribute, value: Any) -> Iterator[str]:
    if value is not None:
        attributes = _part_attributes(owner, row.wire, 0, RegistryObjectType.EXTERNAL_IDENTIFIER)
        yield (
            f'<rim:ExternalIdentifier{attributes} identificationScheme="{row.wire}"'
            f' registryObject="{_attribute(owner)}" value="{_attribute(str(value))}">'
        )
        yield _localized("Name", row.label)
        yield "</rim:ExternalIdentifier>"
