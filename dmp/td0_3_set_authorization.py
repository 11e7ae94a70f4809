"""Declare or remove one's authorisation, be or stop being the médecin traitant [TD0.3]. DMP 3; PDT-INF-526."""

from lxml import etree

from access_policy.caller import Caller
from access_policy.rights import Action, Grade
from dmp import rights
from dmp.actor import actor_of
from dmp.record import Act, HolderKind
from dmp.record_desk import RecordDesk, patient_of_assertion
from dmp.refusal import RecordRefused, Refusal
from dmp.rights import Whom
from dmp.service_messages import HABILITATIONS, OK, read_fields, required, write_answer
from storage.unit_of_work import UnitOfWork

TRANSACTION = "TD0.3"
_ADD, _REMOVE, _TREATING_DOCTOR = "AJOUT", "SUPPRESSION", "MEDECIN_TRAITANT"
_FIELDS = {"action": (_ADD, _REMOVE), "role": (_TREATING_DOCTOR,)}
_DOCTOR = "10"
_PRACTICES = "1.2.250.1.71.1.2.7"
_FOR_STRUCTURE = (Grade.FOR_STRUCTURE, Grade.AS_STRUCTURE)
_ACTS = {
    (_ADD, False): (Action.DECLARE_SELF, Act.AUTHORISE),
    (_ADD, True): (Action.DECLARE_SELF, Act.DECLARE_TREATING_DOCTOR),
    (_REMOVE, False): (Action.REMOVE_SELF, Act.REMOVE_AUTHORISATION),
    (_REMOVE, True): (Action.DROP_TREATING_DOCTOR, Act.DROP_TREATING_DOCTOR),
}


def soap(service: RecordDesk, body: etree._Element, caller: Caller) -> bytes:
    """`setAuthorization` -> `setAuthorizationResponse`."""
    try:
        fields = read_fields(body, _FIELDS)
        context = handle(service, required(fields, "action"), caller, as_treating_doctor="role" in fields)
    except RecordRefused as refused:
        return write_answer(body, HABILITATIONS, refused.code, refused.context)
    return write_answer(body, HABILITATIONS, OK, context)


def handle(service: RecordDesk, action: str, caller: Caller, *, as_treating_doctor: bool = False) -> str:
    """Do it for the caller, or for the structure of who has no right of their own. Raises RecordRefused."""
    patient = patient_of_assertion(caller)
    right, act = _ACTS[action, as_treating_doctor]

    def work(unit: UnitOfWork) -> str:
        facts = service.facts(unit.connection, caller, patient)
        grade = service.permitted(right, caller, facts).grade
        whom = _whom(caller, for_structure=grade in _FOR_STRUCTURE)
        dmp, by, now = service.records, actor_of(caller), service.now()
        if act is Act.DECLARE_TREATING_DOCTOR:
            _check_doctor(caller, whom)
            rights.authorise(dmp, unit, patient, whom, by=by, now=now)
            rights.declare_treating_doctor(dmp, unit, patient, whom, by=by, now=now)
        elif act is Act.DROP_TREATING_DOCTOR:
            rights.drop_treating_doctor(dmp, unit, patient, by=by, now=now)
        elif act is Act.AUTHORISE:
            rights.authorise(dmp, unit, patient, whom, by=by, now=now)
        else:
            rights.remove_authorisation(dmp, unit, patient, whom, by=by, now=now)
        return f"{action} {whom.kind}"

    return service.act(TRANSACTION, act, patient, caller, work)


def _whom(caller: Caller, *, for_structure: bool) -> Whom:
    if for_structure:
        return Whom(id=caller.structure, kind=HolderKind.STRUCTURE)
    return Whom(id=caller.name, display=caller.display_name, speciality=speciality_of(caller))


def speciality_of(caller: Caller) -> str:
    """Profession and speciality in the form `G15_10/SM26`, empty for no health profession. DMP 8.5"""
    profession = caller.profession
    if profession is None or profession.coding_scheme != _PRACTICES:
        return ""
    second = caller.roles[1].code if len(caller.roles) > 1 else ""
    return f"G15_{profession.code}/{second}".rstrip("/")


def _check_doctor(caller: Caller, whom: Whom) -> None:
    profession = caller.profession
    is_doctor = whom.kind is HolderKind.PROFESSIONAL and profession is not None and profession.code == _DOCTOR
    if not is_doctor:
        found = "no profession" if profession is None else f"the profession {profession.code}"
        raise RecordRefused(Refusal.NOT_DOCTOR, f"médecin traitant: found {found}, expected a doctor")
