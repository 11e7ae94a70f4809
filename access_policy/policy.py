"""The policy of a server, as its actors are handed it: what a caller may see, and may do. One for every door."""

from dataclasses import dataclass
from typing import Any, Protocol

from access_policy.caller import Caller
from access_policy.decide import Decision, decide
from access_policy.document_facts import DocumentFacts
from access_policy.record_facts import RecordFacts
from access_policy.rights import Action, Grade
from access_policy.tables import Tables
from access_policy.visibility import NOTHING, Purpose, Visibility, claimed, visibility


class FactsOf(Protocol):
    """Reads what a decision needs of the record of the person with this CX key, on the connection it is given."""

    def __call__(self, connection: Any, *, patient: str, caller: Caller, now: str) -> RecordFacts: ...


class Now(Protocol):
    """The time as DTM of 14 digits, UTC."""

    def __call__(self) -> str: ...


class Policy(Protocol):
    """`connection` is that of the snapshot or of the unit of work that the request uses."""

    def visibility(self, connection: Any, caller: Caller, purpose: Purpose = Purpose.SEARCH) -> Visibility:
        """What the caller may see. Default deny."""
        ...

    def decide(
        self, connection: Any, action: Action, caller: Caller, document: DocumentFacts | None = None
    ) -> Decision:
        """Whether the caller may do this, and which rule says so."""
        ...

    def judges(self, caller: Caller) -> bool:
        """Whether there is anything to decide about what the caller feeds and changes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPolicy:
    """A domain without records: an assertion opens what it is about. ITI TF-2: 3.40.4.1.2.2.1"""

    def visibility(self, connection: Any, caller: Caller, purpose: Purpose = Purpose.SEARCH) -> Visibility:
        return claimed(caller)

    def decide(
        self, connection: Any, action: Action, caller: Caller, document: DocumentFacts | None = None
    ) -> Decision:
        return Decision(allowed=claimed(caller) != NOTHING, rule="policy.open", grade=Grade.ALLOW)

    def judges(self, caller: Caller) -> bool:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPolicy:
    """The DMP: matrix, rights and the holder's wishes, about the record that an assertion names. DMP 12"""

    tables: Tables
    facts_of: FactsOf
    now: Now

    def visibility(self, connection: Any, caller: Caller, purpose: Purpose = Purpose.SEARCH) -> Visibility:
        if caller.is_open or caller.credentials is None:
            return claimed(caller)
        return visibility(self.tables, caller, self.facts(connection, caller), purpose)

    def decide(
        self, connection: Any, action: Action, caller: Caller, document: DocumentFacts | None = None
    ) -> Decision:
        return decide(self.tables, action, caller, self.facts(connection, caller), document)

    def judges(self, caller: Caller) -> bool:
        """What operators do by commands is theirs to answer for."""
        return not caller.is_open and caller.credentials is not None

    def facts(self, connection: Any, caller: Caller) -> RecordFacts:
        """Of the person that the assertion names; of nobody where it names none, and where nothing is asked."""
        if caller.is_open or caller.patient_id is None:
            return RecordFacts(patient="", now=self.now())
        return self.facts_of(connection, patient=caller.patient_id.key, caller=caller, now=self.now())


OPEN_POLICY = OpenPolicy()
