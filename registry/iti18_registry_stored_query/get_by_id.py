"""Queries by id: GetDocuments, GetFolders, GetAssociations … ITI TF-2: 3.18.4.1.2.3.7.5 to .9."""

from dataclasses import replace

from registry.iti18_registry_stored_query import to_criteria
from registry.iti18_registry_stored_query.answer import Answer, sources, uuids
from xds.query_grammar import ReadQuery
from xds.stored_queries import OBJECT_IDS
from xds.vocabulary import AssociationType


def get_documents(answer: Answer, query: ReadQuery) -> None:
    """GetDocuments: all versions of each at MetadataLevel 2."""
    answer.add(to_criteria.identified(to_criteria.documents(query), query))


def get_folders(answer: Answer, query: ReadQuery) -> None:
    """GetFolders: all versions of each at MetadataLevel 2."""
    answer.add(to_criteria.identified(to_criteria.folders(query), query))


def get_associations(answer: Answer, query: ReadQuery) -> None:
    """GetAssociations: those with an end in the list."""
    answer.add(replace(to_criteria.associations(query), touching=query.all(OBJECT_IDS.name)))


def get_documents_and_associations(answer: Answer, query: ReadQuery) -> None:
    """GetDocumentsAndAssociations: the documents, and all associations with an end among them."""
    documents = answer.add(to_criteria.identified(to_criteria.documents(query), query))
    if documents:
        answer.add(replace(to_criteria.associations(query), touching=uuids(documents)))


def get_submission_sets(answer: Answer, query: ReadQuery) -> None:
    """GetSubmissionSets: the sets that the objects came with, and the HasMember associations that say so."""
    associations = replace(to_criteria.associations(query), association_types=(AssociationType.HAS_MEMBER,))
    members = answer.look(replace(associations, targets=query.all(OBJECT_IDS.name)))
    if members:
        found = set(uuids(answer.add(replace(to_criteria.submission_sets(query), entry_uuids=sources(members)))))
        answer.keep(member for member in members if member.source in found)
