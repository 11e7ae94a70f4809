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
from conformance.sentence import NOTHING, Sentence, joined


def check_addressing(exchange: Exchange, answer: Answer, transaction: Transaction) -> Iterator[Finding]:
    """The response action of the transaction, once, and RelatesTo the request. ITI TF-2x: V.3"""
    actions = [] if answer.header is None else answer.header.findall(f"{{{WSA}}}Action")
    found = [text_of(one) for one in actions]
    if found != [transaction.response_action] and not answer.is_fault:
        yield Finding(
            check="action",
            reason=Sentence("wsa:Action de la réponse inattendue", "wrong wsa:Action of the answer"),
            expected=transaction.response_action,
            found=", ".join(found) or NOTHING,
        )
    if answer.relates_to != exchange.message_id:
        yield Finding(
            check="action",
            reason=Sentence("wsa:RelatesTo inattendu", "wrong wsa:RelatesTo")
            if answer.relates_to
            else Sentence("wsa:RelatesTo absent", "no wsa:RelatesTo"),
            expected=exchange.message_id,
            found=answer.relates_to,
            is_remark=not answer.relates_to or answer.is_fault,
        )


def check_http(exchange: Exchange, answer: Answer) -> Iterator[Finding]:
    """Errors of the application travel with HTTP 200, as all registry responses do. ITI TF-2x: V.3"""
    if answer.is_fault or exchange.response is None:
        return
    if not exchange.response.start_line.startswith("HTTP 200"):
        yield Finding(
            check="http",
            reason=Sentence("statut HTTP inattendu", "wrong HTTP status"),
            expected="HTTP 200",
            found=exchange.response.start_line,
        )
    kind, parameters = media_type(exchange.response.header("Content-Type"))
    found = parameters.get("type", "") if answer.is_mtom else kind
    expected = "application/xop+xml" if answer.is_mtom else "application/soap+xml"
    if found.lower() != expected:
        yield Finding(
            check="http",
            reason=Sentence("type de média inattendu de la réponse", "wrong media type of the answer"),
            expected=expected,
            found=found or NOTHING,
        )


def check_packaging(answer: Answer, *, is_mtom: bool) -> Iterator[Finding]:
    """An MTOM request is answered in MTOM, a plain one plainly; a fault may be either."""
    if answer.is_mtom != is_mtom and not answer.is_fault:
        plain = Sentence("SOAP sans MTOM", "plain SOAP")
        expected, found = ("MTOM", plain) if is_mtom else (plain, "MTOM")
        yield Finding(
            check="mtom",
            reason=Sentence(
                "la réponse n'est pas emballée comme la demande", "the answer is packaged otherwise than the request"
            ),
            expected=expected,
            found=found,
        )


def check_schema(answer: Answer, schemas: SchemaCheck | None) -> Iterator[Finding]:
    if schemas is None or answer.is_fault:
        return
    for problem in schemas.problems(answer.payload):
        valid = Sentence("la réponse n'est pas valide", "the answer is not valid")
        yield Finding(check="schema", reason=joined((valid, problem), Sentence(" : ", ": ")))


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
        reason = Sentence(
            "Success avec une erreur qui n'est pas un avertissement", "Success with an error that is no warning"
        )
        yield Finding(check="errors", reason=reason, found=found)
    word = response.status_word
    if word in ("Failure", "PartialSuccess") and not response.failures:
        reason = Sentence(f"{word} sans erreur de gravité Error", f"{word} without an error of severity Error")
        yield Finding(check="errors", reason=reason)


def _error_problems(error: ReturnedError) -> Iterator[Sentence]:
    if not (error.code or "").strip():
        yield Sentence("une RegistryError sans errorCode", "a RegistryError has no errorCode")
    if not (error.context or "").strip():
        yield Sentence("une RegistryError sans codeContext", "a RegistryError has no codeContext")
    if error.severity not in (ERROR_SEVERITY, WARNING_SEVERITY):
        yield Sentence(
            f"une RegistryError de gravité {error.severity!r}", f"a RegistryError has the severity {error.severity!r}"
        )


def check_metadata(answer: Answer, transaction: Transaction, codes: CodeTable) -> Iterator[Finding]:
    """The objects of a query answer obey the rules of the metadata model."""
    if answer.is_fault or transaction.kind is not Kind.QUERY:
        return
    objects = read_registry_objects(answer.payload)
    for problem in (*attribute_problems(objects, codes), *answer_problems(objects)):
        yield Finding(check="metadata", reason=problem)
