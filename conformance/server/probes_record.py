"""Probes of the transactions of the DMP: existence, authorisation, lists, feeding, search, retrieval, masking. DMP 3"""

import base64
import uuid

from conformance.population.people import TEST_NIR, Patient, Professional
from conformance.population.value_sets import code
from conformance.sentence import Sentence
from conformance.server.exchange import Reply
from conformance.server.probe import Failures, Probe, expected
from conformance.server.target import Target
from conformance.server.update import UPDATE, masked

V3, HABILITATIONS, PATIENTS = "urn:hl7-org:v3", "urn:si-dmp-habilitations", "urn:si-dmp-patients"
_REASONS = "1.2.250.1.213.1.1.4.11"
_UNKNOWN = "279035121518989"


def hl7_message(name: str, reason: str, control: str) -> bytes:
    """An HL7 v3 message: its transmission, the reason if it has one, and what is asked."""
    because = f'<reasonCode code="{reason}" codeSystem="{_REASONS}"/>' if reason else ""
    device = '<device classCode="DEV" determinerCode="INSTANCE"><id root="{}"/></device>'
    return (
        f'<{name} xmlns="{V3}" ITSVersion="XML_1.0"><id root="{uuid.uuid4()}"/><creationTime value="20260105080000"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{name}"/><processingCode code="P"/>'
        '<processingModeCode code="T"/><acceptAckCode code="AL"/>'
        f'<receiver typeCode="RCV">{device.format("1.2.250.1.213.4.1.1.1")}</receiver>'
        f'<sender typeCode="SND">{device.format("2.25.4711")}</sender>'
        f'<controlActProcess classCode="CACT" moodCode="EVN">{because}{control}</controlActProcess></{name}>'
    ).encode()


def record_query(reason: str, ins: str) -> bytes:
    """PRPA_IN201307UV02: TD0.2 with `TEST_EXST`, TD1.3a with `CNSLT_DATA`."""
    query = (
        f'<queryByParameter><queryId root="{uuid.uuid4()}"/><statusCode code="new"/><parameterList><patientIdentifier>'
        f'<value root="{TEST_NIR}" extension="{ins}"/><semanticsText>Patient.id</semanticsText></patientIdentifier>'
        "</parameterList></queryByParameter>"
    )
    return hl7_message("PRPA_IN201307UV02", reason, query)


def ask_record(target: Target, reason: str, patient: Patient, transaction: str) -> Reply:
    """TD0.2 or TD1.3a about a patient."""
    body, url = record_query(reason, patient.ins), target.service("patients")
    action = f"{V3}:PRPA_IN201307UV02"
    return target.call(url, action, body, transaction=transaction, patient=patient, caller=target.doctor)


def text_of(reply: Reply, path: str) -> str:
    """The text of the first element at a path, empty without one."""
    return "" if reply.envelope is None else (reply.envelope.findtext(f".//{{*}}{path}") or "").strip()


def attribute_of(reply: Reply, element: str, name: str = "code") -> str:
    """An attribute of the first element of this name, empty without one."""
    found = None if reply.envelope is None else next(reply.envelope.iter(f"{{*}}{element}"), None)
    return "" if found is None else str(found.get(name, ""))


def _authenticate(target: Target) -> Failures:
    reply = target.search(target.doctor, target.patient())
    if reply.is_refused:
        yield expected(reply, "une réponse à la requête", "an answer to the query")


def _existence(target: Target) -> Failures:
    for patient, wanted in ((target.patient(), "OK"), (target.patient("without-record"), "NF")):
        reply = ask_record(target, "TEST_EXST", patient, "TD0.2")
        found = attribute_of(reply, "queryResponseCode")
        if found != wanted:
            yield expected(
                found or reply,
                wanted,
                about=(f"dossier {patient.state.name}", f"a record that is {patient.state.name}"),
            )


def _set_authorisation(target: Target, action: str, caller: Professional, patient: Patient) -> Reply:
    body = f'<setAuthorization xmlns="{HABILITATIONS}"><action>{action}</action></setAuthorization>'.encode()
    name = f"{HABILITATIONS}:HabilitationsEndPoint:setAuthorization"
    url = target.service("habilitations")
    return target.call(url, name, body, transaction="TD0.3", patient=patient, caller=caller)


def _authorise(target: Target) -> Failures:
    for turn in (("premier", "first"), ("second", "second")):
        reply = _set_authorisation(target, "AJOUT", target.doctor, target.patient())
        status = text_of(reply, "status")
        if status != "DMPOk":
            yield expected(status or reply, "DMPOk", about=(f"{turn[0]} AJOUT", f"the {turn[1]} AJOUT"))


def _records(target: Target) -> Failures:
    patient = target.patient()
    _set_authorisation(target, "AJOUT", target.doctor, patient)
    reply = target.call(
        target.service("patients_specific"),
        f"{PATIENTS}:PatientSpecificEndPoint:patientList",
        f'<patientList xmlns="{PATIENTS}"/>'.encode(),
        transaction="TD0.4",
        patient=None,
        caller=target.doctor,
    )
    if patient.ins.encode() not in reply.body:
        yield Sentence(
            f"{reply} sans le patient qui a autorisé l'appelant",
            f"{reply} without the patient who authorised the caller",
        )


