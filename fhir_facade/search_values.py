"""Values of search parameters: tokens, dates, escapes, and how each type narrows the criteria. FHIR R4 3.1.1.4."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fhir_facade.code_systems import from_identifier, from_uri
from fhir_facade.operation_outcome import bad_request, unknown_community
from fhir_facade.read_people import authority_of
from registry.criteria import CodeCriterion, CodePattern, Criteria, LikeCriterion, TextCriterion, TextMatch
from xds.datatypes import CX, escape
from xds.identifiers import UUID_PREFIX, is_uuid_urn
from xds.metadata import Folder, SubmissionSet
from xds.query_grammar import has_wildcard
from xds.vocabulary import AvailabilityStatus

MAX_VALUES = 100
_SPLIT = {",": re.compile(r"(?<!\\),"), "|": re.compile(r"(?<!\\)\|")}
_ESCAPED = re.compile(r"\\([\\,|$])")
FAMILY, GIVEN = (2,), (3, 4)  # components of XCN: the first and the further given names
ANY_NAME = (*FAMILY, *GIVEN)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}\Z")
KINDS: Mapping[str, type[SubmissionSet | Folder]] = {"submissionset": SubmissionSet, "folder": Folder}
_APPROVED, _DEPRECATED = AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED
_ARCHIVED, _DELETED = AvailabilityStatus.ARCHIVED, AvailabilityStatus.DELETED
Statuses = Mapping[str, tuple[AvailabilityStatus, ...]]
# What is archived is `current` still, and says so in an extension. PDSm 3
STATUSES: Statuses = {
    "current": (_APPROVED, _ARCHIVED),
    "superseded": (_DEPRECATED,),
    "entered-in-error": (_DELETED,),
}
_LIST_STATUSES: Statuses = {**STATUSES, "retired": (_DEPRECATED,)}
_ARCHIVED_OR_NOT: Statuses = {"true": (_ARCHIVED,), "false": (_APPROVED, _DEPRECATED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`code`, `system|code`, `|code` or `system|`; `system` None means any."""

    system: str | None
    code: str


# None where nothing can fit.
Narrow = Callable[["Question", "SearchParameter", Sequence[str]], Criteria | None]


PatientOf = Callable[[str, str], CX | None]  # (system, value) of an identifier
ReferencedPatient = Callable[[str], CX | None]  # the text of a reference
RelatedTo = Callable[[str], tuple[str, ...]]  # the same of a document -> entryUUIDs of those that relate to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was narrowed so far, how patients and documents are found that a parameter names, and the community.

    `type_named`: the type that the reference is said to lead to, empty for any.
    """

    criteria: Criteria
    identified: PatientOf
    referenced: ReferencedPatient
    related_to: RelatedTo
    now: Callable[[], str] = str  # 14 digits, UTC
    home_community_id: str = ""
    base_url: str = ""
    type_named: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameter:
    """One parameter: FHIR type, what it searches, how it narrows the criteria, and how with a modifier."""

    name: str
    type: str
    documentation: str
    narrow: Narrow
    attributes: tuple[str, ...] = ()
    modifiers: tuple[tuple[str, Narrow], ...] = ()  # without the colon
    definition: str = ""  # canonical; of a chain that of its last parameter, empty where the standard has none
    hidden: bool = field(default=False)


def split(text: str, separator: str = ",") -> list[str]:
    """The values between separators, escapes left in place."""
    return _SPLIT[separator].split(text)


def unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def read_token(text: str) -> Token:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) > 2 or parts == [""] or parts == ["", ""]:
        raise bad_request("expected a token such as code or system|code")
    return Token(system=None, code=parts[0]) if len(parts) == 1 else Token(system=parts[0], code=parts[1])


def valued(parameter: SearchParameter, values: Sequence[str]) -> list[Token]:
    """Tokens with a value: everything of a system, `system|`, is not looked for by such a parameter."""
    tokens = [read_token(value) for value in values]
    if not all(token.code for token in tokens):
        sentence = f"{parameter.name}: found a system alone, expected a value, with or without system|"
        raise bad_request(sentence, code="not-supported", expression=parameter.name)
    return tokens


def narrow_patient(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """By an identifier, with or without its system; nobody's record is searched for an identifier nobody has."""
    tokens = [read_token(value) for value in values]
    if len(tokens) != 1 or not tokens[0].code:
        raise bad_request(f"{parameter.name}: expected one patient, as system|identifier", expression=parameter.name)
    return _of_patient(question, question.identified(tokens[0].system or "", tokens[0].code))


