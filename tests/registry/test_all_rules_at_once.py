"""A request with many faults is answered once, with all of them."""

from dataclasses import replace

from access_policy.caller import OPEN_CALLER
from registry import iti42_register_document_set_b as iti42
from registry.store import Registry
from tests.builders import OTHER_PATIENT, a_reading, a_submission, an_association, an_entry
from tests.registry.registries import a_stored_entry, refused, rows, submit
from xds.datatypes import DTM, Code
from xds.metadata import Submission
from xds.vocabulary import AssociationType

UNKNOWN = "urn:uuid:99999999-9999-4999-8999-999999999999"


def a_submission_with_seven_faults(registry: Registry) -> Submission:
    taken = a_stored_entry(registry)
    entry = an_entry(
        class_code=Code(code="10", coding_scheme="1.2.3", display_name="Autre"),
        language_code=None,
        patient_id=OTHER_PATIENT,
        service_start_time=DTM("20260311"),
        service_stop_time=DTM("20260310"),
        title="x" * 200,
        unique_id=taken.unique_id,
        hash="0" * 40,
    )
    stray = an_association(association_type=AssociationType.APND, source="Document01", target=UNKNOWN)
    return a_submission(entry, associations=(stray,))


SEVEN = {
    ("XDSRegistryMetadataError", "DocumentEntry Document01: classCode: found '10^^1.2.3', expected a code"),
    ("XDSRegistryMetadataError", "DocumentEntry Document01: languageCode: found none, expected exactly one"),
    ("XDSRegistryMetadataError", "DocumentEntry Document01: serviceStartTime: found 20260311 after"),
    ("XDSRegistryMetadataError", "DocumentEntry Document01: title: found 200 characters, expected at most 128"),
    ("XDSPatientIdDoesNotMatch", "DocumentEntry Document01: patientId: found"),
    ("XDSNonIdenticalHash", "DocumentEntry Document01: uniqueId"),
    ("UnresolvedReferenceException", "Association"),
}


def test_seven_faults_are_seven_errors_that_say_what_where_and_what_instead(registry: Registry) -> None:
    errors = refused(registry, a_submission_with_seven_faults(registry))
    assert len(errors) == len(SEVEN)
    for code, start in SEVEN:
        assert any(str(error.code) == code and error.context.startswith(start) for error in errors), (code, start)


def test_one_fault_taken_away_leaves_the_others(registry: Registry) -> None:
    faulty = a_submission_with_seven_faults(registry)
    [entry] = faulty.document_entries
    mended = replace(faulty, document_entries=(replace(entry, language_code="fr-FR"),))
    assert len(refused(registry, mended)) == len(SEVEN) - 1


def test_nothing_of_a_refused_submission_is_stored(registry: Registry) -> None:
    faulty = a_submission_with_seven_faults(registry)
    before = rows(registry)
    refused(registry, faulty)
    assert rows(registry) == before
    registry.units.write(lambda unit: iti42.handle(registry, unit, a_reading(a_submission(an_entry())), OPEN_CALLER))
    assert rows(registry) != before
    submit(registry, a_submission(an_entry()))
