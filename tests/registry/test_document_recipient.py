"""Document Recipient: submissions without history and with limited metadata, on both databases. ITI TF-1: 15."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from access_policy.caller import OPEN_CALLER
from access_policy.visibility import EVERYTHING
from registry import document_recipient, patients
from registry import iti42_register_document_set_b as iti42
from registry.criteria import Criteria, Form
from registry.patients import Source
from registry.store import Registry
from storage.deflated import inflated
from tests.builders import (
    OTHER_PATIENT,
    PATIENT,
    a_folder,
    a_reading,
    a_replacement,
    a_submission,
    a_submission_set,
    an_association,
    an_entry,
)
from xds.ebrim.read import Reading, read_submission
from xds.ebrim.write import write_submit_objects_request
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.metadata import DocumentEntry, Folder, Submission, SubmissionSet
from xds.vocabulary import AssociationType
from xds.xml import parse

ELSEWHERE = "urn:uuid:99999999-9999-4999-8999-999999999999"
REQUIRED = ("entry_uuid", "object_type", "mime_type", "unique_id", "hash", "size", "repository_unique_id")


def a_limited_entry(**changes: Any) -> DocumentEntry:
    """Only what limited metadata must have, and what a repository computes."""
    full = an_entry()
    return DocumentEntry(**({name: getattr(full, name) for name in REQUIRED} | {"limited_metadata": True} | changes))


def a_limited_set(**changes: Any) -> SubmissionSet:
    full = a_submission_set()
    given = {name: getattr(full, name) for name in ("entry_uuid", "source_id", "submission_time", "unique_id")}
    return SubmissionSet(**(given | {"limited_metadata": True} | changes))


def limited(*entries: DocumentEntry, **changes: Any) -> Submission:
    return a_submission(*(entries or (a_limited_entry(),)), submission_set=a_limited_set(**changes))


def receive(registry: Registry, submission: Submission, *, takes_limited: bool = True) -> tuple[RegistryError, ...]:
    return registry.units.write(
        lambda unit: document_recipient.receive(
            registry, unit, a_reading(submission), OPEN_CALLER, takes_limited=takes_limited
        )
    )


def refused(registry: Registry, submission: Submission, *, takes_limited: bool = True) -> list[RegistryError]:
    before = rows(registry)
    with pytest.raises(Rejected) as caught:
        receive(registry, submission, takes_limited=takes_limited)
    assert rows(registry) == before
    return list(caught.value.errors)


def rows(registry: Registry) -> list[int]:
    tables = ("registry_object", "identity", "object_value", "outbox", "queued_submission")
    with registry.units.read() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables]


def found(registry: Registry, **criteria: Any) -> tuple[Any, ...]:
    return registry.find(Criteria(**criteria), EVERYTHING)


def codes(errors: Any) -> list[ErrorCode]:
    return [error.code for error in errors]


@pytest.mark.parametrize("takes_limited", [True, False])
def test_full_metadata_is_registered(registry: Registry, *, takes_limited: bool) -> None:
    submission = a_submission()
    assert receive(registry, submission, takes_limited=takes_limited) == ()
    assert len(found(registry, unique_ids=(str(submission.document_entries[0].unique_id),))) == 1


def test_limited_metadata_without_the_option_is_refused_with_the_codes_of_a_recipient(registry: Registry) -> None:
    errors = refused(registry, limited(), takes_limited=False)
    assert set(codes(errors)) == {ErrorCode.REPOSITORY_METADATA}
    told = " ".join(error.context for error in errors)
    assert "DocumentEntry Document01: limitedMetadata: found a value, expected none" in told
    assert "DocumentEntry Document01: classCode: found none" in told
    assert "SubmissionSet SubmissionSet01: patientId: found none" in told


def test_limited_metadata_without_the_flag_is_refused(registry: Registry) -> None:
    entry = replace(a_limited_entry(), limited_metadata=None)
    errors = refused(registry, a_submission(entry, submission_set=a_limited_set(limited_metadata=None)))
    assert set(codes(errors)) == {ErrorCode.REPOSITORY_METADATA}
    assert "limitedMetadata" not in " ".join(error.context for error in errors)


def test_a_flag_frees_its_own_object_only(registry: Registry) -> None:
    entry = replace(a_limited_entry(), limited_metadata=None)
    errors = refused(registry, a_submission(entry, submission_set=a_limited_set(patient_id=PATIENT)))
    assert all("DocumentEntry" in error.context for error in errors)


@pytest.mark.parametrize("missing", ["mime_type", "unique_id"])
def test_limited_metadata_has_its_own_minimum(registry: Registry, missing: str) -> None:
    errors = refused(registry, limited(replace(a_limited_entry(), **{missing: None}), patient_id=PATIENT))
    assert codes(errors) == [ErrorCode.REPOSITORY_METADATA]


def test_limited_metadata_of_a_known_patient_is_registered_and_the_flag_is_never_shown(registry: Registry) -> None:
    submission = limited(a_limited_entry(patient_id=PATIENT), patient_id=PATIENT)
    assert receive(registry, submission) == ()
    [one] = found(registry, patient=PATIENT.key)
    assert b"ab9b591b" not in one.rendering
    [owner] = found(registry, kind=SubmissionSet, patient=PATIENT.key)
    assert b"5003a9db" not in owner.rendering
    with registry.units.read() as connection:
        whole = connection.execute(text("SELECT whole FROM registry_object WHERE kind = 1")).scalar_one()
    assert b'"limitedMetadata":true' in inflated(whole)


@pytest.mark.parametrize("who", ["the set", "the entry"])
def test_one_object_may_name_the_patient_of_all(registry: Registry, who: str) -> None:
    entry = a_limited_entry(patient_id=PATIENT if who == "the entry" else None)
    assert receive(registry, limited(entry, patient_id=PATIENT if who == "the set" else None)) == ()
    [one] = found(registry, patient=PATIENT.key)
    assert PATIENT.id.encode() in one.rendering


def test_two_patients_in_limited_metadata_are_refused(registry: Registry) -> None:
    errors = refused(registry, limited(a_limited_entry(patient_id=OTHER_PATIENT), patient_id=PATIENT))
    assert codes(errors) == [ErrorCode.PATIENT_ID_DOES_NOT_MATCH]


def test_an_unknown_patient_is_refused(registry: Registry) -> None:
    stranger = replace(PATIENT, text="404^^^&1.2.250.1.213.1.4.10&ISO")
    assert codes(refused(registry, limited(patient_id=stranger))) == [ErrorCode.UNKNOWN_PATIENT_ID]


def test_limited_metadata_without_patient_waits_and_is_seen_by_nobody(registry: Registry) -> None:
    submission = limited()
    [warning] = receive(registry, submission)
    assert (warning.code, warning.is_error) == (ErrorCode.DOCUMENT_QUEUED, False)
    entry = submission.document_entries[0]
    for criteria in ({"unique_ids": (str(entry.unique_id),)}, {"patient": PATIENT.key}):
        assert found(registry, **criteria) == ()
    [queued] = document_recipient.waiting(registry)
    assert queued.submission == submission
    assert queued.received == registry.now()


def matched(registry: Registry, unique_id: str) -> int:
    return registry.units.write(lambda unit: document_recipient.match(registry, unit, unique_id, PATIENT, OPEN_CALLER))


def test_a_submission_that_waits_is_registered_for_the_patient_it_is_matched_with(registry: Registry) -> None:
    submission = limited(a_limited_entry(), a_limited_entry(entry_uuid="Document02"))
    receive(registry, submission)
    unique_id = document_recipient.waiting(registry)[0].unique_id
    assert matched(registry, unique_id) == 5
    assert len(found(registry, patient=PATIENT.key)) == 2
    assert document_recipient.waiting(registry) == []
    with pytest.raises(Rejected):
        matched(registry, unique_id)


def test_a_match_that_the_registry_refuses_leaves_the_submission_waiting(registry: Registry) -> None:
    receive(registry, limited())
    [queued] = document_recipient.waiting(registry)
    source = Source(transaction="test", caller=OPEN_CALLER)
    registry.units.write(
        lambda unit: patients.merge(registry, unit, subsumed=PATIENT, surviving=OTHER_PATIENT, source=source)
    )
    with pytest.raises(Rejected) as caught:
        matched(registry, queued.unique_id)
    assert codes(caught.value.errors) == [ErrorCode.UNKNOWN_PATIENT_ID]
    assert len(document_recipient.waiting(registry)) == 1


def test_a_submission_waits_once(registry: Registry) -> None:
    submission = limited()
    receive(registry, submission)
    assert codes(refused(registry, submission)) == [ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY]
    matched(registry, str(submission.submission_set and submission.submission_set.unique_id))
    assert codes(refused(registry, submission)) == [ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY]


def test_other_octets_under_a_known_unique_id_do_not_wait(registry: Registry) -> None:
    stored = an_entry()
    registry.units.write(lambda unit: iti42.handle(registry, unit, a_reading(a_submission(stored)), OPEN_CALLER))
    other = a_limited_entry(unique_id=stored.unique_id, hash="b" * 40, size=99)
    assert ErrorCode.NON_IDENTICAL_HASH in codes(refused(registry, limited(other)))


@pytest.mark.parametrize(
    ("kind", "warning"),
    [
        (AssociationType.RPLC, ErrorCode.PARTIAL_REPLACE_CONTENT_NOT_PROCESSED),
        (AssociationType.APND, ErrorCode.PARTIAL_APPEND_CONTENT_NOT_PROCESSED),
        (AssociationType.XFRM, ErrorCode.PARTIAL_TRANSFORM_NOT_PROCESSED),
        (AssociationType.XFRM_RPLC, ErrorCode.PARTIAL_TRANSFORM_REPLACE_NOT_PROCESSED),
        (AssociationType.SIGNS, ErrorCode.PARTIAL_RELATIONSHIP_CONTENT_NOT_PROCESSED),
    ],
)
def test_a_relationship_to_what_is_not_here_is_a_warning(
    registry: Registry, kind: AssociationType, warning: ErrorCode
) -> None:
    entry = an_entry()
    [told] = receive(registry, a_submission(entry, associations=(a_replacement(entry, ELSEWHERE, kind),)))
    assert (told.code, told.is_error) == (warning, False)
    assert len(found(registry, unique_ids=(str(entry.unique_id),))) == 1


def test_a_place_in_a_folder_that_is_not_here_is_a_warning(registry: Registry) -> None:
    entry = an_entry()
    member = an_association(entry_uuid="M", source=ELSEWHERE, target=entry.entry_uuid)
    told = receive(registry, a_submission(entry, associations=(member, an_association(target="M"))))
    assert codes(told) == [ErrorCode.PARTIAL_FOLDER_CONTENT_NOT_PROCESSED]


def test_a_reference_to_a_document_that_is_not_here_is_a_warning(registry: Registry) -> None:
    reference = an_association(target=ELSEWHERE, submission_set_status="Reference")
    told = receive(registry, a_submission(an_entry(), associations=(reference,)))
    assert codes(told) == [ErrorCode.PARTIAL_RELATIONSHIP_CONTENT_NOT_PROCESSED]


def test_what_is_here_is_processed(registry: Registry) -> None:
    original = an_entry()
    things = registry.units.write(
        lambda unit: iti42.handle(registry, unit, a_reading(a_submission(original)), OPEN_CALLER)
    )
    stored = next(thing for thing in things if isinstance(thing, DocumentEntry))
    newer = an_entry()
    member = an_association(entry_uuid="M", source="Folder01", target=newer.entry_uuid)
    submission = a_submission(
        newer,
        folders=(a_folder(),),
        associations=(a_replacement(newer, stored.entry_uuid), member, an_association(target="M")),
    )
    assert receive(registry, submission) == ()
    assert len(found(registry, kind=Folder, patient=PATIENT.key)) == 1
    [deprecated] = found(registry, entry_uuids=(stored.entry_uuid,))
    assert b"StatusType:Deprecated" in deprecated.rendering


def test_a_reference_to_nothing_in_the_request_is_an_error(registry: Registry) -> None:
    entry = an_entry()
    errors = refused(registry, a_submission(entry, associations=(a_replacement(entry, "Document99"),)))
    assert codes(errors) == [ErrorCode.UNRESOLVED_REFERENCE]


def test_limited_metadata_is_no_fhir_problem(registry: Registry) -> None:
    from fhir_facade.rendering import render_fhir

    registry._render_fhir = render_fhir
    receive(registry, limited(patient_id=PATIENT))
    [one] = registry.find(Criteria(patient=PATIENT.key), EVERYTHING, form=Form.FHIR)
    assert b'"subject"' in one.rendering


NODES = {
    "rim:ExtrinsicObject": "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
    "rim:RegistryPackage": "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
}


def reading_with(flag: str, where: str) -> Reading:
    """A full submission with a flag inside the first element of this name, or behind it in the list."""
    node = f'<rim:Classification id="c" classifiedObject="{{}}" classificationNode="{flag}"/>'
    request = write_submit_objects_request(a_submission().objects).decode()
    if where == "beside":
        return read_submission(
            parse(
                request.replace(
                    "</rim:RegistryObjectList>", node.format("SubmissionSet01") + "</rim:RegistryObjectList>"
                ).encode()
            )
        )
    owner = "Document01" if where == "rim:ExtrinsicObject" else "SubmissionSet01"
    return read_submission(parse(request.replace(f"</{where}>", node.format(owner) + f"</{where}>", 1).encode()))


def test_the_flag_is_read_inside_its_object_or_beside_its_package() -> None:
    inside = reading_with(NODES["rim:ExtrinsicObject"], "rim:ExtrinsicObject")
    assert (inside.errors, inside.submission.document_entries[0].limited_metadata) == ((), True)
    for where in ("rim:RegistryPackage", "beside"):
        owner = reading_with(NODES["rim:RegistryPackage"], where).submission.submission_set
        assert owner is not None
        assert owner.limited_metadata is True


def test_the_flag_of_another_kind_of_object_is_an_error() -> None:
    wrong = reading_with(NODES["rim:RegistryPackage"], "rim:ExtrinsicObject")
    assert ["limitedMetadata" in error.context for error in wrong.errors] == [True]
