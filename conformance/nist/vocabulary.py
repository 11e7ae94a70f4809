"""Namespaces, URNs and UUIDs of XDS.b that the runner needs. ITI TF-3: 4.2."""

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
XOP = "http://www.w3.org/2004/08/xop/include"
XML = "http://www.w3.org/XML/1998/namespace"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
XDS_B = "urn:ihe:iti:xds-b:2007"
RMD = "urn:ihe:iti:rmd:2017"
RIM_21 = "urn:oasis:names:tc:ebxml-regrep:rim:xsd:2.1"
RS_21 = "urn:oasis:names:tc:ebxml-regrep:registry:xsd:2.1"
ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"

UUID_PREFIX = "urn:uuid:"
STATUS_PREFIX = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
APPROVED, DEPRECATED = f"{STATUS_PREFIX}Approved", f"{STATUS_PREFIX}Deprecated"
OBJECT_TYPE_PREFIX = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
RESPONSE_PREFIX = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
PARTIAL_PREFIX = "urn:ihe:iti:2007:ResponseStatusType:"
SEVERITY_PREFIX = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
ERROR_SEVERITY, WARNING_SEVERITY = f"{SEVERITY_PREFIX}Error", f"{SEVERITY_PREFIX}Warning"
ONLINE, OFFLINE = "urn:ihe:iti:2010:DocumentAvailability:Online", "urn:ihe:iti:2010:DocumentAvailability:Offline"

STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
SUBMISSION_SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
FOLDER_NODE = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
LIMITED_METADATA_NODES = frozenset(
    (
        "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
        "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
        "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
    )
)
ASSOCIATION_DOCUMENTATION = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"

ASSOCIATION_PREFIX = "urn:oasis:names:tc:ebxml-regrep:AssociationType:"
IHE_ASSOCIATION_PREFIX = "urn:ihe:iti:2007:AssociationType:"
HAS_MEMBER = f"{ASSOCIATION_PREFIX}HasMember"
RPLC, XFRM, APND, XFRM_RPLC, SIGNS = (
    f"{IHE_ASSOCIATION_PREFIX}{name}" for name in ("RPLC", "XFRM", "APND", "XFRM_RPLC", "signs")
)
IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"
RELATIONSHIPS = frozenset((RPLC, XFRM, APND, XFRM_RPLC, SIGNS, IS_SNAPSHOT_OF))

# identificationScheme of the identifiers, by object.
PATIENT_ID_SCHEMES = frozenset(
    (
        "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
        "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
        "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
    )
)
DOCUMENT_ENTRY_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
SUBMISSION_SET_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
FOLDER_UNIQUE_ID = "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a"
UNIQUE_ID_SCHEMES = frozenset((DOCUMENT_ENTRY_UNIQUE_ID, SUBMISSION_SET_UNIQUE_ID, FOLDER_UNIQUE_ID))
SOURCE_ID_SCHEME = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"

# Stored queries the runner asks on its own account. ITI TF-2: 3.18.4.1.2.3.7
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_FOLDERS = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4"
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_SUBMISSION_SET_AND_CONTENTS = "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83"
