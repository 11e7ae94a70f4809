"""Restricted Update Document Set: new versions of documents, of which only some attributes may differ."""

from dataclasses import replace

import pytest

from registry import iti92_restricted_update_document_set as iti92
from registry.store import Registry
from tests.builders import (
    OTHER_PATIENT,
    a_folder,
    a_status_update,
    a_submission,
    a_submission_set,
    an_association,
    an_entry,
    an_update,
    together,
)
from tests.registry.registries import (
    APPROVED,
    DEPRECATED,
    a_filled_folder,
    a_stored_entry,
    codes,
    links,
    now_held,
    only,
    refused,
    submit,
)
from xds.datatypes import CX
from xds.metadata import DocumentEntry, Submission
from xds.vocabulary import DocumentAvailability, ObjectType

UNKNOWN = "urn:uuid:99999999-9999-4999-8999-999999999999"


def refused_codes(registry: Registry, submission: Submission) -> set[str]:
    return codes(refused(registry, submission, iti92.handle))


def test_a_restricted_update_stores_the_next_version(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    new = only(DocumentEntry, submit(registry, an_update(entry, comments="Relu"), iti92.handle))
    assert (new.version, new.comments, new.availability_status) == (2, "Relu", APPROVED)
    assert now_held(registry, entry).availability_status is DEPRECATED


def test_hash_size_and_type_of_the_document_may_change_unless_the_domain_is_strict(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    changed = {"hash": "0" * 40, "size": 3, "mime_type": "application/pdf"}
    registry.domain = replace(registry.domain, restricted_update_is_strict=True)
    assert refused_codes(registry, an_update(entry, **changed)) == {"LocalPolicyRestrictionError"}
    registry.domain = replace(registry.domain, restricted_update_is_strict=False)
    assert only(DocumentEntry, submit(registry, an_update(entry, **changed), iti92.handle)).size == 3


def test_an_entry_stored_without_home_community_belongs_to_the_registrys_own(registry: Registry) -> None:
    registry.domain = replace(registry.domain, home_community_id="urn:oid:2.25.7")
    entry = a_stored_entry(registry)
    new = only(DocumentEntry, submit(registry, an_update(entry, home_community_id="urn:oid:2.25.7"), iti92.handle))
    assert (new.version, new.home_community_id) == (2, "urn:oid:2.25.7")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"home_community_id": "urn:oid:1.2.3"}, {"XDSUnknownCommunity", "UnmodifiableMetadataError"}),
        ({"propagation": "no"}, {"XDSMetadataAnnotationError"}),
        ({"logical_id": None}, {"XDSInvalidRequestException"}),
        ({"logical_id": UNKNOWN}, {"UnresolvedReferenceException", "XDSMetadataVersionError"}),
        ({"previous_version": None}, {"XDSMetadataAnnotationError", "XDSMetadataVersionError"}),
        ({"previous_version": 2}, {"XDSMetadataVersionError"}),
        ({"unique_id": "2.25.4712"}, {"XDSMetadataIdentifierError"}),
        ({"patient_id": OTHER_PATIENT}, {"XDSPatientIDReconciliationError"}),
        ({"source_patient_id": CX("IPP-1^^^&1.2.250.1.999.1&ISO^PI")}, {"UnmodifiableMetadataError"}),
        ({"document_availability": DocumentAvailability.OFFLINE}, {"UnmodifiableMetadataError"}),
        ({"repository_unique_id": "1.2.3"}, {"UnmodifiableMetadataError"}),
        (
            {"object_type": ObjectType.ON_DEMAND, "hash": None, "size": None, "creation_time": None},
            {"UnmodifiableMetadataError", "XDSObjectTypeError"},
        ),
        ({"type_code": None}, {"XDSRegistryMetadataError"}),
    ],
)
def test_a_restricted_update_that_breaks_a_rule_names_it(
    registry: Registry, changes: dict[str, object], expected: set[str]
) -> None:
    assert refused_codes(registry, an_update(a_stored_entry(registry), **changes)) == expected


def test_without_its_membership_neither_annotation_nor_version_is_there(registry: Registry) -> None:
    bare = replace(an_update(a_stored_entry(registry)), associations=())
    assert refused_codes(registry, bare) == {"XDSMetadataAnnotationError", "XDSMetadataVersionError"}


def test_folders_and_statuses_are_not_restricted_updates(registry: Registry) -> None:
    folder, entry = a_filled_folder(registry, a_folder(), an_entry())
    assert refused_codes(registry, an_update(folder)) == {"XDSObjectTypeError"}
    status = a_status_update(entry.entry_uuid, "Approved", "Deprecated")
    assert refused_codes(registry, status) == {"XDSMetadataUpdateError"}


def test_one_logical_object_is_updated_once_in_a_request(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    twice = together(an_update(entry), an_update(entry, entry_uuid="Update02"))
    assert refused_codes(registry, twice) == {"XDSMetadataUpdateError"}


def test_references_of_other_submission_sets_follow_the_new_version(registry: Registry) -> None:
    entry = a_stored_entry(registry)
    reference = an_association(target=entry.entry_uuid, submission_set_status="Reference")
    other = replace(a_submission(an_entry()), submission_set=a_submission_set())
    submit(registry, replace(other, associations=(*other.associations, reference)))
    new = only(DocumentEntry, submit(registry, an_update(entry), iti92.handle))
    [old] = [one for one in links(registry, entry.entry_uuid) if one.submission_set_status == "Reference"]
    [moved] = [one for one in links(registry, new.entry_uuid) if one.submission_set_status == "Reference"]
    assert (old.availability_status, moved.availability_status) == (DEPRECATED, APPROVED)
    assert old.source == moved.source
