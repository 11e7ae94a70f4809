"""Blocks of the Minimal Lower Layer Protocol, without a socket: octets in, messages out. HL7 2.3.1 appendix C.4.

A block is 0x0B, the message, 0x1C 0x0D. Between blocks only line ends and stray ends of blocks are passed over.
"""

from collections.abc import Iterator

START = b"\x0b"
END = b"\x1c\r"
_BETWEEN_BLOCKS = b"\r\n \x1c"
_SHOWN = 4096


class FramingError(Exception):
    """Octets that are no block, or a block without end: `head` is its beginning, as far as it came."""

    def __init__(self, reason: str, head: bytes = b"") -> None:
        super().__init__(reason)
        self.head = head


def frame(message: bytes) -> bytes:
    """The message as a block."""
    return START + message + END


class Framer:
    """Takes a stream apart, whatever pieces it comes in."""

    def __init__(self, *, longest_message: int) -> None:
        """`longest_message` in octets; a longer one is an error as soon as that many have come."""
        self._longest = longest_message
        self._block: bytearray | None = None

    @property
    def is_inside(self) -> bool:
        """A block has begun and not ended."""
        return self._block is not None

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """The messages that these octets complete. Raises FramingError, after which the stream has no meaning."""
        while octets:
            if self._block is None:
                octets = octets.lstrip(_BETWEEN_BLOCKS)
                if octets and not octets.startswith(START):
                    raise FramingError("expected the start of a block (0x0B)", octets[:_SHOWN])
                self._block = bytearray() if octets else None
                octets = octets[1:]
            else:
                message, octets = self._taken(self._block, octets)
                if message is not None:
                    yield message

    def _taken(self, block: bytearray, octets: bytes) -> tuple[bytes | None, bytes]:
        """The message when it is complete, and the octets behind it."""
        seen = max(0, len(block) - 1)
        block += octets
        end = block.find(END, seen)
        so_far = len(block) - block.endswith(END[:1]) if end < 0 else end
        if so_far > self._longest:
            raise FramingError(f"the message has more than {self._longest} octets", bytes(block[:_SHOWN]))
        if end < 0:
            return None, b""
        self._block = None
        return bytes(block[:end]), bytes(block[end + len(END) :])
