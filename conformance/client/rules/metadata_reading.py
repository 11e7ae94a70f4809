"""Metadata of a submission by the names of the standard. ITI TF-3: 4.2.3; DMP 8.1, 8.2, 8.4."""

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from conformance.client.exchanges import Exchange
from conformance.nist.registry_objects import ASSOCIATION, DOCUMENT_ENTRY, SUBMISSION_SET, RegistryObject, slot_values
from conformance.nist.vocabulary import RIM

HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
RPLC, SIGNS = "urn:ihe:iti:2007:AssociationType:RPLC", "urn:ihe:iti:2007:AssociationType:signs"
UPDATE_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
SIGNATURE_TYPE = ("E1762", "ASTM")
HIDING = ("MASQUE_PS", "INVISIBLE_PATIENT")  # of confidentialityCode, one at most. DMP 8.6
ENTRY_AUTHOR, SET_AUTHOR = (
    "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d",
)
# Name of a coded attribute -> its classification scheme.
CODED: Mapping[str, str] = {
    "classCode": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "typeCode": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "formatCode": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "healthcareFacilityTypeCode": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practiceSettingCode": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "confidentialityCode": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "eventCodeList": "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
    "contentTypeCode": "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
}
IDENTIFIERS: Mapping[tuple[str, str], str] = {
    (DOCUMENT_ENTRY, "patientId"): "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    (DOCUMENT_ENTRY, "uniqueId"): "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
    (SUBMISSION_SET, "patientId"): "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    (SUBMISSION_SET, "sourceId"): "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
    (SUBMISSION_SET, "uniqueId"): "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
}


@dataclass(frozen=True, slots=True)
class Author:
    """One author: the values of its slots."""

    element: etree._Element

    def values(self, name: str) -> list[str]:
        return slot_values(self.element, name) or []


@dataclass(frozen=True, slots=True)
class Metadata:
    """A DocumentEntry or SubmissionSet; what is missing is empty."""

    object: RegistryObject

    def codes(self, name: str) -> list[tuple[str, str]]:
        """(code, scheme)."""
        return [
            (one.get("nodeRepresentation", ""), (slot_values(one, "codingScheme") or [""])[0])
            for one in self.object.classifications
            if one.get("classificationScheme") == CODED[name]
        ]

    def code(self, name: str) -> tuple[str, str]:
        return next(iter(self.codes(name)), ("", ""))

    def slot(self, name: str) -> str:
        return next(iter(self.object.slot(name) or []), "")

    def identifier(self, name: str) -> str:
        scheme = IDENTIFIERS[self.object.kind, name]
        found = (one for one in self.object.identifiers if one.get("identificationScheme") == scheme)
        return next((one.get("value", "").strip() for one in found), "")

    @property
    def title(self) -> str:
        found = self.object.element.find(f"{{{RIM}}}Name/{{{RIM}}}LocalizedString")
        return "" if found is None else found.get("value", "")

    @property
    def mime_type(self) -> str:
        return self.object.element.get("mimeType", "")

    @property
    def authors(self) -> list[Author]:
        found = (one for one in self.object.classifications if one.get("classificationScheme") in _AUTHORS)
        return [Author(one) for one in found]

    @property
    def place(self) -> str:
        return f"{self.object.element.tag.rpartition('}')[2]}[@id='{self.object.id}']"


_AUTHORS = (ENTRY_AUTHOR, SET_AUTHOR)


def entries(exchange: Exchange) -> list[Metadata]:
    """DocumentEntries but that of the signature."""
    return [one for one in every_entry(exchange) if one.code("typeCode") != SIGNATURE_TYPE]


def signature_entries(exchange: Exchange) -> list[Metadata]:
    return [one for one in every_entry(exchange) if one.code("typeCode") == SIGNATURE_TYPE]


def every_entry(exchange: Exchange) -> list[Metadata]:
    return [Metadata(one) for one in exchange.objects.of(DOCUMENT_ENTRY)]


def submission_sets(exchange: Exchange) -> list[Metadata]:
    return [Metadata(one) for one in exchange.objects.of(SUBMISSION_SET)]


def associations(exchange: Exchange, kind: str) -> list[etree._Element]:
    """Associations of a type."""
    found = (one.element for one in exchange.objects.of(ASSOCIATION))
    return [one for one in found if one.get("associationType") == kind]
