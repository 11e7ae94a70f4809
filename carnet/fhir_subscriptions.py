"""Subscription at the FHIR door: Resource Subscription [ITI-111], where the settings name targets."""

from collections.abc import Callable

import flask

from access_policy.caller import Caller
from audit.occurrence import Occurrence
from carnet.auditing import Auditor
from carnet.fhir_bodies import read_resource
from carnet.fhir_formats import answer, wanted
from fhir_facade import iti111_resource_subscription as iti111
from fhir_facade.patients import Patients
from registry.store import Registry
from subscriptions.broker import Broker

# Who is told of resources has to be one who may read them.
_READ = {"DocumentReference": ("ITI-67", "DocumentReference.r"), "List": ("ITI-66", "List.r")}


def add_subscriptions(
    door: flask.Blueprint,
    registry: Registry,
    broker: Broker,
    *,
    base_url: str,
    caller_of: Callable[..., Caller],
    auditor: Auditor,
) -> None:
    """`caller_of` gives the caller that may run a transaction, and refuses any other."""

    def known_to(caller: Caller) -> Patients:
        return Patients(registry=registry, caller=caller, base_url=base_url)

    def asked(caller: Caller) -> Occurrence:
        patient = "" if caller.patient_id is None else caller.patient_id.key
        return Occurrence(event="ITI-111", patient=patient)

    @door.post("/Subscription")
    def subscribe() -> flask.Response:
        form = wanted()
        caller = caller_of("ITI-111", "Subscription.c")
        with auditor.interaction(asked(caller), caller):
            wanted_one, _ = read_resource()
            caller_of(*_READ[iti111.resource_asked(wanted_one)])
            name, resource = iti111.create(broker, known_to(caller), wanted_one)
        return answer(resource, 201, {"Location": f"{base_url}/Subscription/{name}"}, form=form)

    @door.get("/Subscription/<name>")
    def read_subscription(name: str) -> flask.Response:
        wanted()
        caller = caller_of("ITI-111", "Subscription.r")
        with auditor.interaction(asked(caller), caller):
            return answer(iti111.read(broker, known_to(caller), name))

    @door.delete("/Subscription/<name>")
    def unsubscribe(name: str) -> flask.Response:
        caller = caller_of("ITI-111", "Subscription.d")
        with auditor.interaction(asked(caller), caller):
            iti111.remove(broker, known_to(caller), name)
        return flask.Response(status=204)
