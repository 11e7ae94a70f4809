"""Sound messages broken at random. The same seed breaks them the same way."""

import random
import re
from collections.abc import Iterator, Sequence

SEED = 20261126
# The only part of a message that differs from run to run.
_MESSAGE_ID = re.compile(rb"<a:MessageID>[^<]*")
_TOKENS = (
    *(b"<", b">", b"</", b"/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x ?>", b"<!DOCTYPE x>", b"&amp;", b"&x;"),
    *(b"&#0;", b"&#x110000;", b'="', b'"', b"'", b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80"),
    *(b"{", b"}", b"[", b"]", b'"a":', b"1e999", b"NaN", b"9" * 400, b"-0", b"\\ud800", b"null"),
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\r\n--", b"--", b"\x0b", b"\x1c\r", b"|", b"^", b"~", b"\\", b"&"),
    *(b"%00", b"%2e%2e/", b"../", b"xmlns=", b"xmlns:x='u'", b"href=", b"cid:", b"urn:uuid:", b"1.2.250.1", b"$XDS"),
    *(
        b"('",
        b"')",
        b"','",
        b";",
        b"chunked",
        b"Content-Length: 1\r\n",
        b"\xe2\x80\xa8",
        b"\xf0\x9f\x92\xa9",
        b"A" * 5000,
    ),
)


def mutants(seeds: Sequence[bytes], count: int, *, seed: int = SEED) -> Iterator[bytes]:
    """Octets flipped, cut, doubled, moved, joined with another message; tokens put in: one to four times each."""
    source = random.Random(seed)
    seeds = [_MESSAGE_ID.sub(b"<a:MessageID>urn:uuid:00000000-0000-4000-8000-000000000000", one) for one in seeds]
    for number in range(count):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(source.randint(1, 4)):
            _break(data, source, seeds)
        yield bytes(data)


def _break(data: bytearray, source: random.Random, seeds: Sequence[bytes]) -> None:
    start = source.randrange(len(data) + 1)
    end = min(len(data), start + source.choice((1, 1, 4, 40, 400)))
    kind = source.randrange(7)
    if kind == 0 and start < len(data):
        data[start] ^= 1 << source.randrange(8)
    elif kind == 1:
        del data[start:end]
    elif kind == 2:
        data[start:start] = data[start:end]
    elif kind == 3:
        piece, place = data[start:end], source.randrange(len(data) + 1)
        data[place:place] = piece
    elif kind == 4:
        other = source.choice(seeds)
        cut = source.randrange(len(other) + 1)
        data[start:end] = other[cut : cut + 400]
    else:
        data[start:start] = source.choice(_TOKENS)
