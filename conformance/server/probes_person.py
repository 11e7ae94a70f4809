"""Probes of the person of a record: found without INS, changed, given a web account. DMP 3 (TD0.5, TD1.3b, TD1.5)

Each makes a record of a person nobody knew by TD1.1, so that nothing of others is changed.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from conformance.population.people import Patient, patients
from conformance.sentence import Sentence
from conformance.server.exchange import Reply
from conformance.server.probe import Failures, NotTestable, Probe, expected
from conformance.server.probes_record import PATIENTS, V3, ask_record, attribute_of, hl7_message, text_of
from conformance.server.record_requests import Wishes, request_record
from conformance.server.target import Target

_REGULATION = "centre_15"


def _created(target: Target) -> Patient:
    """Somebody with an open record and the traits that were told. Raises NotTestable."""
    person = next(patients(uuid.uuid4().int >> 64, 1, datetime.now(UTC).date()))
    found = request_record(target, "TD1.1", person)
    if found != "AA":
        raise NotTestable(
            f"aucun dossier n'a pu être créé par TD1.1 pour la personne de cet essai : {found}",
            f"the person of this probe could not be given a record by TD1.1: {found}",
        )
    return person


# --- TD0.5 ---------------------------------------------------------------------------------------------


def _found_without_ins(target: Target) -> Failures:
    """By a regulator of emergency calls, by traits; the same search in normal use finds nobody."""
    person = _created(target)
    reply = _look_for(target, person, _REGULATION)
    subject = _candidate(reply, person)
    if subject is None:
        told = attribute_of(reply, "queryResponseCode") or reply
        yield Sentence(
            f"un régulateur ne trouve pas la personne parmi les candidats : {told}",
            f"a regulator does not find the person among the candidates: {told}",
        )
        return
    values = [str(one.get("value", "")) for one in subject.iterfind(".//{*}queryMatchObservation/{*}value")]
    if not any(one.isdigit() and 0 < int(one) <= 100 for one in values):
        yield expected(" ".join(values), "un pourcentage (POURCENTAGE)", "a percentage (POURCENTAGE)")
    if _candidate(_look_for(target, person, "normal"), person) is not None:
        yield Sentence(
            "un médecin, en usage normal, a trouvé la personne sans INS",
            "a doctor in normal use found the person without INS",
        )


def _look_for(target: Target, person: Patient, purpose: str) -> Reply:
    """Patient Registry Query by Demographics [ITI-47]: family and given name, day of birth, sex."""
    asked = (
        ("AdministrativeGender", "administrativeGender", f'<value code="{person.sex}"/>'),
        ("BirthTime", "birthTime", f'<value value="{person.birth:%Y%m%d}"/>'),
        ("Name", "name", f"<value><family>{person.family}</family><given>{person.given}</given></value>"),
    )
    parameters = "".join(
        f"<livingSubject{name}>{value}<semanticsText>LivingSubject.{text}</semanticsText></livingSubject{name}>"
        for name, text, value in asked
    )
    query = (
        f'<queryByParameter><queryId root="{uuid.uuid4()}"/><statusCode code="new"/>'
        f"<parameterList>{parameters}</parameterList></queryByParameter>"
    )
    return target.call(
        target.service("patients_pdq"),
        f"{V3}:PRPA_IN201305UV02",
        hl7_message("PRPA_IN201305UV02", "", query),
        transaction="TD0.5",
        patient=None,
        caller=target.doctor,
        purpose=purpose,
    )


def _candidate(reply: Reply, person: Patient) -> etree._Element | None:
    found = () if reply.envelope is None else reply.envelope.iterfind(".//{*}registrationEvent//{*}patient")
    return next((one for one in found if any(each.get("extension") == person.ins for each in one.iter("{*}id"))), None)


# --- TD1.3b --------------------------------------------------------------------------------------------


def _changed(target: Target) -> Failures:
    """A new address for mail and an opposition are told, then read [TD1.3a]."""
    person = _created(target)
    address = f"probe.{uuid.uuid4().hex[:8]}@example.org"
    wishes = Wishes(opposes_break_glass=True, mail=address)
    found = request_record(target, "TD1.3b", person, wishes)
    if found != "AA":
        yield expected(found, "AA")
        return
    reply = ask_record(target, "CNSLT_DATA", person, "TD1.3a")
    if address.encode() not in reply.body:
        yield Sentence(
            "l'adresse donnée n'est pas dans les données administratives",
            "the address that was told is not in the administrative data",
        )
    if _observed(reply, "OPPOSITION_BRIS_DE_GLACE") != "true":
        yield Sentence(
            "l'opposition au bris de glace n'est pas dans les données administratives",
            "the opposition to break-glass that was told is not in the administrative data",
        )


def _observed(reply: Reply, code: str) -> str:
    for one in () if reply.envelope is None else reply.envelope.iter("{*}administrativeObservation"):
        named = one.find("{*}code")
        value = one.find("{*}value")
        if named is not None and named.get("code") == code and value is not None:
            return str(value.get("value", ""))
    return ""


# --- TD1.5 ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """A request about the web account, and the status it is to be answered with."""

    name: str
    fields: tuple[tuple[str, str], ...]
    status: str = "DMPOk"


_ACCOUNT = (
    _Ask(name="createPatientAccess", fields=(("type", "EMAIL"), ("canal", "personne@example.org"))),
    _Ask(
        name="createPatientAccess",
        fields=(("type", "EMAIL"), ("canal", "personne@example.org")),
        status="DMPPatientAccessAlreadyExists",
    ),
    _Ask(name="patientOTPUpdate", fields=(("type", "SMS"), ("canal", "0639981234"), ("action", "AJOUT"))),
    _Ask(
        name="patientOTPUpdate",
        fields=(("type", "SMS"), ("canal", "0639981234"), ("action", "AJOUT")),
        status="DMPPatientAccessOTPAlreadyExists",
    ),
    _Ask(name="updatePatientAccess", fields=()),
)


def _account(target: Target) -> Failures:
    """Created, created twice, a channel added, added twice, renewed; what is given anew is not what there was."""
    person = _created(target)
    told: list[tuple[str, str]] = []
    for one in _ACCOUNT:
        reply = _ask_account(target, one, person)
        status = text_of(reply, "status")
        if status != one.status:
            yield expected(status or reply, one.status, about=(one.name, one.name))
            return
        if one.name != "patientOTPUpdate" and status == "DMPOk":
            told.append((text_of(reply, "login"), text_of(reply, "password")))
    if not all(login and password for login, password in told):
        yield Sentence(
            "identifiant ou mot de passe absent d'une réponse qui les donne",
            "login or password is missing in an answer that gives them",
        )
    elif len(set(told)) < len(told):
        yield Sentence(
            "updatePatientAccess a rendu l'identifiant et le mot de passe d'avant",
            "updatePatientAccess gave the login and password there were already",
        )


def _ask_account(target: Target, ask: _Ask, person: Patient) -> Reply:
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in ask.fields)
    return target.call(
        target.service("patients_specific"),
        f"{PATIENTS}:PatientSpecificEndPoint:{ask.name}",
        f'<{ask.name} xmlns="{PATIENTS}">{fields}</{ask.name}>'.encode(),
        transaction="TD1.5",
        patient=person,
        caller=target.doctor,
    )


PROBES = (
    Probe(
        name="td.find-without-ins",
        title_fr="TD0.5 recherche d'un patient sans INS",
        title_en="TD0.5 a patient is found without INS",
        failures=_found_without_ins,
    ),
    Probe(
        name="td.change-administrative-data",
        title_fr="TD1.3b modification des données administratives",
        title_en="TD1.3b administrative data are changed",
        failures=_changed,
    ),
    Probe(
        name="td.account",
        title_fr="TD1.5 compte internet du patient",
        title_en="TD1.5 the web account of the patient",
        failures=_account,
    ),
)
