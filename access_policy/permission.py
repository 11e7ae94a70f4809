"""Which transactions a caller may run at all. Default deny; what they find or change is decided where they run."""

from collections.abc import Iterable

from access_policy.caller import AuthenticationMode, Caller, Kind, Standing
from access_policy.scopes import opens

# By FHIR: what ITI-41, ITI-18 and ITI-43 are.
_BY_FHIR = frozenset({"ITI-65", "ITI-66", "ITI-67", "ITI-68", "ITI-81", "ITI-111", "ITI-105", "ITI-106"})
_FEEDING = ("ITI-41", "ITI-65", "ITI-105", "ITI-106")
# What each lets whom do is in the table of rights.
_ON_RECORDS = frozenset(
    {*("TD0.2", "TD0.3", "TD0.4", "TD0.5", "TD1.1", "TD1.2", "TD1.3a", "TD1.3b", "TD1.4", "TD1.5", "TD1.6")}
)
# DMP 3: feeding, search, retrieval and changes of metadata; everything else is for operators.
_TRANSACTIONS = {
    Kind.VIHF: frozenset({"ITI-18", "ITI-41", "ITI-43", "ITI-52", "ITI-57"}) | _BY_FHIR | _ON_RECORDS,
    Kind.XUA: frozenset({"ITI-18", "ITI-41", "ITI-42", "ITI-43", "ITI-51", "ITI-52", "ITI-57", "ITI-61"}) | _BY_FHIR,
    Kind.TOKEN: frozenset({"ITI-57"}) | _BY_FHIR,
}


def permits(caller: Caller, transaction: str, letters: Iterable[str] = ()) -> bool:
    """Whether the caller may run a transaction. DMP 6.4 (AIR never feeds); ITI TF-2: 3.40.4.1.2.2 (role, purpose)

    A repository registers what it was provided with: the right to provide is that of its caller, and where it names no
    caller it answers for that itself. ITI TF-1: 10.2.1
    """
    if caller.is_open:
        return True
    if caller.peer.is_repository:
        return transaction == "ITI-42" and (caller.credentials is None or _permits(caller, "ITI-41"))
    return _permits(caller, transaction) and has_scope(caller, transaction, letters)


def has_scope(caller: Caller, transaction: str, letters: Iterable[str] = ()) -> bool:
    """Whether the scopes of a token open it; `letters` of SMART for one interaction. Other proofs have no scopes."""
    proof = caller.credentials
    if proof is None or proof.kind is not Kind.TOKEN:
        return True
    return opens(proof.scopes, transaction, letters, names_patient=caller.patient_id is not None)


def _permits(caller: Caller, transaction: str) -> bool:
    is_professional = caller.standing is Standing.PROFESSIONAL
    if caller.credentials is None or (is_professional and not (caller.roles and caller.purposes)):
        return False
    if caller.mode is AuthenticationMode.AIR and transaction in _FEEDING:
        return False
    return transaction in _TRANSACTIONS[caller.credentials.kind]
