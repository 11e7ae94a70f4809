"""`/xds/subscriptions`: Document Metadata Subscribe and its end [ITI-52], where the settings name targets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from access_policy.caller import Caller
from access_policy.permission import permits
from audit.objects import a_query
from audit.occurrence import Occurrence
from audit.record import Action, Outcome
from carnet.auditing import Auditor
from soap.faults import ADDRESSING, SoapFault
from soap.message import Message, Operation, Reply
from storage.unit_of_work import StorageFailed
from subscriptions import dsub
from subscriptions.broker import Broker, NotTaken
from subscriptions.dsub_filters import WSNT, fault
from xds.xml import text_of

_TO = f"{{*}}Header/{{{ADDRESSING}}}To"
_REFUSED = "SubscribeCreationFailed"


def subscription_operations(broker: Broker, auditor: Auditor, *, address: str) -> tuple[Operation, ...]:
    """Both messages of ITI-52; `address` is that of the door, and with an id that of a subscription."""

    def subscribe(message: Message) -> Reply:
        with _recorded(auditor, message, Action.CREATE):
            wanted = dsub.read_subscribe(message.body, now=broker.now())
            try:
                taken = broker.subscribe(wanted, message.caller)
            except NotTaken as problem:
                raise fault(_REFUSED, str(problem)) from None
            except StorageFailed:
                raise fault(_REFUSED, "the subscription cannot be kept now; try again later") from None
            return Reply(body=dsub.write_subscribe_response(taken, address=address_of(address, taken.id)))

    def unsubscribe(message: Message) -> Reply:
        with _recorded(auditor, message, Action.DELETE):
            if not broker.end(message.caller, _named(message.body)):
                raise fault("ResourceUnknown", "wsa:To: expected the address of a subscription of this sender")
            return Reply(body=dsub.write_unsubscribe_response())

    return (
        _operation("ITI-52", "Subscribe", dsub.SUBSCRIBE, dsub.SUBSCRIBED, subscribe),
        _operation("ITI-52-Unsubscribe", "Unsubscribe", dsub.UNSUBSCRIBE, dsub.UNSUBSCRIBED, unsubscribe),
    )


def address_of(door: str, name: str) -> str:
    """Where a subscription is ended. ITI TF-2: 3.52.4.2.2"""
    return f"{door}?subscription={name}"


def _operation(name: str, body: str, action: str, answer: str, handler: Callable[[Message], Reply]) -> Operation:
    tag = f"{{{WSNT}}}{body}"
    return Operation(name=name, action=action, response_action=answer, body=tag, handler=handler)


def _named(body: etree._Element) -> str:
    """The id in the address that the message was sent to."""
    to = body.getroottree().getroot().find(_TO)
    try:
        query = "" if to is None else urlsplit(text_of(to)).query
        return parse_qs(query).get("subscription", [""])[0][:36]
    except ValueError:  # no URL, or one with a thousand parameters: none of ours
        return ""


@contextmanager
def _recorded(auditor: Auditor, message: Message, action: Action) -> Iterator[None]:
    """A record of it, whatever its end; without one there is no answer. ITI TF-2: 3.52.5.1"""
    caller: Caller = message.caller
    octets = etree.tostring(message.body, encoding="UTF-8", with_tail=False) if action is Action.CREATE else b""
    objects = (a_query("ITI-52", "wsnt:Subscribe", octets),) if octets else ()
    patient = "" if caller.patient_id is None else caller.patient_id.key
    told = Occurrence(event="ITI-52", action=action, patient=patient, objects=objects)
    try:
        auditor.check()
        if not permits(caller, "ITI-52"):
            raise fault(_REFUSED, "the caller may not do this")
        yield
    except SoapFault as problem:
        auditor.told(replace(told, outcome=Outcome.SERIOUS, description=problem.subcodes[0]), caller)
        raise
    except Exception:
        auditor.told(replace(told, outcome=Outcome.MAJOR, description="unexpected failure"), caller)
        raise
    auditor.told(told, caller)
