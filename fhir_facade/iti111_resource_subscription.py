"""Resource Subscription [ITI-111]: a Subscription of R4, by the subscriptions backport. DSUBm 2:3.111; backport 1.1."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from fhir_facade.code_systems import URI_SYSTEM, from_uri
from fhir_facade.fhir_json import write_json
from fhir_facade.issues import Issue
from fhir_facade.operation_outcome import FhirProblem, not_found, refusal
from fhir_facade.patients import Patients
from fhir_facade.read_people import authority_of
from fhir_facade.search_names import table_name, type_named
from fhir_facade.search_values import read_token, split, unescape
from fhir_facade.structural_rules import structural_rules
from fhir_facade.times import from_date_time, to_instant
from subscriptions.broker import Broker, NotTaken
from subscriptions.subscription import (
    CHANGES,
    ENTERING,
    OF_FOLDERS,
    Channel,
    CodeFilter,
    Content,
    Event,
    Subscription,
    WordFilter,
)
from xds.datatypes import DTM, Code

_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
_FILTER, _CONTENT = f"{_BACKPORT}/backport-filter-criteria", f"{_BACKPORT}/backport-payload-content"
PROFILE = f"{_BACKPORT}/backport-subscription"
_TOPICS = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic"
_OF_DOCUMENTS: Mapping[str, str] = {
    "type": "type_code",
    "category": "class_code",
    "format": "format_code",
    "facility": "healthcare_facility_type_code",
    "setting": "practice_setting_code",
    "event": "event_code_list",
    "security-label": "confidentiality_code",
}
# Of documents beside: authors and reference ids.
_WORDS: Mapping[str, str] = {
    "author.family": "author_family",
    "author.given": "author_given",
    "author.name": "author_name",
    "author.identifier": "author_id",
    "author.organization.name": "role_organisation_name",
    "author.organization.identifier": "role_organisation_id",
    "related.identifier": "reference_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a topic is about: changes, and search parameters by which it is narrowed -> attributes they stand for.

    A List has the `code` that its filters have to name. DSUBm 2:3.111.4.1.2
    """

    events: tuple[Event, ...]
    filtered: Mapping[str, str] = field(default_factory=lambda: _OF_DOCUMENTS)
    code: str = ""

    @property
    def words(self) -> Mapping[str, str]:
        return {} if self.code else _WORDS

    @property
    def resource(self) -> str:
        return "List" if self.code else "DocumentReference"


_CREATED = Topic(events=(Event.NEW, Event.REPLACED))
_ALL = Topic(events=CHANGES)
_SUBMITTED = Topic(events=(Event.SUBMITTED,), filtered={"designationType": "content_type_code"}, code="submissionset")
_FOLDERS = Topic(events=ENTERING, filtered={"designationType": "code_list"}, code="folder")
TOPICS: Mapping[str, Topic] = {
    f"{_TOPICS}-{name}": topic
    for name, topic in (
        ("DocumentReference-PatientDependent", _CREATED),
        ("DocumentReference-MultiPatient", _CREATED),
        ("DocReference-PatientDependent-AllEvents", _ALL),
        ("DocReference-MultiPatient-AllEvents", _ALL),
        ("SubmissionSet-PatientDependent", _SUBMITTED),
        ("SubmissionSet-MultiPatient", _SUBMITTED),
        ("Basic-Folder-Subscription", _FOLDERS),
        ("Folder-Subscription-UpdateOpt", replace(_FOLDERS, events=OF_FOLDERS)),
    )
}
MEDIA_TYPES = ("application/fhir+json", "application/fhir+xml")
_PATIENT = ("patient", "subject", "patient.identifier")
_MOST_VALUES, _LONGEST = 100, 2000


def resource_asked(resource: Mapping[str, Any]) -> str:
    """Of which resource a Subscription wants to be told."""
    return TOPICS.get(str(resource.get("criteria")), _ALL).resource


def create(broker: Broker, patients: Patients, resource: Mapping[str, Any]) -> tuple[str, bytes]:
    """Take a subscription; its id, and the resource as it is kept. Raises FhirProblem with everything that is wrong."""
    issues = list(_problems(resource))
    if issues:
        raise refusal(issues, 422)
    try:
        taken = broker.subscribe(_wanted(resource, patients), patients.caller)
    except NotTaken as problem:
        if problem.is_of_rights:
            raise FhirProblem(403, "forbidden", str(problem)) from None
        raise FhirProblem(422, "business-rule", str(problem), "Subscription.channel.endpoint") from None
    return taken.id, to_resource(taken)


