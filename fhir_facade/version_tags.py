"""ETag, If-Match and If-None-Match of a DocumentReference or List. FHIR R4 3.1.0.5; RFC 9110: 8.8.3.

meta.versionId is the version of XDS, and within a version XDS changes the status and what the document relates to. The
ETag of a resource as versions begin is the versionId, as FHIR has it; of any other state it says the state as well, so
that nobody keeps a superseded document for a current one.
"""

import hashlib
import re
from collections.abc import Mapping, Set
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from fhir_facade.archived import is_archived
from fhir_facade.fhir_json import write_json
from fhir_facade.operation_outcome import FhirProblem

_TAGS = re.compile(r'\s*(?:W/)?"([^"]*)"\s*(?:,|\Z)')
Resource = Mapping[str, Any]


class Headers(Protocol):
    """Headers by their name."""

    def get(self, name: str, default: str, /) -> str: ...


def version_tag(resource: Resource) -> str:
    """The value of ETag: `W/"2"`, or `W/"2-1f8a03c5"`."""
    return f'W/"{_tag(resource)}"'


def _tag(resource: Resource) -> str:
    version = str(resource["meta"]["versionId"])
    state = [
        resource.get("status"),
        is_archived(resource),
        [*resource.get("relatesTo", ()), *resource.get("entry", ())],
    ]
    if state == ["current", False, []]:
        return version
    return f"{version}-{hashlib.sha256(write_json(state)).hexdigest()[:8]}"


def is_unchanged(request: Headers, state: Headers) -> bool:
    """Whether who asks has the state with these headers already; by the date where no tag is named. RFC 9110: 13.2.2"""
    named = request.get("If-None-Match", "")
    if named:
        tag = _TAGS.match(state.get("ETag", ""))
        return named.strip() == "*" or (tag is not None and tag[1] in _TAGS.findall(named))
    try:
        since, changed = (
            parsedate_to_datetime(one.get(name, ""))
            for one, name in ((request, "If-Modified-Since"), (state, "Last-Modified"))
        )
        return changed <= since
    except (ValueError, TypeError):  # no date: the condition is not there
        return False


def check_if_match(if_match: str, resource: Resource) -> None:
    """The change is of this version, by its ETag or versionId alone. Raises FhirProblem 412. FHIR R4 3.1.0.5"""
    check_tags(if_match, {_tag(resource), str(resource["meta"]["versionId"])})


def check_entry_match(if_match: str, resource: Resource, at: str) -> None:
    """The same of an entry of a Bundle, `at` its place; of what is current no more, the ETag alone. Raises FhirProblem
    412.
    """
    is_current = resource.get("status") == "current"
    check_tags(if_match, {_tag(resource), *((str(resource["meta"]["versionId"]),) if is_current else ())}, at=at)


def check_tags(if_match: str, present: Set[str], *, at: str = "") -> None:
    """One of the tags is that of the present state, or any is meant and there is one. Raises FhirProblem 412."""
    if not if_match or (if_match.strip() == "*" and present):
        return
    if not present & set(_TAGS.findall(if_match)):
        sentence = "If-Match: found another version than the present one, which a read tells"
        raise FhirProblem(412, "conflict", sentence, at)
