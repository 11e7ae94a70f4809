"""What a subscription may ask for, and whom it may name. DSUBm 2:3.111"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.subscription import Subscription as FhirSubscription

from carnet.settings import Settings, SettingsError
from carnet.subscription_wiring import dispatcher_of, notification_targets
from tests import servers
from tests.flows.subscribed import OF_PATIENT, dispatcher, server, states, submit, subscribe, subscriber, wanted
from tests.notified import Subscriber, until
from tests.servers import Server

__all__ = ["dispatcher", "server", "subscriber"]  # fixtures of this module


def test_a_subscription_is_read_back_and_ended(server: Server, subscriber: Subscriber) -> None:
    resource = wanted(subscriber.url, end="2027-01-01T00:00:00Z")
    place = subscribe(server, resource).headers["location"].removeprefix(server.url)
    found = json.loads(server.request("GET", place).body)
    FhirSubscription.model_validate(found)
    same = ("reason", "criteria", "_criteria", "channel", "end", "status")
    assert {name: found[name] for name in same} == {name: resource[name] for name in same}
    assert server.request("GET", f"{place}?_format=xml").status == 200
    assert server.request("DELETE", place).status == 204
    assert [server.request(method, place).status for method in ("GET", "DELETE")] == [404, 404]
    assert submit(server, "2.25.77")[0] == "Success"
    assert states(server) == {}


def test_a_filter_of_any_length_gets_a_short_answer(server: Server, subscriber: Subscriber) -> None:
    for pairs in (300, 50_000):
        changed = wanted(subscriber.url, filters=("DocumentReference?" + "&".join(["a=b"] * pairs),))
        refused = subscribe(server, changed)
        assert refused.status == 422
        assert len(json.loads(refused.body)["issue"]) <= 100


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"status": "active"}, "Subscription.status"),
        ({"criteria": "DocumentReference?patient=1"}, "Subscription.criteria"),
        ({"filters": ("Patient?name=x",)}, "Subscription.criteria.extension"),
        ({"filters": ("DocumentReference?author=x",)}, "Subscription.criteria.extension"),
        ({"filters": ("DocumentReference?type=A&type=B",)}, "Subscription.criteria.extension"),
        *(
            ({"filters": (f"{OF_PATIENT}&{one}",)}, "Subscription.criteria.extension")
            for one in ("author.family=a,,b", "author:Practitioner.family=a", "author.identifier=urn:oid:1.2|")
        ),
        ({"extension": [{"url": "x", "valueInteger": 10**29}]}, "Subscription.extension[0].valueInteger"),
        ({"payload": "text/plain"}, "Subscription.channel.payload"),
        ({"content": "everything"}, "Subscription.channel.payload.extension"),
        ({"end": "tomorrow"}, "Subscription.end"),
        ({"end": "2020-01-01T00:00:00Z"}, "Subscription.channel.endpoint"),
        ({"reason": None}, "Subscription.reason"),
        ({"channel": {}}, "Subscription.channel.type"),
    ],
)
def test_what_is_not_served_is_refused(
    server: Server, subscriber: Subscriber, changes: dict[str, Any], place: str
) -> None:
    refused = subscribe(server, wanted(subscriber.url, **changes))
    assert refused.status == 422
    assert place in [one["expression"][0] for one in json.loads(refused.body)["issue"]]


@pytest.mark.parametrize(
    "target",
    [
        *("http://127.0.0.1:1/", "https://other.example.org/", "http://169.254.169.254/", "file:///etc/passwd"),
        *("http://[::1]/told", "http://2130706433/", "http://user@127.0.0.1/"),
    ],
)
def test_w04_nobody_is_told_anything_who_is_not_on_the_list(server: Server, target: str) -> None:
    refused = subscribe(server, wanted(target))
    assert refused.status == 422
    assert states(server) == {}


def test_w04_near_misses_of_a_listed_target_are_refused(server: Server, subscriber: Subscriber) -> None:
    for target in (
        f"{subscriber.url}/",
        f"{subscriber.url}?x",
        subscriber.url.upper(),
        subscriber.url.replace("/told", ""),
    ):
        assert subscribe(server, wanted(target)).status == 422


def test_w04_one_subscriber_has_so_many(server: Server, subscriber: Subscriber) -> None:
    answers = [subscribe(server, wanted(subscriber.url)).status for _ in range(101)]
    assert answers == [201] * 100 + [422]


def test_without_targets_there_are_no_subscriptions(tmp_path: Path) -> None:
    with servers.in_process(servers.settings_for(tmp_path)) as server:
        assert subscribe(server, wanted("http://127.0.0.1:1/")).status == 404
        resources = json.loads(server.request("GET", "/fhir/metadata").body)["rest"][0]["resource"]
        assert "Subscription" not in [one["type"] for one in resources]


@pytest.mark.parametrize(
    "target",
    [
        *("https://ehr.example.org:port/", "https://ehr.example.org:99999/", "https://ehr.example.org:0/", "https://["),
        *("https://é.example.org/", "https://ehr.example.org/dit é", "ftp://127.0.0.1/", "http://ehr.example.org/"),
        *("https://user@ehr.example.org/", "https://ehr.example.org/#here", "told"),
    ],
)
def test_an_address_that_nothing_can_be_sent_to_is_no_target(target: str) -> None:
    with pytest.raises(SettingsError, match="notification_targets"):
        notification_targets(Settings(security="open", notification_targets=target))


def test_a_target_that_the_settings_name_no_longer_is_told_nothing(
    server: Server, subscriber: Subscriber, tmp_path: Path
) -> None:
    """The operator sees dead letters, and may have them sent when the target is back on the list."""
    assert subscribe(server, wanted(subscriber.url)).status == 201
    subscriber.up()
    registry = servers.open_registry(server.settings)
    others = replace(server.settings, notification_targets="https://other.example.org/")
    dispatcher = dispatcher_of(others, registry, pauses_ms=(10, 20))
    dispatcher.start()
    until(lambda: states(server) == {"dead": 1})
    dispatcher.stop()
    registry.units.close()
    assert subscriber.tried == 0


def test_whom_an_open_server_took_at_their_word_a_closed_one_tells_nothing(
    server: Server, subscriber: Subscriber, tmp_path: Path
) -> None:
    assert subscribe(server, wanted(subscriber.url)).status == 201
    assert submit(server, "2.25.7401")[0] == "Success"
    subscriber.up()
    registry = servers.open_registry(server.settings)
    dispatcher = dispatcher_of(replace(server.settings, security="mtls"), registry, pauses_ms=(10, 20))
    dispatcher.start()
    until(lambda: states(server) == {"withheld": 2})
    dispatcher.stop()
    registry.units.close()
    assert subscriber.tried == 0
