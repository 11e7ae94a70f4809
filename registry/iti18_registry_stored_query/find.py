"""Queries by patient and content: Find… and GetAll. ITI TF-2: 3.18.4.1.2.3.7.1 to .4, 3.51.4.1.2.3."""

from dataclasses import replace

from registry.criteria import Criteria
from registry.iti18_registry_stored_query import to_criteria
from registry.iti18_registry_stored_query.answer import Answer, uuids
from xds.query_grammar import ReadQuery


def find_documents(answer: Answer, query: ReadQuery) -> None:
    """FindDocuments, FindDocumentsByReferenceId, FindDocumentsExclude."""
    answer.add(to_criteria.documents(query))


def find_submission_sets(answer: Answer, query: ReadQuery) -> None:
    """FindSubmissionSets: the sets alone, without associations."""
    answer.add(to_criteria.submission_sets(query))


def find_folders(answer: Answer, query: ReadQuery) -> None:
    """FindFolders."""
    answer.add(to_criteria.folders(query))


def find_documents_for_multiple_patients(answer: Answer, query: ReadQuery) -> None:
    """FindDocumentsForMultiplePatients, with or without reference ids."""
    _find_for_multiple_patients(answer, to_criteria.documents(query))


def find_folders_for_multiple_patients(answer: Answer, query: ReadQuery) -> None:
    """FindFoldersForMultiplePatients."""
    _find_for_multiple_patients(answer, to_criteria.folders(query))


def _find_for_multiple_patients(answer: Answer, criteria: Criteria) -> None:
    """Without patient identifiers the question is about all patients: the one place where a query is.

    It is asked by reference first, so that too many objects are refused before any of them is read.
    """
    if not criteria.patients:
        criteria = replace(criteria, across_patients=True)
    if answer.steps(criteria):
        answer.add(criteria)


def get_all(answer: Answer, query: ReadQuery) -> None:
    """GetAll: the objects of a patient, then every association with an end among them."""
    patient = query.one("$patientId")
    answer.add(replace(to_criteria.documents(query), patient=patient))
    answer.add(replace(to_criteria.submission_sets(query), patient=patient))
    answer.add(replace(to_criteria.folders(query), patient=patient))
    if answer.found:
        answer.add(replace(to_criteria.associations(query), touching=uuids(answer.found)))
