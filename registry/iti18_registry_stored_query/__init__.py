"""Registry Stored Query [ITI-18]. ITI TF-2: 3.18."""

from collections.abc import Callable, Iterable, Mapping

from lxml import etree

from access_policy.caller import Caller
from registry.claims import as_told_in
from registry.criteria import Form, Found
from registry.iti18_registry_stored_query import find, get_by_id, get_contents, get_related
from registry.iti18_registry_stored_query.answer import DEFAULT_LIMITS, Answer, ResultLimits
from registry.store import Registry
from xds import stored_queries
from xds.ebrim.read_query import read_adhoc_query
from xds.ebrim.response import adhoc_query_response
from xds.ebrim.write import write_object_ref
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.query_grammar import ReadQuery, ReturnType, read_query
from xds.stored_queries import REGISTRY_STORED_QUERIES, StoredQuery

__all__ = ["ResultLimits", "answered", "handle", "soap"]

_QUERIES: dict[str, Callable[[Answer, ReadQuery], None]] = {
    stored_queries.FIND_DOCUMENTS.id: find.find_documents,
    stored_queries.FIND_DOCUMENTS_BY_REFERENCE_ID.id: find.find_documents,
    stored_queries.FIND_DOCUMENTS_EXCLUDE.id: find.find_documents,
    stored_queries.FIND_SUBMISSION_SETS.id: find.find_submission_sets,
    stored_queries.FIND_FOLDERS.id: find.find_folders,
    stored_queries.GET_ALL.id: find.get_all,
    stored_queries.GET_DOCUMENTS.id: get_by_id.get_documents,
    stored_queries.GET_FOLDERS.id: get_by_id.get_folders,
    stored_queries.GET_ASSOCIATIONS.id: get_by_id.get_associations,
    stored_queries.GET_DOCUMENTS_AND_ASSOCIATIONS.id: get_by_id.get_documents_and_associations,
    stored_queries.GET_SUBMISSION_SETS.id: get_by_id.get_submission_sets,
    stored_queries.GET_SUBMISSION_SET_AND_CONTENTS.id: get_contents.get_submission_set_and_contents,
    stored_queries.GET_FOLDER_AND_CONTENTS.id: get_contents.get_folder_and_contents,
    stored_queries.GET_FOLDERS_FOR_DOCUMENT.id: get_related.get_folders_for_document,
    stored_queries.GET_RELATED_DOCUMENTS.id: get_related.get_related_documents,
    stored_queries.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS.id: find.find_documents_for_multiple_patients,
    stored_queries.FIND_DOCUMENTS_BY_REFERENCE_ID_FOR_MULTIPLE_PATIENTS.id: find.find_documents_for_multiple_patients,
    stored_queries.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS.id: find.find_folders_for_multiple_patients,
}


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`query:AdhocQueryRequest` -> `query:AdhocQueryResponse`."""
    return answered(registry, body, caller, queries=REGISTRY_STORED_QUERIES)


def answered(registry: Registry, body: etree._Element, caller: Caller, *, queries: Mapping[str, StoredQuery]) -> bytes:
    """The codec around `handle`, for the transactions whose stored queries these are."""
    try:
        query = read_query(read_adhoc_query(body), queries)
        found = handle(registry, query, caller)
    except Rejected as rejected:
        return adhoc_query_response((), tuple(as_told_in(registry.domain, rejected.errors)))
    return adhoc_query_response([one.rendering or write_object_ref(one.entry_uuid) for one in found])


def handle(
    registry: Registry,
    query: ReadQuery,
    caller: Caller,
    limits: ResultLimits = DEFAULT_LIMITS,
) -> tuple[Found, ...]:
    """The objects a stored query finds for this caller, each once, from one snapshot. ITI TF-2: 3.18.4.1.2.3.7

    A caller to whom identifiers alone may be told gets them, whatever was asked for. DMP 3 (TD3.1)

    Raises Rejected for too many results, or results of several patients.
    """
    with registry.seen_by(caller) as snapshot:
        is_whole = query.return_type is ReturnType.LEAF_CLASS and not snapshot.visibility.references_only
        form = Form.EBRIM if is_whole else Form.REFERENCE
        answer = Answer(snapshot, form, limits.of(query.return_type))
        _QUERIES[query.query.id](answer, query)
    if query.query.single_patient and form is Form.EBRIM:
        _check_single_patient(answer.found)
    return answer.found


def _check_single_patient(found: Iterable[Found]) -> None:
    """LeafClass answers of queries by id do not mix patients; an association has none. ITI TF-2: 3.18.4.1.3"""
    if len({one.patient_key for one in found if one.source is None}) > 1:
        context = "LeafClass result: found objects of several patients, expected those of one; ask for ObjectRef"
        raise Rejected([RegistryError(code=ErrorCode.RESULT_NOT_SINGLE_PATIENT, context=context)])
