"""PATCH of DocumentReference over real HTTP: who masks, archives and deletes by it is who does by ITI-57. PDSm 7"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.operationoutcome import OperationOutcome

from fhir_facade.archived import IS_ARCHIVED
from fhir_facade.fhir_xml import FHIR, read_xml, write_xml
from tests import fhir_bundles as fhir
from tests import servers
from tests.audit_store import Trail
from tests.builders import an_update
from tests.flows.fhir_requests import fed, provide
from tests.flows.test_access_policy import APPROVED, AUTHOR, HIDDEN, MASKED, NORMAL, NURSE, STRANGER, World
from tests.servers import Response, Server
from xds.metadata import DocumentEntry

ARCHIVED_STATUS = "('urn:asip:ci-sis:2010:StatusType:Archived')"
TRE_A07 = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatusVisibiliteDocument/FHIR/TRE-A07-StatusVisibiliteDocument"
MASK = {"coding": [{"system": TRE_A07, "code": "MASQUE_PS", "display": "Masqué aux professionnels de santé"}]}
JSON_PATCH, XML_PATCH = "application/json-patch+json", "application/xml-patch+xml"
ARCHIVED = {"url": IS_ARCHIVED, "valueBoolean": True}
TO_ARCHIVED = [{"op": "add", "path": "/extension/-", "value": ARCHIVED}]


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data: Path = tmp_path_factory.mktemp("carnet")
    with servers.in_process(servers.settings_for(data, database, audit="on")) as running:
        yield running


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    """A record that a nurse may read and a stranger may not."""
    return World(server, NURSE)


def by(header: bytes) -> dict[str, str]:
    """With the assertion as a token."""
    inside = header[header.index(b">") + 1 : header.rindex(b"</wsse:Security>")]
    return {"Authorization": f"Bearer {base64.urlsafe_b64encode(inside).decode().rstrip('=')}"}


def patch(
    world: World,
    entry: DocumentEntry,
    operations: Any,
    *,
    subject: str = AUTHOR,
    kind: str = JSON_PATCH,
    query: str | None = None,
    **headers: str,
) -> Response:
    where = f"/{(entry.logical_id or '')[9:]}" if query is None else f"?{query}"
    body = operations if isinstance(operations, bytes) else json.dumps(operations).encode()
    given = by(world.vihf(subject)) | {"Content-Type": kind}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return world.server.request("PATCH", f"/fhir/DocumentReference{where}", body, given)


def taken(response: Response) -> dict[str, Any]:
    assert response.status == 200, response.body
    resource: dict[str, Any] = json.loads(response.body)
    DocumentReference.model_validate(resource)
    return resource


def refused(response: Response, status: int) -> str:
    """The sentences of a refusal."""
    assert response.status == status, response.body
    outcome = json.loads(response.body)
    OperationOutcome.model_validate(outcome)
    return " ".join(one["diagnostics"] for one in outcome["issue"])


def labels(resource: dict[str, Any]) -> list[str]:
    return sorted(one["coding"][0]["code"] for one in resource.get("securityLabel", ()))


def test_masking_by_patch_is_masking_by_iti57(world: World) -> None:
    entry, trail = world.fed(), Trail(world.server)
    answered = patch(world, entry, [{"op": "add", "path": "/securityLabel/-", "value": MASK}])
    resource = taken(answered)
    assert labels(resource) == ["MASQUE_PS", "N"]
    assert resource["id"] == (entry.logical_id or "")[9:]
    assert (resource["meta"]["versionId"], answered.headers["etag"]) == ("2", 'W/"2"')
    assert answered.headers["last-modified"].endswith("GMT")
    assert [one.type_codes[0].code for one in trail.records()] == ["ITI-57"]
    stored = world.stored(entry.unique_id or "")
    assert (stored.version, {one.code for one in stored.confidentiality_code}) == (2, {"N", "MASQUE_PS"})
    assert entry.unique_id not in world.found(world.vihf(NURSE))
    unmasked = patch(world, entry, [{"op": "replace", "path": "/securityLabel/0", "value": labels_of(NORMAL)[0]}])
    assert unmasked.status == 200
    assert "MASQUE_PS" in labels(json.loads(unmasked.body))  # the label 0 was N before: nothing is asked for
    last = patch(world, entry, [{"op": "remove", "path": "/securityLabel/1"}])
    assert (labels(taken(last)), taken(last)["meta"]["versionId"]) == (["N"], "3")
    assert entry.unique_id in world.found(world.vihf(NURSE))


def labels_of(*codes: Any) -> list[dict[str, Any]]:
    return [{"coding": [{"system": f"urn:oid:{one.coding_scheme}", "code": one.code}]} for one in codes]


def test_a_label_that_takes_the_place_of_the_level_leaves_the_level(world: World) -> None:
    """The example of the guide replaces N. PDSm T02"""
    entry = world.fed()
    assert labels(taken(patch(world, entry, [{"op": "replace", "path": "/securityLabel/0", "value": MASK}]))) == [
        "MASQUE_PS",
        "N",
    ]


def test_what_a_patch_says_of_a_masked_document_nobody_hears_who_may_not_see_it(world: World) -> None:
    entry = world.fed(MASKED)
    for subject in (NURSE, STRANGER):
        refused(patch(world, entry, TO_ARCHIVED, subject=subject), 404)
    query = f"identifier=urn:ietf:rfc:3986|urn:oid:{entry.unique_id}"
    refused(patch(world, entry, TO_ARCHIVED, subject=NURSE, query=query), 404)
    assert world.stored(entry.unique_id or "").version == 1


def test_who_is_not_the_author_may_not_archive_or_delete(world: World) -> None:
    entry, trail = world.fed(), Trail(world.server)
    told = refused(patch(world, entry, TO_ARCHIVED, subject=NURSE), 403)
    assert "right:document.archive" in told
    refused(
        patch(world, entry, [{"op": "replace", "path": "/status", "value": "entered-in-error"}], subject=NURSE), 403
    )
    assert [(one.type_codes[0].code, int(one.outcome)) for one in trail.records()] == [("ITI-57", 8), ("ITI-57", 8)]
    assert world.stored(entry.unique_id or "").availability_status == entry.availability_status


def parameters(value: bool) -> dict[str, Any]:
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": f"DocumentReference.extension.where(url = '{IS_ARCHIVED}').value"},
        {"name": "value", "valueBoolean": value},
    ]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


@pytest.mark.parametrize("kind", [JSON_PATCH, XML_PATCH, "application/fhir+json", "application/fhir+xml"])
def test_every_format_archives_and_brings_back(world: World, kind: str) -> None:
    """In place: the version stays, and the ETag tells the state."""
    path = f"DocumentReference/extension[@url='{IS_ARCHIVED}']/valueBoolean/@value"
    said: dict[str, Any] = {
        JSON_PATCH: lambda value: [
            {"op": "replace", "path": f"/extension[url:'{IS_ARCHIVED}']/valueBoolean", "value": value}
        ],
        XML_PATCH: lambda value: (
            f'<diff xmlns="{FHIR}"><replace sel="{path}">{str(value).lower()}</replace></diff>'.encode()
        ),
        "application/fhir+json": parameters,
        "application/fhir+xml": lambda value: write_xml(parameters(value)),
    }
    entry = world.fed()
    archived = patch(world, entry, said[kind](True), kind=kind)
    resource = taken(archived)
    assert (resource["status"], ARCHIVED in resource["extension"], resource["meta"]["versionId"]) == (
        *("current", True),
        "1",
    )
    assert archived.headers["etag"].startswith('W/"1-')
    assert entry.unique_id not in world.found(world.vihf(), APPROVED)
    assert entry.unique_id in world.found(world.vihf(), ARCHIVED_STATUS)
    back = patch(world, entry, said[kind](False), kind=kind)
    assert ARCHIVED not in taken(back).get("extension", ())
    assert back.headers["etag"] == 'W/"1"'
    assert entry.unique_id in world.found(world.vihf(), APPROVED)


def test_the_author_deletes_and_nobody_finds_it_any_more(world: World) -> None:
    entry = world.fed()
    resource = taken(patch(world, entry, [{"op": "replace", "path": "/status", "value": "entered-in-error"}]))
    assert resource["status"] == "entered-in-error"
    assert entry.unique_id not in world.found(world.vihf())
    assert f"urn:oid:{entry.unique_id}" not in world.seen_by_fhir(world.vihf())
    patient = f"patient.identifier=urn:oid:{world.patient.authority}|{world.patient.id}"
    bundle = world.fhir(world.vihf(), f"/DocumentReference?{patient}&status=entered-in-error")[1]
    assert resource["id"] in [one["resource"]["id"] for one in bundle["entry"]]
    refused(patch(world, entry, TO_ARCHIVED), 410)
    refused(patch(world, entry, TO_ARCHIVED, query=f"identifier={entry.unique_id}"), 404)


def test_a_search_tells_what_is_archived_from_what_is_not(server: Server) -> None:
    world = World(server, NURSE)
    entry, other = world.fed(), world.fed()
    taken(patch(world, entry, TO_ARCHIVED))
    patient = f"patient.identifier=urn:oid:{world.patient.authority}|{world.patient.id}"

    def found(query: str) -> set[str]:
        bundle = world.fhir(world.vihf(), f"/DocumentReference?{patient}&{query}")[1]
        return {one["resource"]["masterIdentifier"]["value"] for one in bundle.get("entry", ())}

    archived, there = ({f"urn:oid:{one.unique_id}"} for one in (entry, other))
    assert found("status=current") == archived | there
    assert found("status=current&isArchived=true") == found("isArchived=true") == archived
    assert found("status=current&isArchived=false") == found("isArchived=false") == there
    assert found("status=superseded") == set()
    assert world.fhir(world.vihf(), f"/DocumentReference?{patient}&isArchived=perhaps")[0] == 400


def test_a_document_is_patched_by_its_identifier(world: World) -> None:
    entry = world.fed()
    unique = f"identifier=urn:ietf:rfc:3986|urn:oid:{entry.unique_id}"
    assert taken(patch(world, entry, TO_ARCHIVED, query=unique))["masterIdentifier"]["value"].endswith(
        entry.unique_id or ""
    )
    refused(patch(world, entry, TO_ARCHIVED, query="identifier=urn:ietf:rfc:3986|urn:oid:2.25.1"), 404)
    refused(patch(world, entry, TO_ARCHIVED, query=""), 412)
    refused(patch(world, entry, TO_ARCHIVED, query="title=x"), 400)
    world.fed()
    several = f"patient.identifier=urn:oid:{world.patient.authority}|{world.patient.id}"
    refused(patch(world, entry, TO_ARCHIVED, query=several), 412)


@pytest.mark.parametrize(
    ("operation", "element"),
    [
        ({"op": "replace", "path": "/description", "value": "x"}, "description"),
        ({"op": "remove", "path": "/subject"}, "subject"),
        ({"op": "replace", "path": "/id", "value": "x"}, "id"),
        ({"op": "replace", "path": "/meta/versionId", "value": "9"}, "meta"),
        ({"op": "add", "path": "/extension/-", "value": {"url": "urn:x", "valueBoolean": True}}, "extension"),
        ({"op": "add", "path": "/nonsense", "value": "x"}, "nonsense"),
        ({"op": "add", "path": "", "value": {"resourceType": "Patient"}}, "authenticator"),
    ],
)
def test_any_other_element_is_not_changed_by_patch(world: World, operation: dict[str, Any], element: str) -> None:
    entry = world.fed(comments="Un commentaire")
    assert refused(patch(world, entry, [operation]), 405).startswith(f"{element} may not be changed")
    assert world.stored(entry.unique_id or "") == entry


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/status", "value": "superseded"},
        {"op": "replace", "path": "/status", "value": "nonsense"},
        {"op": "remove", "path": "/status"},
        {"op": "add", "path": "/securityLabel/-", "value": "MASQUE_PS"},
        {"op": "add", "path": "/securityLabel/-", "value": {"text": "MASQUE_PS"}},
        {"op": "add", "path": "/securityLabel/-", "value": labels_of(HIDDEN)[0]},
        {"op": "add", "path": "/extension/-", "value": {"url": IS_ARCHIVED, "valueBoolean": "perhaps"}},
        {"op": "remove", "path": "/securityLabel/7"},
        {"op": "test", "path": "/status", "value": "superseded"},
    ],
)
def test_what_is_not_possible_is_unprocessable_and_changes_nothing(world: World, operation: dict[str, Any]) -> None:
    entry = world.fed()
    refused(patch(world, entry, [operation, *TO_ARCHIVED]), 422)
    assert world.stored(entry.unique_id or "") == entry


def test_what_hid_a_document_from_its_holder_is_taken_away(world: World) -> None:
    entry = world.fed(HIDDEN)
    query = f"identifier={entry.unique_id}"
    resource = taken(patch(world, entry, [{"op": "remove", "path": "/securityLabel/1"}], query=query))
    assert labels(resource) == ["N"]


def test_a_patch_of_another_version_is_refused(world: World) -> None:
    entry = world.fed()
    for tag in ('W/"2"', '"7"', 'W/"1-00000000"', "nonsense"):
        refused(patch(world, entry, TO_ARCHIVED, If_Match=tag), 412)
    archived = patch(world, entry, TO_ARCHIVED, If_Match='W/"1"')
    assert archived.status == 200
    at = taken(archived)["extension"].index(ARCHIVED)
    back = [{"op": "replace", "path": f"/extension/{at}/valueBoolean", "value": False}]
    assert patch(world, entry, back, If_Match=archived.headers["etag"]).status == 200
    refused(patch(world, entry, TO_ARCHIVED, If_Match=archived.headers["etag"]), 412)


def test_what_comes_back_is_what_is_preferred(world: World) -> None:
    entry = world.fed()
    minimal = patch(world, entry, TO_ARCHIVED, Prefer="return=minimal")
    assert (minimal.status, minimal.body) == (200, b"")
    assert minimal.headers["etag"].startswith('W/"1-')
    told = patch(world, entry, TO_ARCHIVED, Prefer="return=OperationOutcome")
    assert json.loads(told.body)["resourceType"] == "OperationOutcome"
    in_xml = patch(world, entry, TO_ARCHIVED, Accept="application/fhir+xml")
    assert ARCHIVED in read_xml(in_xml.body)["extension"]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"x", 415),
        (JSON_PATCH, b"{}", 400),
        (JSON_PATCH, b"[", 400),
        (JSON_PATCH, b'[{"op":"coo","path":"/status"}]', 400),
        (XML_PATCH, b"<diff/>", 400),
        ("application/fhir+json", b'{"resourceType":"DocumentReference"}', 400),
        (f"{JSON_PATCH}; charset=latin-1", b"[]", 415),
    ],
)
def test_a_body_that_is_no_patch_is_refused(world: World, kind: str, body: bytes, status: int) -> None:
    entry = world.fed()
    refused(patch(world, entry, body, kind=kind), status)


def test_an_update_that_comes_first_is_seen_by_the_patch(world: World) -> None:
    """By ITI-57 first, then by PATCH of what FHIR shows: the versions follow each other."""
    entry = world.fed()
    assert world.update(world.vihf(), an_update(entry, confidentiality_code=(NORMAL, MASKED))).status == "Success"
    resource = taken(patch(world, entry, [{"op": "remove", "path": "/securityLabel/1"}], If_Match='W/"2"'))
    assert resource["meta"]["versionId"] == "3"


def test_a_document_that_fhir_submitted_keeps_what_only_fhir_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a domain without archives, whose labels are levels of confidentiality alone."""
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe")
    with servers.in_process(settings) as running:
        custodian = {"display": "Hôpital"}
        place = provide(running, fhir.a_provide_bundle(fed(running, fhir.a_patient()), custodian=custodian))[0]
        path = place["location"].removeprefix(running.url)

        def sent(*operations: Any) -> Response:
            return running.request("PATCH", path, json.dumps(operations).encode(), {"Content-Type": JSON_PATCH})

        restricted = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}
        resource = taken(sent({"op": "replace", "path": "/securityLabel/0", "value": restricted}))
        assert (labels(resource), resource["custodian"], resource["meta"]["versionId"]) == (["R"], custodian, "2")
        assert json.loads(running.request("GET", path).body) == resource
        refused(sent(*TO_ARCHIVED), 422)
        refused(sent({"op": "replace", "path": "/status", "value": "entered-in-error"}), 422)
