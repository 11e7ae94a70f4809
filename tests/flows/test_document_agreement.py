"""Metadata against the header of the document, and the document against its rules, over HTTP. ITI TF-2: 3.41.4.1.3."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from carnet.reports import Report, read_report, submission_of, with_new_identity
from tests import messages, servers
from tests.cda.mutations import EXAMPLES, mutated
from tests.messages import Answered
from tests.servers import Server
from xds.datatypes import DTM, Code
from xds.identifiers import new_oid
from xds.metadata import DocumentEntry


def a_report() -> Report:
    """An example under an id of its own."""
    content = (EXAMPLES / "lettre-liaison-sortie.xml").read_bytes()
    return with_new_identity(read_report(content, entry_uuid="Document01"))


def an_entry_of(report: Report, **changed: object) -> DocumentEntry:
    return replace(report.entry, hash=None, size=None, **changed)  # type: ignore[arg-type]


def push(server: Server, report: Report, **changed: object) -> Answered:
    entry = an_entry_of(report, **changed)
    submission = submission_of([replace(report, entry=entry)])
    return messages.provide(server, submission, {entry.entry_uuid: report.content})


def a_server(folder: Path, **given: object) -> Iterator[Server]:
    settings = servers.settings_for(folder, **given)
    with servers.in_process(settings) as running:
        patient = a_report().entry.patient_id
        assert patient is not None
        servers.know_patients(settings, patient)
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from a_server(tmp_path_factory.mktemp("strict"), cda_agreement="refuse", cda_validity="refuse")


@pytest.fixture(scope="module")
def warning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from a_server(tmp_path_factory.mktemp("warning"), cda_agreement="warn", cda_validity="warn")


@pytest.fixture(scope="module")
def ignoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from a_server(tmp_path_factory.mktemp("ignoring"), cda_agreement="ignore", cda_validity="ignore")


OTHER_TIME = {"creation_time": DTM("20200101120000")}
OTHER_LANGUAGE = {"language_code": "en-US"}
OTHER_TITLE = {"title": "Un autre titre"}


def test_a_document_with_its_own_metadata_is_stored_without_a_word(strict: Server) -> None:
    answer = push(strict, a_report())
    assert (answer.status, answer.contexts) == ("Success", [])


@pytest.mark.parametrize(
    ("attribute", "changed"),
    [("creationTime", OTHER_TIME), ("languageCode", OTHER_LANGUAGE), ("title", OTHER_TITLE)],
)
def test_metadata_of_another_document_are_refused(strict: Server, attribute: str, changed: dict[str, object]) -> None:
    answer = push(strict, a_report(), **changed)
    assert answer.status == "Failure"
    assert "InvalidDocumentContent" in answer.codes
    assert any(f": {attribute}: " in context for context in answer.contexts)


def test_w23_a_class_that_is_not_that_of_the_type_is_refused_warned_of_or_ignored(
    strict: Server, warning: Server, ignoring: Server
) -> None:
    other = Code(code="42", coding_scheme="1.2.250.1.213.1.1.4.1", display_name="Prescription")
    assert a_report().entry.class_code != other
    told = [push(server, a_report(), class_code=other) for server in (strict, warning, ignoring)]
    assert [answer.status for answer in told] == ["Failure", "Success", "Success"]
    assert [sum(": classCode: " in context for context in answer.contexts) for answer in told] == [1, 1, 0]


def test_a_document_under_another_id_is_refused(strict: Server) -> None:
    answer = push(strict, a_report(), unique_id=new_oid())
    assert any(": uniqueId: " in context for context in answer.contexts)


def test_what_names_a_person_is_not_told(strict: Server) -> None:
    answer = push(strict, a_report(), **OTHER_TITLE)
    assert not any("Un autre titre" in context for context in answer.contexts)


def test_all_disagreements_are_in_one_answer(strict: Server) -> None:
    answer = push(strict, a_report(), **OTHER_TIME, **OTHER_LANGUAGE)
    assert answer.codes.count("InvalidDocumentContent") == 2


def test_visibility_codes_may_be_added(strict: Server) -> None:
    report = a_report()
    hidden = Code(code="INVISIBLE_PATIENT", coding_scheme="1.2.250.1.213.1.1.4.13", display_name="Non visible")
    codes = (*report.entry.confidentiality_code, hidden)
    assert push(strict, report, confidentiality_code=codes).status == "Success"


def _invalid(report: Report) -> Report:
    root = etree.fromstring(report.content)
    broken = mutated(root, "/h:ClinicalDocument/h:confidentialityCode", "set_attribute", "displayName", "")
    return replace(report, content=etree.tostring(broken))


def test_an_invalid_document_is_refused_with_rule_and_place(strict: Server) -> None:
    answer = push(strict, _invalid(a_report()))
    assert answer.status == "Failure"
    assert any("/ClinicalDocument/confidentialityCode" in context for context in answer.contexts)


def test_warnings_come_with_a_stored_document(warning: Server) -> None:
    answer = push(warning, _invalid(a_report()), **OTHER_LANGUAGE)
    assert answer.status == "Success"
    assert set(answer.codes) == {"InvalidDocumentContent"}


def test_nothing_is_said_where_it_is_ignored(ignoring: Server) -> None:
    answer = push(ignoring, _invalid(a_report()), **OTHER_LANGUAGE)
    assert (answer.status, answer.contexts) == ("Success", [])


@pytest.mark.parametrize("content", [b"no markup at all", b"<ClinicalDocument>", b"<other xmlns='urn:other'/>"])
def test_what_is_declared_a_document_and_is_none_is_refused_or_told(
    strict: Server, warning: Server, ignoring: Server, content: bytes
) -> None:
    answers = [push(server, replace(a_report(), content=content)) for server in (strict, warning, ignoring)]
    assert [answer.status for answer in answers] == ["Failure", "Success", "Success"]
    assert [answer.codes for answer in answers] == [["InvalidDocumentContent"], ["InvalidDocumentContent"], []]
    assert not any("markup" in context or "other" in context for answer in answers for context in answer.contexts)
