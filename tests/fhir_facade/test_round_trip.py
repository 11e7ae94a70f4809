"""XDS -> FHIR -> XDS keeps every attribute, and FHIR that was changed on the way says what it was changed to."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings

from fhir_facade.document_list import from_folder_list, from_submission_set_list, to_list
from fhir_facade.document_reference import from_document_reference, to_document_reference
from fhir_facade.exact_values import URL
from fhir_facade.reader import Reader
from fhir_facade.structural_rules import structural_rules
from tests import strategies
from tests.builders import a_folder, a_submission_set, an_entry
from xds.affinity_domain import AffinityDomain
from xds.datatypes import DTM, LocalizedString
from xds.metadata import DocumentEntry, Folder, SubmissionSet
from xds.vocabulary import DocumentAvailability

NOW = "20260310120000"
slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)


def reader(resource: dict[str, Any]) -> Reader:
    return Reader(resource=resource, at="Resource", domain=AffinityDomain(name="ihe"))


def rendered(thing: DocumentEntry | SubmissionSet | Folder) -> dict[str, Any]:
    octets = to_document_reference(thing, (), NOW) if isinstance(thing, DocumentEntry) else to_list(thing, (), NOW)
    resource: dict[str, Any] = json.loads(octets)
    return resource


def read(resource: dict[str, Any], thing: DocumentEntry) -> DocumentEntry:
    return from_document_reference(reader(resource), entry_uuid=thing.entry_uuid)


@slow
@given(strategies.document_entries)
def test_every_attribute_of_a_document_entry_survives(entry: DocumentEntry) -> None:
    assert read(rendered(entry), entry) == entry


@slow
@given(strategies.submission_sets)
def test_every_attribute_of_a_submission_set_survives(submission: SubmissionSet) -> None:
    found = from_submission_set_list(reader(rendered(submission)), entry_uuid=submission.entry_uuid)
    assert found == submission


@slow
@given(strategies.folders)
def test_every_attribute_of_a_folder_survives(folder: Folder) -> None:
    assert from_folder_list(reader(rendered(folder)), entry_uuid=folder.entry_uuid) == folder


def test_what_elements_hold_exactly_needs_no_extension() -> None:
    """Codes, texts and plain times stand in their elements alone."""
    plain = {"title", "comments", "typeCode", "classCode", "formatCode", "confidentialityCode", "mimeType", "uniqueId"}
    plain |= {"languageCode", "creationTime", "contentTypeCode", "codeList", "sourceId", "submissionTime", "hash"}
    for thing in (an_entry(), a_submission_set(), a_folder()):
        resource = rendered(replace(thing, title="plain"))
        extensions = [one["extension"] for one in resource.get("extension", ()) if one["url"] == URL]
        assert not plain & {value["url"] for values in extensions for value in values}
        assert list(structural_rules(resource)) == []


def test_an_exact_value_counts_only_while_its_element_says_the_same() -> None:
    entry = an_entry(creation_time=DTM("2026031009"), document_availability=DocumentAvailability.OFFLINE)
    resource = rendered(entry)
    assert read(resource, entry).creation_time == DTM("2026031009")
    resource["content"][0]["attachment"]["creation"] = "2026-03-11T09:00:00Z"
    found = read(resource, entry)
    assert found.creation_time == DTM("20260311090000")
    assert found.document_availability is DocumentAvailability.OFFLINE


def test_languages_of_a_title_survive() -> None:
    title = LocalizedString("Compte rendu", language="fr-FR", others=(LocalizedString("Report", language="en"),))
    entry = an_entry(title=title)
    found = read(rendered(entry), entry).title
    assert isinstance(found, LocalizedString)
    assert [(str(one), one.language) for one in found.wordings] == [("Compte rendu", "fr-FR"), ("Report", "en")]


def test_what_only_looks_like_an_exact_value_is_ignored() -> None:
    entry = an_entry()
    for text in ('"<x>"', "[[1]]", "not json", '{"a": 1}', '"\\u0000"', "17"):
        resource = rendered(entry)
        values = [{"url": name, "valueString": text} for name in ("creationTime", "sourcePatientId", "author")]
        resource["extension"] = [{"url": URL, "extension": values}]
        assert read(resource, entry).creation_time == entry.creation_time
