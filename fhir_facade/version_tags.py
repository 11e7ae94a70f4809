"""ETag, If-Match and If-None-Match of a DocumentReference or List. FHIR R4 3.1.0.5; RFC 9110: 8.8.3.

meta.versionId is the version of XDS, and within a version XDS changes the status and what the document relates to. The
ETag of a resource as versions begin is the versionId, as FHIR has it; of any other state it says the state as well, so
that nobody keeps a superseded document for a current one.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from fhir_facade.archived import is_archived
from fhir_facade.fhir_json import write_json
from fhir_facade.operation_outcome import FhirProblem

_TAGS = re.compile(r'\s*(?:W/)?"([^"]*)"\s*(?:,|\Z)')
Resource = Mapping[str, Any]


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


def is_known(if_none_match: str, resource: Resource) -> bool:
    """Whether who asks has this state already."""
    return if_none_match.strip() == "*" or _tag(resource) in _TAGS.findall(if_none_match)


def check_if_match(if_match: str, resource: Resource) -> None:
    """The change is of this version, by its ETag or versionId alone. Raises FhirProblem 412. FHIR R4 3.1.0.5"""
    if not if_match or if_match.strip() == "*":
        return
    if not {_tag(resource), str(resource["meta"]["versionId"])} & set(_TAGS.findall(if_match)):
        sentence = "If-Match: found another version than the present one, which a read tells"
        raise FhirProblem(412, "conflict", sentence)
