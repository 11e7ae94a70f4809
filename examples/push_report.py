"""Push a CDA report to an XDS.b repository by Provide and Register Document Set-b [ITI-41].

    python examples/push_report.py examples/reports/cr-consultation.xml --url http://127.0.0.1:8080/xds/repository

Needs zeep (`pip install zeep`) and nothing of Carnet. zeep reads the WSDL, makes the envelope and the
WS-Addressing headers; what it cannot do is in this file: ebRIM metadata (its schema uses substitution groups)
and MTOM packaging (a small transport). Do not add zeep's WsAddressingPlugin: the WSDL names the actions,
so zeep writes the headers by itself and the plugin would write them twice.
"""

import argparse
import email
import sys
import uuid
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

import zeep
from lxml import etree
from zeep.transports import Transport

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
XDS = "urn:ihe:iti:xds-b:2007"
CDA = {"h": "urn:hl7-org:v3"}
OPERATION = "DocumentRepository_ProvideAndRegisterDocumentSet-b"
LOINC, FORMATS, CLASSES = "2.16.840.1.113883.6.1", "1.3.6.1.4.1.19376.1.2.3", "1.2.250.1.213.1.1.4.1"


class MtomTransport(Transport):
    """Takes each base64 `Document` out of the envelope and sends it as a MIME part (XOP)."""

    def post_xml(self, address, envelope, headers):
        parts = []
        for document in envelope.iter(f"{{{XDS}}}Document"):
            content_id = f"{uuid.uuid4()}@example"
            parts.append((content_id, b64decode(document.text)))
            document.text = None
            etree.SubElement(document, "{http://www.w3.org/2004/08/xop/include}Include", href=f"cid:{content_id}")
        boundary = f"MIMEBoundary_{uuid.uuid4().hex}"
        root_type = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
        message = part_of(boundary, "root@example", root_type, etree.tostring(envelope, encoding="UTF-8"))
        for content_id, content in parts:
            message += part_of(boundary, content_id, "text/xml", content)
        headers = {
            "Content-Type": f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; '
            'start="<root@example>"; start-info="application/soap+xml"'
        }
        return self.post(address, message + f"\r\n--{boundary}--\r\n".encode(), headers)


def part_of(boundary, content_id, content_type, content):
    return (
        f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{content_id}>\r\n\r\n"
    ).encode() + content


def slot(name, *values):
    inner = "".join(f"<rim:Value>{value.replace('&', '&amp;').replace('<', '&lt;')}</rim:Value>" for value in values)
    return f"<rim:Slot name={quoteattr(name)}><rim:ValueList>{inner}</rim:ValueList></rim:Slot>"


def named(text):
    return f"<rim:Name><rim:LocalizedString value={quoteattr(text)}/></rim:Name>"


def code(owner, scheme, value, system, display):
    return (
        f'<rim:Classification id="{uuid.uuid4().urn}" classificationScheme="urn:uuid:{scheme}" '
        f'classifiedObject="{owner}" nodeRepresentation={quoteattr(value)}>'
        f"{slot('codingScheme', system)}{named(display)}</rim:Classification>"
    )


def author(owner, scheme, person):
    return (
        f'<rim:Classification id="{uuid.uuid4().urn}" classificationScheme="urn:uuid:{scheme}" '
        f'classifiedObject="{owner}" nodeRepresentation="">{slot("authorPerson", person)}</rim:Classification>'
    )


def identifier(owner, scheme, value, name):
    return (
        f'<rim:ExternalIdentifier id="{uuid.uuid4().urn}" identificationScheme="urn:uuid:{scheme}" '
        f'registryObject="{owner}" value={quoteattr(value)}>{named(name)}</rim:ExternalIdentifier>'
    )


class Header:
    """What the metadata needs of a CDA header."""

    def __init__(self, content):
        self.root = etree.fromstring(content)

    def value(self, path):
        found = self.root.xpath(f"string({path})", namespaces=CDA)
        if not found:
            raise SystemExit(f"the report has no {path}")
        return found

    def coded(self, path):
        return tuple(self.value(f"{path}/@{name}") for name in ("code", "codeSystem", "displayName"))

    def utc(self, path):
        text = self.value(path)
        time = datetime.strptime(text[:14] + text[-5:], "%Y%m%d%H%M%S%z") if len(text) > 14 else None
        return time.astimezone(UTC).strftime("%Y%m%d%H%M%S") if time else text[:14]

    def patient(self):
        role = "//h:patientRole/h:id[starts-with(@root, '1.2.250.1.213.1.4.')]"
        return f"{self.value(role + '/@extension')}^^^&{self.value(role + '/@root')}&ISO^NH"

    def person(self, path):
        names = [self.value(f"{path}//h:{part}") for part in ("family", "given")]
        number = self.value(f"{path}/h:id/@extension")
        return f"{number}^{names[0]}^{names[1]}^^^^^^&{self.value(f'{path}/h:id/@root')}&ISO^D^^^IDNPS"


