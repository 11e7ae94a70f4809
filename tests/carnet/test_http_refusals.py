"""Whether the connection of a refused request can stay: only where its head says plainly where the next one begins."""

import pytest

from carnet.http_refusals import plain_body_length

_FIRST = b"POST /x HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        (b"", 0),
        (b"Content-Length: 12\r\n", 12),
        (b"content-length:7 \r\nConnection: Keep-Alive\r\n", 7),
    ],
)
def test_a_plain_head_says_how_long_its_body_is(fields: bytes, length: int) -> None:
    assert plain_body_length(_FIRST + fields + b"\r\n") == length


@pytest.mark.parametrize(
    "head",
    [
        b"POST /x HTTP/1.0\r\nHost: x\r\n\r\n",
        b"POST /x HTTP/1.1\nHost: x\r\n\r\n",
        b"\r\nPOST /x HTTP/1.1\r\nHost: x\r\n\r\n",
        *(
            _FIRST + fields + b"\r\n"
            for fields in (
                b"Content-Length: 5\r\nContent-Length: 5\r\n",
                b"Content-Length: 0\r\nContent-Length: 5\r\n",
                b"Content-Length: 5, 5\r\n",
                b"Content-Length: +5\r\n",
                b"Content-Length: \r\n",
                b"Content-Length : 5\r\n",
                b" Content-Length: 5\r\n",
                b"Content-Length\r\n",
                b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
                b"Expect: 100-continue\r\n",
                b"Upgrade: h2c\r\n",
                b"Connection: close\r\n",
                b"Connection: keep-alive, close\r\n",
            )
        ),
    ],
)
def test_any_other_head_says_nothing(head: bytes) -> None:
    assert plain_body_length(head) == -1
