"""What one process of a server has verified, the others need not; what any of them doubts, they verify again."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from access_policy.authentication import Authenticator
from access_policy.caller import Caller
from access_policy.make_vihf import security_header
from access_policy.refusals import Reason, Refused
from carnet import shared_callers
from carnet.pki import Use
from carnet.shared_callers import SharedCallers
from tests import sts
from xds.xml import parse

KEY, OTHER_KEY = b"k" * 32, b"k" * 31 + b"l"  # one place, as the first octets are the same


@dataclass
class _Counted(sts.RememberedUses):
    noted: list[str] = field(default_factory=list)

    def first_client(
        self, *, issuer: str, assertion_id: str, client: str, until: datetime, now: datetime
    ) -> str | None:
        self.noted.append(assertion_id)
        return super().first_client(issuer=issuer, assertion_id=assertion_id, client=client, until=until, now=now)


def _processes(
    others: SharedCallers, uses: _Counted, now: Callable[[], datetime] = lambda: sts.NOW
) -> list[Authenticator]:
    return [Authenticator(sts.rules(), uses, now=now, others=others) for _ in range(2)]


def _message() -> bytes:
    return sts.enveloped(security_header(sts.a_vihf()))


def _client() -> bytes:
    return sts.card()[Use.AUTHENTICATION].der


def test_who_was_verified_in_one_process_is_known_in_another() -> None:
    others, caller = SharedCallers(), Caller(name="é" * 40)
    child = os.fork()
    if not child:
        others.keep(KEY, caller)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert others.get(KEY) == caller
    assert others.get(OTHER_KEY) is None


def test_what_was_torn_is_not_known() -> None:
    """Two processes that write to one place at once leave parts of each."""
    others = SharedCallers()
    others.keep(KEY, Caller(name="first"))
    at = others._memory.find(b"first")
    others._memory[at : at + 5] = b"other"
    assert others.get(KEY) is None


def test_the_last_one_has_the_place() -> None:
    others = SharedCallers()
    others.keep(KEY, Caller(name="first"))
    others.keep(OTHER_KEY, Caller(name="second"))
    assert others.get(KEY) is None
    assert others.get(OTHER_KEY) == Caller(name="second")


def test_a_caller_that_finds_no_room_is_not_shared_and_harms_nobody() -> None:
    others, short = SharedCallers(), Caller(name="short")
    others.keep(KEY, short)
    others.keep(OTHER_KEY, Caller(name="x" * shared_callers._PLACE_OCTETS))
    assert others.get(OTHER_KEY) is None
    assert others.get(KEY) == short


def test_another_process_takes_an_assertion_without_verifying_it_again() -> None:
    uses = _Counted()
    first, second = _processes(SharedCallers(), uses)
    message = _message()
    assert first.caller(parse(message), _client()) == second.caller(parse(message), _client())
    assert len(uses.noted) == 1


def test_an_assertion_that_has_ended_is_not_taken_from_another_process() -> None:
    times = [sts.NOW]
    first, second = _processes(SharedCallers(), _Counted(), lambda: times[0])
    message = _message()
    first.caller(parse(message), _client())
    times[0] += timedelta(hours=12)
    with pytest.raises(Refused):
        second.caller(parse(message), _client())


def test_another_client_finds_nobody() -> None:
    first, second = _processes(SharedCallers(), _Counted())
    message = _message()
    first.caller(parse(message), _client())
    with pytest.raises(Refused) as refused:
        second.caller(parse(message), sts.structure()[Use.AUTHENTICATION].der)
    assert refused.value.reason in (Reason.REPLAY, Reason.AGREEMENT)


def test_what_other_authorities_vouched_for_is_verified_again() -> None:
    """A process that has read a new revocation list does not believe one that has not."""
    others, message = SharedCallers(), _message()
    before = Authenticator(sts.rules(), _Counted(), now=lambda: sts.NOW, others=others)
    before.caller(parse(message), _client())
    revoked = sts.trust(sts.card()[Use.SIGNATURE].certificate.serial_number)
    after = Authenticator(replace(sts.rules(), trust=revoked), _Counted(), now=lambda: sts.NOW, others=others)
    with pytest.raises(Refused) as refused:
        after.caller(parse(message), _client())
    assert refused.value.reason is Reason.REVOKED


def test_where_an_assertion_may_be_used_once_no_process_takes_it_from_another() -> None:
    others, uses, message = SharedCallers(), _Counted(), _message()
    rules = sts.rules(reuse_allowed=False)
    first, second = (Authenticator(rules, uses, now=lambda: sts.NOW, others=others) for _ in range(2))
    first.caller(parse(message), _client())
    with pytest.raises(Refused) as refused:
        second.caller(parse(message), _client())
    assert refused.value.reason is Reason.REPLAY
