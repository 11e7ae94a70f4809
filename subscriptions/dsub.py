"""Document Metadata Subscribe and Notify [ITI-52, ITI-53] as XML of WS-BaseNotification. ITI TF-2: 3.52, 3.53."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from soap.envelope import write_envelope
from soap.faults import ADDRESSING
from subscriptions.delivery import Post
from subscriptions.dsub_filters import SIMPLE, TOPICS, WSNT, fault, read_filter, read_topic
from subscriptions.sql import Notification
from subscriptions.subscription import Channel, Content, Subscription
from xds.vocabulary import LCM, RIM
from xds.xml import text_of

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
_TOPIC_NAMESPACE = "urn:ihe:iti:dsub:2009"
_DURATION = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?")
_FORM = "%Y%m%d%H%M%S"


def read_subscribe(body: etree._Element, *, now: str) -> Subscription:
    """`wsnt:Subscribe`; `now` is a DTM of 14 digits. Raises SoapFault."""
    name = read_topic(body.find(f"{{{WSNT}}}Filter/{{{WSNT}}}TopicExpression"))
    topic = TOPICS[name]
    patient, filters = read_filter(body.find(f"{{{WSNT}}}Filter/{{{RIM}}}AdhocQuery"), topic)
    return Subscription(
        id="",
        patient=patient,
        channel=Channel.DSUB,
        target=_text(body, f"{{{WSNT}}}ConsumerReference/{{{ADDRESSING}}}Address"),
        content=topic.content,
        created="",
        ends=_end(_text(body, f"{{{WSNT}}}InitialTerminationTime"), now),
        caller="",
        subscriber="",
        events=topic.events,
        filters=filters,
        criteria=name,
        media_type="application/soap+xml",
    )


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
    """One message about one object: the whole of it, or a reference to it. ITI TF-2: 3.53.4.1"""
    shown = rendering
    if subscription.content is not Content.FULL:
        shown = f"<rim:ObjectRef id={quoteattr(told.entry_uuid)}/>".encode()
    head = (
        f'<wsnt:Notify xmlns:wsnt="{WSNT}" xmlns:ihe="{_TOPIC_NAMESPACE}" xmlns:rim="{RIM}"><wsnt:NotificationMessage>'
        f'<wsnt:SubscriptionReference><wsa:Address xmlns:wsa="{ADDRESSING}">{escape(address)}</wsa:Address>'
        f'</wsnt:SubscriptionReference><wsnt:Topic Dialect="{SIMPLE}">ihe:{subscription.criteria}</wsnt:Topic>'
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
