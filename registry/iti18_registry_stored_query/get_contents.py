"""Queries for what a SubmissionSet or Folder holds. ITI TF-2: 3.18.4.1.2.3.7.10, .11.

The filters on documents restrict the documents, and with them the associations; never the
SubmissionSet or the Folder.
"""

from dataclasses import replace

from registry.iti18_registry_stored_query import to_criteria
from registry.iti18_registry_stored_query.answer import Answer, targets, uuids
from xds.query_grammar import ReadQuery
from xds.vocabulary import AssociationType


def get_submission_set_and_contents(answer: Answer, query: ReadQuery) -> None:
    """GetSubmissionSetAndContents: the set, its documents and folders, the associations between them that it
    holds, and the HasMember associations to all of these.
    """
    sets = answer.add(to_criteria.identified(to_criteria.submission_sets(query), query))
    associations = to_criteria.associations(query)
    if not sets:
        return
    members = answer.look(replace(associations, sources=uuids(sets), association_types=(AssociationType.HAS_MEMBER,)))
    if not members:
        return
    held = targets(members)
    answer.add(replace(to_criteria.documents(query), entry_uuids=held))
    answer.add(replace(to_criteria.folders(query), entry_uuids=held))
    linked = answer.look(replace(associations, entry_uuids=held))
    objects = set(uuids(answer.found))
    answer.keep(one for one in linked if one.source in objects and one.target in objects)
    kept = set(uuids(answer.found))
    answer.keep(member for member in members if member.target in kept)


def get_folder_and_contents(answer: Answer, query: ReadQuery) -> None:
    """GetFolderAndContents: the folder, at MetadataLevel 2 each of its versions, its documents, and the HasMember
    associations between them.
    """
    folders = answer.add(to_criteria.identified(to_criteria.folders(query), query))
    if not folders:
        return
    associations = replace(to_criteria.associations(query), association_types=(AssociationType.HAS_MEMBER,))
    members = answer.look(replace(associations, sources=uuids(folders)))
    if members:
        documents = answer.add(replace(to_criteria.documents(query), entry_uuids=targets(members)))
        kept = set(uuids(documents))
        answer.keep(member for member in members if member.target in kept)
