"""Who made it: authors of documents and SubmissionSets by their FHIR type, organisations.

MHD 2:3.66.4.1.2, 2:3.67.4.1.2; PDSm 5.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fhir_facade.code_systems import URI_SYSTEM
from fhir_facade.read_people import authority_of
from fhir_facade.search_values import (
    ANY_NAME,
    FAMILY,
    GIVEN,
    Narrow,
    Question,
    SearchParameter,
    Token,
    names_with,
    narrow_person_identifier,
    read_token,
    unescape,
    valued,
)
from registry.criteria import AuthorCriterion, Criteria, LikeCriterion, TextCriterion, TextMatch
from xds.datatypes import escape
from xds.identifiers import OID_PREFIX
from xds.query_grammar import has_wildcard

_ROLE = "PractitionerRole"
_HAS_ORGANISATION = ("", _ROLE)  # of the types that an author may have, this one alone
_PROFESSIONALS = ("Practitioner", _ROLE)  # XDS has one author, with a role or without
_TYPES: Mapping[str, tuple[str, ...]] = dict.fromkeys(_PROFESSIONALS, _PROFESSIONALS)
_ELEMENTS = {FAMILY: "family", GIVEN: "given", ANY_NAME: "name"}
_BEFORE_ID = "%^" * 9  # components of XON


def author_names(components: tuple[int, ...], match: TextMatch = TextMatch.START) -> Narrow:
    """By the name of an author person of a document; of an author of the type that is named, whatever that has."""
    named = names_with(components, match)

    def narrow(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
        if not question.type_named:
            return named(question, parameter, values)
        return _with_author(question, _ELEMENTS[components], tuple(map(unescape, values)), match)

    return narrow


def narrow_author_identifier(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """By the identifier of an author person, or of an author of the type that is named, with or without system."""
    if not question.type_named:
        return narrow_person_identifier(question, parameter, values)
    return _with_author(question, "identifier", _identified(parameter, values), TextMatch.WHOLE)


def _identified(parameter: SearchParameter, values: Sequence[str]) -> tuple[str, ...]:
    """Tokens as `AuthorCriterion` has them."""
    tokens = valued(parameter, values)
    return tuple(one.code if one.system is None else f"{one.system}|{one.code}" for one in tokens)


def _with_author(question: Question, element: str, texts: tuple[str, ...], match: TextMatch) -> Criteria:
    kind = question.type_named
    types = _TYPES.get(kind, (kind,))
    criterion = AuthorCriterion(attribute=element, any_of=texts, match=match, types=types)
    return replace(question.criteria, texts=(*question.criteria.texts, criterion))


def role_organisation(narrow_institution: Narrow) -> Narrow:
    """By the organisation for which an author of a document acts: an institution of one who is more than that."""

    def narrow(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
        return narrow_institution(question, parameter, values) if question.type_named in _HAS_ORGANISATION else None

    return narrow


def source_organisation(narrow_institution: Narrow) -> Narrow:
    """By the institution of the author of a SubmissionSet who is a professional."""

    def narrow(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
        criteria = narrow_institution(question, parameter, values)
        if criteria is None or question.type_named not in _HAS_ORGANISATION:
            return None
        of_type = TextCriterion(attribute="source_type", any_of=(_ROLE,))
        return replace(criteria, texts=(*criteria.texts, of_type))

    return narrow


def source_names(components: tuple[int, ...], match: TextMatch = TextMatch.START) -> Narrow:
    """By the name of an author person, who is of the type that is named: a Patient, or a professional."""
    named = names_with(components, match)

    def narrow(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
        criteria, kind = named(question, parameter, values), question.type_named
        if criteria is None or not kind:
            return criteria
        of_type = TextCriterion(attribute="source_type", any_of=_TYPES.get(kind, (kind,)))
        return replace(criteria, texts=(*criteria.texts, of_type))

    return narrow


def organisation_with(match: TextMatch = TextMatch.START, attribute: str = "author_institution") -> Narrow:
    """By the name of an author institution. FHIR R4 3.1.1.4.8"""

    def narrow(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
        texts = tuple(escape(unescape(value)) for value in values)
        criterion = TextCriterion(attribute=attribute, any_of=texts, components=(1,), match=match)
        return replace(question.criteria, texts=(*question.criteria.texts, criterion))

    return narrow


def names_modified(components: tuple[int, ...]) -> tuple[tuple[str, Narrow], ...]:
    """The modifiers of the name of an author. FHIR R4 3.1.1.5.5"""
    return (
        ("exact", author_names(components, TextMatch.WHOLE)),
        ("contains", author_names(components, TextMatch.WITHIN)),
    )


def organisation_identified(attribute: str = "author_institution") -> Narrow:
    """By an identifier of an author institution: a token in any of its forms. FHIR R4 3.1.1.4.10"""

    def narrow(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
        tokens = [read_token(value) for value in values]
        patterns = tuple(_pattern(one) for one in tokens if not has_wildcard(one.code))  # no identifier has a wildcard
        if not patterns:
            return None
        criterion = LikeCriterion(attribute=attribute, any_of=patterns)
        return replace(question.criteria, likes=(*question.criteria.likes, criterion))

    return narrow


def _pattern(token: Token) -> str:
    """Of `name^^^^^&OID&ISO^^^^id`, or of `name^^^^^^^^^OID` which names no system. ITI TF-3: Table 4.2.3.1.7-2"""
    code = escape(token.code)
    if token.system is None:
        return f"{_BEFORE_ID}{code}"
    if token.system in ("", URI_SYSTEM):
        return f"%^^^^^^^^^{code.removeprefix(OID_PREFIX) or '_%'}"
    return f"%^&{authority_of(token.system)}&ISO^%^{code or '_%'}"
