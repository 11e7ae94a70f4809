"""The verdict on a status, an error, a fault; and the implicit checks of every answer."""

from dataclasses import replace

import pytest

from conformance.nist.codes import NO_CODES
from conformance.nist.implicit_checks import (
    check_addressing,
    check_errors,
    check_http,
    check_metadata,
    check_packaging,
    check_schema,
)
from conformance.nist.schema_check import open_schemas
from conformance.nist.soap_client import Answer, Exchange, HttpMessage
from conformance.nist.testplan import Step
from conformance.nist.transactions import ITI18, ITI42, ITI61
from conformance.nist.verdict import judge
from tests.conformance.kits import a_query_response, a_registry_response, an_error, element

FAULT = "<s:Fault><s:Reason><s:Text>because</s:Text></s:Reason></s:Fault>"


def an_answer(payload: str, **changes: object) -> Answer:
    values = {"action": "", "relates_to": "", "is_mtom": False, "header": None, "is_fault": payload == FAULT, **changes}
    return Answer(payload=element(payload), **values)  # type: ignore[arg-type]


def reasons(payload: str, *expected: str, code: str = "", message: str = "") -> list[str]:
    step = Step(id="s", expected_statuses=expected, expected_error_code=code, expected_error_message=message)
    return [finding.reason for finding in judge(step, ITI42, an_answer(payload))]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (a_registry_response(), ("Success",)),
        (a_registry_response(errors=an_error("W", severity="Warning")), ("Success",)),
        (a_registry_response("Failure", an_error("A")), ("Failure",)),
        (a_registry_response("Failure", an_error("A")), ("Success", "Failure")),
        (a_registry_response().replace(":Success", ":SUCCESS"), ("Success",)),
        (FAULT, ("Fault",)),
        (FAULT, ("Failure", "Fault")),
    ],
)
def test_what_passes(payload: str, expected: tuple[str, ...]) -> None:
    assert reasons(payload, *expected) == []


@pytest.mark.parametrize(
    ("payload", "expected", "reason"),
    [
        (a_registry_response("Failure", an_error("A")), ("Success",), "wrong status"),
        (a_registry_response(), ("Failure",), "wrong status"),
        (a_registry_response("PartialSuccess"), ("PartialSuccess",), "the status is no URN of a response status"),
        (a_registry_response(errors=an_error("A")), ("Success",), "errors that are no warnings"),
        (a_query_response(), ("Success",), "wrong element in the body"),
        (FAULT, ("Failure",), "a SOAP fault was answered"),
        (a_registry_response(), ("Fault",), "no SOAP fault was answered"),
        ("<rs:RegistryResponse/>", ("Success",), "the status is no URN"),
    ],
)
def test_what_fails(payload: str, expected: tuple[str, ...], reason: str) -> None:
    assert reasons(payload, *expected)[0].startswith(reason)


def test_partial_success_has_its_own_prefix() -> None:
    step = Step(id="s", expected_statuses=("PartialSuccess",))
    assert list(judge(step, ITI18, an_answer(a_query_response(status="PartialSuccess")))) == []


def test_the_error_code_must_be_among_the_errors() -> None:
    failure = a_registry_response("Failure", an_error("A") + an_error("B"))
    assert reasons(failure, "Failure", code="B") == []
    assert reasons(failure, "Failure", code="C") == ["the expected errorCode is not among the errors"]


def test_the_error_message_may_be_in_code_or_context_of_an_error_but_not_of_a_warning() -> None:
    failure = a_registry_response("Failure", an_error("CodeA", "context b") + an_error("W", "warn", severity="Warning"))
    assert reasons(failure, "Failure", message="CodeA") == []
    assert reasons(failure, "Failure", message="context") == []
    assert reasons(failure, "Failure", message="warn") == ["the expected text is in no errorCode or codeContext"]


def exchange() -> Exchange:
    request = HttpMessage(start_line="", headers=(), body=b"")
    return Exchange(url="u", message_id="m1", request=request, request_header=element("<r:x/>"))


def header(*actions: str) -> object:
    inner = "".join(f'<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">{one}</a:Action>' for one in actions)
    return element(f"<s:Header>{inner}</s:Header>")


