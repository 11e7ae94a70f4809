"""A sender of HL7 v2 messages, written out so that tests can break it."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager


class Sender:
    """One connection to a feed."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def send(self, message: str | bytes) -> list[str]:
        """Send a message; the segments of the answer."""
        octets = message.encode() if isinstance(message, str) else message
        self.connection.sendall(b"\x0b" + octets + b"\x1c\r")
        return self.answer()

    def answer(self) -> list[str]:
        """The segments of the next answer; empty when the connection was closed."""
        received = b""
        while not received.endswith(b"\x1c\r"):
            octets = self.connection.recv(4096)
            if not octets:
                assert received == b"", received
                return []
            received += octets
        assert received.startswith(b"\x0b")
        return received[1:-2].decode().rstrip("\r").split("\r")

    def code(self, message: str | bytes) -> str:
        """MSA-1 of the answer."""
        return self.send(message)[1].split("|")[1]


@contextmanager
def connected(port: int, context: ssl.SSLContext | None = None) -> Iterator[Sender]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        if context is None:
            yield Sender(plain)
        else:
            with context.wrap_socket(plain, server_hostname="localhost") as secured:
                yield Sender(secured)


def adt(event: str, pid: str, mrg: str = "", *, control: str = "1", sender: str = "EHR|CLINIC") -> str:
    """An ADT message; `pid` is PID-3, `mrg` MRG-1."""
    kind = "ADT^A40^ADT_A39" if event == "A40" else f"ADT^{event}"
    segments = [
        f"MSH|^~\\&|{sender}|CARNET|XDS|20260310||{kind}|{control}|P|2.3.1",
        "EVN||20260310",
        f"PID|||{pid}||DOE^JANE",
    ]
    return "\r".join([*segments, *([f"MRG|{mrg}"] if mrg else []), "PV1||O", ""])
