"""Attacks on identifiers, references and searches that are made here: rows D and F of the matrix.

They are sent and watched as those of test_attacks_on_xml.py are.
"""

import pytest

from tests import messages
from tests.attacks.attack_messages import codes
from tests.attacks.conftest import Target
from tests.attacks.doors import Answer
from tests.builders import OTHER_PATIENT, a_replacement, a_submission, a_submission_set, an_entry
from xds.ebrim.write import write_submit_objects_request
from xds.vocabulary import LCM, RIM


def test_d02_what_is_not_there_is_the_same_answer_whoever_it_belongs_to(target: Target) -> None:
    answers = {
        target.doors.inside("ITI-43", messages.retrieve_body((repository, "1.2.3.4"))).body.partition(b"codeContext")[0]
        for repository in ("1.2.3", "1.2.4")
    }
    assert len({one.count(b"RegistryError") for one in answers}) == 1


def submitted(target: Target, submission: object) -> Answer:
    return target.doors.inside("ITI-42", write_submit_objects_request(submission.objects))  # type: ignore[attr-defined]


def test_d03_nothing_is_taken_over_by_its_id(target: Target) -> None:
    """The entryUUID and uniqueId of what is stored, for other content or another patient."""
    mine = an_entry(entry_uuid="urn:uuid:6d7a3a52-10c0-4e0f-9a53-3b8a4bd00001", content=b"x")
    owner = a_submission_set()
    assert b"ResponseStatusType:Success" in submitted(target, a_submission(mine, submission_set=owner)).body
    stolen = an_entry(entry_uuid=mine.entry_uuid, content=b"y", patient_id=OTHER_PATIENT)
    theirs = a_submission_set(patient_id=OTHER_PATIENT)
    again = an_entry(content=b"z", patient_id=OTHER_PATIENT)
    cases = {
        "entryUUID": a_submission(stolen, submission_set=theirs),
        "uniqueId": a_submission(
            an_entry(content=b"y", unique_id=mine.unique_id, patient_id=OTHER_PATIENT),
            submission_set=a_submission_set(patient_id=OTHER_PATIENT),
        ),
        "SubmissionSet": a_submission(
            again, submission_set=a_submission_set(unique_id=owner.unique_id, patient_id=OTHER_PATIENT)
        ),
        "replacement": a_submission(
            again,
            submission_set=a_submission_set(patient_id=OTHER_PATIENT),
            associations=(a_replacement(again, mine.entry_uuid),),
        ),
    }
    expected = {
        "entryUUID": "XDSRegistryDuplicateUniqueIdInMessage XDSRegistryMetadataError XDSDuplicateUniqueIdInRegistry",
        "uniqueId": "XDSNonIdenticalHash XDSNonIdenticalSize XDSDuplicateUniqueIdInRegistry XDSRegistryMetadataError",
        "SubmissionSet": "XDSDuplicateUniqueIdInRegistry",
        "replacement": "XDSPatientIdDoesNotMatch",
    }
    for name, case in cases.items():
        found = codes(submitted(target, case))
        assert found, name
        assert set(found) & set(expected[name].split()), (name, found)
    found = target.doors.inside(
        "ITI-18",
        messages.query_body(
            messages.GET_DOCUMENTS, {"$XDSDocumentEntryEntryUUID": f"('{mine.entry_uuid}')"}, "LeafClass"
        ),
    )
    assert str(mine.hash).encode() in found.body
    assert OTHER_PATIENT.id.encode() not in found.body


def test_d04_no_identifier_is_a_path(target: Target) -> None:
    before = {one for one in target.folder.rglob("*") if one.is_file() and one.parent.name != "open"}
    for name in ("../../../x", "/etc/passwd", "a\u202e/../b", "x" * 65_536, "..", "%2e%2e%2f", "CON", "a b"):
        entry = an_entry(entry_uuid="D1", content=b"x", unique_id="1.2.3")
        body = messages.provide_body(a_submission(entry), {"D1": "eA=="}).replace(b'"1.2.3"', f'"{name}"'.encode())
        answer = target.doors.inside("ITI-41", body)
        assert b"ResponseStatusType:Success" not in answer.body
        answer = target.doors.inside("ITI-43", messages.retrieve_body(("1.2.3", name)))
        assert b"ResponseStatusType:Failure" in answer.body or answer.status == 400
    after = {one for one in target.folder.rglob("*") if one.is_file() and one.parent.name != "open"}
    assert {one for one in after - before if "documents" not in one.parts and "audit" not in one.name} == set()


@pytest.mark.parametrize("count", [2_490, 10_000])
def test_d05_bombs_of_ebrim_have_an_answer_in_time(target: Target, count: int) -> None:
    objects = "".join(f'<r:ExtrinsicObject id="D{n}" objectType="x"/>' for n in range(count))
    links = "".join(
        f'<r:Association id="A{n}" associationType="urn:ihe:iti:2007:AssociationType:RPLC" sourceObject="A{n}" targetObject="A{(n + 1) % count}"/>'
        for n in range(count)
    )
    for listed in (objects, links, "<r:Slot/>" * count, "<r:ObjectRef id='x'/>" * count):
        body = f'<l:SubmitObjectsRequest xmlns:l="{LCM}" xmlns:r="{RIM}"><r:RegistryObjectList>{listed}</r:RegistryObjectList></l:SubmitObjectsRequest>'
        for transaction in ("ITI-42", "ITI-57"):
            with target.stopwatch.timing(f"{transaction} {listed[:20]}"):
                answer = target.doors.inside(transaction, body.encode())
            assert b"ResponseStatusType:Success" not in answer.body


def test_d06_a_removal_that_may_not_be_removes_nothing(target: Target) -> None:
    unknown = f'<l:RemoveObjectsRequest xmlns:l="{LCM}" xmlns:r="{RIM}"><r:ObjectRefList><r:ObjectRef id="urn:uuid:00000000-0000-4000-8000-000000000000"/></r:ObjectRefList></l:RemoveObjectsRequest>'
    assert codes(target.doors.inside("ITI-62", unknown.encode())) == ["UnresolvedReferenceException"]
    assert codes(target.doors.inside("ITI-86", messages.remove_body(("1.9.9", "1.2.3")))) == ["XDSUnknownRepositoryId"]
    refused = target.doors.fhir("DELETE", "/fhir/DocumentReference/x")
    assert refused.status in (404, 405)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_f03_addresses_in_resources_are_never_called(target: Target, method: str) -> None:
    url = target.canary.url
    resource = (
        f'{{"resourceType":"Bundle","type":"transaction","meta":{{"profile":["{url}"]}},"entry":[{{"fullUrl":"{url}","resource":'
        f'{{"resourceType":"DocumentReference","content":[{{"attachment":{{"url":"{url}"}}}}]}}}}]}}'
    ).encode()
    for path in ("/fhir", "/fhir/DocumentReference", "/fhir/Subscription", "/fhir/DocumentReference/$validate"):
        assert target.doors.fhir(method, path, resource).status in (400, 404, 405, 412, 422)
    assert target.doors.fhir("GET", "/fhir/DocumentReference", query=f"subject={url}&_profile={url}").status in (
        200,
        400,
    )


@pytest.mark.parametrize(
    "query", ["_summary=count", "_include=*", "_has:x:y:z=1", "subject.name=x", "_elements=*", "_count=9999999"]
)
def test_f04_searches_that_would_tell_more_tell_nothing(target: Target, query: str) -> None:
    found = target.doors.fhir("GET", "/fhir/DocumentReference", query=query)
    assert found.status in (200, 400)
    assert b'"resourceType":"DocumentReference"' not in found.body
