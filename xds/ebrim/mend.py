"""What known senders of the DMP leave out or misspell in metadata, put right before the schema sees it. DMP 5.

Nothing is invented: an owner is the object that a part stands in, an id the one that it resembles, and a hash or
size of `0` says as little as none.
"""

from collections.abc import Iterator

from lxml import etree

from xds.vocabulary import RIM, XDS_B

_DOCUMENT, _ENTRY, _SLOT = f"{{{XDS_B}}}Document", f"{{{RIM}}}ExtrinsicObject", f"{{{RIM}}}Slot"
# Part of an object -> the attribute that names its owner.
_OWNERS = {f"{{{RIM}}}Classification": "classifiedObject", f"{{{RIM}}}ExternalIdentifier": "registryObject"}
_OBJECTS = (_ENTRY, f"{{{RIM}}}RegistryPackage", f"{{{RIM}}}Association")
_COMPUTED = ("hash", "size")
_NONE = "0"


def mend(body: etree._Element) -> None:
    """Change a request that carries metadata; any other stays as it is."""
    _name_owners(body)
    _drop_empty_digests(body)
    _match_documents(body)


def _name_owners(body: etree._Element) -> None:
    """A part without owner is its parent's. DMP W12"""
    for parent in body.iter(_OBJECTS):
        for part in parent.iterchildren(*_OWNERS):
            owner = _OWNERS[str(part.tag)]
            if part.get(owner) is None and parent.get("id"):
                part.set(owner, parent.get("id", ""))


def _drop_empty_digests(body: etree._Element) -> None:
    """hash and size of `0` were not computed; the size of an empty document is 0, beside its hash. DMP W10"""
    for entry in body.iter(_ENTRY):
        slots = [slot for slot in entry.findall(_SLOT) if slot.get("name") in _COMPUTED]
        said = {slot.get("name"): "".join(map(str, slot.itertext())).strip() for slot in slots}
        if said.get("hash", _NONE) == _NONE:
            for slot in (one for one in slots if said[one.get("name")] == _NONE):
                entry.remove(slot)


def _match_documents(body: etree._Element) -> None:
    """A Document whose id differs from that of one entry by letter case alone is that entry's. DMP W04"""
    entries = [entry.get("id", "") for entry in body.iter(_ENTRY)]
    documents = list(body.iterchildren(_DOCUMENT))
    taken = {document.get("id", "") for document in documents}
    for document in documents:
        identifier = document.get("id", "")
        if identifier not in entries:
            alike = list(_alike(identifier, (one for one in entries if one not in taken)))
            if len(alike) == 1:
                document.set("id", alike[0])


def _alike(identifier: str, others: Iterator[str]) -> Iterator[str]:
    folded = identifier.casefold()
    return (one for one in others if one.casefold() == folded)
