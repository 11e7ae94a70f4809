"""Subscriptions of a server: its broker, what its notifications say, and the thread that sends them."""

import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from access_policy.caller import Caller
from access_policy.permission import permits
from access_policy.visibility import Purpose
from audit.objects import a_document, a_submission_set
from audit.occurrence import Occurrence
from audit.syslog_transport import client_context
from carnet.caller_json import read_kept_caller, write_caller
from carnet.clock import clock
from carnet.elsewhere_settings import scheme_of
from carnet.exchange import brief_exchange
from carnet.failures import log_unexpected
from carnet.metrics import UNTOLD
from carnet.settings import Settings, SettingsError
from carnet.subscribers import Believed, still_believed
from carnet.subscription_door import address_of
from carnet.wiring import Actors
from fhir_facade.iti112_resource_notify import notification_bundle
from fhir_facade.rendered import find_rendered
from registry.criteria import Criteria, Page
from registry.snapshot import Snapshot
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from subscriptions.broker import Broker
from subscriptions.delivery import Dispatcher, Post, Send, TargetFailed
from subscriptions.dsub import write_notify
from subscriptions.sql import Notification
from subscriptions.subscription import Channel, Event, Subscription
from xds.datatypes import CX
from xds.metadata import DocumentEntry

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
        present=registry.present_patient,
    )


def notification_targets(settings: Settings) -> frozenset[str]:
    """The addresses that may be told anything: https, or http on loopback. Raises SettingsError."""
    for one in settings.notification_targets.split():
        if not _is_target(one):
            expected = "https://HOST[:PORT]/PATH, or http on loopback, in the characters of a URL"
            raise SettingsError(f"setting notification_targets: found {one}, expected {expected}")
    return frozenset(settings.notification_targets.split())


def _is_target(url: str) -> bool:
    """An address that a request can be sent to as it stands. RFC 3986: 2"""
    is_text = all("!" <= one <= "~" for one in url)
    return is_text and scheme_of(url) in ("http", "https") and "@" not in urlsplit(url).netloc and "#" not in url


def started_dispatcher(actors: Actors) -> Dispatcher | None:
    """A running one; None where nobody may be told, or the registry is elsewhere. Raises SettingsError."""
    settings, registry = actors.settings, actors.registry
    if registry is None or not notification_targets(settings):
        return None

    def in_trouble(problem: Exception) -> None:
        log_unexpected(problem)
        actors.counts.count(UNTOLD)

    dispatcher = dispatcher_of(settings, registry, on_trouble=in_trouble)
    dispatcher.start()
    return dispatcher


def dispatcher_of(
    settings: Settings,
    registry: Registry,
    *,
    on_trouble: Callable[[Exception], object] = log_unexpected,
    pauses_ms: tuple[int, int] = (1_000, 3_600_000),
) -> Dispatcher:
    """Raises SettingsError."""
    believed = still_believed(settings, registry.units)

    def write(subscription: Subscription, told: Notification) -> Post | None:
        return _message(registry, believed, subscription, told, settings.public_url)

    def sent(unit: UnitOfWork, subscription: Subscription, told: Notification) -> None:
        if told.event is not Event.HANDSHAKE:
            event = "ITI-112" if subscription.channel is Channel.FHIR else "ITI-53"
            about = a_document if told.event.kind is DocumentEntry else a_submission_set
            found = Occurrence(event=event, patient=subscription.patient, objects=(about(told.entry_uuid),))
            registry.recorder.record(unit, [found], Caller(name=subscription.target))

    return Dispatcher(
        registry.units,
        write=write,
        send=sender_of(settings),
        on_sent=sent,
        on_trouble=on_trouble,
        attempts=settings.notification_attempts,
        now=clock(settings.clock),
        pauses_ms=pauses_ms,
    )


def _message(
    registry: Registry, believed: Believed, subscription: Subscription, told: Notification, url: str
) -> Post | None:
    """What the subscriber may know now; None for nothing: issuers and policy are asked when it is sent."""
    caller, is_fhir = _subscriber(registry, subscription), subscription.channel is Channel.FHIR
    is_of_document = all(event.kind is DocumentEntry for event in subscription.events)
    scope = ("ITI-67", ("DocumentReference.r",)) if is_of_document else ("ITI-66", ("List.r",))
    if not believed(caller) or not permits(caller, *scope):
        return None
    if told.event is Event.HANDSHAKE:
        return notification_bundle(subscription, told, base_url=f"{url}/fhir")
    criteria = Criteria(kind=told.event.kind, entry_uuids=(told.entry_uuid,), on_demand=True, all_versions=True)
    with registry.seen_by(caller, Purpose.METADATA) as snapshot:
        found = (find_rendered if is_fhir else Snapshot.find)(snapshot, criteria, Page(size=1))
    if not found:
        return None
    one = found[0]
    if not is_fhir:
        address = address_of(f"{url}/xds/subscriptions", subscription.id)
        return write_notify(subscription, told, address=address, rendering=one.rendering)
    return notification_bundle(
        subscription, told, base_url=f"{url}/fhir", logical_id=one.logical_id, rendering=one.rendering
    )


def _subscriber(registry: Registry, subscription: Subscription) -> Caller:
    """Who subscribed, about the patient that theirs is today: a proof about a former identifier is about its person."""
    caller = read_kept_caller(json.loads(subscription.caller))
    if caller.patient_id is None:
        return caller
    with registry.units.read() as connection:
        return replace(caller, patient_id=CX(registry.present_patient(connection, caller.patient_id.key)))


def sender_of(settings: Settings) -> Send:
    """POST to a target that the settings still name: ten seconds, 64 kB of an answer. Raises SettingsError."""
    context, targets = _context(settings), notification_targets(settings)

    def send(target: str, post: Post) -> None:
        if target not in targets:
            raise TargetFailed("the settings name this target no longer")
        headers = {"Content-Type": post.content_type}
        try:
            status, _ = brief_exchange(
                urlsplit(target),
                "POST",
                seconds=_SECONDS,
                most=_LARGEST_ANSWER,
                body=post.body,
                headers=headers,
                context=context,
            )
        except (OSError, ValueError, http.client.HTTPException) as problem:
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
