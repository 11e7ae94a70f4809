"""A document id, and a setId with its versionNumber, are those of one CDA document of the dmp domain. DMP 10."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from carnet.reports import Report, read_report, submission_of
from tests import messages
from tests.builders import PATIENT, REPOSITORY
from tests.cda.mutations import EXAMPLES
from tests.messages import Answered
from tests.servers import Server
from xds.identifiers import new_oid


def a_report(*, set_id: str, number: int = 1, unique_id: str = "") -> Report:
    """An example as this version of this set, under an id of its own."""
    content = (EXAMPLES / "lettre-liaison-sortie.xml").read_text(encoding="utf-8")
    content = re.sub(r'<setId root="[^"]*"/>', f'<setId root="{set_id}"/>', content)
    content = re.sub(r'<versionNumber value="[^"]*"/>', f'<versionNumber value="{number}"/>', content)
    content = re.sub(r'<id root="2\.25\.[^"]*"/>', f'<id root="{unique_id or new_oid()}"/>', content, count=1)
    return read_report(content.encode(), entry_uuid="Document01")


def push(server: Server, *reports: Report) -> Answered:
    uuids = [f"Document{at}" for at in range(len(reports))]
    entries = [
        replace(one.entry, entry_uuid=uuid, patient_id=PATIENT, hash=None, size=None)
        for one, uuid in zip(reports, uuids, strict=True)
    ]
    submission = submission_of([replace(one, entry=entry) for one, entry in zip(reports, entries, strict=True)])
    return messages.provide(server, submission, {uuid: one.content for one, uuid in zip(reports, uuids, strict=True)})


def unique_id(report: Report) -> str:
    return str(report.entry.unique_id)


def test_a_set_has_each_version_once(server: Server) -> None:
    set_id = new_oid()
    assert push(server, a_report(set_id=set_id)).status == "Success"
    second = a_report(set_id=set_id)
    answer = push(server, second)
    assert (answer.status, answer.codes) == ("Failure", ["XDSDuplicateUniqueIdInRegistry"])
    assert f"uniqueId {unique_id(second)}: found setId {set_id} with versionNumber 1" in answer.contexts[0]
    assert messages.retrieve(server, (REPOSITORY, unique_id(second))).status == "Failure"
    assert push(server, a_report(set_id=set_id, number=2)).status == "Success"
    assert push(server, a_report(set_id=new_oid())).status == "Success"


def test_a_document_is_submitted_once(server: Server) -> None:
    report = a_report(set_id=new_oid())
    assert push(server, report).status == "Success"
    answer = push(server, report)
    assert (answer.status, answer.codes) == ("Failure", ["XDSDuplicateUniqueIdInRegistry"])
    assert f"uniqueId {unique_id(report)}: a document of this uniqueId is held already" in answer.contexts[0]
    assert messages.retrieve(server, (REPOSITORY, unique_id(report))).status == "Success"


def test_two_documents_of_one_submission_are_not_one_version(server: Server) -> None:
    set_id = new_oid()
    answer = push(server, a_report(set_id=set_id), a_report(set_id=set_id))
    assert answer.codes == ["XDSDuplicateUniqueIdInRegistry"]
    assert push(server, a_report(set_id=set_id)).status == "Success"


def test_what_was_removed_may_come_again(server: Server) -> None:
    set_id = new_oid()
    first = a_report(set_id=set_id)
    push(server, first)
    assert messages.remove(server, (REPOSITORY, unique_id(first))).status == "Success"
    assert push(server, a_report(set_id=set_id)).status == "Success"


def test_a_submission_that_is_refused_claims_nothing(server: Server) -> None:
    set_id = new_oid()
    report = a_report(set_id=set_id)
    stranger = replace(report, entry=replace(report.entry, type_code=None))
    assert push(server, stranger).status == "Failure"
    assert push(server, a_report(set_id=set_id)).status == "Success"


def test_of_many_at_once_one_is_taken(server: Server) -> None:
    set_id = new_oid()
    reports = [a_report(set_id=set_id) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: push(server, one), reports))
    assert sorted(one.status for one in answers) == ["Failure"] * 5 + ["Success"]
    held = [messages.retrieve(server, (REPOSITORY, unique_id(one))).status for one in reports]
    assert held == ["Success" if one.status == "Success" else "Failure" for one in answers]


@pytest.mark.parametrize("number", ["9" * 30, "-1", "a"])
def test_a_version_that_is_no_number_is_left_to_the_rules_of_the_header(server: Server, number: str) -> None:
    set_id = new_oid()
    for _ in range(2):
        report = a_report(set_id=set_id)
        odd = replace(report, content=report.content.replace(b'value="1"/>', f'value="{number}"/>'.encode(), 1))
        assert push(server, odd).status == "Success"
