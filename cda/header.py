"""The header of a CDA document as a frozen, typed view. CI-SIS Structuration minimale 1.16.8.

Reading never fails: what is absent, null or not what it should be is empty here. Whether the
header is valid is for validation to say.
"""

from dataclasses import dataclass

from cda.datatypes import (
    AD,
    CD,
    II,
    PN,
    TEL,
    Element,
    attribute,
    child,
    children,
    name_of,
    read_ad,
    read_cd,
    read_ii,
    read_iis,
    read_pn,
    read_tel,
    text,
)
from cda.document import Document

_ACCESSION_NUMBER = "{urn:dicom-org:ps3-20}accessionNumber"
_IMAGING_STUDY_ACT = "1.2.250.1.213.1.1.3.155"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """representedOrganization, or the custodian."""

    id: tuple[II, ...] = ()
    name: str = ""
    standard_industry_class_code: CD | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoringDevice:
    """assignedAuthoringDevice: a system that writes by itself."""

    software_name: str = ""
    manufacturer_model_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedEntity:
    """A person or a device in its role: assignedAuthor, assignedEntity."""

    id: tuple[II, ...] = ()
    code: CD | None = None
    person: PN | None = None
    device: AuthoringDevice | None = None
    organization: Organization | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """author, with the function it had in this document."""

    time: str
    function_code: CD | None
    assigned_author: AssignedEntity


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """recordTarget/patientRole and its patient."""

    id: tuple[II, ...] = ()
    addr: tuple[AD, ...] = ()
    telecom: tuple[TEL, ...] = ()
    name: tuple[PN, ...] = ()
    administrative_gender_code: CD | None = None
    birth_time: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvent:
    """documentationOf/serviceEvent; the first one is the principal act."""

    code: CD | None = None
    low: str = ""
    high: str = ""
    performer: AssignedEntity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """inFulfillmentOf/order."""

    id: tuple[II, ...] = ()
    accession_number: II | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedDocument:
    """relatedDocument: RPLC replaces the parent document, XFRM transforms it."""

    type_code: str
    parent_id: II | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Everything in a CDA that the metadata are made of."""

    mime_type: str
    template_id: tuple[II, ...]
    id: II | None
    set_id: II | None
    version_number: str
    code: CD | None
    title: str
    effective_time: str
    confidentiality_code: CD | None
    language_code: str
    patient: Patient
    author: tuple[Author, ...]
    legal_authenticator: AssignedEntity | None
    custodian: Organization | None
    service_event: tuple[ServiceEvent, ...]
    order: tuple[Order, ...]
    related_document: tuple[RelatedDocument, ...]
    health_care_facility_code: CD | None
    is_unstructured: bool
    media_type: str
    study_instance_uid: tuple[str, ...]


def read_header(document: Document) -> Header:
    root = document.clinical_document
    authenticators = children(root, "legalAuthenticator/assignedEntity")
    return Header(
        mime_type=document.mime_type,
        template_id=read_iis(root, "templateId"),
        id=read_ii(child(root, "id")),
        set_id=read_ii(child(root, "setId")),
        version_number=attribute(root, "versionNumber/@value"),
        code=read_cd(child(root, "code")),
        title=text(root, "title"),
        effective_time=attribute(root, "effectiveTime/@value"),
        confidentiality_code=read_cd(child(root, "confidentialityCode")),
        language_code=attribute(root, "languageCode/@code"),
        patient=_read_patient(child(root, "recordTarget/patientRole")),
        author=tuple(_read_author(each) for each in children(root, "author")),
        legal_authenticator=_read_assigned(authenticators[0]) if authenticators else None,
        custodian=_read_organization(child(root, "custodian/assignedCustodian/representedCustodianOrganization")),
        service_event=tuple(_read_service_event(each) for each in children(root, "documentationOf/serviceEvent")),
        order=tuple(_read_order(each) for each in children(root, "inFulfillmentOf/order")),
        related_document=tuple(_read_related(each) for each in children(root, "relatedDocument")),
        health_care_facility_code=read_cd(
            child(root, "componentOf/encompassingEncounter/location/healthCareFacility/code")
        ),
        is_unstructured=child(root, "component/nonXMLBody") is not None,
        media_type=attribute(root, "component/nonXMLBody/text/@mediaType"),
        study_instance_uid=_read_study_instance_uids(root),
    )


def _read_patient(role: Element | None) -> Patient:
    return Patient(
        id=read_iis(role, "id"),
        addr=tuple(read_ad(each) for each in children(role, "addr")),
        telecom=tuple(tel for each in children(role, "telecom") if (tel := read_tel(each))),
        name=tuple(pn for each in children(role, "patient/name") if (pn := read_pn(each))),
        administrative_gender_code=read_cd(child(role, "patient/administrativeGenderCode")),
        birth_time=attribute(role, "patient/birthTime/@value"),
    )


def _read_author(author: Element) -> Author:
    assigned = child(author, "assignedAuthor")
    return Author(
        time=attribute(author, "time/@value"),
        function_code=read_cd(child(author, "functionCode")),
        assigned_author=AssignedEntity() if assigned is None else _read_assigned(assigned),
    )


def _read_assigned(element: Element) -> AssignedEntity:
    return AssignedEntity(
        id=read_iis(element, "id"),
        code=read_cd(child(element, "code")),
        person=read_pn(child(element, "assignedPerson/name")),
        device=_read_device(child(element, "assignedAuthoringDevice")),
        organization=_read_organization(child(element, "representedOrganization")),
    )


def _read_device(element: Element | None) -> AuthoringDevice | None:
    if element is None:
        return None
    return AuthoringDevice(
        software_name=text(element, "softwareName"),
        manufacturer_model_name=text(element, "manufacturerModelName"),
    )


def _read_organization(element: Element | None) -> Organization | None:
    if element is None:
        return None
    return Organization(
        id=read_iis(element, "id"),
        name=text(element, "name"),
        standard_industry_class_code=read_cd(child(element, "standardIndustryClassCode")),
    )


def _read_service_event(element: Element) -> ServiceEvent:
    performer = child(element, "performer/assignedEntity")
    return ServiceEvent(
        code=read_cd(child(element, "code")),
        low=attribute(element, "effectiveTime/low/@value") or attribute(element, "effectiveTime/@value"),
        high=attribute(element, "effectiveTime/high/@value"),
        performer=None if performer is None else _read_assigned(performer),
    )


def _read_order(element: Element) -> Order:
    accession = element.find(_ACCESSION_NUMBER)
    return Order(id=read_iis(element, "id"), accession_number=read_ii(accession))


def _read_related(element: Element) -> RelatedDocument:
    return RelatedDocument(
        type_code=element.get("typeCode") or "",
        parent_id=read_ii(child(element, "parentDocument/id")),
    )


def _read_study_instance_uids(root: Element) -> tuple[str, ...]:
    """Studies an imaging report speaks of: the only values taken from the body."""
    acts = (
        act
        for act in root.iter(name_of("act"))
        if any(template.root == _IMAGING_STUDY_ACT for template in read_iis(act, "templateId"))
    )
    return tuple(dict.fromkeys(ii.root for act in acts for ii in read_iis(act, "id")[:1]))
