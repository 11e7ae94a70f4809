"""Subscribers are told at least once, in order, of what they may see; whatever is down or killed. DSUBm 2:3.111, 3.112."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.subscription import Subscription as FhirSubscription

from access_policy.caller import OPEN_CALLER, PurposeOfUse
from access_policy.make_token import new_keys, sign_token, token_claims
from access_policy.visibility import EVERYTHING
from carnet.clock import true_time
from carnet.record_wiring import open_records
from carnet.settings import Settings, SettingsError
from carnet.subscription_wiring import dispatcher_of, notification_targets
from dmp import rights
from dmp.actor import OPERATOR
from dmp.rights import Whom
from registry.criteria import Criteria
from registry.patients import Source, merge
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from subscriptions.delivery import Dispatcher
from tests import messages, servers, sts
from tests.access_policy import tokens
from tests.builders import OTHER_PATIENT, PATIENT, a_folder, a_submission, an_entry
from tests.carnet.test_security_commands import carnet
from tests.flows import test_fhir_jwt as jwt
from tests.flows.test_fhir_jwt import World
from tests.notified import Subscriber, a_subscriber, parameters, until
from tests.servers import Response, Server
from xds.datatypes import CX, Code, CXi
from xds.metadata import Association, DocumentEntry
from xds.vocabulary import AssociationType

ALL = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic-DocReference-PatientDependent-AllEvents"
NEW = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic-DocumentReference-PatientDependent"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
CONTENT = b"<ClinicalDocument/>"
OF_PATIENT = f"DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"
FHIR = {"Content-Type": "application/fhir+json"}


def wanted(
    target: str, *, topic: str = ALL, filters: tuple[str, ...] = (OF_PATIENT,), **changes: Any
) -> dict[str, Any]:
    channel = {
        "type": "rest-hook",
        "endpoint": target,
        "payload": changes.pop("payload", "application/fhir+json"),
        "_payload": {
            "extension": [
                {"url": f"{BACKPORT}/backport-payload-content", "valueCode": changes.pop("content", "full-resource")}
            ]
        },
    }
    extensions = [{"url": f"{BACKPORT}/backport-filter-criteria", "valueString": one} for one in filters]
    resource = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "tests",
        "criteria": topic,
        "_criteria": {"extension": extensions},
        "channel": channel,
    }
    return resource | changes


def subscribe(server: Server, resource: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(resource).encode()
    return server.request("POST", "/fhir/Subscription", body, FHIR | (headers or {}))


def submit(server: Server, unique_id: str, *, replaces: str = "", **changes: Any) -> tuple[str, DocumentEntry]:
    """Status and entry of a submission by ITI-41."""
    entry = an_entry(content=CONTENT, unique_id=unique_id, **changes)
    submission = a_submission(entry, patient_id=entry.patient_id)
    submission = replace(submission, submission_set=replace(submission.submission_set, unique_id=f"{unique_id}.9"))
    if replaces:
        link = Association(
            entry_uuid="urn:uuid:5d6a9aa0-0000-4000-8000-000000000001",
            association_type="urn:ihe:iti:2007:AssociationType:RPLC",
            source=entry.entry_uuid,
            target=replaces,
        )
        submission = replace(submission, associations=(*submission.associations, link))
    body = messages.provide_body(submission, {entry.entry_uuid: messages.include("d@test")})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("d@test", CONTENT)])
    answered = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    return answered.status, entry


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    made = a_subscriber()
    yield made
    made.down()


@pytest.fixture
def server(tmp_path: Path, subscriber: Subscriber) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path / "data", notification_targets=subscriber.url, notification_attempts=2)
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        yield running


@pytest.fixture
def dispatcher(server: Server) -> Iterator[Dispatcher]:
    """Started by tests; it tries again after milliseconds."""
    registry = servers.open_registry(server.settings)
    made = dispatcher_of(server.settings, registry, pauses_ms=(10, 20))
    yield made
    made.stop()
    registry.units.close()


def states(server: Server) -> dict[str, int]:
    """State -> how many notifications."""
    with closing(sqlite3.connect(server.settings.sqlite_file)) as database:
        return dict(database.execute("SELECT state, COUNT(*) FROM notification GROUP BY state").fetchall())


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


# --- whose ---------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path, subscriber: Subscriber) -> Iterator[World]:
    with jwt.a_world(tmp_path, notification_targets=subscriber.url) as made:
        yield made


def normal(*restrictions: str) -> tuple[Code, ...]:
    codes = [Code(code=one, coding_scheme="1.2.250.1.213.1.1.4.13", display_name=one) for one in restrictions]
    return (Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal"), *codes)


def delivered(world: World) -> Dispatcher:
    made = dispatcher_of(world.server.settings, servers.open_registry(world.server.settings), pauses_ms=(10, 20))
    made.start()
    return made


def test_the_policy_is_asked_when_something_is_sent(world: World, subscriber: Subscriber) -> None:
    """A document hidden from the patient is not told to the patient; a blocked doctor is told nothing any more."""
    for headers in (
        world.patient(scopes=("patient/Subscription.c", "patient/DocumentReference.rs")),
        world.bearer(scopes=("user/*.cruds",)),
    ):
        taken = subscribe(world.server, wanted(subscriber.url, content="id-only"), headers)
        assert taken.status == 201, taken.body
    jwt.submit(world, PATIENT, "2.25.7801")
    jwt.submit(world, PATIENT, "2.25.7802", confidentiality_code=normal("INVISIBLE_PATIENT"))
    subscriber.up()
    dispatcher = delivered(world)
    until(lambda: states(world.server) == {"sent": 5, "withheld": 1})  # two handshakes; the doctor sees both
    registry, dmp = servers.open_registry(world.server.settings), open_records(world.server.settings)
    doctor = Whom(id=sts.DOCTOR.identifier)
    registry.units.write(lambda unit: rights.block(dmp, unit, PATIENT.key, doctor, by=OPERATOR, now=true_time()))
    other = {"subject": sts.NURSE.identifier, "roles": (sts.NURSING,)}
    assert world.ask(jwt.SEARCH, world.bearer(**other)).status == 200
    registry.units.write(lambda unit: again(registry, unit))
    until(lambda: states(world.server) == {"sent": 6, "withheld": 2})
    dispatcher.stop()
    registry.units.close()


def test_in_a_domain_without_records_too_a_proof_about_a_former_identifier_is_about_its_person(
    tmp_path: Path, subscriber: Subscriber
) -> None:
    private, public = new_keys("ES256")
    (tmp_path / "keys.json").write_text(json.dumps(public))
    (tmp_path / "issuers.toml").write_text(f'[[issuer]]\nissuer = "{tokens.ISSUER}"\nkeys = "keys.json"\n')
    settings = servers.settings_for(
        tmp_path / "data",
        domain="ihe",
        notification_targets=subscriber.url,
        token_issuers=str(tmp_path / "issuers.toml"),
    )
    told = tokens.told(patient_id=PATIENT, scopes=("user/*.cruds",), audience=f"{settings.public_url}/fhir")
    bearer = {"Authorization": f"Bearer {sign_token(token_claims(told, now=datetime.now(UTC)), private)}"}
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        taken = subscribe(server, wanted(subscriber.url, content="id-only"), bearer)
        assert taken.status == 201, taken.body
        registry = servers.open_registry(settings)
        source, old, new = Source(transaction="ITI-8", caller=OPEN_CALLER), CX(PATIENT.key), CX(OTHER_PATIENT.key)
        registry.units.write(lambda unit: merge(registry, unit, subsumed=old, surviving=new, source=source))
        assert submit(server, "2.25.7901", patient_id=new)[0] == "Success"
        subscriber.up()
        dispatcher = dispatcher_of(settings, registry, pauses_ms=(10, 20))
        dispatcher.start()
        until(lambda: set(states(server)) <= {"sent", "withheld"})
        dispatcher.stop()
        registry.units.close()
        assert states(server) == {"sent": 2}


def again(registry: Registry, unit: UnitOfWork) -> None:
    """As if one more version of the first document had come."""
    found = registry.held(unit, [one.entry_uuid for one in sql_entries(registry)])
    thing = next(iter(found.values())).thing
    registry.notifier.changed(unit, PATIENT.key, [thing], [], registry.now())


def sql_entries(registry: Registry) -> list[Any]:
    criteria = Criteria(patient=PATIENT.key, unique_ids=("2.25.7801",))
    return list(registry.find(criteria, EVERYTHING))


def test_one_sees_and_ends_own_subscriptions_alone(world: World, subscriber: Subscriber) -> None:
    mine = world.patient(scopes=("patient/*.cruds",))
    taken = subscribe(world.server, wanted(subscriber.url), mine)
    place = "/fhir/Subscription/" + json.loads(taken.body)["id"]
    for method in ("GET", "DELETE"):
        assert world.server.request(method, place, None, world.bearer(scopes=("user/*.cruds",))).status == 404
    assert world.ask(place, mine).status == 200
    assert world.ask(place, world.patient(scopes=("patient/Subscription.c",))).status == 401
    assert world.server.request("DELETE", place, None, mine).status == 204


def test_another_patient_or_an_emergency_is_no_reason(world: World, subscriber: Subscriber) -> None:
    other = f"DocumentReference?patient.identifier=urn:oid:{OTHER_PATIENT.authority}|{OTHER_PATIENT.id}"
    token = world.bearer(scopes=("user/*.cruds",))
    assert subscribe(world.server, wanted(subscriber.url, filters=(other,)), token).status == 403
    everybody = "DocumentReference?type=http://loinc.org|11488-4"
    assert subscribe(world.server, wanted(subscriber.url, filters=(everybody,)), token).status == 403
    glass = world.bearer(scopes=("user/*.cruds",), purpose=PurposeOfUse.BREAK_GLASS)
    assert subscribe(world.server, wanted(subscriber.url), glass).status == 403


# --- lists, and changes of a status alone -----------------------------------------------------

TOPICS = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic"
SETS, FOLDERS = f"{TOPICS}-SubmissionSet-PatientDependent", f"{TOPICS}-Basic-Folder-Subscription"
FOLDERS_UPDATED = f"{TOPICS}-Folder-Subscription-UpdateOpt"


def of_lists(code: str, more: str = "") -> tuple[str, ...]:
    return (f"List?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}&code={code}{more}",)


def told_of(subscriber: Subscriber) -> list[tuple[str, str, str]]:
    """(method, type, identifier or status) of the resources that came with the notifications."""
    found = [
        (bundle["entry"][1]["request"]["method"], bundle["entry"][1]["resource"])
        for bundle in subscriber.bundles
        if len(bundle["entry"]) > 1
    ]
    return [(method, one["resourceType"], one.get("title", "")) for method, one in found]


def with_folder(document: str) -> Any:
    """A submission of a document in a new folder: patient, uniqueIds from that of the document."""
    entry = an_entry(content=CONTENT, unique_id=document)
    submission = a_submission(entry)
    folder = a_folder(unique_id=f"{document}.2", title=f"folder of {document}")
    inside = Association(
        entry_uuid="inside",
        association_type=AssociationType.HAS_MEMBER,
        source=folder.entry_uuid,
        target=entry.entry_uuid,
    )
    owner = submission.submission_set
    links = [
        Association(
            entry_uuid=f"owned{number}",
            association_type=AssociationType.HAS_MEMBER,
            source=owner.entry_uuid,
            target=target,
        )
        for number, target in enumerate((folder.entry_uuid, inside.entry_uuid))
    ]
    return replace(
        submission,
        submission_set=replace(owner, unique_id=f"{document}.9"),
        folders=(folder,),
        associations=(*submission.associations, inside, *links),
    )


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


def patched(server: Server, document: str, patch: list[dict[str, Any]]) -> None:
    path = f"/fhir/DocumentReference?identifier=urn:ietf:rfc:3986%7Curn:oid:{document}"
    headers = {"Content-Type": "application/json-patch+json"}
    response = server.request("PATCH", path, json.dumps(patch).encode(), headers)
    assert response.status == 200, response.body


def archive(server: Server, document: str) -> None:
    url = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
    patched(server, document, [{"op": "add", "path": "/extension/-", "value": {"url": url, "valueBoolean": True}}])


def mask(server: Server, document: str) -> None:
    coding = {"system": "urn:oid:1.2.250.1.213.1.1.4.13", "code": "MASQUE_PS", "display": "masked"}
    patched(server, document, [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [coding]}}])


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
