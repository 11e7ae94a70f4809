"""A proxy that seeds faults: it passes messages on and changes what comes back, or what goes in."""

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tests.conformance.fake_servers import Reply, Request, soap_server


@dataclass(frozen=True, kw_only=True)
class Message:
    """An answer of the server behind the proxy."""

    content_type: str
    body: bytes
    status: int = 200

    def changed(self, pattern: str, replacement: str, *, count: int = 0) -> "Message":
        body, number = re.subn(pattern.encode(), replacement.encode(), self.body, count=count, flags=re.DOTALL)
        return replace(self, body=body) if number else self


ChangeAnswer = Callable[[Request, Message], Message]
ChangeRequest = Callable[[Request], bytes]


@contextmanager
def mutating_proxy(
    target: str, change_answer: ChangeAnswer, change_request: ChangeRequest = lambda request: request.body
) -> Iterator[str]:
    """The address of a proxy before `target`."""
    behind = urlsplit(target)

    def forward(request: Request) -> Reply:
        connection = http.client.HTTPConnection(behind.hostname or "", behind.port or 80, timeout=60)
        try:
            headers = {"Content-Type": request.content_type}
            connection.request("POST", request.path, body=change_request(request), headers=headers)
            response = connection.getresponse()
            message = Message(
                content_type=response.getheader("Content-Type", ""), body=response.read(), status=response.status
            )
        finally:
            connection.close()
        answer = change_answer(request, message)
        return Reply(raw=answer.body, content_type=answer.content_type, status=answer.status)

    with soap_server(forward) as server:
        yield server.url.removesuffix("/xds")