def registry_objects(header, format_code):
    """RegistryObjectList with one DocumentEntry, one SubmissionSet and the HasMember between them."""
    patient, unique_id = header.patient(), header.value("/h:ClinicalDocument/h:id/@root")
    person = header.person("/h:ClinicalDocument/h:author[1]/h:assignedAuthor")
    facility = header.coded("//h:healthCareFacility/h:code")
    setting = header.coded("(//h:documentationOf)[1]//h:standardIndustryClassCode")
    confidentiality = header.coded("/h:ClinicalDocument/h:confidentialityCode")
    type_code = header.coded("/h:ClinicalDocument/h:code")
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    title = header.value("/h:ClinicalDocument/h:title")
    return f"""<rim:RegistryObjectList xmlns:rim="{RIM}">
<rim:ExtrinsicObject id="Document01" mimeType="text/xml" objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">
{slot("creationTime", header.utc("/h:ClinicalDocument/h:effectiveTime/@value"))}
{slot("languageCode", header.value("/h:ClinicalDocument/h:languageCode/@code"))}
{slot("serviceStartTime", header.utc("(//h:documentationOf)[1]/h:serviceEvent/h:effectiveTime/h:low/@value"))}
{slot("serviceStopTime", header.utc("(//h:documentationOf)[1]/h:serviceEvent/h:effectiveTime/h:high/@value"))}
{slot("sourcePatientId", patient)}
{named(title)}
{author("Document01", "93606bcf-9494-43ec-9b4e-a7748d1a838d", person)}
{code("Document01", "41a5887f-8865-4c09-adf7-e362475b143a", "10", CLASSES, "Compte rendu")}
{code("Document01", "f4f85eac-e6cb-4883-b524-f2705394840f", *confidentiality)}
{code("Document01", "a09d5840-386c-46f2-b5ad-9c3699a4309d", format_code, FORMATS, format_code)}
{code("Document01", "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", *facility)}
{code("Document01", "cccf5598-8b07-4b77-a05e-ae952c785ead", *setting)}
{code("Document01", "f0306f51-975f-434e-a61c-c59651d33983", *type_code)}
{identifier("Document01", "58a6f841-87b3-4a3e-92fd-a8ffeff98427", patient, "XDSDocumentEntry.patientId")}
{identifier("Document01", "2e82c1f6-a085-4c72-9da3-8640a32e42ab", unique_id, "XDSDocumentEntry.uniqueId")}
</rim:ExtrinsicObject>
<rim:RegistryPackage id="SubmissionSet01">
{slot("submissionTime", now)}
{author("SubmissionSet01", "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d", person)}
{code("SubmissionSet01", "aa543740-bdda-424e-8c96-df4873be8500", "07", "1.2.250.1.213.2.2", "Consultations")}
<rim:Classification id="{uuid.uuid4().urn}" classifiedObject="SubmissionSet01"
  classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>
{identifier("SubmissionSet01", "6b5aea1a-874d-4603-a4bc-96a0a7b38446", patient, "XDSSubmissionSet.patientId")}
{identifier("SubmissionSet01", "554ac39e-e3fe-47fe-b233-965d2a147832", "2.25.4711", "XDSSubmissionSet.sourceId")}
{
        identifier(
            "SubmissionSet01",
            "96fdda7c-d067-4183-912e-bf5ee74998a8",
            f"2.25.{uuid.uuid4().int}",
            "XDSSubmissionSet.uniqueId",
        )
    }
</rim:RegistryPackage>
<rim:Association id="Member01" associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
  sourceObject="SubmissionSet01" targetObject="Document01">{slot("SubmissionSetStatus", "Original")}</rim:Association>
</rim:RegistryObjectList>"""


def root_part(answer):
    """The envelope of an MTOM answer (its first part), or the whole of a simple one."""
    content_type = answer.headers["Content-Type"]
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + answer.content)
    return message.get_payload(0).get_payload(decode=True) if message.is_multipart() else answer.content


def push(content, url, format_code):
    """Returns the status of the RegistryResponse and its errors."""
    client = zeep.Client(f"{url}?wsdl", transport=MtomTransport(timeout=60))
    envelope = client.create_message(
        client.service,
        OPERATION,
        SubmitObjectsRequest={"RegistryObjectList": {}},
        Document=[{"_value_1": content, "id": "Document01"}],
    )
    placeholder = next(envelope.iter(f"{{{RIM}}}RegistryObjectList"))
    metadata = etree.fromstring(registry_objects(Header(content), format_code))
    placeholder.getparent().replace(placeholder, metadata)
    answer = client.transport.post_xml(url, envelope, {})
    client.transport.session.close()
    response = etree.fromstring(root_part(answer))
    registry_response = next(response.iter("{*}RegistryResponse"), None)
    if registry_response is None:
        return "Fault", ["".join(response.itertext()).strip()]
    errors = [f"{one.get('errorCode')}: {one.get('codeContext')}" for one in response.iter("{*}RegistryError")]
    return registry_response.get("status").rpartition(":")[2], errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="CDA document")
    parser.add_argument("--url", default="http://127.0.0.1:8080/xds/repository", help="endpoint of the repository")
    parser.add_argument("--format", default="urn:ihe:iti:xds-sd:pdf:2008", help="formatCode of the document")
    arguments = parser.parse_args()
    status, errors = push(arguments.report.read_bytes(), arguments.url, arguments.format)
    print(status, *errors, sep="\n")
    return 0 if status == "Success" else 1


if __name__ == "__main__":
    sys.exit(main())
