"""Requests that create, reactivate, change or close a record, and what they are answered. DMP 3 (TD1.1 to TD1.4)"""

from dataclasses import dataclass

from conformance.population.people import TEST_NIR, Patient, Professional
from conformance.server.exchange import Reply
from conformance.server.probes_record import V3, attribute_of, hl7_message
from conformance.server.target import Target

_CONSENTS = "1.2.250.1.213.4.1.2.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    message: str
    reason: str
    consent: str = ""
    status: str = "active"


_REQUESTS = {
    "TD1.1": _Request(message="PRPA_IN201311UV02", reason="CREA_RD", consent="CONSENTEMENT_OUVERTURE_DMP"),
    "TD1.2": _Request(message="PRPA_IN201314UV02", reason="REAC", consent="CONSENTEMENT_REACTIVATION_DMP"),
    "TD1.3b": _Request(message="PRPA_IN201314UV02", reason="MODIF_DATA"),
    "TD1.4": _Request(message="PRPA_IN201314UV02", reason="FERM", status="terminated"),
}
_CLOSING = (
    '<reasonOf typeCode="RSON"><detectedIssueEvent classCode="ALRT" moodCode="EVN"><code '
    'code="FERMETURE_DEMANDE_PATIENT" codeSystem="1.2.250.1.213.4.1.2.4"/><text>demande de la personne</text>'
    "</detectedIssueEvent></reasonOf>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What TD1.3b tells of a person: oppositions, and an address for mail."""

    opposes_break_glass: bool = False
    opposes_regulation: bool = False
    mail: str = ""


def request_record(target: Target, transaction: str, person: Patient, wishes: Wishes | None = None) -> str:
    """`AA`, or the code of the refusal. Raises NotTestable."""
    asked = _REQUESTS[transaction]
    body = _message(asked, person, target.doctor, wishes)
    url, action = target.service("patients"), f"{V3}:{asked.message}"
    reply = target.call(url, action, body, transaction=transaction, patient=person, caller=target.doctor)
    return _detail(reply) or attribute_of(reply, "acknowledgement", "typeCode") or str(reply)


def _detail(reply: Reply) -> str:
    found = (
        None if reply.envelope is None else next(reply.envelope.iterfind(".//{*}acknowledgementDetail/{*}code"), None)
    )
    return "" if found is None else str(found.get("code", ""))


def _message(asked: _Request, person: Patient, author: Professional, wishes: Wishes | None) -> bytes:
    told = {asked.consent: True} if asked.consent else {}
    if wishes is not None:
        told["OPPOSITION_BRIS_DE_GLACE"] = wishes.opposes_break_glass
        told["OPPOSITION_ACCES_URGENCE"] = wishes.opposes_regulation
    control = (
        '<subject typeCode="SUBJ" contextConductionInd="false"><registrationRequest classCode="REG" moodCode="RQO">'
        '<statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">'
        f'<id root="{TEST_NIR}" extension="{person.ins}"/><statusCode code="{asked.status}"/>'
        f"{_person(person, '' if wishes is None else wishes.mail)}"
        f"{''.join(_observation(code, is_so=value) for code, value in told.items())}"
        f"</patient></subject1>{_author(author)}</registrationRequest></subject>"
        f"{_CLOSING if asked.status == 'terminated' else ''}"
    )
    return hl7_message(asked.message, asked.reason, control)


def _observation(code: str, *, is_so: bool) -> str:
    value = "true" if is_so else "false"
    return (
        '<subjectOf typeCode="SBJ"><administrativeObservation classCode="OBS" moodCode="EVN">'
        f'<code code="{code}" codeSystem="{_CONSENTS}"/><value value="{value}"/>'
        "</administrativeObservation></subjectOf>"
    )


def _person(person: Patient, mail: str) -> str:
    cog, city, postal = person.place
    telecom = f'<telecom value="mailto:{mail}"/>' if mail else ""
    return (
        '<patientPerson classCode="PSN" determinerCode="INSTANCE"><name>'
        f'<family qualifier="BR">{person.family}</family><given>{person.given}</given></name>{telecom}'
        f'<administrativeGenderCode code="{person.sex}"/><birthTime value="{person.birth:%Y%m%d}"/>'
        f"<addr><postalCode>{postal}</postalCode><city>{city}</city></addr>"
        f"<birthPlace><addr><county>{cog}</county></addr></birthPlace></patientPerson>"
    )


def _author(author: Professional) -> str:
    return (
        '<author typeCode="AUT"><assignedEntity classCode="ASSIGNED"><id root="1.2.250.1.71.4.2.1" '
        f'extension="{author.identifier}"/><assignedPerson classCode="PSN" determinerCode="INSTANCE"><name>'
        f"<family>{author.family}</family><given>{author.given}</given></name></assignedPerson></assignedEntity></author>"
    )
