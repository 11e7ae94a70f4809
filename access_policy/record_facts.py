"""What a decision needs to know of a person's record, read once on the snapshot that a request uses. DMP 12.3."""

from dataclasses import dataclass
from enum import StrEnum


class RecordState(StrEnum):
    """Where a person's record stands. DMP 1 (S11 to S19), 13"""

    NONE = "none"  # never opened: nobody was informed, or the person opposed
    INFORMED = "informed"  # the opposition period runs
    OPEN = "open"
    SUSPENDED = "suspended"  # closes by itself without objection
    CLOSED = "closed"  # kept, read by nobody, until erased
    ERASED = "erased"


class Authorisation(StrEnum):
    """What the holder lets a professional or a structure do; the values of TD0.2. DMP 3"""

    VALID = "VALIDE"
    EXPIRED = "EXPIRE"
    BLOCKED = "INTERDIT"
    NONE = "NON_EXISTE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFacts:
    """A record as one caller meets it at one time.

    `patient` is the CX key of its person, `now` a DTM of 14 digits, UTC. `authorisation` is the caller's own, or that
    of the caller's structure. The oppositions and permissions are the holder's: against break-glass, against access of
    an emergency regulator, and letting either read masked documents. `occupational_consent`: the holder lets an
    occupational doctor read. `is_representative`: the caller represents the holder, now. `activities`: the kinds of
    activity (TRE_R22) that the directory gives the caller, where the roles of the caller say none. `may_use_air`: AIR
    is enabled for the structure of a caller who comes by it.
    """

    patient: str
    now: str
    state: RecordState = RecordState.NONE
    authorisation: Authorisation = Authorisation.NONE
    is_treating_doctor: bool = False
    opposes_break_glass: bool = False
    opposes_regulation: bool = False
    masked_in_emergency: bool = False
    occupational_consent: bool = False
    holder_is_minor: bool = False
    is_representative: bool = False
    activities: tuple[str, ...] = ()
    may_use_air: bool = True