def read(broker: Broker, patients: Patients, name: str) -> bytes:
    """The caller's own. Raises FhirProblem 404."""
    found = broker.own(patients.caller, name)
    if found is None or found.channel is not Channel.FHIR:
        raise not_found()
    return to_resource(found)


def remove(broker: Broker, patients: Patients, name: str) -> None:
    """End one of the caller's own. Raises FhirProblem 404."""
    if not broker.end(patients.caller, name):
        raise not_found()


def to_resource(one: Subscription) -> bytes:
    """As it was sent, with its id, its state and its end."""
    sent = json.loads(one.criteria)
    kept = {"resourceType": "Subscription", "id": one.id} | sent | {"status": str(one.state)}
    return write_json(kept | {"end": to_instant(DTM(one.ends))})


def _problems(resource: Mapping[str, Any]) -> Iterator[Issue]:
    """What R4 and the backport demand of a Subscription, and what is not served."""
    if resource.get("resourceType") != "Subscription":
        yield Issue("structure", "expected a Subscription", "Subscription")
        return
    channel = resource.get("channel")
    channel = channel if isinstance(channel, dict) else {}
    for name, expected in (("status", ("requested",)), ("criteria", tuple(TOPICS))):
        if resource.get(name) not in expected:
            yield Issue("value", f"expected {' or '.join(expected)}", f"Subscription.{name}")
    if not isinstance(resource.get("reason"), str):
        yield Issue("required", "expected a text", "Subscription.reason")
    if channel.get("type") != "rest-hook":
        yield Issue("not-supported", "expected rest-hook", "Subscription.channel.type")
    if not isinstance(channel.get("endpoint"), str):
        yield Issue("required", "expected a URL", "Subscription.channel.endpoint")
    if channel.get("payload") not in MEDIA_TYPES:
        yield Issue("value", f"expected {' or '.join(MEDIA_TYPES)}", "Subscription.channel.payload")
    if "header" in channel:
        yield Issue(
            "not-supported", "headers are not sent: targets know this server by TLS", "Subscription.channel.header"
        )
    if _content(channel) not in tuple(Content):
        yield Issue("value", f"expected {', '.join(Content)}", "Subscription.channel.payload.extension")
    if len(json.dumps(resource)) > _LONGEST * 5:
        yield Issue("too-long", "the resource is too large", "Subscription")
    yield from structural_rules(resource)
    yield from _end_problems(resource)
    yield from _filter_problems(resource)


def _end_problems(resource: Mapping[str, Any]) -> Iterator[Issue]:
    try:
        _end(resource)
    except (ValueError, TypeError, AttributeError):
        yield Issue("value", "expected an instant", "Subscription.end")


def _end(resource: Mapping[str, Any]) -> str:
    return from_date_time(resource["end"]).earliest if "end" in resource else ""


def _filter_problems(resource: Mapping[str, Any]) -> Iterator[Issue]:
    place, asked = "Subscription.criteria.extension", set[str]()
    topic = TOPICS.get(str(resource.get("criteria")), _ALL)
    for text in _filters(resource):
        if isinstance(text, str) and len(text) > _LONGEST:
            yield Issue("too-costly", f"expected at most {_LONGEST} characters", place)
            return
        name, mark, query = text.partition("?") if isinstance(text, str) else ("", "", "")
        pairs = _pairs(query)
        if name != topic.resource or not mark or not pairs:
            yield Issue("value", f"expected {topic.resource}?PARAMETER=VALUE&…", place)
        for parameter, value in pairs:
            if parameter in asked:
                yield Issue("not-supported", f"{parameter}: expected it once, its values in one list", place)
            else:
                yield from _parameter_problems(topic, parameter, value, place)
            asked.add(parameter)
    if topic.code and "code" not in asked:
        yield Issue("required", f"expected List?code={topic.code}&…", place)


