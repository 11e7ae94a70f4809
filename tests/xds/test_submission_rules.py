"""Rules of a submission, one by one: the code, the object and the attribute are named."""

from dataclasses import replace
from typing import Any

import pytest

from carnet.domains import affinity_domain
from carnet.settings import Settings
from tests.builders import (
    OTHER_PATIENT,
    PATIENT,
    a_folder,
    a_replacement,
    a_submission,
    a_submission_set,
    an_association,
    an_entry,
)
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX, DTM, Code
from xds.ebrim.attributes import DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET, SubmissionKind, Usage
from xds.errors import ErrorCode, RegistryError
from xds.metadata import Association, DocumentEntry, Folder, Submission, SubmissionSet
from xds.submission_rules import StoredFacts, StoredObject, object_rules, reference_rules, state_rules
from xds.vocabulary import AssociationType, AvailabilityStatus, ObjectType

DMP = affinity_domain(Settings())
IHE = AffinityDomain(name="ihe")
UUID = "urn:uuid:11111111-1111-4111-8111-111111111111"
OTHER_UUID = "urn:uuid:22222222-2222-4222-8222-222222222222"
KNOWN = StoredFacts(patient_is_known=True)


def of_objects(
    submission: Submission, kind: SubmissionKind = SubmissionKind.REGISTER, domain: AffinityDomain = DMP
) -> list[RegistryError]:
    return list(object_rules(submission, kind, domain))


def one_context(errors: list[RegistryError], code: ErrorCode = ErrorCode.REGISTRY_METADATA) -> str:
    assert [error.code for error in errors] == [code], [error.context for error in errors]
    return errors[0].context


def stored(**changes: Any) -> StoredObject:
    defaults: dict[str, Any] = {
        "entry_uuid": UUID,
        "kind": DocumentEntry,
        "status": AvailabilityStatus.APPROVED,
        "is_current": True,
        "patient": PATIENT.key,
        "object_type": ObjectType.STABLE,
    }
    return StoredObject(**(defaults | changes))


def test_a_good_submission_breaks_no_rule() -> None:
    submission = a_submission(an_entry(), folders=(a_folder(),))
    assert of_objects(submission) == []
    assert list(reference_rules(submission, DMP)) == []
    assert list(state_rules(submission, KNOWN)) == []


def required(table: Any) -> list[tuple[str, str]]:
    return [
        (row.name, row.field)
        for row in table.attributes
        if row.register is Usage.REQUIRED and row.field not in ("entry_uuid", "object_type")
    ]


@pytest.mark.parametrize(("name", "field"), required(DOCUMENT_ENTRY))
def test_a_document_entry_lacks_no_required_attribute(name: str, field: str) -> None:
    entry = an_entry()
    entry = replace(entry, **{field: () if isinstance(getattr(entry, field), tuple) else None})
    context = one_context(of_objects(a_submission(entry)))
    assert "Document01" in context
    assert f"{name}: found none" in context


@pytest.mark.parametrize(("name", "field"), required(SUBMISSION_SET))
def test_a_submission_set_lacks_no_required_attribute(name: str, field: str) -> None:
    owner = replace(a_submission_set(), **{field: None})
    assert f"{name}: found none" in one_context(of_objects(a_submission(submission_set=owner)))


@pytest.mark.parametrize(("name", "field"), required(FOLDER))
def test_a_folder_lacks_no_required_attribute(name: str, field: str) -> None:
    folder = replace(a_folder(), **{field: () if field == "code_list" else None})
    assert f"{name}: found none" in one_context(of_objects(a_submission(folders=(folder,))))


def test_an_attribute_that_could_not_be_read_is_not_missing_besides() -> None:
    submission = a_submission(replace(an_entry(), creation_time=None))
    unreadable = frozenset({("Document01", "creation_time")})
    assert list(object_rules(submission, SubmissionKind.REGISTER, DMP, unreadable)) == []


def test_the_repository_fills_what_a_provider_may_leave_out() -> None:
    entry = an_entry(hash=None, size=None, repository_unique_id=None)
    assert of_objects(a_submission(entry), SubmissionKind.PROVIDE) == []


