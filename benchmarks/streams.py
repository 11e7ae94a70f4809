"""Large documents on their way to and from a server: some connections at once, nothing of a document in memory."""

import hashlib
import http.client
import itertools
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from benchmarks.canned import COPIED, COPY
from benchmarks.closed_loop import WrongAnswer
from benchmarks.questions import retrieve_request
from benchmarks.requests import BOUNDARY, ROOT_ID, Workload
from benchmarks.submissions import DOCUMENT_PART
from soap.mtom import MtomPart, content_type_of, write_multipart
from xds.vocabulary import ResponseStatus

_BLOCK = 1024 * 1024
_TIMEOUT_SECONDS = 300
_LARGEST_ANSWER = 64 * 1024
_SUCCESS = f'status="{ResponseStatus.SUCCESS}"'.encode()


class Kind(Enum):
    """Which way a document goes; the value is how a table names it."""

    IN = "ITI-41 Provide and Register"
    OUT = "ITI-43 Retrieve Document Set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One run: octets of documents that went through, and how long it took. `memory`: octets beyond the idle server."""

    octets: int
    seconds: float
    memory: int | None = None

    @property
    def per_second(self) -> float:
        return self.octets / self.seconds


class Streams:
    """The client; documents are made as files under `folder`, one of each size."""

    def __init__(self, folder: Path, workload: Workload) -> None:
        self._folder, self._workload = folder, workload
        self._numbers = itertools.count()
        self._kept: dict[int, list[int]] = {}

    def carnet(self, kind: Kind, octets: int, port: int, connections: int) -> Transfer:
        """Submit new documents of this size, or retrieve those that were submitted before. Raises WrongAnswer."""
        if kind is Kind.IN:
            return self._at_once(octets, connections, lambda _: self._provide(octets, port))
        kept = itertools.cycle(self._kept[octets])
        return self._at_once(octets, connections, lambda _: self._retrieve(octets, port, next(kept)))

    def plain(self, kind: Kind, octets: int, port: int, connections: int) -> Transfer:
        """Send the same messages to be kept as files, or ask for these files. Raises WrongAnswer."""
        path = (COPY if kind is Kind.IN else COPIED) + f"{octets}_"
        if kind is Kind.IN:
            return self._at_once(octets, connections, lambda place: self._copy(octets, port, f"{path}{place}"))
        return self._at_once(octets, connections, lambda place: self._copied(octets, port, f"{path}{place}"))

    def _at_once(self, octets: int, connections: int, one: Callable[[int], None]) -> Transfer:
        """Every connection, with a thread of its own, carries documents of 30 MB altogether, at least one."""
        each = max(1, min(40, 30 * 10**6 // octets))

        def some(place: int) -> None:
            for _ in range(each):
                one(place)

        self.document(octets)
        began = time.perf_counter()
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(some, range(connections)))
        return Transfer(octets=octets * each * connections, seconds=time.perf_counter() - began)

    def document(self, octets: int) -> Path:
        """The document of this size: lines of text that repeat after a MiB."""
        file = self._folder / f"document-{octets}"
        if not file.exists():
            block = random.Random(octets).randbytes(_BLOCK // 2).hex().encode()
            with file.open("wb") as made:
                for start in range(0, octets, _BLOCK):
                    made.write(block[: octets - start])
        return file

    def _provide(self, octets: int, port: int) -> None:
        number = next(self._numbers)
        answer = self._sent(port, "/xds/repository", octets, self._workload.submissions.provide_beside(number))
        if _SUCCESS not in answer:
            raise WrongAnswer(f"ITI-41 with {octets} octets: expected Success, found {answer[-600:]!r}")
        self._kept.setdefault(octets, []).append(number)

    def _copy(self, octets: int, port: int, path: str) -> None:
        self._sent(port, path, octets, self._workload.submissions.provide_beside(next(self._numbers)))

    def _sent(self, port: int, path: str, octets: int, envelope: bytes) -> bytes:
        part = MtomPart(content_id=DOCUMENT_PART, content_type="text/xml", chunks=(b"",), length=octets)
        *head, _, tail = write_multipart(envelope, [part], boundary=BOUNDARY, root_id=ROOT_ID)
        with closing(_connected(port)) as connection:
            connection.putrequest("POST", path)
            connection.putheader("Content-Type", content_type_of(BOUNDARY, ROOT_ID))
            connection.putheader("Content-Length", str(sum(map(len, head)) + octets + len(tail)))
            connection.endheaders(b"".join(head))
            with self.document(octets).open("rb") as file:
                connection.sock.sendfile(file)
            connection.sock.sendall(tail)
            return _answer(connection).read(_LARGEST_ANSWER)

    def _retrieve(self, octets: int, port: int, number: int) -> None:
        unique_id = self._workload.submissions.provided_unique_id(number)
        asked = retrieve_request(self._workload.repository, unique_id)
        self._received(port, asked.path, asked.body, asked.content_type, octets)

    def _copied(self, octets: int, port: int, path: str) -> None:
        self._received(port, path, b"", "text/plain", octets)

    def _received(self, port: int, path: str, body: bytes, content_type: str, octets: int) -> None:
        with closing(_connected(port)) as connection:
            connection.request("POST", path, body=body, headers={"Content-Type": content_type})
            length = sum(_pieces(_answer(connection)))
        if length < octets:
            raise WrongAnswer(f"{path}: found {length} octets, expected a document of {octets}")

    def check(self, octets: int, port: int) -> None:
        """Retrieve one document and compare its octets. Raises WrongAnswer."""
        unique_id = self._workload.submissions.provided_unique_id(self._kept[octets][0])
        asked = retrieve_request(self._workload.repository, unique_id)
        with closing(_connected(port)) as connection, self.document(octets).open("rb") as file:
            connection.request("POST", asked.path, body=asked.body, headers={"Content-Type": asked.content_type})
            response = _answer(connection)
            start = file.read(100)
            head = response.read(_LARGEST_ANSWER)
            found, wanted = hashlib.sha256(head[head.find(start) :]), hashlib.sha256(start)
            for whole in iter(lambda: response.read(_BLOCK), b""):
                found.update(whole)
            while part := file.read(_BLOCK):
                wanted.update(part)
        wanted.update(f"\r\n--{response.headers.get_boundary()}--\r\n".encode())
        if found.digest() != wanted.digest():
            raise WrongAnswer(f"ITI-43 with {octets} octets: the octets are not those that were submitted")


def _connected(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)


def _answer(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    response = connection.getresponse()
    if response.status != 200:
        raise WrongAnswer(f"found status {response.status}, expected 200: {response.read(300)!r}")
    return response


def _pieces(response: http.client.HTTPResponse) -> Iterator[int]:
    buffer = bytearray(_BLOCK)
    while count := response.readinto(buffer):
        yield count
