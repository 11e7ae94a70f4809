"""A small client of the record of a person: TD0.2 to TD1.6 over SOAP, TD3.3 as updates. DMP 3, 8.7."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from carnet.dmp_answers import Said, read_said
from carnet.proof import NO_PROOF, Proof
from carnet.reports import SOURCE_ID
from carnet.xds_answers import Answer
from carnet.xds_client import XdsClient
from hl7v3.person import Person, write_person
from xds.datatypes import CX, DTM, Code
from xds.identifiers import new_oid
from xds.metadata import Association, DocumentEntry, Submission, SubmissionSet
from xds.vocabulary import AssociationType

V3, HABILITATIONS, PATIENTS = "urn:hl7-org:v3", "urn:si-dmp-habilitations", "urn:si-dmp-patients"
_REASONS, _OBSERVATIONS, _CAUSES = "1.2.250.1.213.1.1.4.11", "1.2.250.1.213.4.1.2.3", "1.2.250.1.213.4.1.2.4"
_DMP = "1.2.250.1.213.4.1.1.1"
INVISIBLE = Code(code="INVISIBLE_PATIENT", coding_scheme="1.2.250.1.213.1.1.4.13", display_name="Invisible au patient")
MASKED = Code(code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13", display_name="Masqué aux professionnels")
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
ARCHIVED, DELETED = (f"urn:asip:ci-sis:2010:StatusType:{one}" for one in ("Archived", "Deleted"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who acts: PS_IdNat, names, the structure's Struct_IdNat and name. PDT-INF-617"""

    id: str
    family: str
    given: str
    structure: str
    structure_name: str


