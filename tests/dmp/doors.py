"""The doors of one server as those who ask use them: what each shows, as plain sets that a model can be compared with."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from lxml import etree
from werkzeug.test import Client

from access_policy.caller import AuthenticationMode, PurposeOfUse
from access_policy.make_vihf import Vihf, make_vihf, security_header
from carnet.pki import Use
from tests import messages, sts
from tests.builders import REPOSITORY, TEST_INS, a_status_update, a_submission, an_author, an_entry, an_update
from tests.dmp.dossier_model import Asker
from tests.hl7v3 import record_messages as written
from tests.messages import Answered
from tests.servers import Response, Server
from xds.datatypes import CX, XCN, XON, Code
from xds.ebrim.read import read_document_entries
from xds.ebrim.write import write_submit_objects_request
from xds.metadata import DocumentEntry, Submission

CONTENT = b"<ClinicalDocument/>"
RESTRICTIONS = "1.2.250.1.213.1.1.4.13"
NORMAL = Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal")
STATUSES = {
    "approved": "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved",
    "obsolete": "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated",
    "archived": "urn:asip:ci-sis:2010:StatusType:Archived",
    "deleted": "urn:asip:ci-sis:2010:StatusType:Deleted",
}
EVERY_STATUS = tuple(STATUSES)
PATIENTS, HABILITATIONS, V3 = "urn:si-dmp-patients", "urn:si-dmp-habilitations", written.V3
MULTI_PATIENT = "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f"
_REQUESTS = {
    "open": ("PRPA_IN201311UV02", "CREA_RD", "CONSENTEMENT_OUVERTURE_DMP"),
    "reactivate": ("PRPA_IN201314UV02", "REAC", "CONSENTEMENT_REACTIVATION_DMP"),
    "close": ("PRPA_IN201314UV02", "FERM", ""),
}
Send = Callable[[str, str, bytes, Mapping[str, str]], Response]


def in_this_process(app: Any) -> Send:
    """Requests to a WSGI application, without a network."""
    client = Client(app)

    def send(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        place = {"REMOTE_ADDR": "127.0.0.1"}
        with client.open(path, method=method, data=body, headers=dict(headers), environ_overrides=place) as answer:
            named = {name.lower(): value for name, value in answer.headers.items()}
            return Response(status=answer.status_code, headers=named, body=answer.get_data())

    return send


def over_network(server: Server) -> Send:
    """Requests to a server that listens."""
    return lambda method, path, body, headers: server.request(method, path, body or None, dict(headers))


def restriction(code: str) -> Code:
    return Code(code=code, coding_scheme=RESTRICTIONS, display_name=code)


def cx_of(ins: str) -> CX:
    return CX(f"{ins}^^^&{TEST_INS}&ISO^NH")


@cache
def assertion(asker: Asker, ins: str) -> bytes:
    """The wsse:Security of an asker about a person."""
    name = str(cx_of(asker.name)) if asker.side != "professional" else asker.name
    roles = asker.roles or (("EXP_PATIENT", "1.2.250.1.213.1.1.4.6"),)
    claim = Vihf(
        subject=name,
        structure=asker.structure,
        sector=Code(code=asker.sector, coding_scheme="1.2.250.1.71.4.2.4"),
        display_name=asker.label,
        mode=AuthenticationMode(asker.card),
        purpose=PurposeOfUse(asker.purpose),
        roles=tuple(Code(code=code, coding_scheme=system) for code, system in roles),
        patient_id=cx_of(ins),
        is_secret_connection=asker.secret,
    )
    signer = sts.card()[Use.SIGNATURE]
    return security_header(make_vihf(claim, signer.certificate, signer.key, now=sts.NOW))


@dataclass(frozen=True)
class Doors:
    """Requests of one asker about one person at a time; `asker` None is the open caller, who sees everything."""

    send: Send

    def post(self, path: str, body: bytes, action: str, asker: Asker | None, ins: str, parts: Any = None) -> Answered:
        message = messages.envelope(body, action)
        if asker is not None:
            message = message.replace(b"</e:Header>", assertion(asker, ins) + b"</e:Header>")
        kind = messages.simple_type(action)
        if parts is not None:
            message, kind = messages.multipart(message, parts), messages.multipart_type()
        return messages.read(self.send("POST", path, message, {"Content-Type": kind}))

    # --- finding and reading -------------------------------------------------------------------

    def query(self, asker: Asker | None, ins: str, query: str, kind: str = "LeafClass", **slots: str) -> Answered:
        body = messages.query_body(query, {f"${name}": value for name, value in slots.items()}, kind)
        return self.post("/xds/registry", body, messages.QUERY_ACTION, asker, ins)

    def find(self, asker: Asker | None, ins: str, *statuses: str, kind: str = "LeafClass") -> Answered:
        quoted = ",".join(f"'{STATUSES[one]}'" for one in statuses)
        patient = f"'{cx_of(ins).key}'"
        given = {"XDSDocumentEntryPatientId": patient, "XDSDocumentEntryStatus": f"({quoted})"}
        return self.query(asker, ins, messages.FIND_DOCUMENTS, kind, **given)

    def get(self, asker: Asker | None, ins: str, unique_ids: Iterable[str], kind: str = "LeafClass") -> Answered:
        quoted = ",".join(f"'{one}'" for one in unique_ids)
        return self.query(asker, ins, messages.GET_DOCUMENTS, kind, XDSDocumentEntryUniqueId=f"({quoted})")

    def everything(self, asker: Asker, ins: str) -> Answered:
        every = ",".join(f"'{one}'" for one in STATUSES.values())
        names = ("XDSDocumentEntryStatus", "XDSSubmissionSetStatus", "XDSFolderStatus")
        given = dict.fromkeys(names, f"({every})")
        return self.query(asker, ins, messages.GET_ALL, patientId=f"'{cx_of(ins).key}'", **given)

    def of_several_patients(self, asker: Asker, ins: str) -> Answered:
        """Multi-Patient Stored Query [ITI-51]"""
        status = f"('{STATUSES['approved']}')"
        slots = {"$XDSDocumentEntryPatientId": f"('{cx_of(ins).key}')", "$XDSDocumentEntryStatus": status}
        action = "urn:ihe:iti:2009:MultiPatientStoredQuery"
        return self.post("/xds/registry", messages.query_body(MULTI_PATIENT, slots), action, asker, ins)

    def retrieve(self, asker: Asker, ins: str, unique_ids: Iterable[str]) -> Answered:
        body = messages.retrieve_body(*((REPOSITORY, one) for one in unique_ids))
        return self.post("/xds/repository", body, messages.RETRIEVE, asker, ins, parts=[])

    def fhir(self, asker: Asker, ins: str, path: str) -> tuple[int, Any]:
        header = assertion(asker, ins)
        inside = header[header.index(b">") + 1 : header.rindex(b"</wsse:Security>")]
        token = base64.urlsafe_b64encode(inside).decode().rstrip("=")
        answer = self.send("GET", f"/fhir{path}", b"", {"Authorization": f"Bearer {token}"})
        is_json = "json" in answer.headers.get("content-type", "")
        return answer.status, json.loads(answer.body) if is_json else answer.body

    def search(self, asker: Asker, ins: str, resource: str, more: str = "") -> dict[str, Any]:
        status, bundle = self.fhir(asker, ins, f"/{resource}?patient.identifier=urn:oid:{TEST_INS}|{ins}{more}")
        assert status == 200, bundle
        return dict(bundle)

    # --- feeding and changing ------------------------------------------------------------------

    def feed(self, asker: Asker | None, ins: str, entry: DocumentEntry, **given: Any) -> Answered:
        submission = a_submission(entry, patient_id=entry.patient_id, **given)
        body = messages.provide_body(submission, {entry.entry_uuid: messages.include("d@test")})
        parts = [("d@test", CONTENT)]
        return self.post("/xds/repository", body, messages.PROVIDE, asker, ins, parts=parts)

    def stored(self, ins: str, unique_id: str) -> DocumentEntry:
        """As the registry has it now."""
        [found] = read_document_entries(self.get(None, ins, [unique_id]).envelope)
        return found

    def update(self, asker: Asker, ins: str, submission: Submission) -> Answered:
        owner = replace(submission.submission_set, patient_id=cx_of(ins))  # type: ignore[type-var]
        objects = replace(submission, submission_set=owner).objects
        body = write_submit_objects_request(objects)
        return self.post("/xds/registry", body, messages.UPDATE, asker, ins)

    def restrict(self, asker: Asker, ins: str, entry: DocumentEntry, *codes: str) -> Answered:
        """Another version with these restrictions. TD3.3a, b"""
        given = (NORMAL, *(restriction(one) for one in codes))
        return self.update(asker, ins, an_update(entry, confidentiality_code=given))

    def set_status(self, asker: Asker, ins: str, entry: DocumentEntry, before: str, after: str) -> Answered:
        """TD3.3c, d"""
        submission = a_status_update(entry.entry_uuid, "Approved", "Deprecated")
        [trigger] = submission.associations
        changed = replace(trigger, original_status=STATUSES[before], new_status=STATUSES[after])
        return self.update(asker, ins, replace(submission, associations=(changed,)))

    # --- the record ----------------------------------------------------------------------------

    def existence(self, asker: Asker, ins: str) -> tuple[str, str, str, str]:
        """TD0.2: OK or NF, AUTORISATION, STATUT_MT, statusCode."""
        body = written.record_query(ins=ins)
        answer = self.post("/xds/patients", body, f"{V3}:PRPA_IN201307UV02", asker, ins).body

        def said(path: str) -> str:
            return str(answer.xpath(f"string({path})"))

        def attention(name: str, attribute: str) -> str:
            return said(f"//*[local-name()='attentionLine'][*/@code='{name}']/*[2]/@{attribute}")

        return (
            said("//*[local-name()='queryResponseCode']/@code"),
            attention("AUTORISATION", "code"),
            attention("STATUT_MT", "value"),
            said("//*[local-name()='patient']/*[local-name()='statusCode']/@code"),
        )

    def set_authorization(self, asker: Asker, ins: str, action: str, role: str = "") -> str:
        """TD0.3"""
        inside = f"<action>{action}</action>" + (f"<role>{role}</role>" if role else "")
        body = f'<setAuthorization xmlns="{HABILITATIONS}">{inside}</setAuthorization>'.encode()
        action = f"{HABILITATIONS}:HabilitationsEndPoint:setAuthorization"
        return str(self.post("/xds/habilitations", body, action, asker, ins).body.findtext("{*}status"))

    def listed(self, asker: Asker, ins: str) -> set[str] | None:
        """TD0.4: the INS of the records; None where it is refused."""
        body, action = f'<patientList xmlns="{PATIENTS}"/>'.encode(), f"{PATIENTS}:PatientSpecificEndPoint:patientList"
        answer = self.post("/xds/patients", body, action, asker, ins).body
        if answer.findtext("{*}status") != "DMPOk":
            return None
        return {str(one.findtext("{*}ins")) for one in answer.iter("{*}patientlistData")}

    def candidates(self, asker: Asker, ins: str) -> set[str] | None:
        """TD0.5, by a family name that all have; None where it is refused."""
        body = written.patient_search("EXEMPLE", "", "", "")
        answer = self.post("/xds/patients", body, f"{V3}:PRPA_IN201305UV02", asker, ins).body
        if answer.xpath("string(//*[local-name()='acknowledgement']/*[local-name()='typeCode']/@code)") != "AA":
            return None
        return {str(one.get("extension")) for one in answer.iterfind(".//{*}patient/{*}id")}

    def administer(self, asker: Asker, ins: str, what: str) -> str:
        """TD1.1, TD1.2, TD1.4: AA, or the code of the refusal."""
        name, reason, consent = _REQUESTS[what]
        given = written.observation(consent, "true") if consent else ""
        status = "terminated" if what == "close" else "active"
        body = written.record_request(name, reason, ins=ins, observations=given, status=status)
        answer = self.post("/xds/patients", body, f"{V3}:{name}", asker, ins).body
        code = str(answer.xpath("string(//*[local-name()='acknowledgementDetail']/*[local-name()='code']/@code)"))
        return code or str(answer.xpath("string(//*[local-name()='acknowledgement']/@typeCode)"))


def unique_ids(answered: Answered) -> set[str]:
    assert answered.status == "Success", answered.contexts
    return {one.unique_id or "" for one in read_document_entries(answered.envelope)}


def references(answered: Answered) -> set[str]:
    assert answered.status == "Success", answered.contexts
    return {str(one.get("id")) for one in answered.envelope.findall(".//{*}ObjectRef")}


def retrieved(answered: Answered) -> set[str]:
    return {str(one.text) for one in answered.envelope.iterfind(".//{*}DocumentResponse/{*}DocumentUniqueId")}


def listed_titles(answered: Answered) -> set[str]:
    """Of the document list that is made at retrieve."""
    [content] = messages.contents(answered)
    rows = etree.fromstring(content).xpath("//h:tbody/h:tr/h:td[3]/text()", namespaces={"h": "urn:hl7-org:v3"})
    return {str(one) for one in rows}


def written_entry(
    asker: Asker, ins: str, *, unique_id: str, logical_id: str, type_code: Code, class_code: str, codes: Iterable[str]
) -> DocumentEntry:
    """What the asker feeds: a document of the asker, titled with its uniqueId."""
    if asker.side == "professional":
        person = XCN(f"{asker.name}^VILLARD^ELISE^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS")
        institution = (XON(f"Clinique^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^{asker.structure}"),)
        author = an_author(author_person=person, author_institution=institution)
    else:
        person = XCN(f"{asker.name}^MARCHAL^LISE^^^^^^&{TEST_INS}&ISO^D^^^NH")
        author = an_author(author_person=person, author_institution=(), author_specialty=())
    scheme = "1.2.250.1.213.1.1.4.1"
    return an_entry(
        content=CONTENT,
        entry_uuid=logical_id,
        author=(author,),
        class_code=Code(code=class_code, coding_scheme=scheme, display_name=class_code),
        confidentiality_code=(NORMAL, *(restriction(one) for one in codes)),
        patient_id=cx_of(ins),
        title=unique_id,
        type_code=type_code,
        unique_id=unique_id,
    )
