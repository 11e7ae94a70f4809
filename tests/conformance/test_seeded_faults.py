"""The runner sees what is wrong: a real server behind a proxy that seeds one fault at a time."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.nist.mtom import media_type, read_multipart
from conformance.nist.outcomes import RunOutcome, Status
from tests.conformance.carnet_under_test import kit_settings, run_against
from tests.conformance.fake_servers import Request
from tests.conformance.mutating_proxy import ChangeAnswer, ChangeRequest, Message, mutating_proxy
from tests.servers import Server, in_process

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Iterator[Server]:
    with in_process(kit_settings(tmp_path_factory.mktemp("carnet"), corpus / "nist-xds")) as running:
        yield running


def run_with(
    server: Server, kit: Path, test: str, change: ChangeAnswer, change_request: ChangeRequest | None = None
) -> RunOutcome:
    arguments = (change,) if change_request is None else (change, change_request)
    with mutating_proxy(server.url, *arguments) as url:
        return run_against(server, kit, tests=[test], url=url)


def checks_that_failed(outcome: RunOutcome) -> set[str]:
    return {finding.check for step in outcome.steps for finding in step.failures}


def in_queries(pattern: str, replacement: str, *, count: int = 0) -> ChangeAnswer:
    """Change the answers of stored queries."""

    def change(request: Request, answer: Message) -> Message:
        return answer.changed(pattern, replacement, count=count) if b"AdhocQueryResponse" in answer.body else answer

    return change


def everywhere(pattern: str, replacement: str) -> ChangeAnswer:
    return lambda request, answer: answer.changed(pattern, replacement)


def success_to_everything(request: Request, answer: Message) -> Message:
    no_errors = answer.changed("<rs:RegistryErrorList.*?</rs:RegistryErrorList>", "")
    return no_errors.changed("ResponseStatusType:Failure", "ResponseStatusType:Success")


def one_octet_altered(request: Request, answer: Message) -> Message:
    if b"RetrieveDocumentSetResponse" not in answer.body:
        return answer
    end = answer.body.rindex(b"\r\n--")
    altered = bytes([answer.body[end - 1] ^ 1])
    return Message(content_type=answer.content_type, body=answer.body[: end - 1] + altered + answer.body[end:])


def plain_instead_of_mtom(request: Request, answer: Message) -> Message:
    kind, parameters = media_type(answer.content_type)
    if kind != "multipart/related":
        return answer
    root, _ = read_multipart(parameters, answer.body)
    return Message(content_type="application/soap+xml", body=root)


def with_status_500(request: Request, answer: Message) -> Message:
    return replace(answer, status=500)


def not_available(request: Request, answer: Message) -> Message:
    return Message(content_type="text/plain", body=b"come back later", status=503)


@pytest.mark.parametrize("test", ["11901", "11966", "11996", "11997", "12029", "15800", "15803"])
def test_without_a_fault_the_tests_used_here_pass(server: Server, corpus: Path, test: str) -> None:
    outcome = run_with(server, corpus / "nist-xds", test, lambda request, answer: answer)
    assert [str(finding) for step in outcome.steps for finding in step.failures] == []
    assert {step.status for step in outcome.steps} == {Status.PASSED}


FAULTS = {
    "drops lid": ("11901", in_queries(' lid="[^"]*"', ""), "metadata"),
    "drops the version": ("11901", in_queries("<rim:VersionInfo[^>]*/>", ""), "metadata"),
    "drops the status": ("11901", in_queries(' status="urn:oasis:names:tc:ebxml-regrep:StatusType:[^"]*"', ""), "metadata"),
    "writes UUIDs in upper case": ("11901", in_queries('(<rim:ExtrinsicObject [^>]*?id="urn:uuid:)[0-9a-f]', "\\1A"), "metadata"),
    "returns a code outside the table": ("11901", in_queries('nodeRepresentation="11369-6"', 'nodeRepresentation="0"'), "metadata"),
    "returns another language": ("11901", in_queries(">en-us<", ">fr<"), "fidelity"),
    "answers with the action of the request": ("11901", everywhere("RegistryStoredQueryResponse</wsa", "RegistryStoredQuery</wsa"), "action"),
    "relates to another message": ("11901", everywhere("(RelatesTo>urn:uuid:)[0-9a-f]{8}", "\\g<1>00000000"), "action"),
    "answers with HTTP 500": ("11901", with_status_500, "http"),
    "adds an element of its own": ("11901", in_queries("<rim:RegistryObjectList>", "<rim:RegistryObjectList><rim:Own/>"), "schema"),
    "answers Success to everything": ("11996", success_to_everything, "expected"),
    "answers Failure to everything": ("12051", everywhere("ResponseStatusType:Success", "ResponseStatusType:Failure"), "expected"),
    "names another error": ("11997", everywhere("XDSPatientIdDoesNotMatch", "XDSRegistryError"), "expected"),
    "gives errors without context": ("11997", everywhere('codeContext="[^"]*"', 'codeContext=""'), "errors"),
    "gives errors without severity": ("11997", everywhere("ErrorSeverityType:Error", "Error"), "errors"),
    "loses an association": ("15803", in_queries("<rim:Association .*?</rim:Association>", "", count=1), "ExpectedContents"),
    "loses a document": ("11901", in_queries("<rim:ExtrinsicObject .*?</rim:ExtrinsicObject>", "", count=1), "ExpectedContents"),
    "keeps a replaced version Approved": ("15800", in_queries("StatusType:Deprecated", "StatusType:Approved"), "Assertions"),
    "alters one octet of a document": ("12029", one_octet_altered, "octets"),
    "changes the MIME type of a document": ("12029", everywhere("(<xds:mimeType>)[^<]*", "\\1text/x-other"), "retrieve"),
    "answers MTOM plainly": ("11966", plain_instead_of_mtom, "mtom"),
    "is not available": ("12051", not_available, "exchange"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_caught(server: Server, corpus: Path, fault: str) -> None:
    test, change, check = FAULTS[fault]
    outcome = run_with(server, corpus / "nist-xds", test, change)
    assert outcome.has_failed
    assert check in checks_that_failed(outcome)


def test_an_update_that_returns_the_old_value_is_caught_though_the_kits_own_assertion_holds(
    server: Server, corpus: Path
) -> None:
    """The assertion of 15801 also sees the update as sent; the fidelity check does not."""
    outcome = run_with(server, corpus / "nist-xds", "15801", in_queries('value="Updated Physical"', 'value="Physical"'))
    failed = {step.section: [one.check for one in step.failures] for step in outcome.steps if step.failures}
    assert "fidelity" in failed["title"] or "fidelity" in failed["comments"]


def test_a_refused_submission_that_was_stored_all_the_same_is_caught(server: Server, corpus: Path) -> None:
    """The unknown patient is exchanged for a known one on the way in, the acceptance for a refusal on the way out."""
    known: list[bytes] = []

    def make_acceptable(request: Request) -> bytes:
        found = re.search(rb'value="(P\d+\.)\d+(\^\^\^)', request.body)
        if found is None or b"SubmitObjectsRequest" not in request.body:
            return request.body
        known.append(found.group(1))
        return re.sub(rb'value="P\d+\.\d+\^\^\^', b'value="' + found.group(1) + b"1^^^", request.body)

    error = (
        '<rs:RegistryErrorList><rs:RegistryError errorCode="XDSUnknownPatientId" codeContext="P" '
        'severity="urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"/></rs:RegistryErrorList>'
    )

    def refuse(request: Request, answer: Message) -> Message:
        if b"SubmitObjectsRequest" not in request.body:
            return answer
        failure = answer.changed("ResponseStatusType:Success", "ResponseStatusType:Failure")
        refused = failure.changed("(<rs:RegistryResponse[^>]*?)/>", f"\\1>{error}</rs:RegistryResponse>")
        return refused.changed("(<rs:RegistryResponse[^>]*[^/]>)(</rs)", f"\\1{error}\\2")

    outcome = run_with(server, corpus / "nist-xds", "11996", refuse, make_acceptable)
    assert known
    assert checks_that_failed(outcome) == {"nothing-left"}
