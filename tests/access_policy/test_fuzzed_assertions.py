"""Messages broken at random: refused, or accepted with the very claims that were signed. The seed is in the failure."""

import random
from collections.abc import Iterator
from functools import cache

import pytest

from access_policy.refusals import Refused
from access_policy.submission_signature import read_submission_signature
from carnet.pki import Use
from tests import sts
from tests.access_policy.test_submission_signature import signed
from xds.xml import BadXml, parse

SEED = 20261126
_TOKENS = (
    *(b"<saml2:Assertion", b"</saml2:Assertion>", b"<ds:Signature", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x ?>"),
    *(
        b'ID="',
        b'xmlns:ds="',
        b"#",
        b"&amp;",
        b"&#0;",
        b"\x00",
        b"\xff",
        b"=",
        b"==",
        b"0001-01-01T00:00:00Z",
        b"9" * 40,
    ),
    *(b"<saml2:EncryptedAssertion/>", b'Algorithm="', b"http://www.w3.org/2000/09/xmldsig#base64", b"</wsse:Security>"),
)


@cache
def message() -> bytes:
    return sts.envelope(sts.a_vihf(sts.an_indirect_claim(id="_fuzzed")))


def mutants(original: bytes, count: int) -> Iterator[bytes]:
    """Bytes flipped, cut, doubled, moved; tokens put in."""
    source = random.Random(SEED)
    for _ in range(count):
        data = bytearray(original)
        for _ in range(source.randint(1, 3)):
            start = source.randrange(len(data))
            end = min(len(data), start + source.choice((1, 1, 4, 40, 400)))
            change = source.randrange(5)
            if change == 0:
                data[start] ^= 1 << source.randrange(8)
            elif change == 1:
                del data[start:end]
            elif change == 2:
                data[start:start] = data[start:end]
            elif change == 3:
                piece, place = data[start:end], source.randrange(len(data))
                data[place:place] = piece
            else:
                data[start:start] = source.choice(_TOKENS)
        yield bytes(data)


def play_messages(count: int) -> None:
    authenticator, client = sts.authenticator(), sts.structure()[Use.AUTHENTICATION].der
    truth = authenticator.caller(parse(message()), client)
    refused = 0
    for number, mutant in enumerate(mutants(message(), count)):
        try:
            caller = authenticator.caller(parse(mutant, processing_instructions=False), client)
        except (Refused, BadXml):
            refused += 1
            continue
        assert caller == truth, f"seed {SEED}, message {number}"
    assert count * 0.9 < refused < count


def play_signatures(count: int) -> None:
    original = signed()
    truth = read_submission_signature(original, sts.trust(), now=sts.NOW)
    trust = sts.trust()
    for number, mutant in enumerate(mutants(original, count)):
        try:
            found = read_submission_signature(mutant, trust, now=sts.NOW)
        except Refused:
            continue
        assert (found.holder, found.references) == (truth.holder, truth.references), f"seed {SEED}, signature {number}"


def test_2000_broken_messages_are_refused_or_mean_the_same() -> None:
    play_messages(2_000)


def test_2000_broken_signatures_of_submissions_are_refused_or_mean_the_same() -> None:
    play_signatures(2_000)


@pytest.mark.long
def test_100000_broken_messages_and_signatures() -> None:
    play_messages(100_000)
    play_signatures(100_000)
