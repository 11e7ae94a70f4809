"""What attacks on messages are made of, and what their answers say."""

from tests import messages
from tests.attacks.doors import Answer
from tests.builders import PATIENT

SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SECONDS, OCTETS = 0.5, 10 * 2**20
STATUS = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"


def fault(answer: Answer) -> list[str]:
    return messages.read(_response(answer)).fault if b"Fault" in answer.body else []


def codes(answer: Answer) -> list[str]:
    return messages.read(_response(answer)).codes


def _response(answer: Answer) -> messages.Response:
    headers = {"content-type": answer.content_type}
    return messages.Response(status=answer.status, headers=headers, body=answer.body)


def question(**header: str) -> bytes:
    slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT}'", "$XDSDocumentEntryStatus": STATUS}
    return messages.envelope(messages.query_body(messages.FIND_DOCUMENTS, slots), messages.QUERY_ACTION, **header)
