"""Update Document Set [ITI-57]: a new version of an entry as the registry returned it. XDS Metadata Update 3.57.4.1"""

import copy
import uuid

from lxml import etree

from conformance.failures import StepFailed
from conformance.population.chance import Chance
from conformance.population.documents import Document
from conformance.population.submissions import (
    LCM,
    RIM,
    entry_uuid_of,
    write_association,
    write_coded,
    write_slot,
    write_submission_set,
)
from conformance.sentence import Sentence
from conformance.server.exchange import Reply
from conformance.vihf import Coded

UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
_CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"
_UPDATE_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
_HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"


def masked(found: Reply, document: Document, restriction: Coded) -> bytes:
    """The request that adds a confidentiality code to a found entry. Raises StepFailed when it was not found."""
    return _new_version(_entry_of(found, document), document, added=restriction)


def shown(found: Reply, document: Document, restriction: Coded) -> bytes:
    """The request that takes a confidentiality code from a found entry. Raises StepFailed when it was not found."""
    return _new_version(_entry_of(found, document), document, removed=restriction)


def codes_of(found: Reply, document: Document) -> tuple[str, ...]:
    """The confidentiality codes of a document in the answer to a search; empty when it is not there."""
    entry = None if found.envelope is None else _entry(found.envelope, document.unique_id)
    return () if entry is None else tuple(str(one.get("nodeRepresentation")) for one in _restrictions(entry))


def _restrictions(entry: etree._Element) -> list[etree._Element]:
    every = entry.findall(f"{{{RIM}}}Classification")
    return [one for one in every if one.get("classificationScheme") == _CONFIDENTIALITY]


def _new_version(
    entry: etree._Element, document: Document, *, added: Coded | None = None, removed: Coded | None = None
) -> bytes:
    chance = Chance(0, "update", uuid.uuid4())
    submit = etree.Element(f"{{{LCM}}}SubmitObjectsRequest", nsmap={"lcm": LCM})
    objects = etree.SubElement(submit, f"{{{RIM}}}RegistryObjectList", nsmap={"rim": RIM})
    version = entry.find(f"{{{RIM}}}VersionInfo")
    changed = copy.deepcopy(entry)
    for one in changed.findall(f"{{{RIM}}}VersionInfo"):
        changed.remove(one)
    changed.set("lid", entry.get("lid", entry_uuid_of(document)))
    changed.set("id", "Document01")
    changed.attrib.pop("status", "")
    for one in changed.iter():
        for name in ("classifiedObject", "registryObject"):
            if one.get(name):
                one.set(name, "Document01")
    for one in _restrictions(changed):
        if removed is not None and one.get("nodeRepresentation") == removed.code:
            changed.remove(one)
    if added is not None:
        write_coded(changed, _CONFIDENTIALITY, "Document01", added)
    _in_order(changed)
    objects.append(changed)
    write_submission_set(objects, document, chance)
    member = write_association(objects, _HAS_MEMBER, "SubmissionSet01", "Document01", chance)
    write_slot(member, "SubmissionSetStatus", "Original")
    write_slot(member, "PreviousVersion", "1" if version is None else version.get("versionName", "1"))
    return etree.tostring(submit)


def with_status(found: Reply, document: Document, old: str, new: str) -> bytes:
    """The request that changes the status of a found entry in place. Raises StepFailed when it was not found."""
    entry = _entry_of(found, document)
    chance = Chance(0, "update", uuid.uuid4())
    submit = etree.Element(f"{{{LCM}}}SubmitObjectsRequest", nsmap={"lcm": LCM})
    objects = etree.SubElement(submit, f"{{{RIM}}}RegistryObjectList", nsmap={"rim": RIM})
    write_submission_set(objects, document, chance)
    change = write_association(objects, _UPDATE_STATUS, "SubmissionSet01", str(entry.get("id")), chance)
    write_slot(change, "OriginalStatus", old)
    write_slot(change, "NewStatus", new)
    return etree.tostring(submit)


def _entry_of(found: Reply, document: Document) -> etree._Element:
    entry = None if found.envelope is None else _entry(found.envelope, document.unique_id)
    if entry is None:
        raise StepFailed(
            Sentence(
                f"la fiche de {document.unique_id} n'est pas dans la réponse à la recherche : {found}",
                f"the entry of {document.unique_id} is not in the answer to the search: {found}",
            )
        )
    return entry


def _entry(envelope: etree._Element, unique_id: str) -> etree._Element | None:
    for entry in envelope.iter(f"{{{RIM}}}ExtrinsicObject"):
        if any(one.get("value") == unique_id for one in entry.iter(f"{{{RIM}}}ExternalIdentifier")):
            return entry
    return None


def _in_order(entry: etree._Element) -> None:
    """The order of the schema: Slot, Name, Description, Classification, ExternalIdentifier."""
    order = ("Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier")
    entry[:] = sorted(entry, key=lambda one: order.index(etree.QName(one).localname))
