"""The modifier `:missing` of search parameters: what has no value, or has one. FHIR R4 3.1.1.5.5."""

from collections.abc import Sequence
from dataclasses import replace

from fhir_facade.operation_outcome import bad_request
from fhir_facade.search_values import Question, SearchParameter
from registry.criteria import Criteria, PresenceCriterion
from xds.metadata import Folder

_TRUTHS = {"true": True, "false": False}
_OF_FOLDERS = {"content_type_code": "code_list"}  # what a Folder has in the place of an attribute of a SubmissionSet
# Not said by an object itself, or not asked for so.
ELSEWHERE = frozenset({"author", "authorOrg", "related", "relatesto", "source", "targetCommunityIdList"})
_OF_SEVERAL_TYPES = ("author", "source")


def narrow_missing(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """Objects with none of the attributes of the parameter, or with one of them; without attributes all have it."""
    name, criteria = f"{parameter.name}:missing", question.criteria
    if question.type_named and parameter.name.partition(".")[0] in _OF_SEVERAL_TYPES:
        sentence = f"{name}: not supported where a type is named, :{question.type_named}"
        raise bad_request(sentence, code="not-supported", expression=name)
    if len(values) != 1 or values[0] not in _TRUTHS:
        raise bad_request(f"{name}: expected true or false", expression=name)
    is_missing = _TRUTHS[values[0]]
    if not parameter.attributes:
        return None if is_missing else criteria
    of_folders = _OF_FOLDERS if criteria.kind is Folder else {}
    attributes = tuple(of_folders.get(one, one) for one in parameter.attributes)
    criterion = PresenceCriterion(attributes=attributes, is_missing=is_missing)
    return replace(criteria, present=(*criteria.present, criterion))
