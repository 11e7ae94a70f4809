"""Valid objects by default, one override per test."""

import hashlib
import itertools
from dataclasses import replace
from typing import Any

from xds.datatypes import CX, DTM, XCN, XON, Code
from xds.ebrim.read import Reading
from xds.metadata import Association, Author, DocumentEntry, Folder, Submission, SubmissionSet
from xds.vocabulary import AssociationType

TEST_INS = "1.2.250.1.213.1.4.10"
PATIENT = CX(f"279035121518989^^^&{TEST_INS}&ISO^NH")
OTHER_PATIENT = CX(f"185057800608491^^^&{TEST_INS}&ISO^NH")
REPOSITORY = "1.2.250.1.213.4.1.1.1.2"
LOINC = "2.16.840.1.113883.6.1"
_numbers = itertools.count(1)


def an_oid() -> str:
    return f"2.25.99.{next(_numbers)}.{id(_numbers) % 10**9}"


def an_author(**changes: Any) -> Author:
    defaults: dict[str, Any] = {
        "author_person": XCN("801234567897^VILLARD^ELISE^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
        "author_institution": (XON("Clinique des Tilleuls^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1690000014"),),
        "author_specialty": ("G15_10/SM04^Cardiologie^1.2.250.1.213.1.1.4.5",),
    }
    return Author(**(defaults | changes))


def an_entry(**changes: Any) -> DocumentEntry:
    content: bytes = changes.pop("content", b"<ClinicalDocument/>")
    defaults: dict[str, Any] = {
        "entry_uuid": "Document01",
        "mime_type": "text/xml",
        "author": (an_author(),),
        "class_code": Code(code="10", coding_scheme="1.2.250.1.213.1.1.4.1", display_name="Compte rendu"),
        "confidentiality_code": (Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal"),),
        "creation_time": DTM("20260310093000"),
        "format_code": Code(
            code="urn:ihe:iti:xds-sd:pdf:2008", coding_scheme="1.3.6.1.4.1.19376.1.2.3", display_name="ITI XDS-SD PDF"
        ),
        "hash": hashlib.sha1(content).hexdigest(),
        "healthcare_facility_type_code": Code(
            code="SA07", coding_scheme="1.2.250.1.71.4.2.4", display_name="Cabinet individuel"
        ),
        "language_code": "fr-FR",
        "legal_authenticator": XCN("801234567897^VILLARD^ELISE^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
        "patient_id": PATIENT,
        "practice_setting_code": Code(
            code="AMBULATOIRE", coding_scheme="1.2.250.1.213.1.1.4.9", display_name="Ambulatoire"
        ),
        "repository_unique_id": REPOSITORY,
        "service_start_time": DTM("202603100900"),
        "size": len(content),
        "source_patient_id": CX("IPP-4711^^^&1.2.250.1.999.1&ISO^PI"),
        "source_patient_info": ("PID-5|MARCHAL^LISE^^^^^L", "PID-7|19790317", "PID-8|F"),
        "title": "Compte rendu de consultation",
        "type_code": Code(code="11488-4", coding_scheme=LOINC, display_name="CR de consultation"),
        "unique_id": an_oid(),
    }
    return DocumentEntry(**(defaults | changes))


def a_submission_set(**changes: Any) -> SubmissionSet:
    defaults: dict[str, Any] = {
        "entry_uuid": "SubmissionSet01",
        "author": (an_author(),),
        "content_type_code": Code(
            code="07", coding_scheme="1.2.250.1.213.2.2", display_name="Consultations, soins externes"
        ),
        "patient_id": PATIENT,
        "source_id": "2.25.4711",
        "submission_time": DTM("20260310094500"),
        "title": "Envoi",
        "unique_id": an_oid(),
    }
    return SubmissionSet(**(defaults | changes))


def a_folder(**changes: Any) -> Folder:
    defaults: dict[str, Any] = {
        "entry_uuid": "Folder01",
        "code_list": (Code(code="grossesse", coding_scheme="2.25.7", display_name="Grossesse"),),
        "patient_id": PATIENT,
        "title": "Grossesse 2026",
        "unique_id": an_oid(),
    }
    return Folder(**(defaults | changes))


def an_association(**changes: Any) -> Association:
    defaults: dict[str, Any] = {
        "entry_uuid": f"Association{next(_numbers)}",
        "association_type": AssociationType.HAS_MEMBER,
        "source": "SubmissionSet01",
        "target": "Document01",
    }
    return Association(**(defaults | changes))


def a_submission(*entries: DocumentEntry, **changes: Any) -> Submission:
    """A SubmissionSet with the entries (one by default), each an original member; `associations` are added."""
    entries = entries or (an_entry(),)
    extra = changes.pop("associations", ())
    folders: tuple[Folder, ...] = changes.pop("folders", ())
    owner = changes.pop("submission_set", None) or a_submission_set(**changes)
    members = [
        an_association(source=owner.entry_uuid, target=entry.entry_uuid, submission_set_status="Original")
        for entry in entries
    ] + [an_association(source=owner.entry_uuid, target=folder.entry_uuid) for folder in folders]
    return Submission(submission_set=owner, document_entries=entries, folders=folders, associations=(*members, *extra))


def a_replacement(entry: DocumentEntry, target: str, kind: AssociationType = AssociationType.RPLC) -> Association:
    return an_association(association_type=kind, source=entry.entry_uuid, target=target)


def an_update(thing: DocumentEntry | Folder, **changes: Any) -> Submission:
    """A new version of a stored object: `changes` of the object; `previous_version`, `propagation` of the member."""
    member_changes = {
        "previous_version": changes.pop("previous_version", thing.version),
        "association_propagation": changes.pop("propagation", None),
    }
    new = replace(
        thing,
        **(
            {"entry_uuid": "Update01", "logical_id": thing.logical_id, "version": None, "availability_status": None}
            | changes
        ),
    )
    owner = a_submission_set(patient_id=new.patient_id)
    member = an_association(target=new.entry_uuid, submission_set_status="Original", **member_changes)
    entries = (new,) if isinstance(new, DocumentEntry) else ()
    folders = (new,) if isinstance(new, Folder) else ()
    return Submission(submission_set=owner, document_entries=entries, folders=folders, associations=(member,))


def a_status_update(target: str, original: str, new: str, **changes: Any) -> Submission:
    """UpdateAvailabilityStatus of a stored object; statuses by their last word, such as `Approved`."""
    prefix = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
    trigger = an_association(
        association_type=AssociationType.UPDATE_AVAILABILITY_STATUS,
        target=target,
        original_status=prefix + original,
        new_status=prefix + new,
    )
    return Submission(submission_set=a_submission_set(**changes), associations=(trigger,))


def a_submitted_association(source: str, target: str, kind: AssociationType, **changes: Any) -> Submission:
    """SubmitAssociation of an association between stored objects."""
    association = an_association(association_type=kind, source=source, target=target)
    trigger = an_association(association_type=AssociationType.SUBMIT_ASSOCIATION, target=association.entry_uuid)
    return Submission(submission_set=a_submission_set(**changes), associations=(association, trigger))


def together(*submissions: Submission) -> Submission:
    """One request with the SubmissionSet of the first and everything else of all."""
    return Submission(
        submission_set=submissions[0].submission_set,
        document_entries=tuple(entry for one in submissions for entry in one.document_entries),
        folders=tuple(folder for one in submissions for folder in one.folders),
        associations=tuple(association for one in submissions for association in one.associations),
    )


def a_reading(submission: Submission) -> Reading:
    return Reading(submission=submission)


def renamed(entry: DocumentEntry, number: int) -> DocumentEntry:
    return replace(entry, entry_uuid=f"Document{number:02}")
