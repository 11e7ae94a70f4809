"""Messages as people read them: headers, indented XML, documents named instead of shown."""

from collections.abc import Iterator

from conformance.failures import ExchangeFailed
from conformance.nist.mtom import media_type, read_multipart
from conformance.nist.outcomes import StepOutcome
from conformance.nist.soap_client import HttpMessage
from conformance.nist.xml import pretty
from conformance.sentence import sentence_of


def shown_messages(step: StepOutcome) -> list[tuple[str, str]]:
    """(title, text) of what was sent and what came back in a step; none for a step that sends nothing."""
    return list(_shown(step))


def _shown(step: StepOutcome) -> Iterator[tuple[str, str]]:
    if step.feed is not None:
        yield f"Message to {step.feed.address}", step.feed.request
        yield "Acknowledgement", step.feed.response or step.feed.problem
    if step.exchange is not None:
        yield f"Request to {step.exchange.url}", shown_message(step.exchange.request)
        response = step.exchange.response
        yield "Answer", step.exchange.problem if response is None else shown_message(response)


def shown_message(message: HttpMessage) -> str:
    """Start line, headers and body; a multipart body as its root and one line for each other part."""
    head = [message.start_line, *(f"{name}: {value}" for name, value in message.headers), ""]
    kind, parameters = media_type(message.header("Content-Type"))
    if kind != "multipart/related":
        return "\n".join([*head, pretty(message.body)])
    try:
        root, parts = read_multipart(parameters, message.body)
    except ExchangeFailed as problem:
        told = sentence_of(problem)
        return "\n".join([*head, f"[{told.fr} / {told}]", message.body.decode("utf-8", "replace")])
    named = [f"[part {part.content_id}: {part.content_type}, {len(part.content)} octets]" for part in parts]
    return "\n".join([*head, pretty(root), *named])


def shortened(text: str, lines: int) -> str:
    """The first lines, and how many were left out."""
    found = text.splitlines()
    if len(found) <= lines:
        return text
    return "\n".join([*found[:lines], f"… {len(found) - lines} more lines"])
