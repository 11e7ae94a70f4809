"""The record of a person as it stands, and the states it goes through. DMP 1 (S11 to S19), 13"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from access_policy.record_facts import RecordState
from dmp.actor import ActorKind


class Channel(StrEnum):
    """Through what a record was created. DMP 1 (S01)"""

    RECEPTION = "accueil"
    PHARMACY = "officine"
    INTERNET = "internet"
    ESTABLISHMENT = "es"
    LIBERAL_PROFESSIONAL = "psl"
    AS = "as"
    AUTOMATIC = "auto"


class Consent(StrEnum):
    """Why a record may be opened: by what its person said, or did not say in time."""

    GIVEN = "consent"
    NO_OPPOSITION = "no_opposition"


class Act(StrEnum):
    """Everything that can be done with a record; each leaves an event of this name."""

    INFORM = "inform"
    OPPOSE = "oppose"
    WITHDRAW_OPPOSITION = "withdraw_opposition"
    OPEN = "open"
    SUSPEND = "suspend"
    RESUME = "resume"
    CLOSE = "close"
    REACTIVATE = "reactivate"
    REQUEST_ERASURE = "request_erasure"
    ERASE = "erase"
    AUTHORISE = "authorise"
    REMOVE_AUTHORISATION = "remove_authorisation"
    BLOCK = "block"
    UNBLOCK = "unblock"
    DECLARE_TREATING_DOCTOR = "declare_treating_doctor"
    DROP_TREATING_DOCTOR = "drop_treating_doctor"
    SET_WISHES = "set_wishes"
    ADD_REPRESENTATIVE = "add_representative"
    REMOVE_REPRESENTATIVE = "remove_representative"
    CHANGE_IDENTITY = "change_identity"
    CHANGE_PERSON = "change_person"
    CHANGE_ACCESS = "change_access"
    MERGE = "merge"
    MASK = "mask"
    UNMASK = "unmask"
    SHOW_TO_PATIENT = "show_to_patient"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    DELETE = "delete"
    BREAK_GLASS = "break_glass"
    LIFT_VISIBILITY = "lift_visibility"


_S = RecordState

# What an act that changes the state makes of it; what is not here is refused.
TRANSITIONS: Mapping[tuple[RecordState, Act], RecordState] = {
    (_S.NONE, Act.INFORM): _S.INFORMED,
    (_S.NONE, Act.OPPOSE): _S.NONE,
    (_S.NONE, Act.WITHDRAW_OPPOSITION): _S.NONE,
    (_S.NONE, Act.OPEN): _S.OPEN,
    (_S.INFORMED, Act.OPPOSE): _S.NONE,
    (_S.INFORMED, Act.OPEN): _S.OPEN,
    (_S.OPEN, Act.SUSPEND): _S.SUSPENDED,
    (_S.OPEN, Act.CLOSE): _S.CLOSED,
    (_S.SUSPENDED, Act.RESUME): _S.OPEN,
    (_S.SUSPENDED, Act.REACTIVATE): _S.OPEN,
    (_S.SUSPENDED, Act.CLOSE): _S.CLOSED,
    (_S.CLOSED, Act.REACTIVATE): _S.OPEN,
    (_S.CLOSED, Act.REQUEST_ERASURE): _S.CLOSED,
    (_S.CLOSED, Act.ERASE): _S.ERASED,
    (_S.ERASED, Act.OPEN): _S.OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the holder refuses and allows beside the lists of professionals. DMP 12.1, 13

    The first three are about emergencies: break-glass and the regulator of an emergency centre.
    """

    opposes_break_glass: bool = False
    opposes_regulation: bool = False
    masked_in_emergency: bool = False
    occupational_consent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row. Times are DTM of 14 digits, UTC, `birth_date` has 8; empty: never, or not known.

    `since`: when it came into its state. `due`: when a job must look at it again. `treating_doctor`: PS_IdNat of the
    médecin traitant.
    """

    key: int
    patient: str
    state: RecordState = RecordState.NONE
    since: str = ""
    informed: str = ""
    informed_through: str = ""
    opposed: str = ""
    channel: str = ""
    regime: str = ""
    consent: str = ""
    opened: str = ""
    opened_by: str = ""
    opened_how: str = ""
    suspended: str = ""
    closed: str = ""
    closing_reason: str = ""
    erasure_requested: str = ""
    erased: str = ""
    due: str = ""
    treating_doctor: str = ""
    treating_doctor_from: str = ""
    treating_doctor_since: str = ""
    opposes_break_glass: bool = False
    opposes_regulation: bool = False
    masked_in_emergency: bool = False
    occupational_consent: bool = False
    birth_date: str = ""
    territory: str = ""
    is_attached: bool = False

    @property
    def is_active(self) -> bool:
        """Whether its holder may decide about it: it is open, or will be again when somebody objects."""
        return self.state in (RecordState.OPEN, RecordState.SUSPENDED)

    @property
    def is_open(self) -> bool:
        """Whether it can be fed and read by somebody. One that is suspended is closed to everybody."""
        return self.state is RecordState.OPEN

    @property
    def wishes(self) -> Wishes:
        return Wishes(
            opposes_break_glass=self.opposes_break_glass,
            opposes_regulation=self.opposes_regulation,
            masked_in_emergency=self.masked_in_emergency,
            occupational_consent=self.occupational_consent,
        )


class HolderKind(StrEnum):
    """Whom an authorisation is for."""

    PROFESSIONAL = "professional"
    STRUCTURE = "structure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """An authorisation of a professional or a structure, or a block. DMP 3 (TD0.3, TD1.6)

    `until` is the first moment at which it is over, empty for no end. `display` and `speciality` are what TD1.6 shows.
    """

    kind: HolderKind
    holder: str
    is_block: bool
    since: str
    until: str = ""
    last_action: str = ""
    display: str = ""
    speciality: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Representative:
    """Who acts for the holder: CX key, relation, and until when where that was said, empty for no end."""

    patient: str
    relation: str = ""
    since: str = ""
    until: str = ""

    def end(self, majority: str) -> str:
        """When it is over: who was named for a minor acts until majority at most, a DTM. CSP R.1111-40

        The day of birth may be told after the naming, and corrected: it is asked each time.
        """
        return min(filter(None, (self.until, majority if self.since < majority else "")), default="")

    def acts_at(self, now: str, majority: str) -> bool:
        end = self.end(majority)
        return end == "" or now < end


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One act on a record, kept for good. `refusal`: its code, empty for what was done."""

    recorded: str
    patient: str
    act: Act
    actor_kind: ActorKind
    actor: str
    structure: str = ""
    before: str = ""
    after: str = ""
    refusal: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
