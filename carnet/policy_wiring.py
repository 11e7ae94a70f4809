"""The policy of a server: the tables that decide, the records that they are about, the clock."""

from functools import partial
from pathlib import Path
from typing import Any

from access_policy.caller import Caller
from access_policy.decide import Decision, decide
from access_policy.policy import OPEN_POLICY, FactsOf, Policy, RecordPolicy
from access_policy.policy_file import BadPolicy, PolicyFile, read_policy_file
from access_policy.record_facts import RecordFacts
from access_policy.rights import Action
from access_policy.tables import Tables, published, published_matrix, published_rights
from carnet.clock import clock
from carnet.record_settings import rules_of
from carnet.record_wiring import has_records
from carnet.settings import Settings, SettingsError
from carnet.traffic import seen_in_request
from dmp.facts import record_facts
from registry.store import Registry

_OF_CONTENT = frozenset({"ITI-43", "ITI-68"})
_FACTS = "facts of the record"


def policy_of(settings: Settings) -> Policy:
    """Matrix, rights and records where the domain has any; else the open policy. Raises SettingsError."""
    if not has_records(settings):
        return OPEN_POLICY
    return record_policy(settings)


def record_policy(settings: Settings) -> RecordPolicy:
    """Raises SettingsError for a file that cannot be used."""
    return RecordPolicy(
        tables=tables_of(settings),
        facts_of=_remembered(partial(record_facts, rules=rules_of(settings))),
        now=clock(settings.clock),
    )


def _remembered(facts_of: FactsOf) -> FactsOf:
    """What decided about a request is what its audit record names, without another look at the record."""

    def found(connection: Any, *, patient: str, caller: Caller, now: str) -> RecordFacts:
        facts = facts_of(connection, patient=patient, caller=caller, now=now)
        seen_in_request()[_FACTS] = caller, facts
        return facts

    return found


def reading_rule(registry: Registry, event: str, caller: Caller) -> str:
    """The rule by which a caller found or read what was shown: for the audit record of it.

    A search that showed nothing has the rule that refused. Content that was delivered without one that allows was the
    caller's own. DMP 12.3
    """
    if not registry.policy.judges(caller):
        return ""
    action = Action.READ if event in _OF_CONTENT else Action.SEARCH
    decision = _decision(registry, action, caller)
    return decision.rule if decision.allowed or action is Action.SEARCH else "document.own"


def _decision(registry: Registry, action: Action, caller: Caller) -> Decision:
    """On the facts that this request was answered by; on those of now where it was answered elsewhere."""
    asked, facts = seen_in_request().get(_FACTS, (None, None))
    if asked is caller and isinstance(registry.policy, RecordPolicy):
        return decide(registry.policy.tables, action, caller, facts)
    with registry.units.read() as connection:
        return registry.policy.decide(connection, action, caller)


def tables_of(settings: Settings) -> Tables:
    """The published tables, or those of the files of the settings. Raises SettingsError."""
    known = published()
    try:
        return Tables(
            matrix=published_matrix(policy_file(settings.policy_matrix)) if settings.policy_matrix else known.matrix,
            rights=published_rights(policy_file(settings.policy_rights)) if settings.policy_rights else known.rights,
            occupational_reading=settings.policy_occupational_reading,
            pharmacy_reading=settings.policy_pharmacy_reading,
        )
    except BadPolicy as problem:
        raise SettingsError(f"settings policy_matrix, policy_rights: {problem}") from problem


def policy_file(path: str) -> PolicyFile:
    """Raises SettingsError, BadPolicy."""
    try:
        return read_policy_file(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"policy file {path}: cannot be read: {problem}") from problem
