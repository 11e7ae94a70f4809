"""Document Metadata Subscribe and Notify [ITI-52, ITI-53] as XML of WS-BaseNotification. ITI TF-2: 3.52, 3.53."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from soap.envelope import write_envelope
from soap.faults import ADDRESSING, SoapFault, sender
from subscriptions.delivery import Post
from subscriptions.sql import Notification
from subscriptions.subscription import Channel, CodeFilter, Content, Event, Subscription
from xds.datatypes import CX, Code
from xds.vocabulary import LCM, RIM
from xds.xml import text_of

WSNT = "http://docs.oasis-open.org/wsn/b-2"
_ACTIONS = "http://docs.oasis-open.org/wsn/bw-2"
SUBSCRIBE, UNSUBSCRIBE = (
    f"{_ACTIONS}/NotificationProducer/SubscribeRequest",
    f"{_ACTIONS}/SubscriptionManager/UnsubscribeRequest",
)
SUBSCRIBED, UNSUBSCRIBED = (
    f"{_ACTIONS}/NotificationProducer/SubscribeResponse",
    f"{_ACTIONS}/SubscriptionManager/UnsubscribeResponse",
)
_NOTIFY = f"{_ACTIONS}/NotificationConsumer/Notify"
_SIMPLE = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple"
_TOPIC_NAMESPACE = "urn:ihe:iti:dsub:2009"
_TOPICS: Mapping[str, Content] = {
    "FullDocumentEntry": Content.FULL,
    "MinimalDocumentEntry": Content.REFERENCE,
}
_OF_A_PATIENT = "urn:uuid:aa2332d0-f8fe-11e0-be50-0800200c9a66"
_OF_ANYBODY = "urn:uuid:742790e0-aba6-43d6-9f1f-e43ed9790b79"
_PATIENT = "$XDSDocumentEntryPatientId"
_FILTERED = {
    "$XDSDocumentEntryClassCode": "class_code",
    "$XDSDocumentEntryTypeCode": "type_code",
    "$XDSDocumentEntryPracticeSettingCode": "practice_setting_code",
    "$XDSDocumentEntryHealthcareFacilityTypeCode": "healthcare_facility_type_code",
    "$XDSDocumentEntryEventCodeList": "event_code_list",
    "$XDSDocumentEntryConfidentialityCode": "confidentiality_code",
    "$XDSDocumentEntryFormatCode": "format_code",
}
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_DURATION = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?")
_FORM = "%Y%m%d%H%M%S"
_MOST_SLOTS, _MOST_VALUES, _LONGEST = 50, 100, 2000


def fault(name: str, reason: str) -> SoapFault:
    """A fault of WS-BaseNotification by its name. ITI TF-2: 3.52.4.1.3"""
    return sender(reason, f"{{{WSNT}}}{name}Fault")


def read_subscribe(body: etree._Element, *, now: str) -> Subscription:
    """`wsnt:Subscribe`; `now` is a DTM of 14 digits. Raises SoapFault."""
    query = body.find(f"{{{WSNT}}}Filter/{{{RIM}}}AdhocQuery")
    topic = _topic(body.find(f"{{{WSNT}}}Filter/{{{WSNT}}}TopicExpression"))
    if query is None or query.get("id") not in (_OF_A_PATIENT, _OF_ANYBODY):
        raise fault("InvalidFilter", "expected an AdhocQuery with an id of the filters for DocumentEntry")
    slots = dict(_slots(query))
    patients = list(slots.pop(_PATIENT, ()))
    if (len(patients) == 1) != (query.get("id") == _OF_A_PATIENT) or len(patients) > 1:
        raise fault(
            "InvalidFilter", f"{_PATIENT}: expected one, or none with the filter that is independent of patients"
        )
    filters = tuple(_filter(name, values) for name, values in slots.items())
    if not patients and not filters:
        raise fault("InvalidFilter", "expected a code in a filter that is independent of patients")
    return Subscription(
        id="",
        patient=_patient(patients[0]) if patients else "",
        channel=Channel.DSUB,
        target=_text(body, f"{{{WSNT}}}ConsumerReference/{{{ADDRESSING}}}Address"),
        content=_TOPICS[topic],
        created="",
        ends=_end(_text(body, f"{{{WSNT}}}InitialTerminationTime"), now),
        caller="",
        subscriber="",
        events=(Event.NEW, Event.REPLACED),
        filters=filters,
        criteria=topic,
        media_type="application/soap+xml",
    )


def _topic(element: etree._Element | None) -> str:
    if element is None:
        raise fault("InvalidTopicExpression", "expected a TopicExpression")
    if element.get("Dialect") != _SIMPLE:
        raise fault("TopicExpressionDialectUnknown", f"Dialect: expected {_SIMPLE}")
    name = text_of(element).rpartition(":")[2]
    if name not in _TOPICS:
        raise fault("TopicNotSupported", f"expected {' or '.join(f'ihe:{one}' for one in _TOPICS)}")
    return name


def _slots(query: etree._Element) -> Iterator[tuple[str, list[str]]]:
    """Names and the quoted strings of their values. ITI TF-2: 3.18.4.1.2.3.5"""
    slots = list(query.iterchildren(f"{{{RIM}}}Slot"))
    if len(slots) > _MOST_SLOTS or len({one.get("name") for one in slots}) != len(slots):
        raise fault("InvalidFilter", "expected each Slot once")
    for one in slots:
        name, found = one.get("name", ""), list[str]()
        for value in one.iterfind(f"{{{RIM}}}ValueList/{{{RIM}}}Value"):
            found += [each.replace("''", "'") for each in _QUOTED.findall(text_of(value)[:_LONGEST])]
        if name not in (_PATIENT, *_FILTERED):
            raise fault("InvalidFilter", "found a parameter that is not supported, expected those of codes")
        if not 1 <= len(found) <= _MOST_VALUES:
            raise fault("InvalidFilter", f"{name}: expected 1 to {_MOST_VALUES} values in quotes")
        yield name, found


def _filter(name: str, values: list[str]) -> CodeFilter:
    try:
        return CodeFilter(attribute=_FILTERED[name], any_of=tuple(Code.parse(one) for one in values))
    except ValueError:
        raise fault("InvalidFilter", f"{name}: expected code^^scheme") from None


def _patient(text: str) -> str:
    try:
        return CX.parse(text).key
    except ValueError:
        raise fault("InvalidFilter", f"{_PATIENT}: expected ID^^^&OID&ISO") from None


def _end(text: str, now: str) -> str:
    """InitialTerminationTime: a dateTime, UTC without a zone, or a duration of days and less; empty for none."""
    if not text:
        return ""
    duration = _DURATION.fullmatch(text)
    try:
        if duration is not None and any(duration.groups()):
            days, hours, minutes, seconds = (int(one or 0) for one in duration.groups())
            length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            return (datetime.strptime(now, _FORM).replace(tzinfo=UTC) + length).strftime(_FORM)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime(_FORM)
    except (ValueError, OverflowError):
        raise fault(
            "UnacceptableInitialTerminationTime", "expected a dateTime, or a duration of days and less"
        ) from None


def write_subscribe_response(taken: Subscription, *, address: str) -> bytes:
    """Where the subscription ends, and how it is ended. ITI TF-2: 3.52.4.2"""
    return (
        f'<wsnt:SubscribeResponse xmlns:wsnt="{WSNT}" xmlns:wsa="{ADDRESSING}"><wsnt:SubscriptionReference>'
        f"<wsa:Address>{escape(address)}</wsa:Address></wsnt:SubscriptionReference>"
        f"<wsnt:CurrentTime>{_date_time(taken.created)}</wsnt:CurrentTime>"
        f"<wsnt:TerminationTime>{_date_time(taken.ends)}</wsnt:TerminationTime></wsnt:SubscribeResponse>"
    ).encode()


def write_unsubscribe_response() -> bytes:
    return f'<wsnt:UnsubscribeResponse xmlns:wsnt="{WSNT}"/>'.encode()


def write_notify(subscription: Subscription, told: Notification, *, address: str, rendering: bytes) -> Post:
    """One message about one document: the entry, or a reference to it. ITI TF-2: 3.53.4.1"""
    shown = rendering
    if subscription.content is not Content.FULL:
        shown = f"<rim:ObjectRef id={quoteattr(told.entry_uuid)}/>".encode()
    head = (
        f'<wsnt:Notify xmlns:wsnt="{WSNT}" xmlns:ihe="{_TOPIC_NAMESPACE}" xmlns:rim="{RIM}"><wsnt:NotificationMessage>'
        f'<wsnt:SubscriptionReference><wsa:Address xmlns:wsa="{ADDRESSING}">{escape(address)}</wsa:Address>'
        f'</wsnt:SubscriptionReference><wsnt:Topic Dialect="{_SIMPLE}">ihe:{subscription.criteria}</wsnt:Topic>'
        f'<wsnt:Message><lcm:SubmitObjectsRequest xmlns:lcm="{LCM}"><rim:RegistryObjectList>'
    )
    tail = (
        "</rim:RegistryObjectList></lcm:SubmitObjectsRequest></wsnt:Message></wsnt:NotificationMessage></wsnt:Notify>"
    )
    header = f"<wsa:MessageID>urn:uuid:{uuid4()}</wsa:MessageID><wsa:To>{escape(subscription.target)}</wsa:To>"
    body = head.encode() + shown + tail.encode()
    content_type = f'application/soap+xml; charset=UTF-8; action="{_NOTIFY}"'
    return Post(content_type=content_type, body=write_envelope(body, action=_NOTIFY, header=header))


def _text(body: etree._Element, path: str) -> str:
    found = body.find(path)
    return "" if found is None else text_of(found)


def _date_time(moment: str) -> str:
    return datetime.strptime(moment, _FORM).replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
