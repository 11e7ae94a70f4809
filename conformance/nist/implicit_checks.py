"""What every answer must be, whatever the plan expects: action, packaging, schema, errors, metadata."""

from collections.abc import Iterator

from conformance.nist.codes import CodeTable
from conformance.nist.findings import Finding
from conformance.nist.metadata_rules import answer_problems, attribute_problems
from conformance.nist.mtom import media_type
from conformance.nist.registry_objects import read_registry_objects
from conformance.nist.registry_response import RegistryResponse, ReturnedError, read_registry_response
from conformance.nist.schema_check import SchemaCheck
from conformance.nist.soap_client import Answer, Exchange
from conformance.nist.transactions import Kind, Transaction
from conformance.nist.vocabulary import ERROR_SEVERITY, WARNING_SEVERITY, WSA
from conformance.nist.xml import text_of


def check_addressing(exchange: Exchange, answer: Answer, transaction: Transaction) -> Iterator[Finding]:
    """The response action of the transaction, once, and RelatesTo the request. ITI TF-2x: V.3"""
    actions = [] if answer.header is None else answer.header.findall(f"{{{WSA}}}Action")
    found = [text_of(one) for one in actions]
    if found != [transaction.response_action] and not answer.is_fault:
        yield Finding(
            check="action",
            reason="wrong wsa:Action of the answer",
            expected=transaction.response_action,
            found=", ".join(found) or "none",
        )
    if answer.relates_to != exchange.message_id:
        yield Finding(
            check="action",
            reason="wrong wsa:RelatesTo" if answer.relates_to else "no wsa:RelatesTo",
            expected=exchange.message_id,
            found=answer.relates_to,
            is_remark=not answer.relates_to or answer.is_fault,
        )


def check_http(exchange: Exchange, answer: Answer) -> Iterator[Finding]:
    """Errors of the application travel with HTTP 200, as all registry responses do. ITI TF-2x: V.3"""
    if answer.is_fault or exchange.response is None:
        return
    if not exchange.response.start_line.startswith("HTTP 200"):
        yield Finding(check="http", reason="wrong HTTP status", expected="HTTP 200", found=exchange.response.start_line)
    kind, parameters = media_type(exchange.response.header("Content-Type"))
    found = parameters.get("type", "") if answer.is_mtom else kind
    expected = "application/xop+xml" if answer.is_mtom else "application/soap+xml"
    if found.lower() != expected:
        yield Finding(check="http", reason="wrong media type of the answer", expected=expected, found=found or "none")


def check_packaging(answer: Answer, *, is_mtom: bool) -> Iterator[Finding]:
    """An MTOM request is answered in MTOM, a plain one plainly; a fault may be either."""
    if answer.is_mtom != is_mtom and not answer.is_fault:
        expected, found = ("MTOM", "plain SOAP") if is_mtom else ("plain SOAP", "MTOM")
        yield Finding(
            check="mtom", reason="the answer is packaged otherwise than the request", expected=expected, found=found
        )


def check_schema(answer: Answer, schemas: SchemaCheck | None) -> Iterator[Finding]:
    if schemas is None or answer.is_fault:
        return
    for problem in schemas.problems(answer.payload):
        yield Finding(check="schema", reason=f"the answer is not valid: {problem}")


def check_errors(answer: Answer) -> Iterator[Finding]:
    """Errors agree with the status; every one is complete. ITI TF-3: 4.2.4"""
    if answer.is_fault:
        return
    response = read_registry_response(answer.payload)
    yield from _status_agrees(response)
    for error in response.errors:
        yield from (Finding(check="errors", reason=problem, found=str(error)) for problem in _error_problems(error))


def _status_agrees(response: RegistryResponse) -> Iterator[Finding]:
    if response.status_word == "Success" and response.failures:
        found = "; ".join(str(error) for error in response.failures)
        yield Finding(check="errors", reason="Success with an error that is no warning", found=found)
    if response.status_word == "Failure" and not response.failures:
        yield Finding(check="errors", reason="Failure without an error of severity Error")
    if response.status_word == "PartialSuccess" and not response.failures:
        yield Finding(check="errors", reason="PartialSuccess without an error of severity Error")


def _error_problems(error: ReturnedError) -> Iterator[str]:
    if not (error.code or "").strip():
        yield "a RegistryError has no errorCode"
    if not (error.context or "").strip():
        yield "a RegistryError has no codeContext"
    if error.severity not in (ERROR_SEVERITY, WARNING_SEVERITY):
        yield f"a RegistryError has the severity {error.severity!r}"


def check_metadata(answer: Answer, transaction: Transaction, codes: CodeTable) -> Iterator[Finding]:
    """The objects of a query answer obey the rules of the metadata model."""
    if answer.is_fault or transaction.kind is not Kind.QUERY:
        return
    objects = read_registry_objects(answer.payload)
    for problem in (*attribute_problems(objects, codes), *answer_problems(objects)):
        yield Finding(check="metadata", reason=problem)
