"""Registries whose records are in memory, and callers about whom they say something: for tests of the policy at work."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from access_policy.caller import Caller, Credentials, Kind
from access_policy.policy import RecordPolicy
from access_policy.record_facts import RecordFacts
from access_policy.tables import published
from registry.store import Registry
from tests.access_policy.callers import NOW, a_caller, a_patient
from tests.builders import PATIENT

PROOF = Credentials(
    kind=Kind.VIHF, assertion_id="_1", issuer="CN=test", expires=datetime(2100, 1, 1, tzinfo=UTC), client="", signer=""
)


@dataclass
class Records:
    """What the policy hears of every record; tests change it."""

    facts: RecordFacts = field(default_factory=lambda: RecordFacts(patient=PATIENT.key, now=NOW))

    def __call__(self, connection: Any, *, patient: str, caller: Caller, now: str) -> RecordFacts:
        return replace(self.facts, patient=patient, now=now)


def policed(registry: Registry, records: Records) -> Registry:
    """The registry under the policy of the DMP, by these records."""
    registry.policy = RecordPolicy(tables=published(), facts_of=records, now=lambda: NOW)
    return registry


def proved(**changes: Any) -> Caller:
    return a_caller(**({"credentials": PROOF} | changes))


def proved_patient(*given: Any, **changes: Any) -> Caller:
    return a_patient(*given, **({"credentials": PROOF} | changes))