def test_the_response_action_is_checked_and_so_is_relates_to() -> None:
    right = an_answer(
        a_registry_response(), header=header("urn:ihe:iti:2007:RegisterDocumentSet-bResponse"), relates_to="m1"
    )
    assert list(check_addressing(exchange(), right, ITI42)) == []
    for wrong in (
        an_answer(a_registry_response(), header=header("urn:ihe:iti:2007:RegisterDocumentSet-b")),
        an_answer(a_registry_response()),
        an_answer(a_registry_response(), header=header(ITI42.response_action, ITI42.response_action)),
        an_answer(a_registry_response(), header=header(ITI42.response_action), relates_to="m2"),
    ):
        assert list(check_addressing(exchange(), wrong, ITI42))


def test_the_response_action_of_on_demand_registration_lacks_the_word_entry() -> None:
    action = header("urn:ihe:iti:2010:RegisterOnDemandDocumentResponse")
    right = an_answer(a_registry_response(), header=action, relates_to="m1")
    assert list(check_addressing(exchange(), right, ITI61)) == []


def test_an_answer_that_relates_to_nothing_is_a_remark() -> None:
    (finding,) = check_addressing(
        exchange(), an_answer(a_registry_response(), header=header(ITI42.response_action)), ITI42
    )
    assert finding.is_remark


def http_findings(status: str, content_type: str, **changes: object) -> list[str]:
    response = HttpMessage(start_line=f"HTTP {status}", headers=(("Content-Type", content_type),), body=b"")
    answer = an_answer(changes.pop("payload", a_registry_response()), **changes)  # type: ignore[arg-type]
    return [finding.reason for finding in check_http(replace(exchange(), response=response), answer)]


def test_registry_responses_come_with_status_200_and_the_type_of_soap() -> None:
    xop = 'multipart/related; type="application/xop+xml"; boundary=b'
    assert http_findings("200 OK", "application/soap+xml; charset=UTF-8") == []
    assert http_findings("200 OK", xop, is_mtom=True) == []
    assert http_findings("500 Internal Server Error", "application/soap+xml") == ["wrong HTTP status"]
    assert http_findings("200 OK", "text/xml") == ["wrong media type of the answer"]
    assert http_findings("200 OK", "multipart/related; boundary=b", is_mtom=True) == ["wrong media type of the answer"]
    assert http_findings("500 Internal Server Error", "text/xml", payload=FAULT) == []


@pytest.mark.parametrize(("request_mtom", "answer_mtom"), [(True, False), (False, True)])
def test_packaging_must_be_that_of_the_request(request_mtom: bool, answer_mtom: bool) -> None:
    answer = an_answer(a_registry_response(), is_mtom=answer_mtom)
    assert list(check_packaging(answer, is_mtom=request_mtom))
    assert not list(check_packaging(answer, is_mtom=answer_mtom))


@pytest.mark.parametrize(
    "payload",
    [
        a_registry_response("Success", an_error("A")),
        a_registry_response("Failure"),
        a_registry_response("Failure", an_error("A", severity="Warning")),
        a_query_response(status="PartialSuccess"),
        a_registry_response("Failure", an_error("A", context=" ")),
        a_registry_response("Failure", an_error("")),
        a_registry_response("Failure", an_error("A").replace("urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:", "")),
        a_registry_response("Failure", an_error("A").replace('codeContext="what was wrong"', "")),
    ],
)
def test_errors_must_be_complete_and_agree_with_the_status(payload: str) -> None:
    assert list(check_errors(an_answer(payload)))


def test_complete_errors_pass() -> None:
    assert not list(check_errors(an_answer(a_registry_response("Failure", an_error("A")))))
    assert not list(check_errors(an_answer(a_registry_response("Success", an_error("A", severity="Warning")))))


def test_answers_are_validated_against_the_schemas() -> None:
    schemas = open_schemas(None)
    assert not list(check_schema(an_answer(a_registry_response()), schemas))
    wrong = a_registry_response().replace("</rs:", "<rs:Extra/></rs:")
    assert "Extra" in next(iter(check_schema(an_answer(wrong), schemas))).reason


def test_metadata_of_query_answers_only_are_checked() -> None:
    answer = an_answer(a_query_response("<r:ExtrinsicObject/>"))
    assert list(check_metadata(answer, ITI18, NO_CODES))
    assert not list(check_metadata(answer, ITI42, NO_CODES))