def test_an_on_demand_entry_has_no_content_attributes() -> None:
    entry = an_entry(object_type=ObjectType.ON_DEMAND)
    contexts = " ".join(error.context for error in of_objects(a_submission(entry), SubmissionKind.ON_DEMAND))
    for name in ("creationTime", "hash", "size"):
        assert f"{name}: found a value, expected none" in contexts


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"object_type": ObjectType.ON_DEMAND}, "objectType"),
        ({"title": "x" * 129}, "title: found 129 characters"),
        ({"service_start_time": DTM("20260311"), "service_stop_time": DTM("20260310")}, "serviceStartTime"),
        ({"entry_uuid": "urn:uuid:ABCDEF00-0000-4000-8000-000000000000"}, "entryUUID"),
        ({"logical_id": OTHER_UUID}, "logicalID"),
        ({"patient_id": CX("1^^^&1.2.3&ISO")}, "patientId"),
        ({"unique_id": "1.2.3^4"}, "uniqueId"),
        ({"type_code": Code(code="0000-0", coding_scheme="2.16.840.1.113883.6.1")}, "typeCode: found '0000-0^^"),
        ({"class_code": Code(code="10", coding_scheme="1.2.3")}, "classCode"),
        ({"source_patient_info": ("PID-5|A^B", "PID-19|123")}, "sourcePatientInfo: found PID-19"),
        ({"source_patient_info": ("PID-8|F", "PID-8|M")}, "sourcePatientInfo: found PID-8 2 times"),
        ({"confidentiality_code": (Code(code="X", coding_scheme="1.2.3"),)}, "confidentialityCode"),
    ],
)
def test_a_document_entry_that_breaks_a_rule_names_it(changes: dict[str, Any], expected: str) -> None:
    assert expected in one_context(of_objects(a_submission(an_entry(**changes))))


def test_a_service_may_start_and_stop_within_one_day() -> None:
    entry = an_entry(service_start_time=DTM("202603100900"), service_stop_time=DTM("20260310"))
    assert of_objects(a_submission(entry)) == []


def test_another_domain_has_other_codes_identifiers_and_authorities() -> None:
    entry = an_entry(
        unique_id="any^thing",
        patient_id=CX("1^^^&1.2.3&ISO"),
        type_code=Code(code="x", coding_scheme="y"),
    )
    owner = a_submission_set(patient_id=CX("1^^^&1.2.3&ISO"))
    assert of_objects(a_submission(entry, submission_set=owner), domain=IHE) == []
    with_type = a_submission(submission_set=a_submission_set())
    assert "no other component" in of_objects(with_type, domain=IHE)[0].context


@pytest.mark.parametrize(
    ("association", "expected"),
    [
        (an_association(source="Document01", target="Document01"), "expected two objects"),
        (
            an_association(documentation=Code(code="a", coding_scheme="b"), submission_set_status="Original"),
            "documentation",
        ),
        (
            an_association(association_type=AssociationType.UPDATE_AVAILABILITY_STATUS, target=UUID),
            "expected only in ITI-57",
        ),
        (an_association(association_type=AssociationType.SUBMIT_ASSOCIATION, target=UUID), "expected only in ITI-57"),
        (an_association(previous_version=1), "PreviousVersion"),
    ],
)
def test_an_association_that_breaks_a_rule_names_it(association: Association, expected: str) -> None:
    assert expected in one_context(of_objects(a_submission(associations=(association,))))


# --- references -------------------------------------------------------------------------------


def test_ids_and_unique_ids_are_unique_in_a_request() -> None:
    entry = an_entry()
    twice = a_submission(entry, replace(entry, entry_uuid="Document02"))
    assert (
        one_context(list(reference_rules(twice, DMP)), ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE)
        == f"uniqueId {entry.unique_id}: found on more than one object of the request, expected on one"
    )
    same_id = replace(a_submission(entry), document_entries=(entry, an_entry()))
    assert any("found more than once" in error.context for error in reference_rules(same_id, DMP))


def test_all_objects_are_of_one_patient() -> None:
    errors = list(reference_rules(a_submission(an_entry(patient_id=OTHER_PATIENT)), DMP))
    assert "Document01" in one_context(errors, ErrorCode.PATIENT_ID_DOES_NOT_MATCH)


def test_every_object_is_held_by_the_submission_set_exactly_once() -> None:
    submission = a_submission()
    loose = replace(submission, associations=())
    assert "found 0 HasMember" in one_context(list(reference_rules(loose, DMP)))
    twice = replace(submission, associations=submission.associations * 2)
    assert any("found 2 HasMember" in error.context for error in reference_rules(twice, DMP))


def test_a_membership_of_a_folder_is_itself_a_member() -> None:
    member = an_association(entry_uuid="FolderMember", source="Folder01", target="Document01")
    loose = a_submission(an_entry(), folders=(a_folder(),), associations=(member,))
    assert "found 0 memberships of it in the SubmissionSet" in one_context(list(reference_rules(loose, DMP)))
    held = a_submission(an_entry(), folders=(a_folder(),), associations=(member, an_association(target="FolderMember")))
    assert list(reference_rules(held, DMP)) == []