def narrow_patient_reference(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """By a reference: id, Patient/id or the URL of a Patient of this server."""
    if len(values) != 1:
        raise bad_request(f"{parameter.name}: expected one patient", expression=parameter.name)
    text = unescape(values[0])
    return _of_patient(question, question.referenced(text if "/" in text else f"Patient/{text}"))


def _of_patient(question: Question, patient: CX | None) -> Criteria | None:
    criteria = question.criteria
    if patient is None or criteria.patient not in (None, patient.key):
        return None
    return replace(criteria, patient=patient.key)


def narrow_identifier(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """masterIdentifier and identifier: uniqueIds, or entryUUIDs, not both at once."""
    criteria, tokens = question.criteria, valued(parameter, values)
    texts = tuple(from_identifier(token.system or "", token.code) for token in tokens)
    of_entries = [is_uuid_urn(text) for text in texts]
    if criteria.unique_ids or criteria.entry_uuids or len(set(of_entries)) > 1:
        raise bad_request(f"{parameter.name}: expected uniqueIds or entryUUIDs, once", expression=parameter.name)
    return replace(criteria, entry_uuids=texts) if all(of_entries) else replace(criteria, unique_ids=texts)


def narrow_id(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    criteria = question.criteria
    if criteria.logical_ids or not all(_FHIR_ID.match(value) for value in values):
        raise bad_request(f"{parameter.name}: expected logical ids, once", expression=parameter.name)
    return replace(criteria, logical_ids=tuple(f"{UUID_PREFIX}{value}" for value in values))


def narrow_status(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """A status that no document can have finds nothing."""
    return _with_statuses(question.criteria, STATUSES, values)


def narrow_list_status(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """What MHD calls superseded is shown as retired, the word that List has for it."""
    return _with_statuses(question.criteria, _LIST_STATUSES, values)


def narrow_archived(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """`true` or `false`; what says nothing is not archived. PDSm 5.1"""
    if any(read_token(value).code not in _ARCHIVED_OR_NOT for value in values):
        raise bad_request(f"{parameter.name}: expected true or false", expression=parameter.name)
    return _with_statuses(question.criteria, _ARCHIVED_OR_NOT, values)


def narrow_status_not(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """Any other status, but not that of what was deleted, which has to be asked for."""
    return _with_other_statuses(question.criteria, STATUSES, values)


def narrow_list_status_not(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    return _with_other_statuses(question.criteria, _LIST_STATUSES, values)


def _with_other_statuses(criteria: Criteria, statuses: Statuses, values: Sequence[str]) -> Criteria | None:
    named = {status for value in values for status in statuses.get(read_token(value).code, ())} | {_DELETED}
    others = {code: several for code, several in statuses.items() if not named.intersection(several)}
    return _with_statuses(criteria, others, tuple(others))


def _with_statuses(criteria: Criteria, statuses: Statuses, values: Sequence[str]) -> Criteria | None:
    codes = {read_token(value).code for value in values}
    found = tuple(dict.fromkeys(one for code, several in statuses.items() if code in codes for one in several))
    if criteria.statuses:
        found = tuple(status for status in found if status in criteria.statuses)
    return replace(criteria, statuses=found) if found else None


def narrow_source_id(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """sourceId, an OID, with `urn:oid:` or without."""
    if question.criteria.source_ids:
        raise bad_request(f"{parameter.name}: expected it once", expression=parameter.name)
    texts = tuple(token.code.removeprefix("urn:oid:") for token in valued(parameter, values))
    return replace(question.criteria, source_ids=texts)


def narrow_code(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    return replace(question.criteria, codes=(*question.criteria.codes, _code_criterion(parameter, values)))


def narrow_code_not(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """None of the codes, which what has no code has none of. FHIR R4 3.1.1.5.5"""
    excluded = (*question.criteria.excluded, (_code_criterion(parameter, values),))
    return replace(question.criteria, excluded=excluded)


def _code_criterion(parameter: SearchParameter, values: Sequence[str]) -> CodeCriterion:
    patterns = tuple(_pattern(read_token(value)) for value in values)
    return CodeCriterion(attribute=parameter.attributes[0], any_of=patterns)


def _pattern(token: Token) -> CodePattern:
    scheme = None if token.system is None else from_uri(token.system)
    return CodePattern(code=token.code or None, coding_scheme=scheme)


def names_with(components: tuple[int, ...], match: TextMatch = TextMatch.START) -> Narrow:
    """By the name of an author person: XCN components. FHIR R4 3.1.1.4.8"""

    def narrow(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
        texts = tuple(escape(unescape(value)) for value in values)
        criterion = TextCriterion(attribute="author_person", any_of=texts, components=components, match=match)
        return replace(question.criteria, texts=(*question.criteria.texts, criterion))

    return narrow


def title_with(match: TextMatch = TextMatch.START) -> Narrow:
    """By the title. FHIR R4 3.1.1.4.8"""

    def narrow(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
        criterion = TextCriterion(attribute="title", any_of=tuple(map(unescape, values)), match=match)
        return replace(question.criteria, texts=(*question.criteria.texts, criterion))

    return narrow


def narrow_person_identifier(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """The identifier of an author person, with or without its system."""
    tokens = valued(parameter, values)
    if any(has_wildcard(token.code) for token in tokens):
        return None  # no identifier has one
    patterns = tuple(f"{token.code}^{authority_of(token.system)}" for token in tokens if token.system)
    starts = tuple(f"{token.code}^" for token in tokens if not token.system)
    criteria = question.criteria
    if patterns and starts:
        raise bad_request(f"{parameter.name}: expected identifiers that all have a system, or none")
    if starts:
        return replace(criteria, texts=(*criteria.texts, TextCriterion(attribute="author_id", any_of=starts)))
    return replace(criteria, likes=(*criteria.likes, LikeCriterion(attribute="author_id", any_of=patterns)))


def narrow_community(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """Of this community, by its homeCommunityId; no other is asked from here. MHD Target Communities option"""
    own = question.home_community_id.removeprefix("urn:oid:")
    for value in values:
        if not own or value.removeprefix("urn:oid:") != own:
            raise unknown_community(parameter.name)
    return question.criteria


def narrow_kind(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria | None:
    """`submissionset` or `folder`, of which there is no third. MHD 2:3.66.4.1.2.1"""
    kinds = {KINDS[code] for code in (read_token(value).code for value in values) if code in KINDS}
    if len(kinds) > 1:
        raise bad_request("code: expected submissionset or folder, one of them", expression="code")
    return replace(question.criteria, kind=kinds.pop()) if kinds else None


def narrow_designation(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """contentTypeCode of a SubmissionSet, codeList of a Folder."""
    return narrow_code(question, _designated(question, parameter), values)


def narrow_designation_not(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    return narrow_code_not(question, _designated(question, parameter), values)


def _designated(question: Question, parameter: SearchParameter) -> SearchParameter:
    attribute = "code_list" if question.criteria.kind is Folder else "content_type_code"
    return replace(parameter, attributes=(attribute,))