def _administrative(target: Target) -> Failures:
    patient = target.patient()
    reply = ask_record(target, "CNSLT_DATA", patient, "TD1.3a")
    if attribute_of(reply, "queryResponseCode") != "OK":
        yield expected(attribute_of(reply, "queryResponseCode") or reply, "OK")
    elif patient.ins.encode() not in reply.body:
        yield Sentence("la réponse n'a pas l'INS du patient", "the answer does not have the INS of the patient")


def _authorisations(target: Target) -> Failures:
    _set_authorisation(target, "AJOUT", target.doctor, target.patient())
    body = f'<listAuthorizationByPatient xmlns="{HABILITATIONS}"><mode>ACTIVE</mode></listAuthorizationByPatient>'
    reply = target.call(
        target.service("habilitations"),
        f"{HABILITATIONS}:HabilitationsEndPoint:listAuthorizationByPatient",
        body.encode(),
        transaction="TD1.6",
        patient=target.patient(),
        caller=target.doctor,
    )
    if target.doctor.identifier.encode() not in reply.body:
        yield Sentence(f"{reply} sans l'appelant, qui est autorisé", f"{reply} without the caller, who is authorised")


def _feed(target: Target) -> Failures:
    reply = target.feed(target.doctor, target.new_document(target.patient()))
    if reply.registry_status != "Success":
        yield expected(reply, "Success")


def _search(target: Target) -> Failures:
    document = target.new_document(target.patient())
    fed = target.feed(target.doctor, document)
    reply = target.search(target.doctor, document.patient)
    if document.unique_id.encode() not in reply.body:
        yield Sentence(
            f"le document déposé ({fed}) est introuvable : {reply}",
            f"the document that was fed ({fed}) is not found: {reply}",
        )


def _retrieve(target: Target) -> Failures:
    document = target.new_document(target.patient())
    fed = target.feed(target.doctor, document)
    reply = target.retrieve(target.doctor, document)
    found = None if reply.envelope is None else reply.envelope.findtext(".//{*}DocumentResponse/{*}Document")
    if found is None:
        yield Sentence(
            f"le document déposé ({fed}) n'est pas rendu : {reply}",
            f"the document that was fed ({fed}) is not returned: {reply}",
        )
    elif base64.b64decode(found) != document.content:
        yield Sentence("les octets ne sont pas ceux qui ont été déposés", "the octets are not those that were fed")


def _mask(target: Target) -> Failures:
    """By its author; another doctor who is authorised finds it before, not after."""
    patient, other = target.patient(), target.professionals[1]
    document = target.new_document(patient)
    target.feed(target.doctor, document)
    _set_authorisation(target, "AJOUT", other, patient)
    if document.unique_id.encode() not in target.search(other, patient).body:
        yield Sentence(
            "un autre professionnel autorisé ne trouve pas le document avant le masquage",
            "another professional who is authorised does not find the document before it is masked",
        )
        return
    found = target.search(target.doctor, patient)
    body = masked(found, document, code("JDV_J58", "MASQUE_PS"))
    reply = target.call(target.registry, UPDATE, body, transaction="TD3.3a", patient=patient, caller=target.doctor)
    if reply.registry_status != "Success":
        yield expected(reply, "Success", about=("masquage", "masking"))
    elif document.unique_id.encode() in target.search(other, patient).body:
        yield Sentence(
            "un autre professionnel trouve encore le document après le masquage",
            "another professional still finds the document after it was masked",
        )


_TITLES = (
    ("authenticate", "TD0.1 appel authentifié", "TD0.1 an authenticated call", _authenticate),
    ("existence", "TD0.2 test d'existence", "TD0.2 existence test", _existence),
    ("authorise", "TD0.3 ajout d'une autorisation, deux fois", "TD0.3 an authorisation added twice", _authorise),
    ("records", "TD0.4 liste des dossiers", "TD0.4 list of records", _records),
    ("read-administrative-data", "TD1.3a données administratives", "TD1.3a administrative data", _administrative),
    ("authorisations", "TD1.6 liste des professionnels", "TD1.6 list of professionals", _authorisations),
    ("feed", "TD2.1 dépôt d'un document", "TD2.1 a document is fed", _feed),
    ("search", "TD3.1 recherche du document déposé", "TD3.1 the document is searched for", _search),
    ("retrieve", "TD3.2 lecture du document déposé", "TD3.2 the document is retrieved", _retrieve),
    ("mask", "TD3.3a masquage du document", "TD3.3a the document is masked", _mask),
)
PROBES = tuple(
    Probe(name=f"td.{name}", title_fr=french, title_en=english, failures=body)
    for name, french, english, body in _TITLES
)