class DmpClient:
    """Talks to the services of the record, under one base URL with those of its documents."""

    def __init__(self, url: str, *, proof: Proof = NO_PROOF) -> None:
        self._xds = XdsClient(url, proof=proof)

    def existence(self, patient: CX) -> Said:
        """Test existence and one's own authorisation [TD0.2]."""
        return self._record_query(patient, "TEST_EXST")

    def data(self, patient: CX) -> Said:
        """Read administrative data [TD1.3a]."""
        return self._record_query(patient, "CNSLT_DATA")

    def authorise(self, *, action: str = "AJOUT", treating_doctor: bool = False) -> Said:
        """Add or remove one's authorisation on the record that the assertion names [TD0.3]."""
        role = "<role>MEDECIN_TRAITANT</role>" if treating_doctor else ""
        return self._service(HABILITATIONS, "setAuthorization", f"<action>{escape(action)}</action>{role}")

    def records(self, *, since: str, kind: str = "LASTAUTORIZATION") -> Said:
        """List the records one is authorised on [TD0.4]; `since`: yyyyMMddHHmmss."""
        inside = f"<startDate>{escape(since)}</startDate><dateType>{escape(kind)}</dateType>"
        return self._service(PATIENTS, "patientList", inside)

    def professionals(self, *, mode: str = "ACTIVE") -> Said:
        """List authorised and blocked professionals [TD1.6]."""
        return self._service(HABILITATIONS, "listAuthorizationByPatient", f"<mode>{escape(mode)}</mode>")

    def create(self, patient: CX, person: Person, by: Requester) -> Said:
        """Create a record with the consent of the person, who opposes nothing [TD1.1]."""
        wishes = {
            "CONSENTEMENT_OUVERTURE_DMP": True,
            "OPPOSITION_BRIS_DE_GLACE": False,
            "OPPOSITION_ACCES_URGENCE": False,
        }
        inside = write_person(person) + "".join(_observation(name, value) for name, value in wishes.items())
        return self._request("PRPA_IN201311UV02", "CREA_RD", patient, inside, by)

    def close(self, patient: CX, person: Person, by: Requester, *, reason: str) -> Said:
        """Close a record on the person's demand [TD1.4]."""
        because = (
            '<reasonOf typeCode="RSON"><detectedIssueEvent classCode="ALRT" moodCode="EVN"><code '
            f'code="FERMETURE_DEMANDE_PATIENT" codeSystem="{_CAUSES}"/><text>{escape(reason)}</text>'
            "</detectedIssueEvent></reasonOf>"
        )
        inside, status = write_person(person), "terminated"
        return self._request("PRPA_IN201314UV02", "FERM", patient, inside, by, status=status, because=because)

    def reactivate(self, patient: CX, person: Person, by: Requester) -> Said:
        """Reactivate a closed record with the consent of the person [TD1.2]."""
        inside = write_person(person) + _observation("CONSENTEMENT_REACTIVATION_DMP", True)
        return self._request("PRPA_IN201314UV02", "REAC", patient, inside, by)

    def change(
        self, patient: CX, person: Person, by: Requester, *, opposes_break_glass: bool, opposes_regulation: bool
    ) -> Said:
        """Change administrative data and oppositions [TD1.3b]."""
        wishes = {"OPPOSITION_BRIS_DE_GLACE": opposes_break_glass, "OPPOSITION_ACCES_URGENCE": opposes_regulation}
        inside = write_person(person) + "".join(_observation(name, value) for name, value in wishes.items())
        return self._request("PRPA_IN201314UV02", "MODIF_DATA", patient, inside, by)

    def create_access(self, *, channel: str, kind: str = "EMAIL") -> Said:
        """Create the web account of the person that the assertion names [TD1.5a]; `kind`: EMAIL or SMS."""
        inside = f"<type>{escape(kind)}</type><canal>{escape(channel)}</canal>"
        return self._service(PATIENTS, "createPatientAccess", inside)

    def change_channel(self, *, channel: str, kind: str, action: str = "AJOUT") -> Said:
        """Where one-time passwords go too [TD1.5b]; `action`: AJOUT, MODIFICATION or SUPPRESSION."""
        inside = f"<type>{escape(kind)}</type><canal>{escape(channel)}</canal><action>{escape(action)}</action>"
        return self._service(PATIENTS, "patientOTPUpdate", inside)

    def renew_access(self) -> Said:
        """Another login and password of the web account [TD1.5d]."""
        return self._service(PATIENTS, "updatePatientAccess", "")

    def look_for(self, person: Person) -> Said:
        """Find a person without INS, by traits, as a regulator of emergency calls [TD0.5]."""
        traits = (
            ("AdministrativeGender", "administrativeGender", f"<value code={quoteattr(person.gender)}/>"),
            ("BirthTime", "birthTime", f"<value value={quoteattr(person.birth_time)}/>"),
            (
                *("Name", "name"),
                f"<value><family>{escape(person.birth_family)}</family><given>{escape(person.given[0])}</given></value>",
            ),
        )
        asked = "".join(
            f"<livingSubject{name}>{value}<semanticsText>LivingSubject.{text}</semanticsText></livingSubject{name}>"
            for name, text, value in traits
        )
        control = (
            f'<queryByParameter><queryId root="{uuid.uuid4()}"/><statusCode code="new"/>'
            f"<parameterList>{asked}</parameterList></queryByParameter>"
        )
        name = "PRPA_IN201305UV02"
        return read_said(self._xds.ask("patients", f"{V3}:{name}", _transmission(name, "", control)))

    def restrict(self, entry: DocumentEntry, *codes: Code) -> Answer:
        """A new version of an entry with these restrictions beside its level [TD3.3a, b]."""
        level = tuple(one for one in entry.confidentiality_code if one.code in ("N", "R", "V"))
        new = replace(
            entry,
            entry_uuid="Update01",
            version=None,
            availability_status=None,
            confidentiality_code=(*level, *codes),
        )
        member = Association(
            entry_uuid="Member01",
            association_type=AssociationType.HAS_MEMBER,
            source="SubmissionSet01",
            target=new.entry_uuid,
            submission_set_status="Original",
            previous_version=entry.version or 1,
        )
        owner = _owner(entry)
        return self._xds.update(Submission(submission_set=owner, document_entries=(new,), associations=(member,)))

    def set_status(self, entry: DocumentEntry, *, before: str, after: str) -> Answer:
        """Archive, unarchive or delete a document [TD3.3c, d]."""
        change = Association(
            entry_uuid="Status01",
            association_type=AssociationType.UPDATE_AVAILABILITY_STATUS,
            source="SubmissionSet01",
            target=entry.entry_uuid,
            original_status=before,
            new_status=after,
        )
        return self._xds.update(Submission(submission_set=_owner(entry), associations=(change,)))

    def _record_query(self, patient: CX, reason: str) -> Said:
        control = (
            f'<queryByParameter><queryId root="{uuid.uuid4()}"/><statusCode code="new"/><parameterList>'
            f"<patientIdentifier>{_identifier('value', patient)}<semanticsText>Patient.id</semanticsText>"
            "</patientIdentifier></parameterList></queryByParameter>"
        )
        name = "PRPA_IN201307UV02"
        return read_said(self._xds.ask("patients", f"{V3}:{name}", _transmission(name, reason, control)))

    def _request(
        self,
        name: str,
        reason: str,
        patient: CX,
        inside: str,
        by: Requester,
        *,
        status: str = "active",
        because: str = "",
    ) -> Said:
        control = (
            '<subject typeCode="SUBJ" contextConductionInd="false"><registrationRequest classCode="REG" '
            'moodCode="RQO"><statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">'
            f'{_identifier("id", patient)}<statusCode code="{status}"/>{inside}</patient></subject1>{_author(by)}'
            f"</registrationRequest></subject>{because}"
        )
        return read_said(self._xds.ask("patients", f"{V3}:{name}", _transmission(name, reason, control)))

    def _service(self, namespace: str, name: str, inside: str) -> Said:
        door, endpoint = {
            HABILITATIONS: ("habilitations", "HabilitationsEndPoint"),
            PATIENTS: ("patients", "PatientSpecificEndPoint"),
        }[namespace]
        body = f'<{name} xmlns="{namespace}">{inside}</{name}>'.encode()
        return read_said(self._xds.ask(door, f"{namespace}:{endpoint}:{name}", body))


