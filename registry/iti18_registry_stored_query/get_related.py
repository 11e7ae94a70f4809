"""Queries that go on from a document. ITI TF-2: 3.18.4.1.2.3.7.12, .14.

At MetadataLevel 2 they go on from each version of the document, at level 1 from the newest.
"""

from dataclasses import replace

from registry.criteria import Found
from registry.iti18_registry_stored_query import to_criteria
from registry.iti18_registry_stored_query.answer import Answer, sources, targets, uuids
from xds.query_grammar import ReadQuery
from xds.stored_queries import ASSOCIATION_TYPES
from xds.vocabulary import RELATIONSHIPS, AssociationType


def get_folders_for_document(answer: Answer, query: ReadQuery) -> None:
    """GetFoldersForDocument: the folders that hold it, alone."""
    named = _named_documents(answer, query)
    if not named:
        return
    associations = replace(to_criteria.associations(query), association_types=(AssociationType.HAS_MEMBER,))
    members = answer.steps(replace(associations, targets=uuids(named)))
    if members:
        answer.add(replace(to_criteria.folders(query), entry_uuids=sources(members)))


def get_related_documents(answer: Answer, query: ReadQuery) -> None:
    """GetRelatedDocuments: relationships of the given types that touch the document, and the documents at their
    ends. A relationship of which an end is not in the answer is not either; without one there is nothing.
    """
    types = tuple(kind for kind in AssociationType if kind in RELATIONSHIPS & set(query.all(ASSOCIATION_TYPES.name)))
    named = _named_documents(answer, query) if types else ()
    if not named:
        return
    associations = replace(to_criteria.associations(query), association_types=types)
    relationships = answer.look(replace(associations, touching=uuids(named)))
    if not relationships:
        return
    ends = dict.fromkeys((*sources(relationships), *targets(relationships)))
    documents = answer.look(replace(to_criteria.documents(query), entry_uuids=tuple(ends)))
    shown = set(uuids(documents))
    whole = [one for one in relationships if one.source in shown and one.target in shown]
    related = {*sources(whole), *targets(whole)}
    answer.keep(one for one in documents if one.entry_uuid in related)
    answer.keep(whole)


def _named_documents(answer: Answer, query: ReadQuery) -> tuple[Found, ...]:
    return answer.steps(to_criteria.identified(to_criteria.documents(query), query))
