"""Submissions that arrive while something happens to the servers, and what was acknowledged of them."""

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.load.answers import Answer
from benchmarks.load.arrivals import Arrival
from benchmarks.load.counted import Counted
from benchmarks.load.open_loop import OpenLoop, Place
from tests import messages
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.servers import Server
from xds.vocabulary import ResponseStatus

_SUCCESS = f'status="{ResponseStatus.SUCCESS}"'.encode()


@dataclass
class Submissions:
    """ITI-41 of one small document each, made before they are sent; `unique_ids` of the documents by number.

    `header` stands in every envelope: the proof who sends.
    """

    count: int
    header: bytes = b""
    unique_ids: list[str] = field(default_factory=list)
    _octets: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(self.count):
            content = self.content(number)
            entry = an_entry(content=content)
            include = {entry.entry_uuid: messages.include(f"{entry.entry_uuid}@test")}
            body = messages.provide_body(a_submission(entry), include)
            root = messages.envelope(body, messages.PROVIDE, header=self.header.decode())
            body = messages.multipart(root, [(f"{entry.entry_uuid}@test", content)])
            head = f"POST /xds/repository HTTP/1.1\r\nHost: localhost\r\nContent-Type: {messages.multipart_type()}\r\n"
            self._octets.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            self.unique_ids.append(str(entry.unique_id))

    def content(self, number: int) -> bytes:
        return b"<document>%d</document>" % number

    def octets(self, arrival: Arrival) -> bytes:
        return self._octets[arrival.number]

    def problem(self, _arrival: Arrival, answer: Answer) -> str:
        return "" if _SUCCESS in answer.body else answer.body.decode(errors="replace")[-400:]

    def missing(self, server: Server, numbers: Sequence[int]) -> list[int]:
        """Of acknowledged numbers, those whose document does not come back octet by octet."""
        found: list[int] = []
        for some in _batches(numbers, 50):
            wanted = [(REPOSITORY, self.unique_ids[number]) for number in some]
            contents = set(messages.contents(messages.retrieve(server, *wanted)))
            found += [number for number in some if self.content(number) not in contents]
        return found


def _batches(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


@dataclass
class Sending:
    """A load under way on a thread; `counted` while it lasts and after."""

    counted: Counted
    thread: threading.Thread

    def ended(self) -> Counted:
        self.thread.join(timeout=120)
        assert not self.thread.is_alive()
        return self.counted


@contextmanager
def sending(
    submissions: Submissions, ports: Sequence[int], *, per_second: float, tls: ssl.SSLContext | None = None
) -> Iterator[Sending]:
    """Submissions at even distances, to the servers at these ports."""
    first, *others = ports
    loop = OpenLoop(Place(host="127.0.0.1", port=first, others=tuple(others), tls=tls), submissions, 16)
    arrivals = [Arrival(at=number / per_second, key="iti41", number=number) for number in range(submissions.count)]
    thread = threading.Thread(target=loop.run, args=(arrivals,), daemon=True)
    thread.start()
    yield Sending(counted=loop.counted, thread=thread)
    thread.join(timeout=120)
