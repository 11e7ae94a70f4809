"""Probes of the transactions of the DMP: existence, authorisation, lists, feeding, search, retrieval, masking. DMP 3"""

import base64
import uuid
from collections.abc import Iterator

from conformance.population.people import TEST_NIR, Patient, Professional
from conformance.population.value_sets import code
from conformance.server.exchange import Reply
from conformance.server.probe import Probe
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


def _authenticate(target: Target) -> Iterator[str]:
    reply = target.search(target.doctor, target.patient())
    if reply.is_refused:
        yield f"found {reply}, expected an answer to the query"


def _existence(target: Target) -> Iterator[str]:
    for patient, expected in ((target.patient(), "OK"), (target.patient("without-record"), "NF")):
        reply = ask_record(target, "TEST_EXST", patient, "TD0.2")
        found = attribute_of(reply, "queryResponseCode")
        if found != expected:
            yield f"a record that is {patient.state.name}: found {found or reply}, expected {expected}"


def _set_authorisation(target: Target, action: str, caller: Professional, patient: Patient) -> Reply:
    body = f'<setAuthorization xmlns="{HABILITATIONS}"><action>{action}</action></setAuthorization>'.encode()
    name = f"{HABILITATIONS}:HabilitationsEndPoint:setAuthorization"
    url = target.service("habilitations")
    return target.call(url, name, body, transaction="TD0.3", patient=patient, caller=caller)


def _authorise(target: Target) -> Iterator[str]:
    for turn in ("first", "second"):
        reply = _set_authorisation(target, "AJOUT", target.doctor, target.patient())
        status = text_of(reply, "status")
        if status != "DMPOk":
            yield f"the {turn} AJOUT: found {status or reply}, expected DMPOk"


def _records(target: Target) -> Iterator[str]:
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
        yield f"found {reply} without the patient who authorised the caller"


def _administrative(target: Target) -> Iterator[str]:
    patient = target.patient()
    reply = ask_record(target, "CNSLT_DATA", patient, "TD1.3a")
    if attribute_of(reply, "queryResponseCode") != "OK":
        yield f"found {attribute_of(reply, 'queryResponseCode') or reply}, expected OK"
    elif patient.ins.encode() not in reply.body:
        yield "the answer does not have the INS of the patient"


def _authorisations(target: Target) -> Iterator[str]:
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
        yield f"found {reply} without the caller, who is authorised"


def _feed(target: Target) -> Iterator[str]:
    reply = target.feed(target.doctor, target.new_document(target.patient()))
    if reply.registry_status != "Success":
        yield f"found {reply}, expected Success"


def _search(target: Target) -> Iterator[str]:
    document = target.new_document(target.patient())
    fed = target.feed(target.doctor, document)
    reply = target.search(target.doctor, document.patient)
    if document.unique_id.encode() not in reply.body:
        yield f"the document that was fed ({fed}) is not found: {reply}"


def _retrieve(target: Target) -> Iterator[str]:
    document = target.new_document(target.patient())
    fed = target.feed(target.doctor, document)
    reply = target.retrieve(target.doctor, document)
    found = None if reply.envelope is None else reply.envelope.findtext(".//{*}DocumentResponse/{*}Document")
    if found is None:
        yield f"the document that was fed ({fed}) is not returned: {reply}"
    elif base64.b64decode(found) != document.content:
        yield "the octets are not those that were fed"


def _mask(target: Target) -> Iterator[str]:
    """By its author; another doctor who is authorised finds it before, not after."""
    patient, other = target.patient(), target.professionals[1]
    document = target.new_document(patient)
    target.feed(target.doctor, document)
    _set_authorisation(target, "AJOUT", other, patient)
    if document.unique_id.encode() not in target.search(other, patient).body:
        yield "another professional who is authorised does not find the document before it is masked"
        return
    found = target.search(target.doctor, patient)
    body = masked(found, document, code("JDV_J58", "MASQUE_PS"))
    reply = target.call(target.registry, UPDATE, body, transaction="TD3.3a", patient=patient, caller=target.doctor)
    if reply.registry_status != "Success":
        yield f"masking: found {reply}, expected Success"
    elif document.unique_id.encode() in target.search(other, patient).body:
        yield "another professional still finds the document after it was masked"


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
