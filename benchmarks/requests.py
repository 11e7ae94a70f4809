"""An HTTP request of a measurement, and the patients and documents that requests are about."""

from dataclasses import dataclass

from benchmarks.documents import Documents
from benchmarks.plan import Plan, Sizes
from benchmarks.submissions import SubmissionMaker
from carnet.domains import repository_unique_id
from carnet.mllp_framing import frame
from carnet.settings import Settings
from soap.envelope import write_envelope
from soap.mtom import content_type_of, write_multipart
from xds.vocabulary import ResponseStatus

BOUNDARY, ROOT_ID = "MIMEBoundary_benchmark", "root@benchmark"
MESSAGE_ID = (
    "<wsa:MessageID>urn:uuid:5b6e2f52-8f0e-4f7b-9d0e-4c7a1f3b2d10</wsa:MessageID>"
    "<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request and the status its answer must have; without a path a message for the feed, by MLLP."""

    path: str
    method: str = "POST"
    content_type: str = ""
    accept: str = ""
    body: bytes = b""
    authorization: str = ""
    status: int = 200

    def octets(self, *, path: str = "") -> bytes:
        """The request as it goes over the wire; `path` replaces its own."""
        if not (path or self.path):
            return frame(self.body)
        head = f"{self.method} {path or self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += f"Accept: {self.accept}\r\n" if self.accept else ""
        head += f"Authorization: {self.authorization}\r\n" if self.authorization else ""
        if self.method == "POST":
            head += f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}\r\n".encode() + self.body


class Workload:
    """The patients and documents that the requests are about."""

    def __init__(self, sizes: Sizes) -> None:
        self.plan = Plan(sizes)
        self.documents = Documents(self.plan)
        self.repository = repository_unique_id(Settings())
        self.submissions = SubmissionMaker(self.plan, self.documents)

    def queried(self, number: int) -> int:
        """A queried patient, another one for each number."""
        return self.plan.queried[number % len(self.plan.queried)]

    def many(self, number: int) -> int:
        """A patient whose documents fill a long page."""
        return self.plan.many[number % len(self.plan.many)]

    def held(self, number: int) -> int:
        return self.plan.held[number % len(self.plan.held)]


def registry_request(body: bytes, action: str) -> Request:
    """A simple SOAP message to the registry."""
    return simple_request("/xds/registry", body, action)


def simple_request(path: str, body: bytes, action: str, *, header: str = "") -> Request:
    """A simple SOAP message; `header` stands beside those of WS-Addressing."""
    return Request(
        path=path,
        content_type=f'application/soap+xml; charset=UTF-8; action="{action}"',
        body=write_envelope(body, action=action, header=MESSAGE_ID + header),
    )


def repository_request(body: bytes, action: str) -> Request:
    """An MTOM message without parts to the repository."""
    envelope = write_envelope(body, action=action, header=MESSAGE_ID)
    return Request(
        path="/xds/repository",
        content_type=content_type_of(BOUNDARY, ROOT_ID),
        body=b"".join(write_multipart(envelope, (), boundary=BOUNDARY, root_id=ROOT_ID)),
    )


def is_success(_workload: Workload, _number: int, answer: bytes) -> str:
    """What is wrong with the answer to a submission; nothing when it is empty."""
    if f'status="{ResponseStatus.SUCCESS}"'.encode() in answer:
        return ""
    return f"expected Success, found {answer[-600:].decode(errors='replace')}"
