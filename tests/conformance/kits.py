"""Small test kits and metadata, written here, in the form of the public one."""

from pathlib import Path

from lxml import etree

DE_TYPE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
RIM_21 = "urn:oasis:names:tc:ebxml-regrep:rim:xsd:2.1"
RS_21 = "urn:oasis:names:tc:ebxml-regrep:registry:xsd:2.1"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
SCHEME = "2.25.7001"

CODES = f"""<Codes>
<CodeType name="classCode"><Code code="REPORT" codingScheme="{SCHEME}"/></CodeType>
<CodeType name="contentTypeCode"><Code code="VISIT" codingScheme="{SCHEME}"/></CodeType>
<CodeType name="mimeType"><Code code="text/plain" ext="txt"/></CodeType>
<AssigningAuthority id="&amp;2.25.7000&amp;ISO" display="TEST"/>
</Codes>"""

PIF_PLAN = """<TestPlan><Test>feed</Test><TestStep id="step"><ExpectedStatus>Success</ExpectedStatus>
<PatientIdentityFeedTransaction><XDSb/><NoMetadata/></PatientIdentityFeedTransaction></TestStep></TestPlan>"""


def write_kit(folder: Path, tests: dict[str, dict[str, dict[str, str]]], *, codes: str = CODES) -> Path:
    """A kit: test → section → file name → content. Feeds for all patients are part of it."""
    feeds = {id: {"pif": {"testplan.xml": PIF_PLAN}} for id in ("15817", "15817b", "15818", "15819", "15820")}
    for test, sections in {**feeds, **tests}.items():
        for section, files in sections.items():
            for name, content in files.items():
                path = folder / "testkit" / "tests" / test / section / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
        (folder / "testkit" / "tests" / test / "index.idx").write_text("\n".join(sections), encoding="utf-8")
        (folder / "testkit" / "tests" / test / "readme.txt").write_text(f"Title of {test}\n\nProse.", encoding="utf-8")
        (folder / "testkit" / "tests" / test / "collections.txt").write_text("#old\nreg\n", encoding="utf-8")
    (folder / "environment" / "default").mkdir(parents=True, exist_ok=True)
    (folder / "environment" / "default" / "codes.xml").write_text(codes, encoding="utf-8")
    (folder / "xdstest").mkdir(exist_ok=True)
    (folder / "xdstest" / "sourceid.txt").write_text("2.25.7002", encoding="utf-8")
    return folder


def a_plan(*steps: str) -> str:
    return f"<TestPlan><Test>t</Test>{''.join(steps)}</TestPlan>"


def a_step(transaction: str, *, id: str = "step", expected: str = "Success", more: str = "") -> str:
    status = f"<ExpectedStatus>{expected}</ExpectedStatus>" if expected else ""
    return f'<TestStep id="{id}">{status}{more}{transaction}</TestStep>'


def slot(name: str, *values: str) -> str:
    inner = "".join(f"<r:Value>{value}</r:Value>" for value in values)
    return f'<r:Slot name="{name}"><r:ValueList>{inner}</r:ValueList></r:Slot>'


def name(value: str) -> str:
    return f'<r:Name><r:LocalizedString value="{value}"/></r:Name>'


def a_code(owner: str, scheme: str, code: str) -> str:
    return (
        f'<r:Classification classifiedObject="{owner}" classificationScheme="urn:uuid:{scheme}" '
        f'nodeRepresentation="{code}">{name(code)}{slot("codingScheme", SCHEME)}</r:Classification>'
    )


def an_identifier(scheme: str, value: str, title: str) -> str:
    return (
        f'<r:ExternalIdentifier identificationScheme="urn:uuid:{scheme}" value="{value}">{name(title)}'
        "</r:ExternalIdentifier>"
    )