def _parameter_problems(topic: Topic, parameter: str, value: str, place: str) -> Iterator[Issue]:
    expected = (*_PATIENT, *topic.filtered, *topic.words, *(("code",) if topic.code else ()))
    if parameter not in expected:
        yield Issue("not-supported", f"expected {', '.join(expected)}", place)
    elif not all(split(value)) or len(split(value)) > _MOST_VALUES:
        yield Issue("value", f"{parameter}: expected 1 to {_MOST_VALUES} values, none of them empty", place)
    elif parameter in topic.words and not all(read_token(one).code for one in split(value)):
        yield Issue("value", f"{parameter}: found a system alone, expected a value", place)
    elif parameter == "code" and read_token(value).code != topic.code:
        yield Issue("value", f"code: expected {topic.code}", place)


def _pairs(query: str) -> list[tuple[str, str]]:
    """The parameters by the names of the tables; one that names a type keeps its own, which none is served by, but for
    the type that alone leads further: only a role has an organisation.
    """
    return [(_name(name), value) for name, value in parse_qsl(query, keep_blank_values=True)]


def _name(given: str) -> str:
    name, kind = table_name(given), type_named(given)
    is_known = not kind or (kind == "PractitionerRole" and name.startswith("author.organization."))
    return name if is_known else given


def _filters(resource: Mapping[str, Any]) -> list[Any]:
    beside = resource.get("_criteria")
    return [one.get("valueString") for one in _extensions(beside) if one.get("url") == _FILTER]


def _content(channel: Mapping[str, Any]) -> Any:
    said = [one.get("valueCode") for one in _extensions(channel.get("_payload")) if one.get("url") == _CONTENT]
    return said[0] if said else Content.REFERENCE


def _extensions(element: Any) -> list[Mapping[str, Any]]:
    listed = element.get("extension", []) if isinstance(element, dict) else []
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _wanted(resource: Mapping[str, Any], patients: Patients) -> Subscription:
    """The subscription that a sound resource asks for. Raises FhirProblem for a patient nobody is."""
    channel, topic = resource["channel"], TOPICS[resource["criteria"]]
    asked = [pair for text in _filters(resource) for pair in _pairs(text.partition("?")[2])]
    kept = {
        name: value for name, value in resource.items() if name not in ("id", "meta", "status", "end", "resourceType")
    }
    return Subscription(
        id="",
        patient=_patient(asked, patients),
        channel=Channel.FHIR,
        target=channel["endpoint"],
        content=Content(_content(channel)),
        created="",
        ends=_end(resource),
        caller="",
        subscriber="",
        events=topic.events,
        filters=(*_code_filters(topic, asked), *_word_filters(topic, asked)),
        criteria=json.dumps({"meta": {"profile": [PROFILE]}} | kept, ensure_ascii=False),
        media_type=channel["payload"],
    )


def _patient(asked: Sequence[tuple[str, str]], patients: Patients) -> str:
    """CX key of the one patient the filters name, empty where they name none."""
    named = [(name, value) for name, value in asked if name in _PATIENT]
    keys = set[str]()
    for name, value in named:
        if name == "patient.identifier":
            token = read_token(value)
            found = patients.of_identifier(token.system or "", token.code)
        else:
            text = unescape(value)
            found = patients.subject({"reference": text if "/" in text else f"Patient/{text}"})
        keys.add("" if found is None else found.key)
    if len(keys) > 1 or "" in keys:
        raise refusal(
            [Issue("value", "expected one patient that is known here", "Subscription.criteria.extension")], 422
        )
    return keys.pop() if keys else ""


def _code_filters(topic: Topic, asked: Sequence[tuple[str, str]]) -> Iterator[CodeFilter]:
    for name, value in asked:
        if name in topic.filtered:
            tokens = [read_token(one) for one in split(value)]
            codes = tuple(Code(code=one.code, coding_scheme=from_uri(one.system or "")) for one in tokens)
            yield CodeFilter(attribute=topic.filtered[name], any_of=codes)


def _word_filters(topic: Topic, asked: Sequence[tuple[str, str]]) -> Iterator[WordFilter]:
    """Names as texts, identifiers as `id^OID`, or `id` of any system."""
    for name, value in asked:
        if name in topic.words:
            said = _identifier if name.endswith(".identifier") else unescape
            yield WordFilter(attribute=topic.words[name], any_of=tuple(map(said, split(value))))


def _identifier(text: str) -> str:
    token = read_token(text)
    if token.system is None:
        return token.code
    return f"{token.code}^{'' if token.system == URI_SYSTEM else authority_of(token.system)}"