def test_a_document_of_the_request_is_an_original_member() -> None:
    submission = a_submission()
    reference = replace(submission.associations[0], submission_set_status="Reference")
    errors = list(reference_rules(replace(submission, associations=(reference,)), DMP))
    assert "found Reference, expected Original" in one_context(errors)


def test_the_submission_set_is_the_target_of_a_lot_signature_only() -> None:
    signs = an_association(association_type=AssociationType.SIGNS, source="Document01", target="SubmissionSet01")
    submission = a_submission(associations=(signs,))
    assert list(reference_rules(submission, DMP)) == []
    assert "targetObject" in one_context(list(reference_rules(submission, IHE)))


def test_a_submission_brings_something() -> None:
    empty = Submission(submission_set=a_submission_set())
    assert "something submitted" in one_context(list(reference_rules(empty, DMP)))


# --- state ------------------------------------------------------------------------------------


def of_state(submission: Submission, **facts: Any) -> list[RegistryError]:
    return list(state_rules(submission, StoredFacts(patient_is_known=facts.pop("known", True), **facts)))


def test_an_unknown_patient_is_named_with_its_value() -> None:
    assert str(PATIENT) in one_context(of_state(a_submission(), known=False), ErrorCode.UNKNOWN_PATIENT_ID)


def test_an_entry_uuid_is_used_once() -> None:
    submission = a_submission(an_entry(entry_uuid=UUID))
    assert "expected a new one" in one_context(of_state(submission, objects={UUID: stored()}))


@pytest.mark.parametrize("kind", [DocumentEntry, SubmissionSet, Folder])
def test_a_submission_sets_unique_id_is_used_by_nothing_stored(kind: type) -> None:
    submission = a_submission()
    assert submission.submission_set is not None
    unique_id = str(submission.submission_set.unique_id)
    errors = of_state(submission, by_unique_id={unique_id: (stored(kind=kind),)})
    assert unique_id in one_context(errors, ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY)


@pytest.mark.parametrize(
    ("held", "codes"),
    [
        ({"hash": "0" * 40, "size": 19}, [ErrorCode.NON_IDENTICAL_HASH]),
        ({"hash": "0" * 40, "size": 7}, [ErrorCode.NON_IDENTICAL_HASH, ErrorCode.NON_IDENTICAL_SIZE]),
        ({"size": 7}, [ErrorCode.NON_IDENTICAL_SIZE]),
        ({}, []),
        ({"hash": "0" * 40, "object_type": ObjectType.ON_DEMAND}, []),
    ],
)
def test_one_unique_id_is_one_document(held: dict[str, Any], codes: list[ErrorCode]) -> None:
    entry = an_entry(size=19)
    errors = of_state(a_submission(entry), by_unique_id={str(entry.unique_id): (stored(**held),)})
    assert [error.code for error in errors] == codes


RELATIONS = [AssociationType.RPLC, AssociationType.XFRM, AssociationType.APND, AssociationType.XFRM_RPLC]


@pytest.mark.parametrize("kind", RELATIONS)
def test_a_relationship_points_at_an_approved_current_document_of_the_patient(kind: AssociationType) -> None:
    entry = an_entry()
    submission = a_submission(entry, associations=(a_replacement(entry, UUID, kind),))
    assert of_state(submission, objects={UUID: stored()}) == []
    for changes, code in (
        ({"status": AvailabilityStatus.DEPRECATED}, ErrorCode.REGISTRY_DEPRECATED_DOCUMENT),
        ({"is_current": False}, ErrorCode.REGISTRY_DEPRECATED_DOCUMENT),
        ({"patient": OTHER_PATIENT.key}, ErrorCode.PATIENT_ID_DOES_NOT_MATCH),
        ({"kind": Folder}, ErrorCode.UNRESOLVED_REFERENCE),
    ):
        assert UUID in one_context(of_state(submission, objects={UUID: stored(**changes)}), code)
    assert UUID in one_context(of_state(submission), ErrorCode.UNRESOLVED_REFERENCE)


def test_only_a_stored_document_is_replaced() -> None:
    first, second = an_entry(), an_entry(entry_uuid="Document02")
    for kind, expected in (
        (AssociationType.RPLC, [ErrorCode.UNRESOLVED_REFERENCE]),
        (AssociationType.APND, []),
    ):
        link = a_replacement(first, "Document02", kind)
        errors = of_state(a_submission(first, second, associations=(link,)))
        assert [error.code for error in errors] == expected


def test_a_relationship_comes_from_a_document_of_the_request() -> None:
    facts = {"objects": {UUID: stored(), OTHER_UUID: stored(entry_uuid=OTHER_UUID)}}
    link = an_association(association_type=AssociationType.APND, source=OTHER_UUID, target=UUID)
    errors = of_state(a_submission(associations=(link,)), **facts)
    assert "sourceObject" in one_context(errors, ErrorCode.UNRESOLVED_REFERENCE)