def a_document_entry(id: str = "Document01", *, lid: str = "", patient: str = "$patientid$", uid: str = "") -> str:
    """A complete DocumentEntry in the old form: names and codes before Slots, no ids on the parts."""
    lid_attribute = f' lid="{lid}"' if lid else ""
    codes = (
        ("41a5887f-8865-4c09-adf7-e362475b143a", "REPORT"),
        ("f4f85eac-e6cb-4883-b524-f2705394840f", "N"),
        ("a09d5840-386c-46f2-b5ad-9c3699a4309d", "TEXT"),
        ("f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "CLINIC"),
        ("cccf5598-8b07-4b77-a05e-ae952c785ead", "GENERAL"),
        ("f0306f51-975f-434e-a61c-c59651d33983", "NOTE"),
    )
    return (
        f'<r:ExtrinsicObject id="{id}"{lid_attribute} objectType="{DE_TYPE}" mimeType="text/plain" '
        f'status="Approved" majorVersion="1" minorVersion="0">'
        + '<r:Name><r:LocalizedString lang="fr-FR" value="Compte rendu"/></r:Name><r:Description/>'
        + "".join(a_code(id, scheme, code) for scheme, code in codes)
        + slot("creationTime", " 20240101 ")
        + slot("hash", "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        + slot("size", "0")
        + slot("languageCode", "fr-FR")
        + slot("repositoryUniqueId", "2.25.7003")
        + slot("sourcePatientId", "LOCAL-1^^^&amp;2.25.7004&amp;ISO")
        + an_identifier("58a6f841-87b3-4a3e-92fd-a8ffeff98427", patient, "XDSDocumentEntry.patientId")
        + an_identifier("2e82c1f6-a085-4c72-9da3-8640a32e42ab", uid or id, "XDSDocumentEntry.uniqueId")
        + "</r:ExtrinsicObject>"
    )


def a_submission_set(id: str = "SubmissionSet01", *, patient: str = "$patientid$") -> str:
    return (
        f'<r:RegistryPackage id="{id}">{name("Set")}'
        + slot("submissionTime", "20240101120000")
        + a_code(id, "aa543740-bdda-424e-8c96-df4873be8500", "VISIT")
        + an_identifier("96fdda7c-d067-4183-912e-bf5ee74998a8", id, "XDSSubmissionSet.uniqueId")
        + an_identifier("554ac39e-e3fe-47fe-b233-965d2a147832", "2.25.1", "XDSSubmissionSet.sourceId")
        + an_identifier("6b5aea1a-874d-4603-a4bc-96a0a7b38446", patient, "XDSSubmissionSet.patientId")
        + "</r:RegistryPackage>"
        f'<r:Classification classifiedObject="{id}" '
        'classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>'
    )


def a_member(source: str, target: str, *, type: str = "HasMember", status: str = "Original") -> str:
    inner = slot("SubmissionSetStatus", status) if status else ""
    return f'<r:Association sourceObject="{source}" targetObject="{target}" associationType="{type}">{inner}</r:Association>'


def a_submission(*objects: str) -> str:
    """SubmitObjectsRequest in ebRIM 2.1; one DocumentEntry in a SubmissionSet by default."""
    content = "".join(objects or (a_document_entry(), a_submission_set(), a_member("SubmissionSet01", "Document01")))
    return (
        f'<s:SubmitObjectsRequest xmlns:s="{RS_21}"><r:LeafRegistryObjectList xmlns:r="{RIM_21}">'
        f'<r:ObjectRef id="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>{content}'
        "</r:LeafRegistryObjectList></s:SubmitObjectsRequest>"
    )


def a_query(query: str = "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", **parameters: str) -> str:
    slots = "".join(slot(f"${parameter}", value) for parameter, value in parameters.items())
    return (
        '<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0">'
        f'<q:ResponseOption returnType="LeafClass"/><r:AdhocQuery xmlns:r="{RIM}" id="urn:uuid:{query}">{slots}'
        "</r:AdhocQuery></q:AdhocQueryRequest>"
    )


def element(text: str) -> etree._Element:
    """An element of the tests; prefixes r, rs, q, x and s are bound to ebRIM 3.0, rs, query, xds and SOAP 1.2."""
    names = (
        f'xmlns:r="{RIM}" xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" '
        'xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" xmlns:x="urn:ihe:iti:xds-b:2007" '
        'xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    )
    return etree.fromstring(f"<names {names}>{text}</names>")[0]


def a_query_response(*objects: str, status: str = "Success", errors: str = "") -> str:
    listed = f"<rs:RegistryErrorList>{errors}</rs:RegistryErrorList>" if errors else ""
    prefix = "urn:ihe:iti:2007" if status == "PartialSuccess" else "urn:oasis:names:tc:ebxml-regrep"
    return (
        f'<q:AdhocQueryResponse status="{prefix}:ResponseStatusType:{status}">{listed}'
        f"<r:RegistryObjectList>{''.join(objects)}</r:RegistryObjectList></q:AdhocQueryResponse>"
    )


def a_registry_response(status: str = "Success", errors: str = "") -> str:
    listed = f"<rs:RegistryErrorList>{errors}</rs:RegistryErrorList>" if errors else ""
    return (
        '<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" '
        f'status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:{status}">{listed}</rs:RegistryResponse>'
    )


def an_error(code: str, context: str = "what was wrong", *, severity: str = "Error", location: str = "") -> str:
    where = f' location="{location}"' if location else ""
    return (
        f'<rs:RegistryError errorCode="{code}" codeContext="{context}"{where} '
        f'severity="urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:{severity}"/>'
    )
