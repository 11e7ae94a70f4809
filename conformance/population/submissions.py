"""The metadata of a document and a submission as ebRIM, and the whole message of Provide and Register [ITI-41].

ITI TF-3: 4.2; DMP 8.1 to 8.4.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta

from lxml import etree

from conformance.nist.mtom import Part, write_multipart
from conformance.nist.xml import octets_of
from conformance.population.chance import Chance
from conformance.population.documents import Document, specialty
from conformance.population.people import Patient, Professional
from conformance.population.value_sets import code
from conformance.vihf import Coded

RIM, LCM, XDS_B, XOP = (
    "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0",
    "urn:ihe:iti:xds-b:2007",
    "http://www.w3.org/2004/08/xop/include",
)
SOAP, WSA = "http://www.w3.org/2003/05/soap-envelope", "http://www.w3.org/2005/08/addressing"
PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
_OBJECT_TYPE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
_SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_ENTRY = {
    "author": "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "classCode": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "confidentialityCode": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "formatCode": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "healthcareFacilityTypeCode": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practiceSettingCode": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "typeCode": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "patientId": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "uniqueId": "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
}
_SET = {
    "author": "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d",
    "contentTypeCode": "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
    "patientId": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "sourceId": "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
    "uniqueId": "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
}
_HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
_REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
# Documents state local time with +0100; metadata are in UTC.
_OFFSET = timedelta(hours=1)


def entry_uuid_of(document: Document) -> str:
    """The entryUUID a document is submitted under: known beforehand, so that a replacement can name it."""
    return f"urn:uuid:{Chance(0, 'entry', document.unique_id).uuid()}"


def provide_payload(documents: Sequence[Document], chance: Chance, *, content: bytes | None = None) -> etree._Element:
    """The request of one submission; each `xds:Document` is there, its octets are not yet. `content`: others."""
    request = etree.Element(f"{{{XDS_B}}}ProvideAndRegisterDocumentSetRequest", nsmap={"xds": XDS_B})
    submit = etree.SubElement(request, f"{{{LCM}}}SubmitObjectsRequest", nsmap={"lcm": LCM})
    objects = etree.SubElement(submit, f"{{{RIM}}}RegistryObjectList", nsmap={"rim": RIM})
    identifiers = [entry_uuid_of(one) for one in documents]
    for document, identifier in zip(documents, identifiers, strict=True):
        _write_entry(objects, document, identifier, document.content if content is None else content)
    write_submission_set(objects, documents[0], chance)
    for identifier in identifiers:
        member = write_association(objects, _HAS_MEMBER, "SubmissionSet01", identifier, chance)
        write_slot(member, "SubmissionSetStatus", "Original")
    for document, identifier in zip(documents, identifiers, strict=True):
        if document.replaces:
            old = f"urn:uuid:{Chance(0, 'entry', document.replaces).uuid()}"
            write_association(objects, _REPLACES, identifier, old, chance)
    for identifier in identifiers:
        etree.SubElement(request, f"{{{XDS_B}}}Document", id=identifier)
    return request


def contents_of(documents: Sequence[Document]) -> Mapping[str, bytes]:
    """Octets by the id of `xds:Document`."""
    return {entry_uuid_of(one): one.content for one in documents}


def provide_message(documents: Sequence[Document], chance: Chance) -> tuple[str, bytes]:
    """Content-Type and body of the whole MTOM message, without a security header."""
    payload, contents = provide_payload(documents, chance), contents_of(documents)
    parts: list[Part] = []
    for element in payload.iter(f"{{{XDS_B}}}Document"):
        name = f"document-{len(parts) + 1}@kit.example"
        etree.SubElement(element, f"{{{XOP}}}Include", {"href": f"cid:{name}"}, {"xop": XOP})
        octets = contents[str(element.get("id"))]
        parts.append(Part(content_id=name, content_type="application/octet-stream", content=octets))
    envelope = _envelope(payload, f"urn:uuid:{chance.uuid()}")
    return write_multipart(octets_of(envelope), parts, action=PROVIDE, boundary=f"kit-{chance.uuid()}")


def _envelope(payload: etree._Element, message_id: str) -> etree._Element:
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    action = etree.SubElement(header, f"{{{WSA}}}Action", {f"{{{SOAP}}}mustUnderstand": "true"})
    action.text = PROVIDE
    etree.SubElement(header, f"{{{WSA}}}MessageID").text = message_id
    reply = etree.SubElement(header, f"{{{WSA}}}ReplyTo")
    etree.SubElement(reply, f"{{{WSA}}}Address").text = f"{WSA}/anonymous"
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(payload)
    return envelope


def author_person(author: Professional) -> str:
    return f"{author.identifier}^{author.family}^{author.given}^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"


def author_institution(author: Professional) -> str:
    return f"{author.structure.name}^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^{author.structure.identifier}"


def source_patient_info(patient: Patient) -> tuple[str, ...]:
    return (
        f"PID-5|{patient.family}^{patient.given}^^^^^L",
        f"PID-7|{patient.birth:%Y%m%d}",
        f"PID-8|{patient.sex}",
    )


def _write_entry(objects: etree._Element, document: Document, identifier: str, content: bytes) -> None:
    entry = etree.SubElement(
        objects, f"{{{RIM}}}ExtrinsicObject", id=identifier, mimeType="text/xml", objectType=_OBJECT_TYPE
    )
    patient = document.patient
    write_slot(entry, "creationTime", f"{document.created - _OFFSET:%Y%m%d%H%M%S}")
    write_slot(entry, "hash", hashlib.sha1(content).hexdigest())
    write_slot(entry, "languageCode", "fr-FR")
    write_slot(entry, "legalAuthenticator", author_person(document.author))
    write_slot(entry, "serviceStartTime", f"{document.started - _OFFSET:%Y%m%d%H%M%S}")
    write_slot(entry, "size", str(len(content)))
    write_slot(entry, "sourcePatientId", f"{patient.number}^^^&2.25.4711&ISO^PI")
    write_slot(entry, "sourcePatientInfo", *source_patient_info(patient))
    _text(entry, "Name", document.title)
    _author(entry, _ENTRY["author"], identifier, document.author)
    form = document.form
    codes = (
        ("classCode", document.class_code),
        *(("confidentialityCode", one) for one in document.confidentiality),
        ("formatCode", Coded(code=form.format_code, system=form.format_system, display=form.format_code)),
        ("healthcareFacilityTypeCode", code("JDV_J61", "SA07")),
        ("practiceSettingCode", code("JDV_J62", "AMBULATOIRE")),
        ("typeCode", document.type),
    )
    for name, coded in codes:
        write_coded(entry, _ENTRY[name], identifier, coded)
    _external(entry, _ENTRY["patientId"], identifier, "XDSDocumentEntry.patientId", patient.cx)
    _external(entry, _ENTRY["uniqueId"], identifier, "XDSDocumentEntry.uniqueId", document.unique_id)


def write_submission_set(objects: etree._Element, first: Document, chance: Chance) -> None:
    package = etree.SubElement(objects, f"{{{RIM}}}RegistryPackage", id="SubmissionSet01")
    write_slot(package, "submissionTime", f"{first.created - _OFFSET + timedelta(minutes=5):%Y%m%d%H%M%S}")
    _text(package, "Name", first.title)
    etree.SubElement(
        package,
        f"{{{RIM}}}Classification",
        id=f"urn:uuid:{chance.uuid()}",
        classifiedObject="SubmissionSet01",
        classificationNode=_SET_NODE,
    )
    _author(package, _SET["author"], "SubmissionSet01", first.author)
    write_coded(package, _SET["contentTypeCode"], "SubmissionSet01", code("JDV_J59", "07"))
    _external(package, _SET["patientId"], "SubmissionSet01", "XDSSubmissionSet.patientId", first.patient.cx)
    _external(package, _SET["sourceId"], "SubmissionSet01", "XDSSubmissionSet.sourceId", "2.25.4711")
    _external(package, _SET["uniqueId"], "SubmissionSet01", "XDSSubmissionSet.uniqueId", chance.oid())


def _author(owner: etree._Element, scheme: str, classified: str, author: Professional) -> None:
    found = _classification(owner, scheme, classified, "")
    write_slot(found, "authorPerson", author_person(author))
    write_slot(found, "authorInstitution", author_institution(author))
    known = specialty(author)
    write_slot(found, "authorSpecialty", f"{known.code}^{known.display}^{known.system}")


def write_coded(owner: etree._Element, scheme: str, classified: str, coded: Coded) -> None:
    found = _classification(owner, scheme, classified, coded.code)
    write_slot(found, "codingScheme", coded.system)
    _text(found, "Name", coded.display)


def _classification(owner: etree._Element, scheme: str, classified: str, node: str) -> etree._Element:
    number = len(owner.findall(f"{{{RIM}}}Classification")) + 1
    return etree.SubElement(
        owner,
        f"{{{RIM}}}Classification",
        id=f"id-{classified.removeprefix('urn:uuid:')}-c{number}",
        classificationScheme=scheme,
        classifiedObject=classified,
        nodeRepresentation=node,
    )


def _external(owner: etree._Element, scheme: str, registered: str, name: str, value: str) -> None:
    number = len(owner.findall(f"{{{RIM}}}ExternalIdentifier")) + 1
    found = etree.SubElement(
        owner,
        f"{{{RIM}}}ExternalIdentifier",
        id=f"id-{registered.removeprefix('urn:uuid:')}-e{number}",
        identificationScheme=scheme,
        registryObject=registered,
        value=value,
    )
    _text(found, "Name", name)


def write_association(objects: etree._Element, kind: str, source: str, target: str, chance: Chance) -> etree._Element:
    return etree.SubElement(
        objects,
        f"{{{RIM}}}Association",
        id=f"urn:uuid:{chance.uuid()}",
        associationType=kind,
        sourceObject=source,
        targetObject=target,
    )


def write_slot(owner: etree._Element, name: str, *values: str) -> None:
    slot = etree.Element(f"{{{RIM}}}Slot", name=name)
    inside = etree.SubElement(slot, f"{{{RIM}}}ValueList")
    for value in values:
        etree.SubElement(inside, f"{{{RIM}}}Value").text = value
    owner.insert(len(owner.findall(f"{{{RIM}}}Slot")), slot)


def _text(owner: etree._Element, name: str, value: str) -> None:
    element = etree.SubElement(owner, f"{{{RIM}}}{name}")
    etree.SubElement(element, f"{{{RIM}}}LocalizedString", value=value)
