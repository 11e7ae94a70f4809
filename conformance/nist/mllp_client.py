"""HL7 v2 over MLLP, plain or TLS: one message, one acknowledgement. ITI TF-2: 3.8."""

import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from conformance.failures import ExchangeFailed, KitError, UnreachableServer
from conformance.sentence import Sentence, reason

_START, _END = b"\x0b", b"\x1c\x0d"
_MOST_OCTETS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpClient:
    """Sends to one listener; `tls` None is plain text."""

    host: str
    port: int
    timeout_seconds: float = 60.0
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'mllp' if self.tls is None else 'mllps'}://{self.host}:{self.port}"

    def check_reachable(self) -> None:
        """Open and close a connection. Raises UnreachableServer."""
        self._open().close()

    def send(self, message: bytes) -> bytes:
        """The acknowledgement, without its frame. Raises ExchangeFailed, UnreachableServer."""
        with self._open() as connection:
            try:
                connection.sendall(_START + message + _END)
                return _read_frame(connection)
            except OSError as problem:
                raise ExchangeFailed(
                    Sentence(
                        f"aucun acquittement de {self.url} : {problem}",
                        f"no acknowledgement from {self.url}: {problem}",
                    )
                ) from None

    def _open(self) -> socket.socket:
        try:
            plain = socket.create_connection((self.host, self.port), timeout=self.timeout_seconds)
            return plain if self.tls is None else self.tls.wrap_socket(plain, server_hostname=self.host)
        except OSError as problem:
            raise UnreachableServer(
                Sentence(
                    f"{self.url} injoignable : {reason(problem).fr}", f"{self.url} cannot be reached: {reason(problem)}"
                )
            ) from None


def _read_frame(connection: socket.socket) -> bytes:
    received = b""
    while _END not in received:
        octets = connection.recv(65536)
        if not octets or len(received) > _MOST_OCTETS:
            raise ExchangeFailed(
                Sentence(
                    f"l'acquittement n'a pas de fin : {received[:80]!r}",
                    f"the acknowledgement has no end: {received[:80]!r}",
                )
            )
        received += octets
    return received.partition(_END)[0].lstrip(_START)


def parse_feed_url(url: str) -> tuple[str, str, int]:
    """Scheme (mllp or mllps), host, port. Raises KitError."""
    target = urlsplit(url)
    try:
        port = target.port
    except ValueError:
        port = None
    if target.scheme not in ("mllp", "mllps") or not target.hostname or not port:
        raise KitError(
            Sentence(
                f"trouvé le flux {url}, attendu mllp://HOST:PORT ou mllps://HOST:PORT",
                f"found the feed {url}, expected mllp://HOST:PORT or mllps://HOST:PORT",
            )
        )
    return target.scheme, target.hostname, port
