"""Subscriptions to SubmissionSets and folders, and to changes of a status alone. DSUBm 2:3.111.4.1.2"""

import json

import pytest
from fhir.resources.R4B.bundle import Bundle

from subscriptions.delivery import Dispatcher
from tests import messages
from tests.flows.subscribed import (
    ALL,
    CONTENT,
    FOLDERS,
    FOLDERS_UPDATED,
    NEW,
    OF_PATIENT,
    SETS,
    archive,
    dispatcher,
    mask,
    of_lists,
    server,
    states,
    submit,
    subscribe,
    subscriber,
    told_of,
    wanted,
    with_folder,
)
from tests.notified import Subscriber, parameters, until
from tests.servers import Server

__all__ = ["dispatcher", "server", "subscriber"]  # fixtures of this module


def test_subscribers_are_told_of_submission_sets_and_folders(
    server: Server, subscriber: Subscriber, dispatcher: Dispatcher
) -> None:
    for topic, filters in (
        (SETS, of_lists("submissionset")),
        (SETS, of_lists("submissionset", "&designationType=other")),
        (FOLDERS, of_lists("folder")),
    ):
        taken = subscribe(server, wanted(subscriber.url, topic=topic, filters=filters))
        assert taken.status == 201, taken.body
    subscriber.up()
    dispatcher.start()
    until(lambda: states(server) == {"sent": 3})
    submission = with_folder("2.25.770")
    contents = {submission.document_entries[0].entry_uuid: CONTENT}
    assert messages.provide(server, submission, contents).status == "Success"
    until(lambda: states(server) == {"sent": 5})
    assert sorted(told_of(subscriber)) == [
        ("POST", "List", submission.submission_set.title or ""),
        ("POST", "List", "folder of 2.25.770"),
    ]
    for bundle in subscriber.bundles:
        Bundle.model_validate(bundle)
    [focus] = {
        one["valueReference"]["reference"]
        for bundle in subscriber.bundles
        for one in parameters(bundle).get("notification-event", [])
        if one["name"] == "focus" and "folder" in bundle["entry"][1]["resource"].get("title", "")
    }
    assert json.loads(server.request("GET", focus.removeprefix(server.url)).body)["title"] == "folder of 2.25.770"


def test_a_document_that_enters_a_folder_is_told_and_a_new_version_of_it_is_not(
    server: Server, subscriber: Subscriber, dispatcher: Dispatcher
) -> None:
    submission = with_folder("2.25.771")
    contents = {submission.document_entries[0].entry_uuid: CONTENT}
    assert messages.provide(server, submission, contents).status == "Success"
    for topic in (FOLDERS, FOLDERS_UPDATED):
        assert subscribe(server, wanted(subscriber.url, topic=topic, filters=of_lists("folder"))).status == 201
    found = json.loads(server.request("GET", "/fhir/DocumentReference?identifier=urn:oid:2.25.771").body)
    uuid = f"urn:uuid:{found['entry'][0]['resource']['id']}"
    assert submit(server, "2.25.772", replaces=uuid)[0] == "Success"  # enters the folder of the replaced one
    subscriber.up()
    dispatcher.start()
    until(lambda: states(server) == {"sent": 4})
    assert told_of(subscriber) == [("PUT", "List", "folder of 2.25.771")] * 2
    mask(server, "2.25.772")
    until(lambda: states(server) == {"sent": 5})


def test_a_status_alone_is_told_to_who_wants_all_events(
    server: Server, subscriber: Subscriber, dispatcher: Dispatcher
) -> None:
    assert submit(server, "2.25.773")[0] == "Success"
    for topic in (ALL, NEW):
        assert subscribe(server, wanted(subscriber.url, topic=topic)).status == 201
    archive(server, "2.25.773")
    subscriber.up()
    dispatcher.start()
    until(lambda: states(server) == {"sent": 3})
    [document] = [one["entry"][1]["resource"] for one in subscriber.bundles if len(one["entry"]) > 1]
    assert document["masterIdentifier"]["value"] == "urn:oid:2.25.773"
    assert [one["valueBoolean"] for one in document["extension"] if "archived" in one["url"]] == [True]


@pytest.mark.parametrize(
    ("topic", "filters"),
    [
        (SETS, (OF_PATIENT,)),
        (SETS, (of_lists("folder"))),
        (FOLDERS, (of_lists("folder", "&type=x"))),
        (FOLDERS, ("List?designationType=x",)),
        (ALL, of_lists("folder")),
    ],
)
def test_the_filter_of_a_list_names_its_kind(
    server: Server, subscriber: Subscriber, topic: str, filters: tuple[str, ...]
) -> None:
    refused = subscribe(server, wanted(subscriber.url, topic=topic, filters=filters))
    assert refused.status == 422
    assert json.loads(refused.body)["issue"][0]["expression"] == ["Subscription.criteria.extension"]
