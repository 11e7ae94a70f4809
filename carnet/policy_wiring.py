"""The policy of a server: the tables that decide, the records that they are about, the clock."""

from functools import partial
from pathlib import Path

from access_policy.caller import Caller
from access_policy.policy import OPEN_POLICY, Policy, RecordPolicy
from access_policy.policy_file import BadPolicy, PolicyFile, read_policy_file
from access_policy.rights import Action
from access_policy.tables import Tables, published, published_matrix, published_rights
from carnet.clock import clock
from carnet.record_settings import rules_of
from carnet.record_wiring import has_records
from carnet.settings import Settings, SettingsError
from dmp.facts import record_facts
from registry.store import Registry

_OF_CONTENT = frozenset({"ITI-43", "ITI-68"})


def policy_of(settings: Settings) -> Policy:
    """Matrix, rights and records where the domain has any; else the open policy. Raises SettingsError."""
    if not has_records(settings):
        return OPEN_POLICY
    return record_policy(settings)


def record_policy(settings: Settings) -> RecordPolicy:
    """Raises SettingsError for a file that cannot be used."""
    return RecordPolicy(
        tables=tables_of(settings),
        facts_of=partial(record_facts, rules=rules_of(settings)),
        now=clock(settings.clock),
    )


def reading_rule(registry: Registry, event: str, caller: Caller) -> str:
    """The rule by which a caller found or read what was shown: for the audit record of it.

    A search that showed nothing has the rule that refused. Content that was delivered without one that allows was the
    caller's own. DMP 12.3
    """
    if not registry.policy.judges(caller):
        return ""
    action = Action.READ if event in _OF_CONTENT else Action.SEARCH
    with registry.units.read() as connection:
        decision = registry.policy.decide(connection, action, caller)
    return decision.rule if decision.allowed or action is Action.SEARCH else "document.own"


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