def test_a_stored_document_is_a_member_by_reference_even_of_another_patient() -> None:
    for status, codes in (("Reference", []), ("Original", [ErrorCode.REGISTRY_METADATA])):
        member = an_association(target=UUID, submission_set_status=status)
        submission = a_submission(associations=(member,))
        errors = of_state(submission, objects={UUID: stored(patient=OTHER_PATIENT.key)})
        assert [error.code for error in errors] == codes


def test_no_association_leads_to_a_deprecated_document() -> None:
    """A membership by reference is one like every other. ITI TF-3: Table 4.2.4.1-2"""
    member = an_association(target=UUID, submission_set_status="Reference")
    errors = of_state(
        a_submission(associations=(member,)), objects={UUID: stored(status=AvailabilityStatus.DEPRECATED)}
    )
    assert [error.code for error in errors] == [ErrorCode.REGISTRY_DEPRECATED_DOCUMENT]


def test_a_stored_submission_set_takes_no_more_members() -> None:
    member = an_association(source=UUID, target="Document01")
    errors = of_state(a_submission(associations=(member,)), objects={UUID: stored(kind=SubmissionSet)})
    assert "stored SubmissionSet" in one_context(errors)


def test_a_folder_takes_approved_documents_while_it_is_approved() -> None:
    member = an_association(source=UUID, target=OTHER_UUID)
    for folder, document, code in (
        (AvailabilityStatus.APPROVED, AvailabilityStatus.APPROVED, None),
        (AvailabilityStatus.DEPRECATED, AvailabilityStatus.APPROVED, ErrorCode.REGISTRY_METADATA),
        (AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED, ErrorCode.REGISTRY_DEPRECATED_DOCUMENT),
    ):
        facts = {
            UUID: stored(kind=Folder, status=folder, object_type=None),
            OTHER_UUID: stored(entry_uuid=OTHER_UUID, status=document),
        }
        errors = of_state(a_submission(associations=(member,)), objects=facts)
        assert [error.code for error in errors] == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("source", "target"),
    [(UUID, "Document01"), ("Folder01", OTHER_UUID), (UUID, OTHER_UUID)],
    ids=["a stored folder", "a stored document", "both stored"],
)
def test_a_folder_and_its_document_are_of_one_patient_whichever_is_stored(source: str, target: str) -> None:
    """The SubmissionSet, Document01 and Folder01 are of PATIENT."""
    member = an_association(source=source, target=target)
    submission = a_submission(folders=(a_folder(),), associations=(member,))
    for patients, expected in (
        ((PATIENT.key, PATIENT.key), []),
        ((OTHER_PATIENT.key, PATIENT.key), [] if source != UUID else [ErrorCode.PATIENT_ID_DOES_NOT_MATCH]),
    ):
        facts = {
            UUID: stored(kind=Folder, object_type=None, patient=patients[0]),
            OTHER_UUID: stored(entry_uuid=OTHER_UUID, patient=patients[1]),
        }
        assert [error.code for error in of_state(submission, objects=facts)] == expected
    if target == OTHER_UUID:
        facts = {UUID: stored(kind=Folder, object_type=None), OTHER_UUID: stored(patient=OTHER_PATIENT.key)}
        assert [error.code for error in of_state(submission, objects=facts)] == [ErrorCode.PATIENT_ID_DOES_NOT_MATCH]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Document01", "Folder01"),
        ("Document01", UUID),
        ("Folder01", "Folder02"),
        ("Folder01", "Association01"),
        (UUID, OTHER_UUID),
    ],
)
def test_a_folder_holds_documents_and_nothing_else_has_members(source: str, target: str) -> None:
    member = an_association(entry_uuid="Association01", source=source, target=target)
    other = a_folder(entry_uuid="Folder02", unique_id="2.25.2")
    submission = a_submission(folders=(a_folder(), other), associations=(member,))
    facts = {
        UUID: stored(),
        OTHER_UUID: stored(entry_uuid=OTHER_UUID, kind=Folder, object_type=None),
    }
    context = one_context(of_state(submission, objects=facts))
    assert "Association01" in context
    assert "member" in context


@pytest.mark.parametrize("kind", [AssociationType.APND, AssociationType.XFRM, AssociationType.SIGNS])
def test_a_relationship_points_at_no_folder_of_the_request(kind: AssociationType) -> None:
    link = an_association(association_type=kind, source="Document01", target="Folder01")
    errors = of_state(a_submission(folders=(a_folder(),), associations=(link,)))
    assert "Folder01" in one_context(errors, ErrorCode.UNRESOLVED_REFERENCE)