def _transmission(name: str, reason: str, control: str) -> bytes:
    device = '<device classCode="DEV" determinerCode="INSTANCE"><id root="{}"/><softwareName>{}</softwareName></device>'
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    because = f'<reasonCode code="{reason}" codeSystem="{_REASONS}"/>' if reason else ""
    return (
        f'<{name} xmlns="{V3}" ITSVersion="XML_1.0"><id root="{uuid.uuid4()}"/><creationTime value="{now}"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{name}"/><processingCode code="P"/>'
        '<processingModeCode code="T"/><acceptAckCode code="AL"/>'
        f'<receiver typeCode="RCV">{device.format(_DMP, "DMP")}</receiver>'
        f'<sender typeCode="SND">{device.format(SOURCE_ID, "Carnet")}</sender>'
        f'<controlActProcess classCode="CACT" moodCode="EVN">{because}'
        f"{control}</controlActProcess></{name}>"
    ).encode()


def _identifier(tag: str, patient: CX) -> str:
    return f"<{tag} root={quoteattr(patient.authority)} extension={quoteattr(patient.id)}/>"


def _observation(code: str, value: bool) -> str:
    return (
        '<subjectOf typeCode="SBJ"><administrativeObservation classCode="OBS" moodCode="EVN">'
        f'<code code="{code}" codeSystem="{_OBSERVATIONS}"/><value value="{str(value).lower()}"/>'
        "</administrativeObservation></subjectOf>"
    )


def _author(by: Requester) -> str:
    return (
        '<author typeCode="AUT"><assignedEntity classCode="ASSIGNED"><id root="1.2.250.1.71.4.2.1" '
        f'extension={quoteattr(by.id)}/><assignedPerson classCode="PSN" determinerCode="INSTANCE"><name>'
        f"<family>{escape(by.family)}</family><given>{escape(by.given)}</given></name></assignedPerson>"
        '<representedOrganization classCode="ORG" determinerCode="INSTANCE"><id root="1.2.250.1.71.4.2.2" '
        f"extension={quoteattr(by.structure)}/><name>{escape(by.structure_name)}</name></representedOrganization>"
        "</assignedEntity></author>"
    )


def _owner(entry: DocumentEntry) -> SubmissionSet:
    """The SubmissionSet of a change, by the author of the entry."""
    return SubmissionSet(
        entry_uuid="SubmissionSet01",
        author=entry.author[:1],
        content_type_code=Code(
            code="07", coding_scheme="1.2.250.1.213.2.2", display_name="Consultations, soins externes"
        ),
        patient_id=entry.patient_id,
        source_id=SOURCE_ID,
        submission_time=DTM(datetime.now(UTC).strftime("%Y%m%d%H%M%S")),
        title="Mise à jour",
        unique_id=new_oid(),
    )
