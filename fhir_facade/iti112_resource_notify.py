"""Resource Notify [ITI-112]: the Bundle that tells a subscriber of an event. DSUBm 2:3.112; backport 1.1."""

import json
from typing import Any

from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.fhir_xml import write_xml
from fhir_facade.shared_elements import BASE_URL, fhir_id
from fhir_facade.times import to_instant
from subscriptions.delivery import Post
from subscriptions.sql import Notification
from subscriptions.subscription import Content, Event, Subscription
from xds.datatypes import DTM
from xds.metadata import DocumentEntry

_STATUS = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4"
_BUNDLE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4"
XML = "application/fhir+xml"


def notification_bundle(
    subscription: Subscription, told: Notification, *, base_url: str, logical_id: str = "", rendering: bytes = b""
) -> Post:
    """The history Bundle: a status, then what the content of the subscription allows of the document or list.

    `logical_id` names it, `rendering` is its DocumentReference or List; a handshake has neither.
    """
    resource = resource_of(told.event)
    focus = f"{base_url}/{resource}/{fhir_id(logical_id)}" if logical_id else ""
    entries = [_status(subscription, told, base_url, focus)]
    if subscription.content is Content.FULL and rendering:
        method = "POST" if told.event.is_creation else "PUT"
        url = resource if method == "POST" else f"{resource}/{fhir_id(logical_id)}"
        entries.append(
            {
                "fullUrl": focus,
                "resource": read_own_json(rendering.replace(BASE_URL, base_url.encode()).decode()),
                "request": {"method": method, "url": url},
                "response": {"status": "201" if method == "POST" else "200"},
            }
        )
    bundle = {
        "resourceType": "Bundle",
        "meta": {"profile": [_BUNDLE]},
        "type": "history",
        "timestamp": to_instant(DTM(told.recorded)),
        "entry": entries,
    }
    body = write_xml(bundle) if subscription.media_type == XML else write_json(bundle)
    return Post(content_type=f"{subscription.media_type}; charset=utf-8", body=body)


def resource_of(event: Event) -> str:
    """The resource that an event is about."""
    return "DocumentReference" if event.kind is DocumentEntry else "List"


def _status(subscription: Subscription, told: Notification, base_url: str, focus: str) -> dict[str, Any]:
    is_handshake = told.event is Event.HANDSHAKE
    topic = json.loads(subscription.criteria)["criteria"]
    parts: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": f"{base_url}/Subscription/{subscription.id}"}},
        {"name": "topic", "valueCanonical": topic},
        {"name": "status", "valueCode": str(subscription.state)},
        {"name": "type", "valueCode": "handshake" if is_handshake else "event-notification"},
        {"name": "events-since-subscription-start", "valueString": str(told.number)},
    ]
    if not is_handshake:
        event: list[dict[str, Any]] = [
            {"name": "event-number", "valueString": str(told.number)},
            {"name": "timestamp", "valueInstant": to_instant(DTM(told.recorded))},
        ]
        if subscription.content is not Content.EMPTY:
            event.append({"name": "focus", "valueReference": {"reference": focus}})
        parts.append({"name": "notification-event", "part": event})
    return {
        "fullUrl": f"urn:uuid:{subscription.id}",
        "resource": {"resourceType": "Parameters", "meta": {"profile": [_STATUS]}, "parameter": parts},
        "request": {"method": "GET", "url": f"Subscription/{subscription.id}/$status"},
        "response": {"status": "200"},
    }
