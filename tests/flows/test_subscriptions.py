"""Subscribers are told at least once, in order, of what they asked for; whatever is down or killed. DSUBm 2:3.111, 3.112."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from fhir.resources.R4B.bundle import Bundle

from subscriptions.delivery import Dispatcher
from tests import servers
from tests.builders import OTHER_PATIENT
from tests.carnet.test_security_commands import carnet
from tests.flows.subscribed import (
    ALL,
    NEW,
    OF_PATIENT,
    dispatcher,
    server,
    states,
    submit,
    subscribe,
    subscriber,
    wanted,
)
from tests.notified import Subscriber, parameters, until
from tests.servers import Server
from xds.datatypes import Code, CXi

__all__ = ["dispatcher", "server", "subscriber"]  # fixtures of this module


def test_a_receiver_that_was_down_and_a_server_that_was_killed_lose_nothing(
    tmp_path: Path, database_url: str, subscriber: Subscriber
) -> None:
    settings = servers.settings_for(tmp_path / "data", database_url, notification_targets=subscriber.url)
    with servers.killable(settings) as server:
        servers.know_patients(settings)
        taken = subscribe(server, wanted(subscriber.url))
        assert taken.status == 201, taken.body
        place = taken.headers["location"].removeprefix(server.url)
        for number in range(3):
            assert submit(server, f"2.25.70{number}")[0] == "Success"
        assert server.process is not None
        server.process.kill()
        subscriber.status = 503
        subscriber.up()
        server.process.start()
        until(lambda: subscriber.tried > 0)
        server.process.kill()
        subscriber.status = 200
        server.process.start()
        until(
            lambda: len({one["entry"][0]["resource"]["parameter"][4]["valueString"] for one in subscriber.bundles}) == 4
        )
        assert json.loads(server.request("GET", place).body)["status"] == "active"
    told = [parameters(one) for one in subscriber.bundles]
    assert told[0]["type"] == "handshake"
    numbers = [int(one["events-since-subscription-start"]) for one in told]
    assert numbers == sorted(numbers)  # a repetition stands where it was
    assert set(numbers) == {0, 1, 2, 3}
    for bundle in subscriber.bundles:
        Bundle.model_validate(bundle)
    documents = [bundle["entry"][1]["resource"] for bundle in subscriber.bundles[1:]]
    assert {one["masterIdentifier"]["value"] for one in documents} == {f"urn:oid:2.25.70{n}" for n in range(3)}


def test_what_was_not_committed_is_told_to_nobody(server: Server, subscriber: Subscriber) -> None:
    assert subscribe(server, wanted(subscriber.url)).status == 201
    assert submit(server, "2.25.71")[0] == "Success"
    assert submit(server, "2.25.72", title=None, type_code=None)[0] == "Failure"
    assert states(server) == {"waiting": 2}  # the handshake and one document


def test_patient_type_and_topic_decide(server: Server, subscriber: Subscriber, dispatcher: Dispatcher) -> None:
    typed = f"{OF_PATIENT}&type=http://loinc.org|11488-4"
    other = f"{OF_PATIENT}&type=http://loinc.org|0000-0"
    for filters, topic in (((OF_PATIENT,), NEW), ((typed,), NEW), ((other,), ALL)):
        assert subscribe(server, wanted(subscriber.url, topic=topic, filters=filters, content="id-only")).status == 201
    loinc = Code(code="11488-4", coding_scheme="2.16.840.1.113883.6.1", display_name="CR")
    assert submit(server, "2.25.73", type_code=loinc)[0] == "Success"
    assert submit(server, "2.25.74", patient_id=OTHER_PATIENT)[0] == "Success"
    subscriber.up()
    dispatcher.start()
    until(lambda: set(states(server)) == {"sent"})
    events = [one for one in map(parameters, subscriber.bundles) if one["type"] == "event-notification"]
    assert len(events) == 2
    focus = {
        one["valueReference"]["reference"]
        for event in events
        for one in event["notification-event"]
        if one["name"] == "focus"
    }
    assert len(focus) == 1
    assert all(len(bundle["entry"]) == 1 for bundle in subscriber.bundles)
    [url] = focus
    assert server.request("GET", url.removeprefix(server.url)).status == 200


PS, CLINICS = "urn:oid:1.2.250.1.71.4.2.1", "urn:oid:1.2.250.1.71.4.2.2"


def test_authors_and_reference_ids_decide(server: Server, subscriber: Subscriber) -> None:
    """Each is kept as it was asked for, and answers as the search of the same name does."""
    fitting = [
        *("author.family=vill", "author.family=x,VILLARD", "author.given=eli", "author.name=ELISE", "author.name=v"),
        *(
            "author.identifier=801234567897",
            f"author:identifier={PS}|801234567897",
            f"author.identifier=9,{PS}|801234567897",
        ),
        *("related.identifier=ORDER_1", "related:identifier=urn:oid:2.25.5|ORDER_1"),
        "author.family=villard&related.identifier=ORDER_1&author.given=elise&type=http://loinc.org|11488-4",
        *("author.organization.name=clinique", "author:PractitionerRole.organization:Organization.name=CLINIQUE D"),
        f"author:PractitionerRole.organization.identifier={CLINICS}|1690000014",
    ]
    others = [
        *(
            "author.family=illard",
            "author.family=elise",
            "author.given=villard",
            "author.name=%",
            "author.identifier=8",
        ),
        *(f"author.identifier={PS}.1|801234567897", "author.identifier=|801234567897", "related.identifier=ORDER-1"),
        *("related.identifier=urn:oid:2.25.6|ORDER_1", "author.family=villard&related.identifier=ORDER_2"),
        *("author.organization.name=tilleuls", f"author.organization:identifier={PS}|1690000014"),
    ]

    def subscribed(queries: list[str]) -> set[str]:
        made = [subscribe(server, wanted(subscriber.url, filters=(f"{OF_PATIENT}&{one}",))) for one in queries]
        assert [one.status for one in made] == [201] * len(queries), [one.body for one in made]
        return {json.loads(one.body)["id"] for one in made}

    wanting, _ = subscribed(fitting), subscribed(others)
    loinc = Code(code="11488-4", coding_scheme="2.16.840.1.113883.6.1", display_name="CR")
    order = (CXi("ORDER_1^^^&2.25.5&ISO^urn:ihe:iti:xds:2013:order"),)
    assert submit(server, "2.25.731", type_code=loinc, reference_id_list=order)[0] == "Success"
    with closing(sqlite3.connect(server.settings.sqlite_file)) as database:
        told = database.execute("SELECT subscription FROM notification WHERE event = 'new'").fetchall()
    assert {one for (one,) in told} == wanting


def test_a_replacement_names_the_new_document(server: Server, subscriber: Subscriber, dispatcher: Dispatcher) -> None:
    status, _ = submit(server, "2.25.75")
    assert status == "Success"
    assert subscribe(server, wanted(subscriber.url)).status == 201
    found = json.loads(server.request("GET", "/fhir/DocumentReference?identifier=urn:oid:2.25.75").body)
    uuid = f"urn:uuid:{found['entry'][0]['resource']['id']}"
    assert submit(server, "2.25.76", replaces=uuid)[0] == "Success"
    subscriber.up()
    dispatcher.start()
    until(lambda: len(subscriber.told) == 2)
    document = subscriber.bundles[1]["entry"][1]["resource"]
    assert document["masterIdentifier"]["value"] == "urn:oid:2.25.76"
    assert document["relatesTo"][0]["code"] == "replaces"


def test_dead_letters_are_seen_and_tried_again(server: Server, subscriber: Subscriber, dispatcher: Dispatcher) -> None:
    subscriber.status = 500
    subscriber.up()
    assert subscribe(server, wanted(subscriber.url)).status == 201
    dispatcher.start()
    until(lambda: states(server) == {"dead": 1})
    data = server.settings.data
    dead = carnet(Path(data), "subscriptions", "dead", "--data", data)
    assert (dead.returncode, "2 attempts: answered 500" in dead.stdout) == (1, True)
    subscriber.status = 202
    retried = carnet(Path(data), "subscriptions", "retry", "--data", data, "--json")
    assert json.loads(retried.stdout) == {"retried": 1}
    until(lambda: states(server) == {"sent": 1})
    listed = carnet(Path(data), "subscriptions", "list", "--data", data, "--json")
    [row] = json.loads(listed.stdout)["subscriptions"]
    assert (row["state"], row["sent"], row["target"]) == ("active", 1, subscriber.url)
    assert carnet(Path(data), "subscriptions", "dead", "--data", data).returncode == 0
