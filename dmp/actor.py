"""Who changes a record, and on what behalf: every change is attributed. DMP 1 (S04, S05, S48)"""

from dataclasses import dataclass
from enum import StrEnum

from access_policy.caller import AuthenticationMode, Caller, Standing

# TRE_G15 and TRE_G16: professions of health, and those in training. ANS JDV_J65
_HEALTH_PROFESSIONS = ("1.2.250.1.71.1.2.7", "1.2.250.1.71.1.2.8")


class ActorKind(StrEnum):
    """In what quality somebody acts."""

    HOLDER = "holder"
    REPRESENTATIVE = "representative"
    PROFESSIONAL = "professional"
    STAFF = "staff"
    STRUCTURE = "structure"
    INSURER = "insurer"
    OPERATOR = "operator"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """`name`: PS_IdNat of a professional, CX key of a representative, login of an operator.

    `structure`: Struct_IdNat of the one that a professional or an employee acts for.
    """

    kind: ActorKind
    name: str = ""
    structure: str = ""


_PATIENT_SIDE = {Standing.PATIENT: ActorKind.HOLDER, Standing.REPRESENTATIVE: ActorKind.REPRESENTATIVE}
SERVER = Actor(kind=ActorKind.SERVER, name="carnet")
OPERATOR = Actor(kind=ActorKind.OPERATOR, name="operator")


def actor_of(caller: Caller) -> Actor:
    """Who acts through a transaction."""
    structure = "" if caller.is_patient_side else caller.structure
    return Actor(kind=_kind_of(caller), name=caller.name, structure=structure)


def _kind_of(caller: Caller) -> ActorKind:
    if caller.is_open:
        return ActorKind.OPERATOR
    if caller.is_patient_side:
        return _PATIENT_SIDE[caller.standing]
    if caller.mode is AuthenticationMode.INDIRECT:
        return ActorKind.STRUCTURE
    profession = caller.profession
    is_health = profession is not None and profession.coding_scheme in _HEALTH_PROFESSIONS
    return ActorKind.PROFESSIONAL if is_health else ActorKind.STAFF
