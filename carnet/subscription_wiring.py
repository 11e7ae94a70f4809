"""Subscriptions of a server: its broker, what its notifications say, and the thread that sends them."""

import http.client
import json
import ssl
from urllib.parse import urlsplit

from access_policy.caller import Caller
from access_policy.permission import permits
from access_policy.visibility import Purpose
from audit.objects import a_document
from audit.occurrence import Occurrence
from audit.syslog_transport import client_context
from carnet.caller_json import read_caller, write_caller
from carnet.clock import clock
from carnet.elsewhere_settings import is_loopback
from carnet.exchange import connection_to
from carnet.settings import Settings, SettingsError
from carnet.subscription_door import address_of
from carnet.wiring import Actors
from fhir_facade.iti112_resource_notify import notification_bundle
from registry.criteria import Criteria, Form, Page
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from subscriptions.broker import Broker
from subscriptions.delivery import Dispatcher, Post, Send, TargetFailed
from subscriptions.dsub import write_notify
from subscriptions.sql import Notification
from subscriptions.subscription import Channel, Event, Subscription

_SECONDS, _LARGEST_ANSWER = 10.0, 64 * 1024
_TAKEN = range(200, 300)


def broker_of(settings: Settings, registry: Registry) -> Broker | None:
    """None where the settings name no target. Raises SettingsError."""
    targets = notification_targets(settings)
    if not targets:
        return None
    return Broker(
        units=registry.units,
        targets=targets,
        now=clock(settings.clock),
        write_caller=lambda caller: json.dumps(write_caller(caller), ensure_ascii=False),
    )


def notification_targets(settings: Settings) -> frozenset[str]:
    """The addresses that may be told anything: https, or http on loopback. Raises SettingsError."""
    for one in settings.notification_targets.split():
        parts = urlsplit(one)
        is_local = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not (parts.scheme == "https" or is_local) or not parts.hostname or "@" in parts.netloc or parts.fragment:
            expected = "https://HOST[:PORT]/PATH, or http on loopback"
            raise SettingsError(f"setting notification_targets: found {one}, expected {expected}")
    return frozenset(settings.notification_targets.split())


def started_dispatcher(actors: Actors) -> Dispatcher | None:
    """A running one; None where nobody may be told, or the registry is elsewhere. Raises SettingsError."""
    settings, registry = actors.settings, actors.registry
    if registry is None or not notification_targets(settings):
        return None
    dispatcher = dispatcher_of(settings, registry)
    dispatcher.start()
    return dispatcher


def dispatcher_of(
    settings: Settings, registry: Registry, *, pauses_ms: tuple[int, int] = (1_000, 3_600_000)
) -> Dispatcher:
    """Raises SettingsError."""

    def write(subscription: Subscription, told: Notification) -> Post | None:
        return _message(registry, subscription, told, settings.public_url)

    def sent(unit: UnitOfWork, subscription: Subscription, told: Notification) -> None:
        if told.event is not Event.HANDSHAKE:
            event = "ITI-112" if subscription.channel is Channel.FHIR else "ITI-53"
            found = Occurrence(event=event, patient=subscription.patient, objects=(a_document(told.entry_uuid),))
            registry.recorder.record(unit, [found], Caller(name=subscription.target))

    return Dispatcher(
        registry.units,
        write=write,
        send=sender_of(settings),
        on_sent=sent,
        attempts=settings.notification_attempts,
        now=clock(settings.clock),
        pauses_ms=pauses_ms,
    )


def _message(registry: Registry, subscription: Subscription, told: Notification, url: str) -> Post | None:
    """What the subscriber may know now; None for nothing: the policy is asked when it is sent."""
    if told.event is Event.HANDSHAKE:
        return notification_bundle(subscription, told, base_url=f"{url}/fhir")
    caller, is_fhir = read_caller(json.loads(subscription.caller)), subscription.channel is Channel.FHIR
    if not permits(caller, "ITI-67", ("DocumentReference.r",)):
        return None
    criteria = Criteria(entry_uuids=(told.entry_uuid,), on_demand=True, all_versions=True)
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        found = snapshot.find(criteria, Page(size=1), Form.FHIR if is_fhir else Form.EBRIM)
    if not found:
        return None
    one = found[0]
    if not is_fhir:
        address = address_of(f"{url}/xds/subscriptions", subscription.id)
        return write_notify(subscription, told, address=address, rendering=one.rendering)
    return notification_bundle(
        subscription, told, base_url=f"{url}/fhir", logical_id=one.logical_id, rendering=one.rendering
    )


def sender_of(settings: Settings) -> Send:
    """POST to a target of the settings: no redirects, ten seconds, 64 kB of an answer. Raises SettingsError."""
    context = _context(settings)

    def send(target: str, post: Post) -> None:
        try:
            status = _post(target, post, context)
        except (OSError, http.client.HTTPException) as problem:
            raise TargetFailed(type(problem).__name__) from None
        if status not in _TAKEN:
            raise TargetFailed(f"answered {status}")

    return send


def _context(settings: Settings) -> ssl.SSLContext:
    try:
        return client_context(
            certificate=settings.notification_certificate,
            key=settings.notification_key,
            trust=settings.notification_trust,
        )
    except OSError as problem:
        names = "notification_certificate, notification_key, notification_trust"
        raise SettingsError(f"settings {names}: {problem}") from problem


def _post(target: str, post: Post, context: ssl.SSLContext) -> int:
    parts = urlsplit(target)
    connection = connection_to(parts, timeout=_SECONDS, context=context)
    try:
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request("POST", path, body=post.body, headers={"Content-Type": post.content_type})
        answer = connection.getresponse()
        answer.read(_LARGEST_ANSWER)
        return answer.status
    finally:
        connection.close()
