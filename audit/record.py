"""One audit record, before it has a form: what DICOM and FHIR both say of an event. DICOM PS3.15: A.5."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Outcome(IntEnum):
    """EventOutcomeIndicator. SERIOUS: refused or failed; MAJOR: the service itself fails; MINOR: try again."""

    SUCCESS = 0
    MINOR = 4
    SERIOUS = 8
    MAJOR = 12


class Action(StrEnum):
    """EventActionCode."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded value: csd-code, codeSystemName, originalText."""

    code: str
    system: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """ActiveParticipant. `network` is an address (type 2) or a name (type 1), or nothing."""

    user_id: str
    is_requestor: bool
    alternative_user_id: str = ""
    user_name: str = ""
    roles: tuple[Coded, ...] = ()
    network: str = ""
    network_type: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """ParticipantObjectDetail: a name and octets."""

    type: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantObject:
    """ParticipantObjectIdentification.

    `type` 1 person, 2 system object; `role` 1 patient, 3 report, 13 security resource, 20 job, 24 query.
    """

    id: str
    type: str
    role: str
    id_type: Coded
    life_cycle: str = ""
    query: bytes | None = None
    details: tuple[Detail, ...] = ()

    @property
    def is_patient(self) -> bool:
        return (self.type, self.role) == ("1", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """AuditSourceIdentification of an application server: the node, and the OID of its site."""

    id: str
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One event about at most one patient. `time` is UTC with milliseconds, `2030-05-06T07:08:09.123Z`."""

    event_id: Coded
    action: Action
    time: str
    outcome: Outcome
    type_codes: tuple[Coded, ...]
    source: Source
    participants: tuple[Participant, ...]
    objects: tuple[ParticipantObject, ...] = ()
    description: str = ""
    purposes: tuple[Coded, ...] = ()

    @property
    def patient(self) -> str:
        """The patient identifier in CX form, empty without one."""
        return next((one.id for one in self.objects if one.is_patient), "")
