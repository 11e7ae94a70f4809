"""Signature wrapping: nothing of it is accepted, and careless verifiers show that the attacks bite. S01 to S08."""

from collections import Counter

import pytest
from lxml import etree

from access_policy.authentication import Authenticator
from access_policy.refusals import Refused, Subcode
from carnet.pki import Use
from tests import sts, wrapping
from xds.xml import parse

CLIENT = sts.structure()[Use.AUTHENTICATION].der
SEED = 20260310


@pytest.fixture(scope="module")
def authenticator() -> Authenticator:
    return sts.authenticator(audiences=("urn:dmp", wrapping.FORGED["Audience"]))


def refusal(authenticator: Authenticator, message: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        authenticator.caller(parse(message), CLIENT)
    return refused.value


def test_the_unmodified_message_is_accepted(authenticator: Authenticator) -> None:
    message = sts.envelope(etree.fromstring(wrapping.original()))
    assert authenticator.caller(parse(message), CLIENT).name == "3690000014/evillard"


def test_all_1280_wrapped_messages_are_refused_and_a_careless_verifier_is_fooled(authenticator: Authenticator) -> None:
    fooled: Counter[int] = Counter()
    count = 0
    for attack in wrapping.wrapped_messages():
        count += 1
        root = etree.fromstring(attack.message)
        assert wrapping.is_raw_valid(root), f"{attack.name}: no signature in it is good, it tests nothing"
        refused = refusal(authenticator, attack.message)
        assert refused.reason.subcode in (Subcode.INVALID_SECURITY, Subcode.UNSUPPORTED_SECURITY_TOKEN), attack.name
        believed = (wrapping.read_claim(one, attack.claim) for one in wrapping.naive(attack.message))
        fooled[attack.shape] += wrapping.FORGED[attack.claim] in believed
    assert count == 1280
    assert len([shape for shape, times in fooled.items() if times]) >= 6, fooled


def test_random_moves_of_the_pieces_are_refused(authenticator: Authenticator) -> None:
    _refuse_shuffled(authenticator, 320)


@pytest.mark.long
def test_5000_random_moves_of_the_pieces_are_refused(authenticator: Authenticator) -> None:
    _refuse_shuffled(authenticator, 5000)


def _refuse_shuffled(authenticator: Authenticator, count: int) -> None:
    bites = 0
    for claim, message in wrapping.shuffled_messages(SEED, count):
        refusal(authenticator, message)
        believed = (wrapping.read_claim(one, claim) for one in wrapping.naive(message))
        bites += wrapping.FORGED[claim] in believed
    assert bites > count / 2, f"only {bites} of {count} random messages fool a careless verifier"
