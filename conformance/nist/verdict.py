"""The verdict on an answer, by the expectations of its step alone. Generators yield every finding."""

from collections.abc import Iterator

from conformance.nist.findings import Finding
from conformance.nist.registry_response import RegistryResponse, read_registry_response
from conformance.nist.soap_client import Answer
from conformance.nist.testplan import Step
from conformance.nist.transactions import Transaction
from conformance.nist.vocabulary import PARTIAL_PREFIX, RESPONSE_PREFIX
from conformance.sentence import NOTHING, Sentence

_CHECK = "expected"


def judge(step: Step, transaction: Transaction, answer: Answer) -> Iterator[Finding]:
    """Fault, root element, status, error code and message, in that order; a fault ends it."""
    expected = ", ".join(step.expected_statuses)
    if answer.is_fault:
        if "Fault" not in step.expected_statuses:
            yield Finding(
                check=_CHECK,
                reason=Sentence("réponse : une erreur SOAP", "a SOAP fault was answered"),
                expected=expected,
                found=answer.fault_reason,
            )
        return
    if step.expected_statuses == ("Fault",):
        yield Finding(
            check=_CHECK,
            reason=Sentence("la réponse n'est pas une erreur SOAP", "no SOAP fault was answered"),
            expected=expected,
            found=answer.payload.tag,
        )
        return
    if answer.payload.tag != transaction.answer:
        yield Finding(
            check=_CHECK,
            reason=Sentence("élément inattendu dans le corps", "wrong element in the body"),
            expected=transaction.answer,
            found=answer.payload.tag,
        )
        return
    yield from _judge_response(step, read_registry_response(answer.payload))


def _judge_response(step: Step, response: RegistryResponse) -> Iterator[Finding]:
    yield from _judge_status(step, response)
    if step.expected_statuses == ("Success",) and response.status_word == "Success" and response.failures:
        yield Finding(
            check=_CHECK,
            reason=Sentence(
                "des erreurs qui ne sont pas des avertissements, là où tout doit réussir",
                "errors that are no warnings came with a submission or query that must succeed",
            ),
            found="; ".join(str(error) for error in response.failures),
        )
    if step.expected_error_code and step.expected_error_code not in [error.code for error in response.errors]:
        yield Finding(
            check=_CHECK,
            reason=Sentence("le code d'erreur attendu manque", "the expected errorCode is not among the errors"),
            expected=step.expected_error_code,
            found=_shown(response),
        )
    texts = [text for error in response.failures for text in (error.code, error.context) if text]
    if step.expected_error_message and not any(step.expected_error_message in text for text in texts):
        yield Finding(
            check=_CHECK,
            reason=Sentence(
                "le texte attendu n'est dans aucun errorCode ni codeContext",
                "the expected text is in no errorCode or codeContext",
            ),
            expected=step.expected_error_message,
            found=_shown(response),
        )


def _judge_status(step: Step, response: RegistryResponse) -> Iterator[Finding]:
    expected = ", ".join(step.expected_statuses)
    word = response.status_word
    prefix = response.status.removesuffix(word)
    if prefix != (PARTIAL_PREFIX if word == "PartialSuccess" else RESPONSE_PREFIX):
        yield Finding(
            check=_CHECK,
            reason=Sentence(
                "le statut n'est pas un URN de statut de réponse", "the status is no URN of a response status"
            ),
            expected=f"{RESPONSE_PREFIX}… (PartialSuccess: {PARTIAL_PREFIX}…)",
            found=response.status or NOTHING,
        )
    if step.expected_statuses and word.lower() not in [status.lower() for status in step.expected_statuses]:
        yield Finding(
            check=_CHECK,
            reason=Sentence("statut inattendu", "wrong status"),
            expected=expected,
            found=f"{word or NOTHING} ({_shown(response)})",
        )


def _shown(response: RegistryResponse) -> str:
    return "; ".join(str(error) for error in response.errors) or NOTHING
