"""What a record is about: patient, submission, document, query, each as its transaction names it. ITI TF-2: 3.20.7."""

from audit.events import EVENTS
from audit.record import Coded, Detail, ParticipantObject

_XDS_METADATA = "IHE XDS Metadata"
PATIENT_NUMBER = Coded("2", "RFC-3881", "Patient Number")
REPORT_NUMBER = Coded("9", "RFC-3881", "Report Number")
URI = Coded("12", "RFC-3881", "URI")
SUBMISSION_SET = Coded(
    "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", _XDS_METADATA, "submission set classificationNode"
)
OBJECT_REF = Coded("urn:ihe:iti:2017:ObjectRef", _XDS_METADATA, "registry object reference")
REPOSITORY_UNIQUE_ID = "Repository Unique ID"
# The two transactions that carry a community call it by different names, each of its own specification.
HOME_OF_DOCUMENT, HOME_OF_QUERY = "ihe:homeCommunityID", "urn:ihe:iti:xca:2010:homeCommunityId"
_PERMANENT_ERASURE = "15"


def a_patient(patient_id: str, *details: Detail) -> ParticipantObject:
    """A patient, by identifier in CX form."""
    return ParticipantObject(id=patient_id, type="1", role="1", id_type=PATIENT_NUMBER, details=details)


def a_message_id(name: str, message: str) -> tuple[Detail, ...]:
    """The id of the message that changed a patient: `MSH-10`, or `II` of HL7 v3. ITI TF-2: 3.8.5, 3.44.5"""
    return (Detail(name, message.encode(errors="surrogatepass")),) if message else ()


def a_submission_set(unique_id: str) -> ParticipantObject:
    """A SubmissionSet, by its uniqueId. ITI TF-2: 3.41.5, 3.42.5"""
    return ParticipantObject(id=unique_id, type="2", role="20", id_type=SUBMISSION_SET)


def a_document(
    unique_id: str, repository: str = "", home_community_id: str = "", *, is_removed: bool = False
) -> ParticipantObject:
    """A document, by its uniqueId. ITI TF-2: 3.43.5, 3.86.5"""
    named = ((REPOSITORY_UNIQUE_ID, repository), (HOME_OF_DOCUMENT, home_community_id))
    return ParticipantObject(
        id=unique_id,
        type="2",
        role="3",
        id_type=REPORT_NUMBER,
        life_cycle=_PERMANENT_ERASURE if is_removed else "",
        details=tuple(Detail(name, value.encode(errors="surrogatepass")) for name, value in named if value),
    )


def a_removed_object(entry_uuid: str) -> ParticipantObject:
    """An object taken out of the registry. Remove Metadata and Documents 3.62.5"""
    return ParticipantObject(id=entry_uuid, type="2", role="3", id_type=OBJECT_REF, life_cycle=_PERMANENT_ERASURE)


def a_query(transaction: str, query_id: str, query: bytes, home_community_id: str = "") -> ParticipantObject:
    """A question as it was asked, never its answer. ITI TF-2: 3.18.5.1.1"""
    home = home_community_id.encode(errors="surrogatepass")
    return ParticipantObject(
        id=query_id,
        type="2",
        role="24",
        id_type=EVENTS[transaction].type_code,
        query=query,
        details=(Detail("QueryEncoding", b"UTF-8"), *((Detail(HOME_OF_QUERY, home),) if home else ())),
    )


def a_log(uri: str, *details: Detail) -> ParticipantObject:
    """The audit log itself. DICOM PS3.15: A.5.3.2"""
    return ParticipantObject(id=uri, type="2", role="13", id_type=URI, details=details)


def a_stored_thing(key: str) -> ParticipantObject:
    """Something kept that is no document of a known patient: the octets under a key of the document store."""
    return ParticipantObject(id=key, type="2", role="3", id_type=Coded("blob", "urn:carnet:audit", "stored octets"))
