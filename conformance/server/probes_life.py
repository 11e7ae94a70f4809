"""Probes of the life of a record and of a document: created, closed, reactivated; archived, deleted. DMP 3, 8.7"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from conformance.population.people import TEST_NIR, Patient, Professional, patients
from conformance.server.exchange import Reply
from conformance.server.probe import NotTestable, Probe
from conformance.server.probes_record import V3, ask_record, attribute_of, hl7_message
from conformance.server.target import Target
from conformance.server.update import APPROVED, ARCHIVED, DELETED, UPDATE, with_status

_CONSENTS = "1.2.250.1.213.4.1.2.3"
# Transaction → message, reason, status of the patient, consent.
_REQUESTS = {
    "TD1.1": ("PRPA_IN201311UV02", "CREA_RD", "active", "CONSENTEMENT_OUVERTURE_DMP"),
    "TD1.2": ("PRPA_IN201314UV02", "REAC", "active", "CONSENTEMENT_REACTIVATION_DMP"),
    "TD1.4": ("PRPA_IN201314UV02", "FERM", "terminated", ""),
}


def _life(target: Target) -> Iterator[str]:
    """A person nobody knew: each step is answered, and twice the same is told so."""
    person = next(patients(uuid.uuid4().int >> 64, 1, datetime.now(UTC).date()))
    for transaction, expected in (
        ("TD1.1", "AA"),
        ("TD1.1", "DMPFound"),
        ("TD1.4", "AA"),
        ("TD1.4", "DMPClosed"),
        ("TD1.2", "AA"),
    ):
        found = _requested(target, transaction, person)
        if found != expected:
            yield f"{transaction}: found {found}, expected {expected}"
            return
    reply = ask_record(target, "TEST_EXST", person, "TD0.2")
    if attribute_of(reply, "queryResponseCode") != "OK":
        yield f"after it was reactivated: found {attribute_of(reply, 'queryResponseCode') or reply}, expected OK"


def _requested(target: Target, transaction: str, person: Patient) -> str:
    """AA, or the code of the refusal."""
    if not target.dmp.patients:
        raise NotTestable("there is no address of the service of patients: [dmp] patients")
    name = _REQUESTS[transaction][0]
    body = _request(transaction, person, target.doctor)
    url, action = target.dmp.patients, f"{V3}:{name}"
    reply = target.call(url, action, body, transaction=transaction, patient=person, caller=target.doctor)
    return _detail(reply) or attribute_of(reply, "acknowledgement", "typeCode") or str(reply)


def _detail(reply: Reply) -> str:
    found = (
        None if reply.envelope is None else next(reply.envelope.iterfind(".//{*}acknowledgementDetail/{*}code"), None)
    )
    return "" if found is None else str(found.get("code", ""))


def _request(transaction: str, person: Patient, author: Professional) -> bytes:
    name, reason, status, consent = _REQUESTS[transaction]
    given = (
        f'<subjectOf typeCode="SBJ"><administrativeObservation classCode="OBS" moodCode="EVN"><code code="{consent}" '
        f'codeSystem="{_CONSENTS}"/><value value="true"/></administrativeObservation></subjectOf>'
    )
    closing = (
        '<reasonOf typeCode="RSON"><detectedIssueEvent classCode="ALRT" moodCode="EVN"><code '
        'code="FERMETURE_DEMANDE_PATIENT" codeSystem="1.2.250.1.213.4.1.2.4"/><text>demande de la personne</text>'
        "</detectedIssueEvent></reasonOf>"
    )
    control = (
        '<subject typeCode="SUBJ" contextConductionInd="false"><registrationRequest classCode="REG" moodCode="RQO">'
        '<statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">'
        f'<id root="{TEST_NIR}" extension="{person.ins}"/><statusCode code="{status}"/>{_person(person)}'
        f"{given if consent else ''}</patient></subject1>{_author(author)}</registrationRequest></subject>"
        f"{'' if consent else closing}"
    )
    return hl7_message(name, reason, control)


def _person(person: Patient) -> str:
    cog, city, postal = person.place
    return (
        '<patientPerson classCode="PSN" determinerCode="INSTANCE"><name>'
        f'<family qualifier="BR">{person.family}</family><given>{person.given}</given></name>'
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


def _status(target: Target) -> Iterator[str]:
    """By its author: archived, brought back, deleted; a search for approved documents finds it in between alone."""
    document = target.new_document(target.patient())
    fed = target.feed(target.doctor, document)
    before = target.search(target.doctor, document.patient)
    if document.unique_id.encode() not in before.body:
        yield f"the document that was fed ({fed}) is not found: {before}"
        return
    for old, new, is_found in ((APPROVED, ARCHIVED, False), (ARCHIVED, APPROVED, True), (APPROVED, DELETED, False)):
        word = new.rpartition(":")[2]
        reply = target.call(
            target.registry,
            UPDATE,
            with_status(before, document, old, new),
            transaction="TD3.3c" if new == DELETED else "TD3.3d",
            patient=document.patient,
            caller=target.doctor,
        )
        if reply.registry_status != "Success":
            yield f"to {word}: found {reply}, expected Success"
            return
        if (document.unique_id.encode() in target.search(target.doctor, document.patient).body) is not is_found:
            yield f"a document that is {word} is {'not ' if is_found else ''}found among those that are approved"


PROBES = (
    Probe(
        name="td.life",
        title_fr="TD1.1, TD1.4, TD1.2 création, fermeture, réactivation",
        title_en="TD1.1, TD1.4, TD1.2 created, closed, reactivated",
        failures=_life,
    ),
    Probe(
        name="td.status",
        title_fr="TD3.3c, TD3.3d archivage, retour, suppression",
        title_en="TD3.3c, TD3.3d archived, brought back, deleted",
        failures=_status,
    ),
)
