"""What the audit reads in an answer: codes, and the rule of the policy that refused."""

from audit.record import Outcome
from carnet.audited_answers import read_answer
from xds.ebrim.response import registry_response
from xds.errors import ErrorCode, RegistryError


def test_the_rule_of_the_policy_is_on_record_and_no_other_text_is() -> None:
    told = [
        ("DocumentEntry Document01: the caller may not do this (right:document.mask/air/doctor/normal=deny)", True),
        ("the caller may not feed this record (caller.blocked)", True),
        ("title Lise Marchal (née Martin)", False),
    ]
    errors = [RegistryError(code=ErrorCode.LOCAL_POLICY_RESTRICTION, context=context) for context, _ in told]
    other = RegistryError(code=ErrorCode.REGISTRY, context="a text (with.marks)")
    ended = read_answer(registry_response([*errors, other]))
    assert ended.outcome is Outcome.SERIOUS
    assert ended.rules == ("right:document.mask/air/doctor/normal=deny", "caller.blocked")
    assert ended.description == (
        "LocalPolicyRestrictionError XDSRegistryError right:document.mask/air/doctor/normal=deny caller.blocked"
    )
