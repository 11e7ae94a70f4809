"""Dates of a search: prefixes, and the times they narrow. FHIR R4 3.1.1.4.6."""

import re
from collections.abc import Sequence
from dataclasses import replace

from fhir_facade.operation_outcome import bad_request
from fhir_facade.search_values import Question, SearchParameter
from fhir_facade.times import search_range, widened
from registry.criteria import Criteria, TimeCriterion
from xds.metadata import Folder

_PREFIX = re.compile(r"(eq|ne|gt|ge|lt|le|sa|eb|ap)(?=\d)")
PREFIXES = "eq ne ge gt le lt sa eb ap"


def narrow_time(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """A moment: `attributes` names the time compared."""
    return _with_time(question.criteria, _time_criterion(question, parameter, values))


def narrow_given_time(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """The same, of what has this time."""
    return _with_time(question.criteria, replace(_time_criterion(question, parameter, values), is_required=True))


def _time_criterion(question: Question, parameter: SearchParameter, values: Sequence[str]) -> TimeCriterion:
    (attribute,) = parameter.attributes
    prefix, (first, after) = _date(question, parameter, values)
    start = {"gt": after, "sa": after, "lt": None, "eb": None, "le": None}.get(prefix, first)
    stop = {"lt": first, "eb": first, "gt": None, "sa": None, "ge": None}.get(prefix, after)
    return TimeCriterion(attribute=attribute, start=start, stop=stop, is_outside=prefix == "ne")


def narrow_period(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """Overlap: the service ended at or after the range begins, or is open, and began before it ends.

    `eq`: the range contains the whole of it, `ne`: it does not; `sa` and `eb`: it began after the range, or ended
    before it. FHIR R4 3.1.1.4.6
    """
    criteria, (begins, ends) = question.criteria, parameter.attributes
    prefix, (first, after) = _date(question, parameter, values)
    if prefix in ("eq", "ne"):
        within = (
            TimeCriterion(attribute=begins, start=first, is_required=True),
            TimeCriterion(attribute=ends, stop=after, is_required=True),
        )
        if prefix == "ne":
            return replace(criteria, excluded=(*criteria.excluded, within))
        return replace(criteria, times=(*criteria.times, *within))
    if prefix == "sa":
        return _with_time(criteria, TimeCriterion(attribute=begins, start=after, is_required=True))
    if prefix == "eb":
        return _with_time(criteria, TimeCriterion(attribute=ends, stop=first, is_required=True))
    if prefix in ("ge", "gt", "ap"):
        start = after if prefix == "gt" else first
        criteria = _with_time(criteria, TimeCriterion(attribute=ends, start=start))
    if prefix in ("lt", "le", "ap"):
        stop = first if prefix == "lt" else after
        criteria = _with_time(criteria, TimeCriterion(attribute=begins, stop=stop))
    return criteria


def _with_time(criteria: Criteria, criterion: TimeCriterion) -> Criteria:
    return replace(criteria, times=(*criteria.times, criterion))


def _date(question: Question, parameter: SearchParameter, values: Sequence[str]) -> tuple[str, tuple[str, str]]:
    """Prefix and range of the one value; that of `ap` with what is about the same."""
    if len(values) != 1:
        raise bad_request(f"{parameter.name}: expected one date, found a list", expression=parameter.name)
    match = _PREFIX.match(values[0])
    prefix = match[1] if match else "eq"
    try:
        found = search_range(values[0][match.end() :] if match else values[0])
    except ValueError as problem:
        raise bad_request(f"{parameter.name}: {problem}", expression=parameter.name) from None
    return prefix, widened(*found, question.now()) if prefix == "ap" else found


def narrow_list_date(question: Question, parameter: SearchParameter, values: Sequence[str]) -> Criteria:
    """submissionTime of a SubmissionSet, lastUpdateTime of a Folder."""
    attribute = "last_update_time" if question.criteria.kind is Folder else "submission_time"
    return narrow_time(question, replace(parameter, attributes=(attribute,)), values)
