"""References that a search narrows by: to others, by identifier, as FHIR submitted them. FHIR R4 3.1.1.4.12."""

import re
from collections.abc import Sequence
from dataclasses import replace

from fhir_facade.code_systems import URI_SYSTEM
from fhir_facade.operation_outcome import bad_request
from fhir_facade.read_people import authority_of
from fhir_facade.search_values import Question, SearchParameter, Token, unescape, valued
from registry.criteria import Criteria, TextCriterion
from xds.datatypes import escape

_TYPE_OF = re.compile(r"(?:\A|/)([^/]+)/[^/]+(?:/_history/[^/]+)?\Z")  # of a reference


def narrow_related(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """referenceIdList by an identifier, with or without its system; its type is not asked for. MHD 2:3.67.4.1.2.1"""
    texts = tuple(map(_reference_id, valued(parameter, values)))
    criterion = TextCriterion(attribute="reference_id_list", any_of=texts)
    return replace(question.criteria, texts=(*question.criteria.texts, criterion))


def _reference_id(token: Token) -> str:
    if token.system is None:
        return f"{escape(token.code)}^^^"
    authority = "" if token.system in ("", URI_SYSTEM) else f"&{authority_of(token.system)}&ISO"
    return f"{escape(token.code)}^^^{authority}^"


def narrow_submitted(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """By a reference that FHIR submitted, relative or with the base of this server; by an id alone where the name of
    the parameter says the type. FHIR R4 3.1.1.4.12
    """
    texts = [unescape(value).removeprefix(f"{question.base_url}/") for value in values]
    if question.type_named:
        texts = [text if "/" in text else f"{question.type_named}/{text}" for text in texts]
    if any("/" not in text for text in texts):
        raise bad_request(f"{parameter.name}: expected Type/id or a URL", expression=parameter.name)
    if question.type_named and any(_TYPE_OF.findall(text) != [question.type_named] for text in texts):
        name = f"{parameter.name}:{question.type_named}"
        raise bad_request(f"{name}: found a reference to another type, expected one to that", expression=name)
    own = (f"{question.base_url}/{text}" for text in texts if "://" not in text)
    criterion = TextCriterion(attribute=parameter.attributes[0], any_of=(*texts, *own))
    return replace(question.criteria, texts=(*question.criteria.texts, criterion))


def narrow_relates_to(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """Documents that replace, append, transform or sign one of these."""
    criteria = question.criteria
    found = tuple(dict.fromkeys(one for value in values for one in question.related_to(unescape(value))))
    if criteria.entry_uuids:
        found = tuple(one for one in found if one in criteria.entry_uuids)
    return replace(criteria, entry_uuids=found) if found else None
