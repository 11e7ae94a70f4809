"""Answers of HTTP as they come in: how long one is, its status and body. RFC 9112: 6"""

import re
from dataclasses import dataclass

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer, head and body."""

    octets: bytes

    @property
    def status(self) -> int:
        """Of the first line; 0 where there is none."""
        words = self.octets[:16].split()
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0

    @property
    def body(self) -> bytes:
        return self.octets[self.octets.index(_END_OF_HEAD) + len(_END_OF_HEAD) :]

    @property
    def closes(self) -> bool:
        """Whether the server closes the connection after it."""
        return bool(_CLOSES.search(self.octets[: self.octets.index(_END_OF_HEAD) + 2]))


def whole_length(received: bytes | bytearray) -> int:
    """Octets of the whole answer, -1 while its head is not whole. An answer without Content-Length has no body."""
    end = received.find(_END_OF_HEAD)
    if end < 0:
        return -1
    found = _LENGTH.search(received[: end + 2])
    return end + len(_END_OF_HEAD) + (int(found[1]) if found else 0)
